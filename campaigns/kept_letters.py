"""The letters of a run as its plan wrote them, so that sending them need not write them again.

Nine tenths of a letter stand in many letters of the run and are held once; of each by itself remain some 2 KB. In the
memory of one process, between its plan and its sending: nothing is written anywhere. A letter that is not here, for
whatever reason, or whose row is another one by now, is written again. Whether one is right its hash says, which stands
in the ledger.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

LARGEST = 128 * 2**20  # bytes, of some 50,000 letters; those that come after are written again when they are sent
_AROUND = 600  # bytes that a letter takes besides its own words: its place here, and where its parts are

Parts = tuple[int | bytes, ...]
"""A letter: the numbers of pieces that others have too, and between them what it has for itself."""


class KeptLetters:
    """Letters by the seal of the row they were made from (`letters.seal_of`). largest: bytes that may be held."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest, self._size = largest, 0
        self._letters: dict[int, Parts] = {}
        self._pieces: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._letters)

    @property
    def pieces(self) -> int:
        """How many pieces are known here; −1 where no more letters are taken in."""
        return len(self._pieces) if self._size < self._largest else -1

    def forget_pieces(self) -> None:
        """Their numbers count anew: who gave them is gone. The letters stay."""
        self._pieces.clear()

    def forget(self) -> None:
        """Hold nothing any more, and nobody's address."""
        self._letters.clear()
        self._pieces.clear()
        self._size = 0

    def take_in(self, seals: Iterable[int], letters: Sequence[Parts], pieces: Sequence[bytes]) -> None:
        """Hold these letters. pieces: those that the numbers behind the ones known so far stand for."""
        for piece in pieces:
            self._pieces[len(self._pieces)] = piece
            self._size += len(piece)
        known: Callable[[Any, Any], Any] = self._pieces.get
        for seal, parts in zip(seals, letters, strict=False):
            self._letters[seal] = tuple(map(known, parts, parts))
            self._size += _AROUND + sum([len(part) for part in parts if type(part) is bytes])

    def take_out(self, seal: int) -> bytes | None:
        """The bytes of a letter, once; None when it is not here."""
        parts = self._letters.pop(seal, None)
        if parts is not None:
            with suppress(TypeError):  # a worker said what makes no letter: it is written again
                return b"".join(parts)  # type: ignore[arg-type]
        return None
