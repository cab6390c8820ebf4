"""The manifest of a snapshot: what the mails were made from, and one line a person. Written and read line by line.

`manifest.json` is one JSON document, laid out so that a line is a person (by key, never by address, in the order of
keys) and `git diff` shows who changed. `products.json` is laid out alike, a line a product.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from campaigns.review.errors import SnapshotUnreadable

MANIFEST, PRODUCTS = "manifest.json", "products.json"
FORMAT = 1
_OPEN, _CLOSE = b'"people":[\n', b"]}\n"


def first_line(head: dict[str, Any]) -> bytes:
    """What stands before the people."""
    return orjson.dumps({"format": FORMAT, **head})[:-1] + b",\n" + _OPEN


def joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines of people or products as the inside of a JSON list, each on its own line."""
    last = b""
    for line in lines:
        if last:
            yield last + b",\n"
        last = line
    if last:
        yield last + b"\n"


LAST_LINE = _CLOSE


def write_products(folder: Path, products: dict[str, dict[str, Any]]) -> None:
    """Write down what the products of the snapshot say, by code."""
    lines = (orjson.dumps({"code": code, **products[code]}, option=orjson.OPT_SORT_KEYS) for code in sorted(products))
    with (folder / PRODUCTS).open("wb") as file:
        file.write(b"[\n")
        file.writelines(joined(lines))
        file.write(b"]\n")


class Manifest:
    """A snapshot in a folder, as it is read. head: what its mails were made from. Raises SnapshotUnreadable."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._path = folder, folder / MANIFEST
        if not self._path.is_file():
            raise SnapshotUnreadable(
                f"{folder} holds no snapshot ({MANIFEST} is missing); `handpicked snapshot CAMPAIGN {folder}` makes one"
            )
        with self._path.open("rb") as file:
            lines = file.readline(), file.readline()
        self.head: dict[str, Any] = {}
        with suppress(orjson.JSONDecodeError):
            self.head = orjson.loads(lines[0].rstrip(b",\n") + b"}")
        if lines[1] != _OPEN or self.head.get("format") != FORMAT:
            raise SnapshotUnreadable(f"{self._path} is no manifest that this version can read; make the snapshot anew")
        self._start = sum(map(len, lines))

    def lines(self) -> Iterator[tuple[bytes, bytes]]:
        """(key, the whole line) of everybody, in order. Raises SnapshotUnreadable where the file ends too soon."""
        last, before = b"", b""
        with self._path.open("rb") as file:
            file.seek(self._start)
            for last in file:
                if last == _CLOSE:
                    return
                line = last.rstrip(b",\n")
                key = line[8 : line.index(b'"', 8)] if line.startswith(b'{"key":"') else b""
                if key <= before:
                    raise SnapshotUnreadable(f"{self._path} is damaged: its people are not in order of their keys")
                before = key
                yield key, line
        raise SnapshotUnreadable(f"{self._path} is not whole: it ends after {last[:40]!r}; make the snapshot anew")

    def products(self) -> dict[str, dict[str, Any]]:
        """What each product said, by code. Raises SnapshotUnreadable."""
        try:
            listed = orjson.loads((self.folder / PRODUCTS).read_bytes())
            return {product["code"]: product for product in listed}
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise SnapshotUnreadable(
                f"{self.folder / PRODUCTS} cannot be read ({error}); make the snapshot anew"
            ) from None


def person(line: bytes) -> dict[str, Any]:
    """A line as plain data. Raises SnapshotUnreadable."""
    try:
        found: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise SnapshotUnreadable(f"a line of a manifest is damaged: {line[:60]!r}") from None
    return found


def merged(first: Manifest, second: Manifest) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """(key, line in the first, line in the second) of everybody in either, in order; None where they are not there."""
    one, other = iter(first.lines()), iter(second.lines())
    left, right = next(one, None), next(other, None)
    while left or right:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield left[0], left[1], None
            left = next(one, None)
        elif left is None or right[0] < left[0]:
            yield right[0], None, right[1]
            right = next(other, None)
        else:
            yield left[0], left[1], right[1]
            left, right = next(one, None), next(other, None)
