"""Read a stranger's CSV file: streaming, hostile, and with every row accounted for.

The promise to the person at the keyboard: a whole file is refused only when nothing in it can be understood; a row
is refused alone, with its line number and a reason, and lands in a file that can be corrected and imported again.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from subscribers.errors import FileRejected, RowRejected, shorten

LONGEST_LINE = 2_000_000  # characters; a longer one is skipped without being held in memory
LONGEST_FIELD = 50_000  # characters; the longest real field (a product description) is limited to 5,000 by Merchant
LONGEST_RECORD = 200  # lines; beyond that a quotation mark was never closed, and only its first line is given up
csv.field_size_limit(LONGEST_LINE * 2)

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all)."""


@dataclass(frozen=True)
class Columns:
    """What a file must and may have, under our names. `also` are other spellings found in the wild."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
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
        self._size, self._raw, unpacked = _open_bytes(path)
        try:
            text = io.TextIOWrapper(unpacked, encoding or _encoding(path), errors="surrogateescape", newline="")
        except LookupError:
            raise FileRejected(f"there is no encoding {encoding!r}; try utf-8, cp1252 or utf-16") from None
        self._lines = _Lines(text)
        self.header, self._delimiter = self._read_header()
        self._names = _our_names(self.header, columns, renames or {}, path)
        self.unused = [name for name, ours in zip(self.header, self._names, strict=True) if ours is None]

    def __iter__(self) -> Iterator[Row | RowRejected]:
        with self._raw:
            for number, (line, cells) in enumerate(self._records()):
                if self._progress and number % 2_000 == 0:
                    self._progress(self._raw.tell(), self._size)
                if isinstance(cells, str):
                    yield RowRejected(line, "", "", cells)
                elif cells:
                    yield self._row(line, cells)
            if self._progress:
                self._progress(self._size, self._size)

    def _read_header(self) -> tuple[list[str], str]:
        first = next(self._lines, "")
        while first and not first.strip("\r\n\t ;,"):
            first = next(self._lines, "")
        if not first.strip("\x00\r\n\t ;,\ufeff"):
            raise FileRejected(f"{self.path.name} is empty; export it again with a header line")
        delimiter = max(",;\t|", key=first.count)
        names = [name.strip().strip("\ufeff") for name in next(csv.reader([first], delimiter=delimiter))]
        return names, delimiter

    def _records(self) -> Iterator[tuple[int, list[str] | str]]:
        """(line, cells), or (line, why there are none)."""
        while True:
            self._lines.begin_record()
            reader = csv.reader(self._lines, delimiter=self._delimiter)
            try:
                for cells in reader:
                    yield self._lines.first_line, cells
                    self._lines.begin_record()
                return
            except _NeverClosed as lost:
                yield lost.line, f"has a quotation mark that is never closed: {lost.start}"
            except _LineTooLong as lost:
                yield lost.line, f"is longer than {LONGEST_LINE:,} characters; split or shorten it"
            except csv.Error as error:
                yield self._lines.first_line, f"is not CSV: {error}"
            except (EOFError, OSError, zlib.error) as error:
                yield self._lines.number + 1, f"cannot be read, nor what follows: the file is damaged ({error})"
                return

    def _row(self, line: int, cells: list[str]) -> Row | RowRejected:
        raw = tuple(cells)
        if len(cells) != len(self._names):
            return RowRejected(line, "", "", f"has {len(cells)} cells where the header has {len(self._names)}", raw)
        for name, cell in zip(self.header, cells, strict=True):
            if (reason := _unreadable(cell)) is not None:
                return RowRejected(line, name, decoded(cell), reason, raw)
        return Row(line, {ours: cell.strip() for ours, cell in zip(self._names, cells, strict=True) if ours}, raw)


def decoded(cell: str) -> str:
    """The cell with the bytes that could not be decoded shown as replacement characters."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unreadable(cell: str) -> str | None:
    """Why this cell cannot be used whatever it means, or None."""
    if len(cell) > LONGEST_FIELD:
        return f"is {len(cell):,} characters long; at most {LONGEST_FIELD:,} fit"
    if not cell.isascii() and any("\udc80" <= character <= "\udcff" for character in cell):
        return "is not UTF-8; save the file as UTF-8 or pass --encoding"
    if "\x00" in cell:
        return "has a NUL byte in it; export the file again as text"
    return None


class _NeverClosed(Exception):
    def __init__(self, line: int, start: str) -> None:
        self.line, self.start = line, shorten(start.strip())


class _LineTooLong(Exception):
    def __init__(self, line: int) -> None:
        self.line = line


class _Lines:
    """Physical lines with their numbers, which can be given back when a record turns out to be broken."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self._returned = text, list[str]()
        self.number, self.first_line = 0, 1
        self._record: list[str] = []

    def begin_record(self) -> None:
        self._record.clear()
        self.first_line = self.number + 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self._record) >= LONGEST_RECORD:
            self._give_back()
        line = self._returned.pop() if self._returned else self._text.readline(LONGEST_LINE)
        if not line:
            if self._record:  # the file ended inside a quoted cell
                self._give_back()
            raise StopIteration
        self.number += 1
        if len(line) >= LONGEST_LINE and not line.endswith("\n"):
            while len(rest := self._text.readline(LONGEST_LINE)) >= LONGEST_LINE and not rest.endswith("\n"):
                pass
            raise _LineTooLong(self.number)
        self._record.append(line)
        return line

    def _give_back(self) -> None:
        first, rest = self._record[0], self._record[1:]
        self._returned.extend(reversed(rest))
        self.number -= len(rest)
        raise _NeverClosed(self.first_line, first)


def _open_bytes(path: Path) -> tuple[int, IO[bytes], IO[bytes]]:
    """(size, the file, what to read from): unpacks gzip by its first bytes, whatever the file is called."""
    try:
        size, raw = path.stat().st_size, path.open("rb")
    except FileNotFoundError:
        raise FileRejected(f"there is no file {str(path)!r}; check the path") from None
    except OSError as error:
        raise FileRejected(f"cannot read {str(path)!r}: {error.strerror}") from None
    if path.is_dir():
        raise FileRejected(f"{str(path)!r} is a folder; name a CSV file in it")
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return size, raw, cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw


def _encoding(path: Path) -> str:
    """UTF-8 unless the file's first bytes say UTF-16, as Excel's "Unicode text" does."""
    _, raw, unpacked = _open_bytes(path)
    with raw:
        try:
            start = unpacked.read(4)
        except (OSError, EOFError, zlib.error) as error:
            raise FileRejected(f"{path.name} is damaged and cannot be unpacked: {error}") from None
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def _our_names(header: list[str], columns: Columns, renames: Mapping[str, str], path: Path) -> list[str | None]:
    """Our name for each column of the file, None for those we do not use. Raises FileRejected."""
    known = {name: name for name in (*columns.required, *columns.optional)} | dict(columns.also)
    for theirs, field_name in renames.items():
        if theirs not in header:
            raise FileRejected(f"--map {theirs}={field_name}: {path.name} has no column {theirs!r}; it has {_listed(header)}")
        if field_name not in known.values():
            raise FileRejected(
                f"--map {theirs}={field_name}: there is no field {field_name!r}; fields are {_listed(known.values())}"
            )
    lower = {name.lower(): ours for name, ours in known.items()}
    taken = set(renames.values())
    names: list[str | None] = []
    for name in header:
        ours: str | None = renames.get(name)
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
    return ", ".join(repr(shorten(name)) for name in dict.fromkeys(names))
