"""A long table one slice at a time, by the key of its last row (keyset pagination): the thousandth slice is as quick as
the first, and nobody is shown twice when rows come in meanwhile."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, Row, Select, tuple_
from sqlalchemy.orm import Mapped
from sqlalchemy.sql import ColumnElement
from sqlmodel import Session

from studio.errors import StudioError

ROWS = 50
Column = ColumnElement[Any] | Mapped[Any]


@dataclass(frozen=True)
class Slice:
    """Some rows of a table, in its order. earlier, later: what to ask for to get the ones before and after, or ""."""

    rows: list[Row[*tuple[Any, ...]]]
    earlier: str
    later: str


def slice_of(
    session: Session,
    query: Select[*tuple[Any, ...]],
    order: Sequence[Column],
    *,
    at: str = "",
    rows: int = ROWS,
    newest_first: bool = False,
) -> Slice:
    """The rows of the query that the cursor `at` points to; without one, the first.

    order: ascending, or all descending with `newest_first`; not null, together unique, and all among the query's
    columns by their place at its end: they must be the last columns it selects. An index over them makes each slice
    take the same short time, in either direction. Raises StudioError for a cursor that is none of ours.
    """
    back, key = _read(at, order) if at else (False, [])
    place, wanted = tuple_(*order), tuple_(*key)
    down = back != newest_first  # against the order of the list, or a list that itself goes down
    if key:
        query = query.where(place < wanted if down else place > wanted)
    found = session.execute(
        query.order_by(*(column.desc() if down else column.asc() for column in order)).limit(rows + 1)
    ).all()
    more, shown = len(found) > rows, list(found[:rows])
    if back:
        shown.reverse()
    if not shown:
        return Slice([], "", "")
    before, after = (more, True) if back else (bool(key), more)
    return Slice(
        shown,
        _cursor(shown[0], order, back=True) if before else "",
        _cursor(shown[-1], order) if after else "",
    )


def _cursor(row: Row[*tuple[Any, ...]], order: Sequence[Column], *, back: bool = False) -> str:
    values = [back, *row[-len(order) :]]
    return base64.urlsafe_b64encode(json.dumps(values, ensure_ascii=False).encode()).decode().rstrip("=")


def _read(cursor: str, order: Sequence[Column]) -> tuple[bool, list[str | int]]:
    try:
        back, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        usable = isinstance(back, bool) and len(key) == len(order)
        usable = usable and all(_usable(value, column) for value, column in zip(key, order, strict=True))
    except (ValueError, TypeError, RecursionError):
        usable = False
    if not usable:
        raise StudioError("this place in the list cannot be used; start again from its first page")
    return back, key


def _usable(value: object, column: Any) -> bool:
    """A text or a number, as the column holds it and a database can compare: no NUL, no more than 64 bits."""
    if isinstance(column.type, Integer):
        return type(value) is int and abs(value) < 2**63
    return isinstance(value, str) and value.isprintable()
