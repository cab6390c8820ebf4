"""A cancelled invoice cancels what it cancels: units of earlier purchases of the same product by the same person."""

from collections import defaultdict

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from subscribers.database import take_turns
from subscribers.models import Kind, Signal

_Open = list[tuple[int, int, int]]
"""(signal id, time, units not yet cancelled), newest last."""


def settle(session: Session) -> int:
    """Match the cancellations not yet settled to purchases; commits. Returns the units cancelled now.

    The latest earlier purchase is cancelled first: what comes back is what was bought last. A cancellation with
    nothing to cancel (bought before the file begins) stays open and is tried again at the next import. All of it is
    one transaction, and doing it twice changes nothing.
    """
    take_turns(session, Signal)  # two that settle at once would cancel everything twice
    left = col(Signal.quantity) - col(Signal.settled)
    columns = (col(Signal.id), col(Signal.subscriber_id), col(Signal.sku_id), col(Signal.at), left.label("left"))
    open_cancellations = session.execute(
        select(*columns)
        .where(col(Signal.kind) == int(Kind.CANCELLATION), left > 0)
        .order_by(col(Signal.at), col(Signal.id))
    ).all()
    products = {row.sku_id for row in open_cancellations}
    purchases: defaultdict[tuple[int | None, int], _Open] = defaultdict(list)
    for identity, who, sku, at, units in session.execute(
        select(*columns)
        .where(col(Signal.kind) == int(Kind.PURCHASE), left > 0)
        .order_by(col(Signal.at), col(Signal.id))
    ):
        if sku in products:
            purchases[who, sku].append((identity, at, units))
    changes: defaultdict[int, int] = defaultdict(int)
    for identity, who, sku, at, units in open_cancellations:
        for purchase, cancelled in _cancel(purchases[who, sku], at, units):
            changes[purchase] += cancelled
            changes[identity] += cancelled
    if changes:
        statement = update(Signal).where(col(Signal.id) == bindparam("which"))
        session.connection().execute(
            statement.values(settled=col(Signal.settled) + bindparam("units")),
            [{"which": identity, "units": units} for identity, units in changes.items()],
        )
    session.commit()
    return sum(changes.values()) // 2  # each unit was counted at its purchase and at its cancellation


def _cancel(purchases: _Open, at: int, units: int) -> list[tuple[int, int]]:
    """Take `units` from the purchases up to `at`, newest first; gives (signal id, units taken)."""
    taken: list[tuple[int, int]] = []
    for place in range(len(purchases) - 1, -1, -1):
        identity, bought_at, left = purchases[place]
        if bought_at > at or not left or not units:
            continue
        part = min(left, units)
        purchases[place] = (identity, bought_at, left - part)
        units -= part
        taken.append((identity, part))
    return taken
