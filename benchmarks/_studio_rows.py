"""The many rows of the studio's benchmark: people, what they agreed to, what they did, and a run that mailed them.

Drawn from one seed and written by the driver's executemany, without keys looked up and without a log: nobody else has
the file open while it is made.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subscribers.models import Kind
from subscribers.secrets import Secrets

SHOP_ENDS = datetime(2026, 6, 1, tzinfo=UTC)
YEAR, DAY = 365 * 86_400, 86_400  # seconds
ROWS = 100_000  # that are drawn and written at once
DILIGENT = 5_000  # signals of the one person who has most
OFTEN = 0.05  # the share of people who did half of everything
SYLLABLES = [
    "an",
    "be",
    "ca",
    "da",
    "el",
    "fi",
    "gu",
    "ha",
    "is",
    "jo",
    "ka",
    "li",
    "mo",
    "na",
    "or",
    "pe",
    "ra",
    "so",
    "ta",
    "vi",
]
DOMAINS = ("example.com", "example.org", "mail.example", "post.example", "inbox.example", "letters.example")
SAID = (("en", "Europe/London", "United Kingdom"), ("de", "Europe/Berlin", "Germany"), ("fr", "Europe/Paris", "France"))
KINDS = (Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE)
HOW_OFTEN = (0.7, 0.15, 0.08, 0.07)  # of everything that is done in a shop
_PERSON = [
    "id",
    "address",
    "key",
    "given_name",
    "language",
    "time_zone",
    "country",
    "joined_at",
    "may_mail",
    "may_personalise",
    "may_track",
]
_SIGNAL = ["fingerprint", "subscriber_id", "sku_id", "kind", "at", "quantity", "price_minor", "settled"]


def put(file: sqlite3.Connection, table: str, columns: list[str], rows: Iterator[tuple[Any, ...]]) -> None:
    """Insert them all, in one transaction."""
    places = ", ".join("?" * len(columns))
    file.execute("BEGIN")
    file.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
    file.execute("COMMIT")


def put_people(file: sqlite3.Connection, first: int, last: int, secrets: Secrets) -> None:
    """People with these numbers, and what they agreed to: nine in ten may be mailed, a hundredth of them opted out."""
    random = np.random.default_rng(first)
    for numbers in _parts(range(first, last + 1)):
        mail, personalise, track = (random.random((3, len(numbers))) < [[0.9], [0.85], [0.5]]).tolist()
        joined = random.integers(0, 3 * YEAR, len(numbers)).tolist()
        away = [may and chance < 0.01 for may, chance in zip(mail, random.random(len(numbers)).tolist(), strict=True)]
        people = [
            (
                number,
                (address := address_of(number)),
                secrets.key_of(address),
                name_of(number),
                *SAID[number % len(SAID)],
                _text(SHOP_ENDS - timedelta(seconds=ago)),
                may and not gone,
                picks,
                looks,
            )
            for number, ago, may, picks, looks, gone in zip(
                numbers, joined, mail, personalise, track, away, strict=True
            )
        ]
        put(file, "subscriber", _PERSON, iter(people))
        put(file, "consent", ["subscriber_id", "purpose", "granted", "at", "how", "wording"], _answers(people))
        put(
            file,
            "suppression",
            ["key", "reason", "at"],
            ((person[2], "unsubscribe link", person[7]) for person, gone in zip(people, away, strict=True) if gone),
        )


def put_signals(file: sqlite3.Connection, count: int, people: int, sku_ids: NDArray[np.int64]) -> None:
    """So many signals of a year, oldest first, and their indexes made anew: row by row they would take half an hour."""
    random = np.random.default_rng(count)
    indexes = file.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'signal' AND sql LIKE 'CREATE INDEX%'")
    made = indexes.fetchall()
    for name, _ in made:
        file.execute(f"DROP INDEX {name}")
    popular = 1 / np.arange(10, len(sku_ids) + 10)
    steps = np.cumsum(popular / popular.sum())
    begin, done = int(SHOP_ENDS.timestamp()) - YEAR, 0
    for numbers in _parts(range(count)):
        size = len(numbers)
        who = random.integers(1, people + 1, size)
        often = random.random(size) < 0.5
        who[often] = 1 + (who[often] % max(1, int(people * OFTEN))) * int(1 / OFTEN)
        who[: max(1, size * DILIGENT // count)] = 1
        sku = sku_ids[np.minimum(np.searchsorted(steps, random.random(size)), len(sku_ids) - 1)]
        kind = random.choice(KINDS, size, p=HOW_OFTEN)
        at = begin + np.sort(random.integers(done * YEAR // count, (done + size) * YEAR // count, size))
        fingerprint = np.arange(done, done + size) * (2**62 // count)  # ascending: no page is moved
        price = [1_250 if one >= Kind.CART else None for one in kind.tolist()]
        columns = (fingerprint, random.permutation(who), sku, kind, at)
        ones, none = [1] * size, [0] * size
        put(file, "signal", _SIGNAL, zip(*(column.tolist() for column in columns), ones, price, none, strict=True))
        done += size
    for _, statement in made:
        file.execute(statement)


def put_messages(file: sqlite3.Connection, run: int, first: int, last: int) -> None:
    """The rows of more people in a run that was sent, like those that are there; most were accepted."""
    file.row_factory = sqlite3.Row
    like = [dict(row) for row in file.execute("SELECT * FROM message WHERE run_id = ? AND picks <> '[]'", (run,))]
    people = file.execute(
        "SELECT id, address, key, given_name, language, time_zone, may_mail FROM subscriber WHERE id BETWEEN ? AND ?",
        (first, last),
    ).fetchall()
    file.row_factory = None
    columns = [name for name in like[0] if name != "id"]
    put(file, "message", columns, (_message(like[each["id"] % len(like)], each, columns) for each in people))
    file.execute(
        "INSERT INTO attempt (message_id, at, outcome, reply) SELECT message.id, "
        "run.planned_at, message.state, '250 2.0.0 Ok' "
        "FROM message JOIN run ON run.id = run_id WHERE run_id = ? AND subscriber_id >= ? AND attempts > 0",
        (run, first),
    )


def _message(like: dict[str, Any], person: sqlite3.Row, columns: list[str]) -> tuple[Any, ...]:
    number = person["id"]
    theirs = {"subscriber_id": number, "key": person["key"]}
    if not person["may_mail"]:
        blank = {"state": "skipped", "reason": "no consent to mail", "picks": "[]", "hero_sku_id": None, "due_at": None}
        row = like | theirs | blank | {"message_id": "", "sha256": "", "attempts": 0, "why": "{}"}
        return tuple(row[name] for name in columns)
    state, reason = "accepted", ""
    if number % 100 == 0:
        state, reason = "failed", "550 5.1.1 no such user"
    elif number % 1_000 == 1:
        state, reason = "in_doubt", "the sender died while it was on the wire"
    row = like | theirs | {name: person[name] for name in ("address", "given_name", "language", "time_zone")}
    row |= {"state": state, "reason": reason, "domain": person["address"].partition("@")[2], "attempts": 1}
    row |= {"message_id": f"<{number}.bench@example.com>", "sha256": f"{number:064x}"}
    return tuple(row[name] for name in columns)


def _answers(people: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for number, *_, joined, mail, personalise, track in people:
        for purpose, granted in (("mail", mail), ("personalise", personalise), ("track", track)):
            yield number, purpose, granted, joined, "web form", "Yes, send me letters with picks for me"


def address_of(number: int) -> str:
    """Where the person with this number lives: all that begin alike stand together, as in a real roster."""
    return f"{name_of(number).lower()}.{number}@{DOMAINS[number % len(DOMAINS)]}"


def name_of(number: int) -> str:
    """A given name, one of 8,000."""
    size = len(SYLLABLES)
    return "".join(SYLLABLES[number // size**place % size] for place in range(3)).capitalize()


def _text(at: datetime) -> str:
    """A time as SQLAlchemy keeps it in SQLite."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


def _parts(numbers: range) -> Iterator[range]:
    return (numbers[start : start + ROWS] for start in range(0, len(numbers), ROWS))
