"""A run's own life: begun once for each occurrence, found, given up, taken over from the dead."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from campaigns import leases
from campaigns.errors import RunUnknown, WrongState
from campaigns.models import Campaign, Message, Run, RunState
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
        raise WrongState(f"run {run_id} has no row for this person; they joined after it was planned")
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


def unfinished(session: Session, *, now: datetime) -> list[int]:
    """Unattended runs to go on with: not finished, and nobody living works on them.

    A run that stopped by itself (a broken template, the mail server away, mails deferred) waits 15 minutes.
    """
    states = [RunState.PLANNING, RunState.PLANNED, RunState.SENDING]
    waiting = select(Run).where(col(Run.state).in_(states), col(Run.unattended)).order_by(col(Run.id))
    return [run.id for run in session.scalars(waiting) if run.id is not None and _may_go_on(run, now)]


def _may_go_on(run: Run, now: datetime) -> bool:
    if not run.owner:  # given back by somebody who could not go on
        return now - run.alive_at >= RETRY_AFTER
    return leases.is_gone(run.owner, run.alive_at, now=now)
