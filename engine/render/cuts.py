"""Where a text may be cut into pieces: HTML between elements, a text part between lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.render.markup import MarkupReader, Place


class Cuts(Protocol):
    """Says where a text may be cut, reading it piece after piece."""

    @property
    def here(self) -> bool:
        """Whether it may be cut where we stand."""

    def read(self, text: str) -> Sequence[int]:
        """Go on over constant text. Returns the offsets at which it may be cut, its two ends included."""

    def printed(self) -> None:
        """Go on over what an expression prints."""

    def fork(self) -> "Cuts":
        """Another one that stands in the same place."""


@dataclass
class BetweenElements:
    """HTML is cut where < opens a tag or > has closed one, or in the text between: not within a tag or a comment."""

    reader: MarkupReader = field(default_factory=MarkupReader)

    @property
    def here(self) -> bool:
        """As the protocol says."""
        return self.reader.place is Place.TEXT

    def read(self, text: str) -> Sequence[int]:
        """As the protocol says."""
        found = [0] if self.here else []
        for offset, character in enumerate(text, start=1):
            self.reader.read(character)
            if self.here:
                found.append(offset)
        return found

    def printed(self) -> None:
        """As the protocol says: what is printed is escaped, and does not change where we stand."""
        self.reader.read("x")

    def fork(self) -> "BetweenElements":
        """As the protocol says."""
        return BetweenElements(replace(self.reader))


@dataclass
class BetweenLines:
    """A text part is cut at line starts."""

    here: bool = True

    def read(self, text: str) -> Sequence[int]:
        """As the protocol says."""
        found = [0] if self.here else []
        found += [offset for offset, character in enumerate(text, start=1) if character == "\n"]
        self.here = text.endswith("\n") if text else self.here
        return found

    def printed(self) -> None:
        """As the protocol says."""
        self.here = False

    def fork(self) -> "BetweenLines":
        """As the protocol says."""
        return BetweenLines(self.here)
