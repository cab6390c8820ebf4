"""Record signals by the thousand, and read histories as columns. No ORM object is made for a signal, ever."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Select, func, literal, select
from sqlmodel import Session, col

from subscribers import cells
from subscribers.addresses import usable
from subscribers.columns import read_columns
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.database import insert_new
from subscribers.errors import AddressInvalid, RowRejected
from subscribers.import_report import ImportReport
from subscribers.models import Kind, Signal, Sku, Subscriber
from subscribers.roster import BATCH, ids_by_key
from subscribers.secrets import Secrets

SIGNAL_COLUMNS = Columns(
    required=("address", "product", "kind", "at"),
    optional=("id", "quantity", "price"),
    also={"email": "address", "product_id": "product", "item_id": "product", "event": "kind", "event_type": "kind"}
    | {"timestamp": "at", "time": "at", "date": "at", "event_id": "id", "unit_price": "price"},
)
_KINDS = {kind.name.lower(): kind for kind in Kind if kind is not Kind.CANCELLATION}
_KINDS |= {"add_to_cart": Kind.CART, "buy": Kind.PURCHASE, "order": Kind.PURCHASE, "page_view": Kind.VIEW}
# Two pairs of columns are read as one number each: what reading costs is the Python objects that SQLite makes, 1.4 µs a
# signal for five of them, 1.15 for three. Ids are below 2^31, a Kind below 8.
_ROW = np.dtype([("who_and_what", "i8"), ("when_and_how", "i8"), ("quantity", "i4")])
_WHO, _WHEN = 1 << 32, 1 << 3
NOBODY = -1


@dataclass(frozen=True)
class Signals:
    """Histories as columns of one length n, oldest first.

    subscriber: int64, Subscriber.id, −1 (NOBODY) for unknown people. sku: int64, Sku.id. kind: int8, see Kind.
    at: int64, seconds since 1970-01-01 UTC. quantity: int32, units left after cancellations, at least 1.
    """

    subscriber: NDArray[np.int64]
    sku: NDArray[np.int64]
    kind: NDArray[np.int8]
    at: NDArray[np.int64]
    quantity: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.at)

    def where(self, chosen: NDArray[Any]) -> "Signals":
        """The chosen rows: a boolean mask or indices."""
        return Signals(*(column[chosen] for column in self.columns()))

    def columns(self) -> tuple[NDArray[Any], ...]:
        return self.subscriber, self.sku, self.kind, self.at, self.quantity


class NewSignal(NamedTuple):
    """A signal about to be recorded. `product` is the shop's id; `source` says uniquely where the row came from."""

    subscriber_id: int | None
    product: str
    kind: Kind
    at: datetime
    source: str
    quantity: int = 1
    price_minor: int | None = None


def fingerprint(source: str) -> int:
    """A signed 64-bit digest. Among 10 million signals two collide with a chance of 3 in a million."""
    return int.from_bytes(blake2b(source.encode(), digest_size=8).digest(), "big", signed=True)


def sku_ids(session: Session, codes: Iterable[str]) -> dict[str, int]:
    """Ids of these product codes; new ones are added. The caller commits."""
    wanted = sorted(set(codes))
    found: dict[str, int] = {}
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        found |= _sku_ids_there(session, part)
        if fresh := [{"code": code} for code in part if code not in found]:
            insert_new(session, Sku, fresh)
            found |= _sku_ids_there(session, [row["code"] for row in fresh])
    return found


def _sku_ids_there(session: Session, codes: Sequence[str]) -> dict[str, int]:
    rows = session.execute(select(col(Sku.code), col(Sku.id)).where(col(Sku.code).in_(codes)))
    return {code: identity for code, identity in rows if identity is not None}


def record(session: Session, signals: Sequence[NewSignal]) -> int:
    """Write down those not yet recorded; commits. Returns how many were new."""
    if not signals:
        return 0
    ids = sku_ids(session, (signal.product for signal in signals))
    rows = [
        {
            "fingerprint": fingerprint(signal.source),
            "subscriber_id": signal.subscriber_id,
            "sku_id": ids[signal.product],
            "kind": int(signal.kind),
            "at": int(signal.at.timestamp()),
            "quantity": signal.quantity,
            "price_minor": signal.price_minor,
            "settled": 0,
        }
        for signal in signals
    ]
    added = insert_new(session, Signal, rows)
    session.commit()
    return added


