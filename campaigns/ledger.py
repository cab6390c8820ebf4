"""The state machine of a Message: every move is one function here or in `campaigns.handover`, and each commits.

planned ─ claim ─► claimed ─ begin ─► handing_over ─ settle ─► accepted | deferred | failed
   ▲                  │                    │                                 │
   └──── release ─────┴► suppressed        └ (its sender died) ─► in_doubt   └ claim, once due
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Row, TextClause, bindparam, func, insert, select, text, update
from sqlmodel import Session, col

from campaigns.models import Attempt, Message, MessageState, Run, RunState
from subscribers.models import UtcDateTime

CLAIMABLE = (MessageState.PLANNED, MessageState.DEFERRED)
OPEN = (*CLAIMABLE, MessageState.CLAIMED, MessageState.HANDING_OVER)
"""States in which a message waits for something: a run is finished when none of its messages is in one."""
_FROZEN = ("id", "key", "address", "given_name", "language", "banner", "picks", "message_id", "token", "sha256")
_COLUMNS = (*_FROZEN, "domain", "attempts", "due_at")
# First the choice, once and in its order: joined to the rest, PostgreSQL may look for more rows after the first are
# locked. As text and in one statement 10 µs a message; as three built from columns 18.
_CLAIM = (
    "WITH due AS MATERIALIZED (SELECT id FROM message WHERE run_id = :run AND state = :state AND due_at <= :now{but} "
    "ORDER BY due_at, id LIMIT :count{lock}) UPDATE message SET state = 'claimed', claimed_by = :owner "
    f"WHERE id IN (SELECT id FROM due) RETURNING {', '.join(_COLUMNS)}"
)
_RELEASE = text(
    "UPDATE message SET state = CASE WHEN attempts > 0 THEN 'deferred' ELSE 'planned' END, claimed_by = '' "
    "WHERE run_id = :run AND claimed_by = :owner AND state = 'claimed'"
)


def claim(
    session: Session,
    run_id: int,
    owner: str,
    count: int,
    *,
    now: datetime,
    quiet: Collection[str] = (),
    busy: Collection[str] = (),
) -> Sequence[Row[*tuple[object, ...]]]:
    """planned or deferred → claimed, for up to `count` messages that are due. Returns what a letter is made from.

    quiet: time zones in which nobody gets a mail now. busy: domains that have as much as they may for the moment. The
    caller commits.
    """
    given: dict[str, Any] = {"run": run_id, "owner": owner, "now": now}
    given |= {name: list(said) for name, said in (("quiet", quiet), ("busy", busy)) if said}
    statement = _claim(tuple(given)[3:], session.get_bind().dialect.name)
    found = list[Row[*tuple[object, ...]]]()
    for state in CLAIMABLE:  # one after the other: with both at once SQLite sorts the whole run for each claim
        if len(found) < count:
            found += session.execute(statement, given | {"state": state, "count": count - len(found)})
    if erased := [row.id for row in found if not row.address]:  # while they were on the wire, or in doubt
        gone = update(Message).where(col(Message.id).in_(erased))
        session.execute(gone.values(state=MessageState.SUPPRESSED, reason="erased", claimed_by=""))
        found = [row for row in found if row.address]
        if not found:
            return claim(session, run_id, owner, count, now=now, quiet=quiet, busy=busy)
    return sorted(found, key=lambda row: (row.due_at, row.id))


@cache
def _claim(but: tuple[str, ...], dialect: str) -> TextClause:
    """The statement. On PostgreSQL two senders take different rows; SQLite has one writer."""
    refused = {"quiet": " AND time_zone NOT IN :quiet", "busy": " AND domain NOT IN :busy"}
    lock = " FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    source = _CLAIM.format(but="".join(refused[name] for name in but), lock=lock)
    lists: list[Any] = [bindparam(name, expanding=True) for name in but]
    return text(source).bindparams(bindparam("now", type_=UtcDateTime()), *lists)


def put_off(session: Session, run_id: int, time_zone: str, *, until: datetime, now: datetime) -> None:
    """Whoever is due in this time zone is so only from `until` on. The caller commits."""
    waiting = (col(Message.state).in_(CLAIMABLE), col(Message.due_at) <= now, col(Message.time_zone) == time_zone)
    session.execute(update(Message).where(col(Message.run_id) == run_id, *waiting).values(due_at=until))


def claimed_before(
    session: Session, run_id: int, owner: str, *, but: Collection[int]
) -> Sequence[Row[*tuple[object, ...]]]:
    """What this sender has claimed without knowing it, since the answer to its commit was lost. but: what it knows."""
    mine = col(Message.run_id) == run_id, col(Message.claimed_by) == owner, col(Message.state) == MessageState.CLAIMED
    ids = set(session.scalars(select(col(Message.id)).where(*mine))) - set(but)
    return _frozen(session, [number for number in ids if number is not None]) if ids else []


def release(session: Session, run_id: int, owner: str) -> None:
    """claimed → what it was before, for what this sender claimed and did not begin to hand over. The caller commits."""
    session.execute(_RELEASE, {"run": run_id, "owner": owner})


def _frozen(session: Session, ids: Sequence[int]) -> Sequence[Row[*tuple[object, ...]]]:
    """The rows that letters are made from, in the order in which they are due."""
    return session.execute(
        select(*(getattr(Message, name) for name in _COLUMNS))
        .where(col(Message.id).in_(ids))
        .order_by(col(Message.due_at), col(Message.id))
    ).all()


def owners(session: Session, run_id: int) -> list[str]:
    """Who holds messages of this run."""
    held = (MessageState.CLAIMED, MessageState.HANDING_OVER)
    query = select(col(Message.claimed_by)).where(col(Message.run_id) == run_id, col(Message.state).in_(held))
    return list(session.scalars(query.distinct()))


def handed_over_by(session: Session, run_id: int, owner: str) -> list[tuple[int, str]]:
    """(id, Message-ID) of what a dead sender was handing over, which the caller must settle one by one."""
    handing = select(col(Message.id), col(Message.message_id)).where(
        col(Message.run_id) == run_id,
        col(Message.claimed_by) == owner,
        col(Message.state) == MessageState.HANDING_OVER,
    )
    return [(number, message_id) for number, message_id in session.execute(handing) if number is not None]


def recover(session: Session, message_id: int, arrived: bool | None, *, at: datetime) -> None:
    """handing_over → accepted, planned or in_doubt, for a message of a dead sender; commits.

    arrived: what the transport knows of it; None when it cannot know. One in doubt stays its sender's: if that one
    lives after all, it says what became of it.
    """
    outcomes: dict[bool | None, dict[str, Any]] = {
        None: {"state": MessageState.IN_DOUBT, "reason": "the sender died while handing it over"},
        True: {"state": MessageState.ACCEPTED, "reason": "", "claimed_by": "", "attempts": Message.attempts + 1},
        False: {"state": MessageState.PLANNED, "reason": "", "claimed_by": ""},
    }
    settled = outcomes[arrived]
    moved = session.execute(
        update(Message)
        .where(col(Message.id) == message_id, col(Message.state) == MessageState.HANDING_OVER)
        .values(**settled)
    )
    if arrived and isinstance(moved, CursorResult) and moved.rowcount:
        reply = "found at the transport after a crash"
        entry = {"message_id": message_id, "at": at, "outcome": MessageState.ACCEPTED, "reply": reply}
        session.execute(insert(Attempt), [entry])
    session.commit()


def resend_in_doubt(session: Session, run_id: int, *, now: datetime) -> int:
    """in_doubt → planned: they go out once more, with the same Message-ID and bytes; returns how many. Commits."""
    result = session.execute(
        update(Message)
        .where(col(Message.run_id) == run_id, col(Message.state) == MessageState.IN_DOUBT)
        .values(state=MessageState.PLANNED, reason="", claimed_by="", due_at=now)
    )
    if result.rowcount:  # type: ignore[attr-defined]
        finished = update(Run).where(col(Run.id) == run_id, col(Run.state) == RunState.FINISHED)
        session.execute(finished.values(state=RunState.SENDING))
    session.commit()
    return int(result.rowcount)  # type: ignore[attr-defined]


def give_up(session: Session, run_id: int, reason: str) -> None:
    """planned or deferred → skipped, for a run that was cancelled: nobody stays without an end. The caller commits."""
    session.execute(
        update(Message)
        .where(col(Message.run_id) == run_id, col(Message.state).in_(CLAIMABLE))
        .values(state=MessageState.SKIPPED, reason=reason, claimed_by="")
    )


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


def in_doubt(session: Session, run_id: int) -> list[tuple[str, str]]:
    """(address, Message-ID) of everybody of whom nobody can know whether they got it, for looking it up elsewhere."""
    doubted = select(col(Message.address), col(Message.message_id)).where(
        col(Message.run_id) == run_id, col(Message.state) == MessageState.IN_DOUBT
    )
    return [(address, message_id) for address, message_id in session.execute(doubted.order_by(col(Message.id)))]


def due(session: Session, run_id: int, *, now: datetime) -> int:
    """How many messages wait for nothing but a sender, or for the night to end."""
    waiting = select(func.count()).where(
        col(Message.run_id) == run_id, col(Message.state).in_(CLAIMABLE), col(Message.due_at) <= now
    )
    return int(session.scalar(waiting) or 0)


def next_due(session: Session, run_id: int) -> datetime | None:
    """When the next message that waits for a time may go out; None when none waits."""
    waiting = select(func.min(col(Message.due_at))).where(
        col(Message.run_id) == run_id, col(Message.state).in_(CLAIMABLE)
    )
    found: datetime | None = session.execute(waiting).scalar()
    return found
