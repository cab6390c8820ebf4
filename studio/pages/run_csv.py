"""A run as a CSV file: a line for each person, written while it is read, so that a million take no memory."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from campaigns.execute import World
from campaigns.models import MessageState
from studio.pages.run_people import PersonLine, everybody
from subscribers.database import reading

COLUMNS = ("subscriber", "address", "state", "reason", "shown_large", "message_id", "attempts")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of_run(world: World, run_id: int, state: MessageState | None) -> Iterator[bytes]:
    """The file, part by part, in UTF-8 with a mark at its start: without it Excel reads another code."""
    yield b"\xef\xbb\xbf" + _lines([COLUMNS])
    with reading(world.database) as session:
        for part in everybody(session, run_id, state):
            yield _lines([_row(person) for person in part])
            session.rollback()  # no transaction stays open while a slow reader takes its time


def harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: what begins like one gets a ' before it.

    >>> harmless("=1+1"), harmless("Oat Balm"), harmless(3)
    ("'=1+1", 'Oat Balm', 3)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _row(person: PersonLine) -> tuple[object, ...]:
    return (
        person.subscriber_id,
        person.address,
        person.state,
        person.reason,
        person.hero,
        person.message_id,
        person.attempts,
    )


def _lines(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([[harmless(cell) for cell in row] for row in rows])
    return text.getvalue().encode()
