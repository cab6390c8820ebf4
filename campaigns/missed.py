"""What becomes of occurrences that have come: one run for the newest, and for each that is not sent a row saying why.

Nothing is skipped in silence: what the scheduler finds too late (it was not running, or the database was away) follows
the campaign's own policy, and is listed among its runs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, select, update
from sqlmodel import Session, col

from campaigns.calendar import Passed
from campaigns.models import Campaign, CampaignState, Missed, Run, RunState
from campaigns.runs import RETRY_AFTER, find_run
from campaigns.waves import waves_of
from subscribers.database import insert_new
from subscribers.models import Subscriber

GRACE = timedelta(minutes=10)  # a scheduler looks every 5 s; a restart or an update of the machine is no missed time


@dataclass(frozen=True)
class Settled:
    """What was made of the occurrences: the run of the newest, if any, and why others are not sent, the newest last.

    late: how much too late the run was found, None when it was in time.
    """

    run: Run | None
    late: timedelta | None
    skipped: tuple[str, ...]


def settle(
    session: Session, campaign: Campaign, passed: Passed, *, came: datetime, now: datetime, unapproved: str = ""
) -> Settled | None:
    """Move the campaign on to what follows, and make a row of each occurrence that has come; one transaction.

    came: when the newest was due, see `came_at`. unapproved: why nothing may be sent for want of an approval
    (`approval.missing`); what would be sent asks then. None when another scheduler has done it. Compare and set on the
    occurrence we saw: of five schedulers one gets them all, and one killed on the way has done nothing.
    """
    moved = session.execute(
        update(Campaign)
        .where(col(Campaign.id) == campaign.id, col(Campaign.next_due) == campaign.next_due)
        .where(col(Campaign.state) == CampaignState.SCHEDULED)
        .values(next_due=passed.following, state=CampaignState.SCHEDULED if passed.following else CampaignState.DONE)
    )
    if not isinstance(moved, CursorResult) or moved.rowcount != 1:
        session.rollback()
        return None
    skipped = [_skipped(campaign, at, why, now) for at, why in _older(passed, now)]
    newest = _newest(campaign, passed.newest, came, now)
    if newest.state == RunState.PLANNING and unapproved:
        newest.state, newest.stopped_because = RunState.ASKING, unapproved[:300]
    if newest.state == RunState.CANCELLED:
        skipped.append(newest)
    insert_new(session, Run, [run.model_dump(exclude={"id"}) for run in skipped])
    run = _inserted(session, newest) if newest.state != RunState.CANCELLED else None
    session.commit()
    late = now - came if now - came > GRACE else None
    return Settled(run, late, tuple(run.stopped_because for run in skipped))


def came_at(session: Session, campaign: Campaign, occurrence: datetime) -> datetime:
    """When the occurrence was due for the first person; for each in their own time zone that may be hours after the
    run should have begun, because nobody lives where the day begins."""
    if not campaign.own_time:
        return occurrence
    waves = waves_of(campaign, occurrence)
    zones = session.scalars(select(col(Subscriber.time_zone)).distinct())
    return min((waves.due_at(zone) for zone in zones), default=occurrence)


def _newest(campaign: Campaign, occurrence: datetime, came: datetime, now: datetime) -> Run:
    """The row of the newest occurrence: to be planned, asking, or not sent."""
    missed = f"missed: due {_said(came)}, found {_said(now)}"
    if now - came <= GRACE or (campaign.missed == Missed.LATE and now - came <= timedelta(hours=campaign.late_hours)):
        return _row(campaign, occurrence, RunState.PLANNING, "", now)
    if campaign.missed == Missed.ASK:
        return _row(campaign, occurrence, RunState.ASKING, f"{missed}; the campaign asks whether to send it", now)
    hours = "1 hour" if campaign.late_hours == 1 else f"{campaign.late_hours} hours"
    policy = "skips what is missed" if campaign.missed == Missed.SKIP else f"sends at most {hours} late"
    return _skipped(campaign, occurrence, f"{missed}; the campaign {policy}", now)


def _older(passed: Passed, now: datetime) -> list[tuple[datetime, str]]:
    """(occurrence, why it is not sent) of all but the newest: nobody wants last week's daily mails in one morning."""
    found = f"found {_said(now)}; a newer one has come"
    rows = [(at, f"missed: due {_said(at)}, {found}") for at in passed.older]
    if passed.last_before:
        last = _said(passed.last_before)
        rows.insert(0, (passed.last_before, f"missed: {passed.before:,} occurrences, the last due {last}, {found}"))
    return rows


def _skipped(campaign: Campaign, occurrence: datetime, why: str, now: datetime) -> Run:
    return _row(campaign, occurrence, RunState.CANCELLED, why, now)


def _row(campaign: Campaign, occurrence: datetime, state: RunState, why: str, now: datetime) -> Run:
    assert campaign.id is not None  # it came from the database
    return Run(
        campaign_id=campaign.id,
        occurrence=occurrence,
        state=state,
        planned_at=now,
        unattended=True,
        stopped_because=why,
        alive_at=now - RETRY_AFTER,  # whoever has time for it may take it up at once
    )


def _inserted(session: Session, run: Run) -> Run | None:
    """The run as it is in the database; None when a scheduler that was then killed had claimed it before."""
    if not insert_new(session, Run, [run.model_dump(exclude={"id"})]):
        return None
    made = select(col(Run.id)).where(col(Run.campaign_id) == run.campaign_id, col(Run.occurrence) == run.occurrence)
    return find_run(session, session.execute(made).scalar_one() or 0)


def _said(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
