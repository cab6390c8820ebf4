"""A long table one slice at a time, by the key of its last row (keyset pagination): the thousandth slice is as quick as
the first, and nobody is shown twice when rows come in meanwhile."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, tuple_
from sqlalchemy.sql import ColumnElement
from sqlmodel import Session

from studio.errors import StudioError

ROWS = 50


@dataclass(frozen=True)
class Slice:
    """Some rows of a table, in its order. earlier, later: what to ask for to get the ones before and after, or ""."""

    rows: list[Row[Any]]
    earlier: str
    later: str


def slice_of(
    session: Session, query: Select[Any], order: Sequence[ColumnElement[Any]], *, at: str = "", rows: int = ROWS
) -> Slice:
    """The rows of the query that the cursor `at` points to; without one, the first.

    order: ascending, not null, together unique, and all among the query's columns by their place at its end: they must
    be the last columns it selects. An index over them makes each slice take the same short time.
    Raises StudioError for a cursor that is none of ours.
    """
    back, key = _read(at, len(order)) if at else (False, [])
    place, wanted = tuple_(*order), tuple_(*key)
    if back:
        found = session.execute(
            query.where(place < wanted).order_by(*(column.desc() for column in order)).limit(rows + 1)
        ).all()
        more, shown = len(found) > rows, list(reversed(found[:rows]))
        return Slice(
            shown, _cursor(shown[0], order, back=True) if more else "", _cursor(shown[-1], order) if shown else ""
        )
    if key:
        query = query.where(place > wanted)
    found = session.execute(query.order_by(*order).limit(rows + 1)).all()
    more, shown = len(found) > rows, list(found[:rows])
    return Slice(
        shown,
        _cursor(shown[0], order, back=True) if key and shown else "",
        _cursor(shown[-1], order) if more else "",
    )


def _cursor(row: Row[Any], order: Sequence[ColumnElement[Any]], *, back: bool = False) -> str:
    values = [back, *row[-len(order) :]]
    return base64.urlsafe_b64encode(json.dumps(values, ensure_ascii=False).encode()).decode().rstrip("=")


def _read(cursor: str, length: int) -> tuple[bool, list[str | int]]:
    try:
        back, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        usable = isinstance(back, bool) and all(_usable(value) for value in key)
    except (ValueError, TypeError):
        usable = False
    if not usable or len(key) != length:
        raise StudioError("this place in the list cannot be used; start again from its first page")
    return back, key


def _usable(value: object) -> bool:
    """A text or a number that a database can compare: no NUL, no more than 64 bits."""
    if isinstance(value, str):
        return "\x00" not in value and value.isprintable()
    return type(value) is int and abs(value) < 2**63
