"""How the command line speaks: progress on a terminal and silence in a pipe, tables for people, JSON for scripts."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int], None]


def say(text: str = "") -> None:
    """A line for a person, on stdout."""
    print(text, flush=True)


def say_json(plain: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(plain, ensure_ascii=False, indent=1), flush=True)


def complain(text: str) -> None:
    """A line about something wrong, on stderr."""
    print(text, file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether a person is watching."""
    return sys.stdout.isatty() and sys.stderr.isatty()


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A progress bar on stderr when that is a terminal, else nothing at all. Yields what to call with (done, all)."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table for a person; nothing but text in a pipe."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 140).print(shown)


def listed(counts: dict[str, int]) -> str:
    """Counts in words, the largest first.

    >>> listed({"opted out": 1200, "no consent to mail": 3})
    '1,200 opted out, 3 no consent to mail'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered) or "none"
