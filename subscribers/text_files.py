"""The lines of a stranger's text file: unpacked, decoded, numbered, and whatever is wrong with one an error of its own.

Made for `csv_files`: a record that turns out to be broken gives its lines back, so that only the first is lost.
"""

import codecs
import gzip
import io
import zlib
from pathlib import Path
from typing import IO, cast

from subscribers.errors import FileRejected, shorten

LONGEST_LINE = 2_000_000  # characters; a longer one is skipped without being held in memory
LONGEST_RECORD = 200  # lines; beyond that a quotation mark was never closed, and only its first line is given up
DEFAULT_ENCODING = "utf-8-sig"  # UTF-8, with or without a byte order mark


class NeverClosed(Exception):
    """A quotation mark was still open after LONGEST_RECORD lines, at the end, or before a line that is too long."""


class LineTooLong(Exception):
    """The line after those of the record; it has been skipped."""


class Damaged(Exception):
    """Nothing can be read from here on."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Lines:
    """Physical lines with their numbers, which can be given back when a record turns out to be broken."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self._returned = text, list[str | Exception]()
        self.number, self.first_line = 0, 1
        self.record: list[str] = []
        self._cut_in_newline = False

    @property
    def more_than_one(self) -> bool:
        return len(self.record) > 1

    def begin_record(self) -> None:
        self.record.clear()
        self.first_line = self.number + 1

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        if len(self.record) >= LONGEST_RECORD:
            raise NeverClosed
        line = self._returned.pop() if self._returned else self._read()
        if self.record and (not line or isinstance(line, Exception)):  # the record ends here, inside a quoted cell
            self._returned.append(line)
            raise NeverClosed
        if not line:
            raise StopIteration
        self.number += 1
        if isinstance(line, Exception):
            raise line
        self.record.append(line)
        return line

    def give_back_all_but_first(self) -> str:
        """The first line of the record; those after it will be read again."""
        first, *rest = self.record
        self._returned.extend(reversed(rest))
        self.number -= len(rest)
        return first

    def _read(self) -> str | Exception:
        """The next line of the file, empty text at its end, or why there is none."""
        try:
            line = self._read_part()
            if len(line) < LONGEST_LINE or line.endswith(("\r", "\n")):
                return line
            while len(rest := self._read_part()) >= LONGEST_LINE and not rest.endswith(("\r", "\n")):
                pass
            return LineTooLong()
        except (EOFError, OSError, zlib.error) as error:
            return Damaged(f"the file is damaged ({error})")
        except UnicodeError as error:
            return Damaged(f"it is not in the encoding named ({error}); try another --encoding")

    def _read_part(self) -> str:
        """A line, or as much of it as is allowed; a line end of two characters counts once, also when cut in two."""
        part = self._text.readline(LONGEST_LINE)
        if self._cut_in_newline and part == "\n":
            part = self._text.readline(LONGEST_LINE)
        self._cut_in_newline = len(part) == LONGEST_LINE and part.endswith("\r")
        return part


def open_bytes(path: Path) -> tuple[int, IO[bytes], IO[bytes]]:
    """(size, the file, what to read from): unpacks gzip by its first bytes, whatever the file is called."""
    try:
        if path.is_dir():
            raise FileRejected(f"{str(path)!r} is a folder; name a CSV file in it")
        if path.exists() and not path.is_file():  # a pipe such as <(zcat …), a device
            raise FileRejected(f"{str(path)!r} is no regular file; write it to one first")
        size, raw = path.stat().st_size, path.open("rb")
    except (FileNotFoundError, ValueError):  # the latter for a NUL in the path
        raise FileRejected(f"there is no file {str(path)!r}; check the path") from None
    except OSError as error:
        raise FileRejected(f"cannot read {str(path)!r}: {error.strerror}") from None
    packed = raw.read(2) == b"\x1f\x8b"
    raw.seek(0)
    return size, raw, cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw


def encoding_of(unpacked: IO[bytes], path: Path) -> str:
    """UTF-8 unless the file's first bytes say UTF-16, as Excel's "Unicode text" does."""
    try:
        start = unpacked.read(4)
        unpacked.seek(0)
    except (OSError, EOFError, zlib.error) as error:
        raise FileRejected(f"{path.name} is damaged and cannot be unpacked: {error}") from None
    return "utf-16" if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else DEFAULT_ENCODING


def text_of(unpacked: IO[bytes], encoding: str) -> IO[str]:
    """The file as text; what cannot be decoded becomes surrogates, so that only the rows they are in are lost."""
    # Python's own handler is fast, but gives up on bytes below 128, which broken UTF-16 has
    errors = "surrogateescape" if encoding == DEFAULT_ENCODING else "handpicked-surrogates"
    try:
        return io.TextIOWrapper(unpacked, encoding, errors=errors, newline="")
    except (LookupError, ValueError):
        raise FileRejected(f"there is no encoding {shorten(encoding)!r}; try utf-8, cp1252 or utf-16") from None


def _surrogates(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("handpicked-surrogates", _surrogates)
