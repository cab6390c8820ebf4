"""The state machine of a Message: every move is one function here or in `campaigns.handover`, and each commits.

planned ─ claim ─► claimed ─ begin_handover ─► handing_over ─ settle ─► accepted | deferred | failed
                      │                             │
                      └► suppressed                 └ (we died) ─► in_doubt
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, bindparam, func, select, text, update
from sqlmodel import Session, col

from campaigns.handover import ATTEMPT, SETTLE
from campaigns.models import Message, MessageState
from subscribers.models import UtcDateTime

# Once or twice a mail, so as text: building the same statement from columns takes longer than running it.
_MOVE = text("UPDATE message SET state = :after, reason = :reason WHERE id = :id AND state = :before")
_SETTLE = text(SETTLE)
_ATTEMPT = text(ATTEMPT).bindparams(bindparam("at", type_=UtcDateTime))
CLAIMABLE = (MessageState.PLANNED, MessageState.DEFERRED)
OPEN = (MessageState.PLANNED, MessageState.CLAIMED, MessageState.HANDING_OVER)


def claim(
    session: Session, run_id: int, owner: str, count: int, *, again: Sequence[MessageState]
) -> list[Row[*tuple[object, ...]]]:
    """planned → claimed, for up to `count` messages in the order of their ids. Returns what a letter is made from.

    again: further states to take messages from, such as `deferred` at the first pass of a resumed run.
    """
    wanted = (
        select(col(Message.id))
        .where(col(Message.run_id) == run_id, col(Message.state).in_([MessageState.PLANNED, *again]))
        .order_by(col(Message.id))
        .limit(count)
        .with_for_update(skip_locked=True)  # on PostgreSQL two senders take different rows; SQLite has one writer
    )
    ids = list(session.scalars(wanted))
    session.execute(
        update(Message).where(col(Message.id).in_(ids)).values(state=MessageState.CLAIMED, claimed_by=owner)
    )
    columns = ("id", "key", "address", "given_name", "language", "banner", "picks", "message_id", "token", "sha256")
    rows = session.execute(
        select(*(getattr(Message, name) for name in columns)).where(col(Message.id).in_(ids)).order_by(col(Message.id))
    ).all()
    session.commit()
    return list(rows)


def settle(session: Session, message_id: int, state: MessageState, reply: str, *, at: datetime) -> None:
    """handing_over or claimed → accepted, deferred or failed, of what an earlier sender left. Commits."""
    reason = "" if state is MessageState.ACCEPTED else reply[:200]
    session.connection().execute(_SETTLE, {"id": message_id, "state": state, "reason": reason})
    session.connection().execute(_ATTEMPT, {"id": message_id, "at": at, "outcome": state, "reply": reply[:1000]})
    session.commit()


def release(session: Session, message_id: int) -> None:
    """claimed or handing_over → planned: certainly not handed over, to be tried again. Commits."""
    session.connection().execute(_SETTLE, {"id": message_id, "state": MessageState.PLANNED, "reason": ""})
    session.commit()


def doubt(session: Session, message_id: int, reason: str) -> None:
    """handing_over → in_doubt: nobody can know whether it arrived. Commits."""
    _move(session, message_id, MessageState.HANDING_OVER, MessageState.IN_DOUBT, reason[:200])
    session.commit()


def left_by_the_dead(session: Session, run_id: int) -> list[tuple[int, str]]:
    """claimed → planned for a run whose sender is gone; commits. Returns (id, Message-ID) of those it was handing
    over, which the caller must settle one by one."""
    session.execute(
        update(Message)
        .where(col(Message.run_id) == run_id, col(Message.state) == MessageState.CLAIMED)
        .values(state=MessageState.PLANNED, claimed_by="")
    )
    session.commit()
    handing = select(col(Message.id), col(Message.message_id)).where(
        col(Message.run_id) == run_id, col(Message.state) == MessageState.HANDING_OVER
    )
    return [(identity, message_id) for identity, message_id in session.execute(handing) if identity is not None]


def totals(session: Session, run_id: int) -> dict[str, int]:
    """How many messages of the run are in each state."""
    counted = select(col(Message.state), func.count()).where(col(Message.run_id) == run_id).group_by(col(Message.state))
    return {row[0]: row[1] for row in session.execute(counted)}


def reasons(session: Session, run_id: int, state: MessageState) -> dict[str, int]:
    """How many messages of this state there are for each reason."""
    counted = (
        select(col(Message.reason), func.count())
        .where(col(Message.run_id) == run_id, col(Message.state) == state)
        .group_by(col(Message.reason))
    )
    return {row[0]: row[1] for row in session.execute(counted)}


def _move(session: Session, message_id: int, before: MessageState, after: MessageState, reason: str) -> None:
    session.connection().execute(_MOVE, {"id": message_id, "before": before, "after": after, "reason": reason})
