"""Read a stranger's CSV file: streaming, hostile, and with every row accounted for.

The promise to the person at the keyboard: a whole file is refused only when nothing in it can be understood; a row
is refused alone, with its line number and a reason, and lands in a file that can be corrected and imported again.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from subscribers.errors import FileRejected, RowRejected, shorten
from subscribers.text_files import (
    DEFAULT_ENCODING,
    LONGEST_LINE,
    Damaged,
    Lines,
    LineTooLong,
    NeverClosed,
    encoding_of,
    open_bytes,
    text_of,
)

LONGEST_FIELD = 50_000  # characters; the longest real field (a product description) is limited to 5,000 by Merchant
csv.field_size_limit(LONGEST_LINE * 2)
NAMES_SHOWN = 40  # of the columns of a file, in a message

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all)."""


@dataclass(frozen=True)
class Columns:
    """What a file must and may have, under our names. `also` are other spellings found in the wild."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)


class Row(NamedTuple):
    """One row of the file: where it starts, and its cells under our names (empty text where missing)."""

    line: int
    cells: Mapping[str, str]
    raw: tuple[str, ...]

    def reject(self, column: str, reason: str) -> RowRejected:
        return RowRejected(self.line, column, self.cells.get(column, ""), reason, self.raw)


class CsvFile:
    """An open CSV file. Iterating gives a Row or a RowRejected for each record, in order.

    Raises FileRejected when opened without a header that fits, empty, compressed but damaged, or not there.
    """

    def __init__(
        self,
        path: Path,
        columns: Columns,
        *,
        renames: Mapping[str, str] | None = None,
        encoding: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.path = path
        self._progress = progress
        self._size, self._raw, unpacked = open_bytes(path)
        try:
            self._encoding = encoding or encoding_of(unpacked, path)
            self._lines = Lines(text_of(unpacked, self._encoding))
            self.header, self._delimiter = self._read_header()
            self._names = _our_names(self.header, columns, renames or {}, path)
        except BaseException:
            self._raw.close()
            raise
        self._used = [(position, ours) for position, ours in enumerate(self._names) if ours is not None]
        self.unused = [name for name, ours in zip(self.header, self._names, strict=True) if ours is None]

    def __iter__(self) -> Iterator[Row | RowRejected]:
        with self._raw:
            for number, (line, cells) in enumerate(self._records()):
                if self._progress and number % 2_000 == 0:
                    self._progress(self._raw.tell(), self._size)
                if isinstance(cells, RowRejected):
                    yield cells
                elif cells:
                    yield self._row(line, cells)
            if self._progress:
                self._progress(self._size, self._size)

    def _read_header(self) -> tuple[list[str], str]:
        try:
            first = next(self._lines, "")
            while first and not first.strip("\r\n\t ;,"):
                self._lines.begin_record()
                first = next(self._lines, "")
        except LineTooLong:
            raise FileRejected(f"{self.path.name} is no CSV file: its first line never ends") from None
        except Damaged as damaged:
            raise FileRejected(f"{self.path.name} cannot be read: {damaged.reason}") from None
        first = first.lstrip("\ufeff")
        if not first.strip("\x00\r\n\t ;,"):
            raise FileRejected(f"{self.path.name} is empty; export it again with a header line")
        delimiter = max(",;\t|", key=first.count)
        return [name.strip() for name in next(csv.reader([first], delimiter=delimiter))], delimiter

    def _records(self) -> Iterator[tuple[int, list[str] | RowRejected]]:
        """(line, cells), or (line, why there are none)."""
        while True:
            self._lines.begin_record()
            # strict: a quotation mark inside a quoted cell must not quietly swallow the rows up to the next one
            reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)
            try:
                for cells in reader:
                    if self._lines.more_than_one and self._swallowed_a_row(cells):
                        yield self._never_closed()
                    else:
                        yield self._lines.first_line, cells
                    self._lines.begin_record()
                return
            except NeverClosed:
                yield self._never_closed()
            except csv.Error:  # something else than a delimiter follows a closing quotation mark
                yield self._never_closed() if self._lines.more_than_one else self._loosely()
            except LineTooLong:
                line, reason = (
                    self._lines.first_line,
                    f"is longer than {LONGEST_LINE:,} characters; split or shorten it",
                )
                yield line, RowRejected(line, "", "", reason)
            except Damaged as damaged:
                line = self._lines.first_line
                yield line, RowRejected(line, "", "", f"cannot be read, nor what follows: {damaged.reason}")
                return

    def _swallowed_a_row(self, cells: list[str]) -> bool:
        """Whether a record of several lines has the wrong number of cells, and one of its lines alone the right one."""
        wanted = len(self._names)
        return len(cells) != wanted and any(len(self._cells(line)) == wanted for line in self._lines.record[1:])

    def _never_closed(self) -> tuple[int, RowRejected]:
        """Give up the first line of the record, and only that."""
        line, first = self._lines.first_line, self._lines.give_back_all_but_first()
        reason = f"has a quotation mark that is never closed: {shorten(first.strip())}"
        return line, RowRejected(line, "", "", reason, tuple(cell.rstrip("\n") for cell in self._cells(first)))

    def _loosely(self) -> tuple[int, list[str] | RowRejected]:
        """A line such as `"5" frame",2`, which is not CSV: read as it was meant when that takes no second line."""
        cells = self._cells(self._lines.record[0])
        if cells[-1].endswith("\n") or len(cells) != len(self._names):  # the line's end is inside a quoted cell
            return self._never_closed()
        return self._lines.first_line, cells

    def _cells(self, line: str) -> list[str]:
        """The cells of one line, whatever is wrong with its quotation marks."""
        return next(csv.reader([line.rstrip("\r\n") + "\n"], delimiter=self._delimiter))

    def _row(self, line: int, cells: list[str]) -> Row | RowRejected:
        raw = tuple(cells)
        if len(cells) != len(self._names):
            return RowRejected(line, "", "", f"has {len(cells)} cells where the header has {len(self._names)}", raw)
        together = "".join(cells)  # nearly every row is short plain ASCII: one look at the whole instead of one a cell
        if not (together.isascii() and len(together) <= LONGEST_FIELD and "\x00" not in together):
            for name, cell in zip(self.header, cells, strict=True):
                if (reason := _unreadable(cell, self._encoding)) is not None:
                    return RowRejected(line, name, decoded(cell), reason, raw)
        return Row(line, {ours: cells[position].strip() for position, ours in self._used}, raw)


def decoded(cell: str) -> str:
    """The cell with the bytes that could not be decoded shown as replacement characters."""
    return _NOT_DECODED.sub("\ufffd", cell)


_NOT_DECODED = re.compile("[\ud800-\udfff]")


def _unreadable(cell: str, encoding: str) -> str | None:
    """Why this cell cannot be used whatever it means, or None."""
    if len(cell) > LONGEST_FIELD:
        return f"is {len(cell):,} characters long; at most {LONGEST_FIELD:,} fit"
    if not cell.isascii() and _NOT_DECODED.search(cell):
        if encoding == DEFAULT_ENCODING:
            return "is not UTF-8; save the file as UTF-8 or pass --encoding"
        return f"is not {encoding}; save the file as UTF-8 or pass another --encoding"
    if "\x00" in cell:
        return "has a NUL byte in it; export the file again as text"
    return None


def _our_names(header: list[str], columns: Columns, renames: Mapping[str, str], path: Path) -> list[str | None]:
    """Our name for each column of the file, None for those we do not use. Raises FileRejected."""
    known = {name: name for name in (*columns.required, *columns.optional)} | dict(columns.also)
    for theirs, field_name in renames.items():
        if theirs not in header:
            raise FileRejected(
                f"--map {theirs}={field_name}: {path.name} has no column {theirs!r}; it has {_listed(header)}"
            )
        if list(renames.values()).count(field_name) > 1:
            raise FileRejected(f"--map {theirs}={field_name}: more than one column is to be {field_name!r}; name one")
        if field_name not in known.values():
            raise FileRejected(
                f"--map {theirs}={field_name}: there is no field {field_name!r}; fields are {_listed(known.values())}"
            )
    lower = {name.lower(): ours for name, ours in known.items()}
    taken = set(renames.values())
    names: list[str | None] = []
    for name in header:
        ours: str | None = renames.get(name) if renames.get(name) not in names else None
        if ours is None and (found := lower.get(name.lower())) not in taken:
            ours = found
        names.append(ours)
        if ours is not None:
            taken.add(ours)
    missing = [name for name in columns.required if name not in names]
    if missing:
        raise FileRejected(
            f"{path.name} has no column {_listed(missing)}; it has {_listed(header)}. "
            f"If one of them is meant, say so: --map THEIRS={missing[0]}"
        )
    return names


def _listed(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = [f"and {len(distinct) - NAMES_SHOWN:,} more"] if len(distinct) > NAMES_SHOWN else []
    return ", ".join([*(repr(shorten(name)) for name in distinct[:NAMES_SHOWN]), *more])
