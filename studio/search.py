"""Find people by what somebody types: how an address or a name begins, a domain, a number. Each by an index.

A beginning is a range of the index over lower(address) or lower(given_name), from the text itself to the text with the
last of all characters behind it: LIKE alone finds no index on SQLite (whose LIKE knows no case) nor on PostgreSQL
outside the C collation. It is asked as well, because such a collation may order a stranger in between.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlmodel import Session, col

from subscribers.models import Subscriber, Suppression

FOUND = 8  # people that are shown while somebody types
LONGEST = 320  # characters of an address
_LAST = "\U0010ffff"
LOWER_ADDRESS: Any = func.lower(col(Subscriber.address))
LOWER_NAME: Any = func.lower(col(Subscriber.given_name))
ORDERS: dict[str, list[Any]] = {
    "address": [LOWER_ADDRESS, col(Subscriber.id)],
    "name": [LOWER_NAME, col(Subscriber.id)],
}
"""What the rows of a list are ordered by: each has its index."""


def people(typed: str, by: str = "address") -> Select[Any]:
    """Everybody on the roster whom the text means: (subscriber columns…, the two columns of ORDERS[by]).

    Erased people are found by their number alone. by: "address" or "name".
    """
    columns: list[Any] = [
        *(col(Subscriber.id), col(Subscriber.key), col(Subscriber.address), col(Subscriber.given_name)),
        *(col(Subscriber.country), col(Subscriber.joined_at), col(Subscriber.may_mail)),
        *ORDERS[by],
    ]
    return select(*columns).where(*_meant(typed.strip(), by))


def number_in(typed: str) -> int | None:
    """The subscriber number that was typed, if it is one that databases hold."""
    text = typed.strip().removeprefix("#")
    known = text.isdecimal() and text.isascii() and len(text) <= 10
    return int(text) if known and 1 <= int(text) <= 2**31 - 1 else None


def few(session: Session, typed: str) -> list[Any]:
    """The first few people whom the text means, those by address before those by name."""
    found: dict[int, Any] = {}
    for by in ("address", "name"):
        if len(found) < FOUND:
            rows = session.execute(people(typed, by).order_by(*ORDERS[by]).limit(FOUND))
            found |= {row[0]: row for row in rows if row[0] not in found}
        if not _is_beginning(typed.strip()):
            break
    return list(found.values())[:FOUND]


def suppressed_of(session: Session, keys: list[str]) -> set[str]:
    """Those of these keys that must not be mailed."""
    return set(session.scalars(select(col(Suppression.key)).where(col(Suppression.key).in_(keys))))


def begins(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether the column, which is in small letters, begins with the text, in whatever case; found by an index."""
    start = func.lower(text)
    return and_(column >= start, column < func.lower(text + _LAST), column.startswith(text.lower(), autoescape=True))


def _meant(typed: str, by: str) -> list[ColumnElement[bool]]:
    number = number_in(typed)
    if number is not None:
        return [col(Subscriber.id) == number]
    here: list[ColumnElement[bool]] = [LOWER_ADDRESS > ""]
    if not typed:
        return here
    if typed.startswith("@"):
        return [*here, LOWER_ADDRESS.endswith(typed.lower(), autoescape=True)]
    return [begins(ORDERS[by][0], typed), col(Subscriber.address) != ""]


def _is_beginning(typed: str) -> bool:
    """Whether the text may begin an address or a name, and is neither a domain nor a number."""
    return bool(typed) and not typed.startswith("@") and number_in(typed) is None
