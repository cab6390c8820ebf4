"""What is worked out once and used in many mails: pieces of a mail, and the cards they are made from."""

from collections.abc import Callable, Hashable
from typing import Any, Self

LARGEST = 24_000_000  # characters; with the encoded copy of each piece some 60 MB, and a worker has 160
_CARD = 500  # characters, about what a card holds

Plain = dict[str, Any]


class Piece(str):
    """A piece that stands in many mails, with what was found out about it once: on the piece itself, as looking it up
    somewhere else costs more than many of these facts.

    Compares and prints as the text it is. quoted: in quoted-printable. inspected: what `engine.render.checks` knows.
    """

    __slots__ = ("inspected", "quoted")

    quoted: bytes | None
    inspected: Any

    def __new__(cls, text: str) -> Self:
        """A piece of which nothing is known yet."""
        piece = super().__new__(cls, text)
        piece.quoted = piece.inspected = None
        return piece


class Kept:
    """Pieces by number (their place in the template) and by the value they are made from.

    A value that was `shared` is known by its identity; that is safe because it is held here for as long as pieces are
    kept for it. Text and numbers are known by themselves. Anything else has no key, and what is made from it is made
    in each mail. For what is the same in all mails there is the value None.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.tables: list[dict[object, Piece]] = []
        self.shared: dict[Hashable, Plain] = {}
        self._identities: set[int] = set()
        self._values: dict[int, Any] = {}
        self._size, self._largest = 0, largest

    def make_room(self, first: int, count: int) -> None:
        """Have a table for each of these numbers."""
        self.tables += [{} for _ in range(len(self.tables), first + count)]

    def share(self, name: Hashable, value: Plain) -> Plain:
        """Hold a value for all mails; `shared` then has it by its name."""
        self.shared[name] = value
        self._identities.add(id(value))
        self._add(_CARD)
        return value

    def find(self, number: int, value: object) -> Piece | None:
        """The piece kept for a text or a number. One for a shared value stands in `tables` under its identity."""
        return self.tables[number].get((type(value), value)) if isinstance(value, (str, int, float)) else None

    def keep(self, number: int, value: object, text: str) -> str:
        """Keep a piece, unless its value has no key. Returns it."""
        key: object
        if type(value) is dict:
            key = id(value)
            if key not in self._identities:
                return text
        elif value is None:
            key = None
        elif isinstance(value, (str, int, float)):
            key = (type(value), value)
        else:
            return text
        piece = self.tables[number][key] = Piece(text)
        self._add(len(text))
        return piece

    def once(self, number: int, find: Callable[[], Any]) -> Any:
        """The value of an expression that is the same in every mail. number: its own."""
        if number not in self._values:
            self._values[number] = find()
        return self._values[number]

    def _add(self, size: int) -> None:
        """When it is too much, forget all: simpler than an order of use, and the commonest are back within a few mails.

        What a mail under way holds loses its key and stays as it is.
        """
        self._size += size
        if self._size > self._largest:
            for table in self.tables:
                table.clear()
            self.shared.clear()
            self._identities.clear()
            self._size = 0
