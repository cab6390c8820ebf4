"""The people of a run one slice at a time, also of one state only, of whom there may be a million or three.

The order is that of the ledger's own indexes: (run, state, due_at) with the row's number behind it, or (run,
subscriber). So each slice reads 51 rows of an index, and the thousandth is as quick as the first. Those with one reason
are looked for among 20,000 rows at a time: a slice may hold few of them, or none, and still have more behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.sql import ColumnElement
from sqlmodel import Session, col

from campaigns.models import Message, MessageState
from engine.catalog import Product
from studio.pages import people
from studio.pages.slices import ROWS
from subscribers.models import Subscriber
from subscribers.secrets import Secrets

LOOKED_THROUGH = 20_000  # rows; to look through a million takes 0.7 s
CURSOR = "^([fb][0-9]{1,9})?$"  # forward from, or back from, the row with this number
Step = tuple[list[ColumnElement[bool]], list[Any]]
"""What is asked of the rows, and their order."""


@dataclass(frozen=True)
class PersonLine:
    """A person in a run. hero: the title of the product shown large; empty for who gets nothing. reason: also what the
    mail server said."""

    subscriber_id: int
    address: str
    state: str
    reason: str
    hero: str
    message_id: str
    attempts: int


@dataclass(frozen=True)
class PeopleSlice:
    """Some people of a run. earlier, later: what to ask for to get those before and after, or ""."""

    rows: list[PersonLine]
    earlier: str
    later: str


def slice_of_run(
    session: Session, run_id: int, state: MessageState | None, reason: str = "", *, at: str = "", rows: int = ROWS
) -> PeopleSlice:
    """The people the cursor points to; without one, the first. A cursor whose row is gone is none."""
    where = [col(Message.run_id) == run_id]
    if state is not None:
        where.append(col(Message.state) == state)
    place = session.execute(_PLACE.where(col(Message.id) == int(at[1:]), *where[:1])).first() if at else None
    back = place is not None and at.startswith("b")
    steps = _by_subscriber(place, back=back) if state is None else _by_time(place, back=back)
    most = LOOKED_THROUGH if reason else rows + 1
    seen = list[tuple[int, str]]()
    for tests, order in steps:
        if len(seen) < most:
            found = select(col(Message.id), col(Message.reason)).where(*where, *tests).order_by(*order)
            seen += [(number, why) for number, why in session.execute(found.limit(most - len(seen))) if number]
    ids = [number for number, why in seen if not reason or why == reason]
    more, far = len(ids) > rows, len(ids) <= rows and len(seen) == most and bool(reason)
    ends = (ids[0], ids[:rows][-1]) if ids else (0, 0)
    if far:  # there may be more behind those that were looked through
        ends = (ends[0] or seen[0][0], seen[-1][0])
    ids, first, last = (ids[:rows][::-1], ends[1], ends[0]) if back else (ids[:rows], *ends)
    before, behind = (more or far, True) if back else (place is not None, more or far)
    return PeopleSlice(
        lines_of(session, ids), f"b{first}" if before and first else "", f"f{last}" if behind and last else ""
    )


def found_in_run(session: Session, run_id: int, address: str, secrets: Secrets) -> list[PersonLine]:
    """This person in the run, or up to 20 whose address or name begins so."""
    exact = people.with_address(session, address, secrets)
    ids = [person.id for person in ([exact] if exact else people.starting_with(session, address))]
    rows = select(col(Message.id)).where(col(Message.run_id) == run_id, col(Message.subscriber_id).in_(ids))
    return lines_of(session, [number for number in session.scalars(rows) if number is not None])


def lines_of(session: Session, ids: Sequence[int]) -> list[PersonLine]:
    """The rows with these numbers, in this order. A skipped row holds no address; the roster still may."""
    found = {number: PersonLine(who, frozen or known or "", state, reason, hero or "", message_id, attempts)
             for number, who, frozen, known, state, reason, hero, message_id, attempts
             in session.execute(_LINES.where(col(Message.id).in_(ids)))}  # fmt: skip
    return [found[number] for number in ids if number in found]


def everybody(
    session: Session, run_id: int, state: MessageState | None, *, together: int = 1_000
) -> Iterator[list[PersonLine]]:
    """All of them, some at a time, in an order of their own."""
    at = ""
    while True:
        part = slice_of_run(session, run_id, state, at=at, rows=together)
        if part.rows:
            yield part.rows
        if not part.later:
            return
        at = part.later


_PLACE: Any = select(col(Message.id), col(Message.due_at), col(Message.subscriber_id))
_LINES: Any = (
    select(
        col(Message.id), col(Message.subscriber_id), col(Message.address), col(Subscriber.address), col(Message.state),
        col(Message.reason), col(Product.title), col(Message.message_id), col(Message.attempts),
    )
    .join_from(Message, Subscriber, col(Subscriber.id) == col(Message.subscriber_id), isouter=True)
    .join(Product, col(Product.sku_id) == col(Message.hero_sku_id), isouter=True)
)  # fmt: skip


def _by_subscriber(place: Any, *, back: bool) -> list[Step]:
    who = col(Message.subscriber_id)
    if place is None:
        return [([], [who])]
    return [([who < place.subscriber_id], [who.desc()])] if back else [([who > place.subscriber_id], [who])]


def _by_time(place: Any, *, back: bool) -> list[Step]:
    """What to look through, one after the other: those without a time first, then by time, each time by number."""
    due, number = col(Message.due_at), col(Message.id)
    timeless, timed = due.is_(None), due.is_not(None)
    onward, backward = list[Any]((due, number)), list[Any]((due.desc(), number.desc()))
    if place is None:
        return [([timeless], [number]), ([timed], onward)]
    at: datetime | None = place.due_at
    if at is None:
        if back:
            return [([timeless, number < place.id], [number.desc()])]
        return [([timeless, number > place.id], [number]), ([timed], onward)]
    if back:
        same: Step = [due == at, number < place.id], [number.desc()]
        return [same, ([due < at], backward), ([timeless], [number.desc()])]
    return [([due == at, number > place.id], [number]), ([due > at], onward)]
