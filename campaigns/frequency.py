"""How often has a person heard from us lately, over all campaigns? The setting `frequency_cap` says what is enough."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlmodel import Session, col

from campaigns.models import Message, MessageState, Run, RunState
from campaigns.settings import Settings

_HAD = (MessageState.ACCEPTED, MessageState.IN_DOUBT, MessageState.HANDING_OVER)
_TO_COME = (MessageState.PLANNED, MessageState.CLAIMED, MessageState.DEFERRED)
_LONGEST = timedelta(days=16)  # from the planning of a run to its last try: 26 hours of waves and 14 retry_days


@dataclass(frozen=True)
class Enough:
    """Who has had as many mails as they may, by subscriber id, and what is said of them."""

    people: frozenset[int] = frozenset()
    reason: str = ""


def had_enough(
    session: Session, settings: Settings, *, now: datetime, run_id: int | None = None, only: int | None = None
) -> Enough:
    """Who may get no more mail at `now`. One look for everybody: 0.5 s for 300,000 mails in the time it counts.

    A mail counts from the moment it was due: one that was taken by the other side, or may have been, and one that
    another run is still to send. Not the mails of `run_id` itself, so that planning it again finds the same people.
    only: look at one subscriber.
    """
    if not settings.frequency_cap:
        return Enough()
    since = now - timedelta(days=settings.frequency_days)
    counts = (
        select(col(Message.subscriber_id))
        .join(Run, col(Run.id) == col(Message.run_id))
        .where(col(Run.planned_at) > since - _LONGEST, col(Run.id) != (run_id or 0))
        .where(func.coalesce(col(Message.due_at), col(Run.planned_at)) > since)
        .where(
            or_(
                col(Message.state).in_(_HAD),
                # a run with errors is never sent
                and_(col(Message.state).in_(_TO_COME), col(Run.state) != RunState.CANCELLED, col(Run.errors) == 0),
            )
        )
        .group_by(col(Message.subscriber_id))
        .having(func.count() >= settings.frequency_cap)
    )
    if only is not None:
        counts = counts.where(col(Message.subscriber_id) == only)
    return Enough(frozenset(session.scalars(counts)), _reason(settings))


def _reason(settings: Settings) -> str:
    mails = "1 mail" if settings.frequency_cap == 1 else f"{settings.frequency_cap:,} mails"
    days = "day" if settings.frequency_days == 1 else f"{settings.frequency_days} days"
    return f"had {mails} in the last {days}"