def import_signals(session: Session, source: CsvFile, report: ImportReport, secrets: Secrets, *, now: datetime) -> None:
    """Bring a file of signals in, in batches; each batch is one transaction. Signals of people not on the roster are
    rejected: we keep nothing about somebody we do not know."""
    repeats: Counter[tuple[str, ...]] = Counter()
    key_of = lru_cache(100_000)(lambda address: secrets.key_of(usable(address)))  # the same people again and again
    batch: list[tuple[Row, str, NewSignal]] = []

    def flush() -> None:
        known = ids_by_key(session, list({key for _, key, _ in batch}))
        ready: list[NewSignal] = []
        for row, key, signal in batch:
            if key in known:
                ready.append(signal._replace(subscriber_id=known[key]))
            else:
                report.reject(row.reject("address", "is nobody on the roster; import subscribers first"))
        added = record(session, ready)
        report.count("added", added)
        report.count("already there", len(ready) - added)
        batch.clear()

    for row in source:
        try:
            if isinstance(row, RowRejected):
                raise row
            batch.append((row, *_signal_in(row, repeats, key_of, now=now)))
        except RowRejected as rejected:
            report.reject(rejected)
        if len(batch) >= BATCH:
            flush()
    flush()


def read_signals(
    session: Session,
    *,
    until: datetime,
    since: datetime | None = None,
    subscriber_ids: Sequence[int] | None = None,
) -> Signals:
    """What people did before `until`, with what they cancelled since taken out, oldest first.

    Only people who allow personalisation are in it, by name. Of the others nothing is read, not even for trends:
    whoever said no leaves no trace in anybody's mail. Purchases that never had a name count for nobody (NOBODY).
    """
    query = _history(until, since)
    if subscriber_ids is not None:
        query = query.where(col(Signal.subscriber_id).in_(subscriber_ids))
    who_and_what, when_and_how, quantity = read_columns(session, query, _ROW)
    kind = (when_and_how % _WHEN).astype(np.int8)
    return Signals(who_and_what // _WHO, who_and_what % _WHO, kind, when_and_how // _WHEN, quantity)


def newest_signal_at(session: Session) -> int | None:
    """When the newest signal happened, in seconds since 1970; None without any."""
    newest: int | None = session.execute(select(func.max(col(Signal.at)))).scalar_one()
    return newest


def _history(until: datetime, since: datetime | None) -> Select[*tuple[Any, ...]]:
    left = col(Signal.quantity) - col(Signal.settled)
    query: Select[*tuple[Any, ...]] = select(
        func.coalesce(col(Subscriber.id), NOBODY) * literal(_WHO, BigInteger) + col(Signal.sku_id),
        col(Signal.at) * _WHEN + col(Signal.kind),
        left,
    )
    personalised = (col(Subscriber.id) == col(Signal.subscriber_id)) & col(Subscriber.may_personalise)
    nameless = col(Signal.subscriber_id).is_(None) & (col(Signal.kind) == int(Kind.PURCHASE))
    query = (
        query.join_from(Signal, Subscriber, personalised, isouter=True)
        .where(col(Signal.at) < int(until.timestamp()), left > 0, col(Signal.kind) != int(Kind.CANCELLATION))
        .where(col(Subscriber.id).is_not(None) | nameless)
        .order_by(col(Signal.at), col(Signal.id))
    )
    return query if since is None else query.where(col(Signal.at) >= int(since.timestamp()))


def _signal_in(
    row: Row, repeats: Counter[tuple[str, ...]], key_of: Callable[[str], str], *, now: datetime
) -> tuple[str, NewSignal]:
    """(key of the person, the signal with nobody in it yet). Raises RowRejected."""
    text = row.cells
    try:
        key = key_of(text["address"])
    except AddressInvalid as error:
        raise row.reject("address", f"is no usable address: {error.reason}") from None
    kind = _KINDS.get(text["kind"].lower())
    if kind is None:
        raise row.reject("kind", f"is none of {', '.join(_KINDS)}")
    if not 1 <= len(text["product"]) <= 100:
        raise row.reject("product", "must be a product id of 1 to 100 characters")
    at = cells.time_in(row, "at", now=now)
    quantity, price = cells.quantity_in(row, "quantity"), cells.price_in(row, "price")
    if text.get("id"):
        origin = f"signal {text['id']}"
    else:  # two equal rows of one file are two signals; the same file again is none
        same = (key, text["product"], kind.name, at.isoformat(), str(quantity))
        repeats[same] += 1
        origin = "\x1f".join((*same, str(repeats[same])))
    return key, NewSignal(None, text["product"], kind, at, origin, quantity, price)
