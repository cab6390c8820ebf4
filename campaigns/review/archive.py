"""The mails of a snapshot as files: a few as they are, to look at and to commit; or all of them in one small file.

`people/KEY.html`, `.txt` and `.eml`: bytes as they are sent. `mails.jsonl.gz`: a line a mail, in order of keys, with
what stands in many mails once: a mail of 31 KB takes about 1 KB. The same mails give the same bytes.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from campaigns.review.errors import SnapshotUnreadable

PEOPLE, MAILS = "people", "mails.jsonl.gz"
LARGEST = 24 * 2**20  # characters of pieces that are held to be named again: memory stays flat, whatever comes
Cut = list[str | tuple[str]]
"""A text in pieces; those that stand in many mails in a tuple of one."""


class Kept(NamedTuple):
    """The words of one mail."""

    subject: str
    html: str
    text: str


class Archive:
    """Writes all mails of a snapshot."""

    def __init__(self, folder: Path) -> None:
        self._raw = (folder / MAILS).open("wb")
        self._file = gzip.GzipFile(filename="", fileobj=self._raw, mode="wb", compresslevel=5, mtime=0)
        self._numbers: dict[str, int] = {}
        self._size = 0

    def close(self) -> None:
        """Finish the file."""
        self._file.close()
        self._raw.close()

    def add(self, key: str, subject: str, html: Cut, text: Cut) -> None:
        """Write one mail; in order of keys."""
        plain = {"key": key, "subject": subject, "html": self._numbered(html), "text": self._numbered(text)}
        self._file.write(orjson.dumps(plain) + b"\n")

    def _numbered(self, cut: Cut) -> list[str | int]:
        return [piece if isinstance(piece, str) else self._number(piece[0]) for piece in cut]

    def _number(self, piece: str) -> str | int:
        number = self._numbers.get(piece)
        if number is None:
            if self._size >= LARGEST:
                return piece
            number = self._numbers[piece] = len(self._numbers)
            self._size += len(piece)
            self._file.write(orjson.dumps({"piece": piece}) + b"\n")
        return number


def write_files(folder: Path, key: str, kept: Kept, message: bytes) -> None:
    """The files of one person."""
    people = folder / PEOPLE
    people.mkdir(exist_ok=True)
    (people / f"{key}.html").write_bytes(kept.html.encode())
    (people / f"{key}.txt").write_bytes(kept.text.encode())
    (people / f"{key}.eml").write_bytes(message)


class Shelf:
    """Reads the mails of a snapshot, for keys in ascending order. Not everybody's need be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mails = _archived(folder) if (folder / MAILS).is_file() else iter(())
        self._next = next(self._mails, None)

    def take(self, key: str) -> Kept | None:
        """The mail of this person, None when it was not kept. Raises SnapshotUnreadable."""
        while self._next is not None and self._next[0] < key:
            self._next = next(self._mails, None)
        if self._next is not None and self._next[0] == key:
            return self._next[1]
        html, text, whole = (self._folder / PEOPLE / f"{key}{kind}" for kind in (".html", ".txt", ".eml"))
        if not html.is_file() or not text.is_file():
            return None
        return Kept(_subject_in(whole), html.read_bytes().decode(), text.read_bytes().decode())


def _subject_in(whole: Path) -> str:
    from email import message_from_bytes
    from email.policy import default

    if not whole.is_file():
        return ""
    return str(message_from_bytes(whole.read_bytes(), policy=default)["Subject"] or "")


def _archived(folder: Path) -> Iterator[tuple[str, Kept]]:
    pieces = list[str]()

    def joined(parts: list[Any]) -> str:
        return "".join([part if isinstance(part, str) else pieces[part] for part in parts])

    try:
        with gzip.open(folder / MAILS, "rb") as file:
            for line in file:
                plain = orjson.loads(line)
                if "piece" in plain:
                    pieces.append(plain["piece"])
                else:
                    yield plain["key"], Kept(plain["subject"], joined(plain["html"]), joined(plain["text"]))
    except (EOFError, OSError, orjson.JSONDecodeError, KeyError, IndexError) as error:
        raise SnapshotUnreadable(f"{folder / MAILS} cannot be read ({error}); make the snapshot anew") from None
