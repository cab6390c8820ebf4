"""The roster: find a person, import many, show everything we hold about one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

from sqlalchemy import select
from sqlmodel import Session, col

from subscribers import cells, consent
from subscribers.addresses import usable
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.database import insert_new, insert_rows, take_turns
from subscribers.errors import AddressInvalid, RowRejected, SubscriberUnknown
from subscribers.import_report import ImportReport
from subscribers.models import Consent, Kind, Purpose, Signal, Sku, Subscriber, Suppression
from subscribers.secrets import Secrets

BATCH = 5_000  # rows a transaction: a kill loses at most these, and importing again brings them back

SUBSCRIBER_COLUMNS = Columns(
    required=("address",),
    optional=(
        *("given_name", "language", "time_zone", "country", "mail", "personalise", "track"),
        *("consented_at", "how", "wording"),
    ),
    also={"email": "address", "e-mail": "address", "email address": "address", "first name": "given_name"}
    | {"first_name": "given_name", "locale": "language", "timezone": "time_zone"},
)


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # and what turns the text around a name


@dataclass(frozen=True)
class NewSubscriber:
    """What is needed to put somebody on the roster. `answers` are their consents, given at `consented_at`."""

    address: str
    key: str
    given_name: str = ""
    language: str = "en"
    time_zone: str = "UTC"
    country: str = ""
    answers: Mapping[Purpose, bool] | None = None
    consented_at: datetime | None = None
    how: str = "import"
    wording: str = ""


def find(session: Session, address: str, secrets: Secrets) -> Subscriber:
    """The person with this address, in whatever case it is spelled, or with this number, as reports name people.

    Raises SubscriberUnknown.
    """
    if address.isdecimal() and address.isascii() and len(address) < 19:
        numbered = session.get(Subscriber, int(address))
        if numbered is None:
            raise SubscriberUnknown(address)
        return numbered
    person = session.scalars(select(Subscriber).where(col(Subscriber.key) == secrets.key_of(address))).first()
    if person is None:
        raise SubscriberUnknown(address)
    return person


def ids_by_key(session: Session, keys: Sequence[str]) -> dict[str, int]:
    """Subscriber ids of those keys that are on the roster. At most a few thousand keys at a time."""
    rows = session.execute(select(col(Subscriber.key), col(Subscriber.id)).where(col(Subscriber.key).in_(keys)))
    return {key: identity for key, identity in rows if identity is not None}


def add_many(session: Session, people: Sequence[NewSubscriber], *, now: datetime) -> list[str]:
    """Put those on the roster who are not yet there, with their consents; commits. Returns the keys added.

    Somebody already there is left exactly as they are: an old export must not undo a later no. Of two for one key the
    first counts.
    """
    unique: dict[str, NewSubscriber] = {}
    for person in people:
        unique.setdefault(person.key, person)
    take_turns(session, Subscriber)  # of two imports of one person the second must see the first: it writes no consent
    there = ids_by_key(session, list(unique))
    fresh = [person for key, person in unique.items() if key not in there]
    if not fresh:
        session.commit()
        return []
    suppressed = set(
        session.scalars(select(col(Suppression.key)).where(col(Suppression.key).in_([p.key for p in fresh])))
    )
    insert_new(session, Subscriber, [_row(person, suppressed, now) for person in fresh])
    ids = ids_by_key(session, [person.key for person in fresh])
    entries = [entry for person in fresh for entry in _ledger_entries(person, ids[person.key], suppressed, now)]
    insert_rows(session, Consent, entries)
    session.commit()
    return [person.key for person in fresh]


def import_subscribers(
    session: Session,
    source: CsvFile,
    report: ImportReport,
    secrets: Secrets,
    *,
    now: datetime,
    presumed: frozenset[Purpose] = frozenset(),
) -> None:
    """Bring a file of people in, in batches; each batch is one transaction.

    A row that has no answer for a purpose is a no, unless the person importing vouches for it: `presumed` are the
    purposes everybody in the file has agreed to elsewhere. Rows of people already on the roster change nothing.
    """
    batch: list[NewSubscriber] = []
    seen: set[str] = set()

    def flush() -> None:
        added = add_many(session, batch, now=now)
        report.count("added", len(added))
        report.count("already there", len(batch) - len(added))
        batch.clear()

    for row in source:
        try:
            if isinstance(row, RowRejected):
                raise row
            person = _person_in(row, secrets, presumed, now=now)
            if person.key in seen:
                raise row.reject("address", "stands in this file twice; the first row counts")
        except RowRejected as rejected:
            report.reject(rejected)
            continue
        seen.add(person.key)
        batch.append(person)
        if len(batch) >= BATCH:
            flush()
    flush()


def export(session: Session, person: Subscriber) -> dict[str, object]:
    """Everything the ground floor holds about one person, as plain data."""
    signals = session.execute(
        select(
            *(col(Signal.kind), col(Sku.code), col(Signal.at), col(Signal.quantity)),
            *(col(Signal.price_minor), col(Signal.settled)),
        )
        .join_from(Signal, Sku, col(Sku.id) == col(Signal.sku_id))
        .where(col(Signal.subscriber_id) == person.id)
        .order_by(col(Signal.at), col(Signal.id))
    )
    assert person.id is not None  # it came from the database
    return {
        "subscriber": person.model_dump(mode="json", exclude={"id"}),
        "consent": [entry.model_dump(mode="json", exclude={"id"}) for entry in consent.history(session, person.id)],
        "suppressed": consent.is_suppressed(session, person.key),
        "signals": [
            {"kind": Kind(kind).name.lower(), "product": code, "at": _iso(at), "quantity": quantity}
            | {"price_minor": price, "cancelled": settled}
            for kind, code, at, quantity, price, settled in signals
        ],
    }


def _person_in(row: Row, secrets: Secrets, presumed: frozenset[Purpose], *, now: datetime) -> NewSubscriber:
    text = row.cells
    try:
        address = usable(text["address"])
    except AddressInvalid as error:
        raise row.reject("address", f"is no usable address: {error.reason}") from None
    time_zone = text.get("time_zone") or "UTC"
    if time_zone not in _time_zones():
        raise row.reject("time_zone", "is no IANA time zone such as Europe/Berlin")
    if len(text.get("given_name", "")) > 200:
        raise row.reject("given_name", "is longer than 200 characters")
    return NewSubscriber(
        address=address,
        key=secrets.key_of(address),
        given_name=" ".join(_CONTROL.sub(" ", text.get("given_name", "")).split()),
        language=(text.get("language") or "en")[:35],
        time_zone=time_zone,
        country=text.get("country", "")[:80],
        answers={purpose: cells.yes_or_no_in(row, purpose, default=purpose in presumed) for purpose in Purpose},
        consented_at=cells.time_in(row, "consented_at", now=now) if text.get("consented_at") else now,
        how=text.get("how", "")[:200] or "import",
        wording=text.get("wording", "")[:2000],
    )


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # 20 ms of reading files: once a process, not once a row


def _answers(person: NewSubscriber, suppressed: set[str]) -> dict[Purpose, bool]:
    answers = dict(person.answers or {})
    if person.key in suppressed:
        answers[Purpose.MAIL] = False  # a remembered refusal wins over whatever the file says
    return answers


def _row(person: NewSubscriber, suppressed: set[str], now: datetime) -> dict[str, object]:
    answers = _answers(person, suppressed)
    return {
        **{
            name: getattr(person, name) for name in ("address", "key", "given_name", "language", "time_zone", "country")
        },
        "joined_at": person.consented_at or now,
        "may_mail": answers.get(Purpose.MAIL, False),
        "may_personalise": answers.get(Purpose.PERSONALISE, False),
        "may_track": answers.get(Purpose.TRACK, False),
    }


def _ledger_entries(
    person: NewSubscriber, identity: int, suppressed: set[str], now: datetime
) -> list[dict[str, object]]:
    return [
        {
            "subscriber_id": identity,
            "purpose": purpose,
            "granted": granted,
            "at": person.consented_at or now,
            "how": person.how,
            "wording": person.wording,
        }
        for purpose, granted in _answers(person, suppressed).items()
    ]


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
