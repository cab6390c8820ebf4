"""A run's own life: begun once for each occurrence, found, decided on, given up, taken over from the dead."""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, and_, delete, or_, select, update
from sqlmodel import Session, col

from campaigns import approval, leases, ledger
from campaigns.errors import RunUnknown, WrongState
from campaigns.models import Campaign, CampaignState, Message, Run, RunState
from campaigns.settings import Settings
from subscribers.secrets import Secrets

RETRY_AFTER = timedelta(minutes=15)


def begin_run(
    session: Session, campaign: Campaign, occurrence: datetime, *, now: datetime, unattended: bool = False
) -> Run:
    """Claim this occurrence of the campaign; commits. Raises sqlalchemy's IntegrityError when it is claimed already."""
    assert campaign.id is not None  # it came from the database
    run = Run(
        campaign_id=campaign.id,
        occurrence=occurrence,
        planned_at=now,
        unattended=unattended,
        owner=leases.this_process(),
        alive_at=now,
    )
    session.add(run)
    session.commit()
    return run


def find_run(session: Session, run_id: int) -> Run:
    """The run with this number. Raises RunUnknown."""
    run = session.get(Run, run_id)
    if run is None:
        raise RunUnknown(f"there is no run {run_id}; `handpicked campaign show NAME` lists a campaign's runs")
    return run


def message_of(session: Session, run_id: int, address: str, secrets: Secrets) -> Message:
    """The run's row of this person. Raises RunUnknown, WrongState when they have none."""
    find_run(session, run_id)
    query = select(Message).where(col(Message.run_id) == run_id, col(Message.key) == secrets.key_of(address))
    message = session.scalars(query).first()
    if message is None:
        raise WrongState(f"run {run_id} has no row for them; they joined later, or it was for others")
    return message


def campaign_of(session: Session, run: Run) -> Campaign:
    """The campaign a run belongs to."""
    campaign = session.get(Campaign, run.campaign_id)
    assert campaign is not None  # a foreign key
    return campaign


def abandon(session: Session, run_id: int) -> None:
    """planning → cancelled, for a run begun by hand that cannot be planned; its rows go; commits."""
    session.execute(delete(Message).where(col(Message.run_id) == run_id))
    session.execute(
        update(Run)
        .where(col(Run.id) == run_id, col(Run.state) == RunState.PLANNING)
        .values(state=RunState.CANCELLED, owner="")
    )
    session.commit()


def decide(session: Session, run_id: int, go: bool, *, settings: Settings, now: datetime) -> Run:
    """asking → planning, as of now and by whichever scheduler looks next, or → cancelled; commits.

    Raises RunUnknown, WrongState when it does not ask, or nothing of its campaign may go out, and NotApproved.
    """
    run = find_run(session, run_id)
    campaign = campaign_of(session, run)
    if go and campaign.state in (CampaignState.PAUSED, CampaignState.CANCELLED):
        mend = "resume it first" if campaign.state == CampaignState.PAUSED else "nothing of it is sent any more"
        raise WrongState(f"campaign {campaign.name} is {campaign.state}; {mend}")
    if go:
        approval.demand(session, campaign, settings)
    values = {"state": RunState.PLANNING, "planned_at": now, "alive_at": now - RETRY_AFTER, "stopped_because": ""}
    if not go:
        why = f"{run.stopped_because.partition('; ')[0]}; it was decided on {now:%Y-%m-%d %H:%M} UTC not to send it"
        values = {"state": RunState.CANCELLED, "stopped_because": why}
    asking = update(Run).where(col(Run.id) == run_id, col(Run.state) == RunState.ASKING)
    decided = session.execute(asking.values(**values).execution_options(synchronize_session=False))
    session.commit()
    session.refresh(run)
    if not isinstance(decided, CursorResult) or decided.rowcount != 1:
        raise WrongState(f"run {run_id} is {run.state}; only a run that is asking waits for a decision")
    return run


def unfinished(session: Session, *, now: datetime, idle: bool = False) -> list[int]:
    """Unattended runs to go on with: not finished, and nobody living works on them. The oldest first.

    At once when whoever worked on it is dead. One that was given back waits until the first of its messages is due,
    or for 15 minutes when it stopped by itself with messages that were due: a broken template, the mail server away.
    Paused, asking and finished runs are left alone, and so are plans that must not be sent. A cancelled one is among
    them only when it has a dead owner: what that one held needs an end.
    idle: this process works on none, so one in its name was left so when the database failed, and is free.
    """
    states = [RunState.PLANNING, RunState.PLANNED, RunState.SENDING]
    to_send = and_(col(Run.state).in_(states), col(Run.unattended), col(Run.errors) == 0)
    left_behind = and_(col(Run.state) == RunState.CANCELLED, col(Run.owner) != "")
    waiting = select(Run).where(or_(to_send, left_behind)).order_by(col(Run.id))
    found = session.scalars(waiting).all()
    return [run.id for run in found if run.id is not None and may_go_on(session, run, now=now, idle=idle)]


def may_go_on(session: Session, run: Run, *, now: datetime, idle: bool = False) -> bool:
    """Whether it is time for a scheduler to take up this run, as `unfinished` says."""
    if run.owner:
        return (idle and run.owner == leases.this_process()) or leases.is_gone(run.owner, run.alive_at, now=now)
    assert run.id is not None  # it came from the database
    due = None if run.state == RunState.PLANNING else ledger.next_due(session, run.id)  # half a plan is none
    return now >= (due if due and due > run.alive_at else run.alive_at + RETRY_AFTER)


def let_go(session: Session, run_id: int, *, now: datetime) -> None:
    """Give the run back if it is still ours after it could not be taken further; commits."""
    mine = update(Run).where(col(Run.id) == run_id, col(Run.owner) == leases.this_process())
    session.execute(mine.values(owner="", alive_at=now))
    session.commit()
