"""Where in an HTML source does a piece of Jinja stand? Reads the text between the pieces, one after the other.

Character by character, as the HTML standard's tokeniser does, so that it does not matter where a text is cut.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Place(StrEnum):
    """What surrounds a piece of Jinja."""

    TEXT = "text"
    TAG = "tag"
    ATTRIBUTE = "attribute"
    COMMENT = "comment"
    STYLE = "style"
    RAW = "raw"


_RAW_ELEMENTS = (
    *("style", "script", "title", "textarea"),
    *("xmp", "iframe", "noembed", "noframes", "plaintext"),
)
_SPACE = " \t\n\r\f"
_REFERENCE = re.compile(r"&[#\w]*\Z")


@dataclass
class MarkupReader:
    """Follows HTML text piece by piece.

    attribute: the one we stand in, in lower case, when place says so. quote: what closes it, empty for none.
    stretch: how many quoted values, comments and raw texts were entered; two pieces with the same number, not in
    text, stand in the same one. step: the tokeniser's state. tail: the last characters that may begin an end.
    """

    place: Place = Place.TEXT
    element: str = ""
    attribute: str = ""
    quote: str = ""
    stretch: int = 0
    step: str = "text"
    tail: str = ""

    def read(self, text: str) -> None:
        """Go on over a stretch of text without Jinja in it."""
        for character in text:
            getattr(self, f"_in_{self.step}")(character)

    @property
    def undecided(self) -> str:
        """What was read last and takes its meaning from what follows, as "&am" of "&amp;" does; mostly nothing."""
        if self.place == Place.COMMENT:
            return self.tail if self.tail.endswith(("-", "!")) else ""
        reference = _REFERENCE.search(self.tail)
        if reference:
            return reference[0]
        start = self.tail.rfind("<") if self.place in (Place.STYLE, Place.RAW) else -1
        return self.tail[start:] if start >= 0 and f"</{self.element}".startswith(self.tail[start:].lower()) else ""

    def _go(self, step: str, place: Place) -> None:
        if place != self.place and place in (Place.COMMENT, Place.STYLE, Place.RAW):
            self.stretch += 1
        self.step, self.place, self.tail = step, place, ""

    def _in_text(self, character: str) -> None:
        if character == "<":
            self._go("opening", Place.TAG)
        else:
            self.tail = (self.tail + character)[-40:]  # the longest name of a character reference has 31 letters

    def _in_opening(self, character: str) -> None:
        if character.isascii() and character.isalpha():
            self.element = character.lower()
            self._go("name", Place.TAG)
        elif character == "/":
            self._go("closing", Place.TAG)
        elif character in "!?":
            self._go("declaration" if character == "!" else "bogus", Place.TAG)
        elif character != "<":
            self._go("text", Place.TEXT)
            self._in_text(character)

    def _in_closing(self, character: str) -> None:
        if character.isascii() and character.isalpha():
            self.element = "/" + character.lower()
            self._go("name", Place.TAG)
        elif character == ">":
            self._go("text", Place.TEXT)
        else:
            self._go("bogus", Place.TAG)

    def _in_declaration(self, character: str) -> None:
        if character == "-" and self.tail == "-":
            self._go("comment", Place.COMMENT)
            self.tail = "^"
        elif character == "-" and not self.tail:
            self.tail = "-"
        else:
            self._go("bogus", Place.TAG)
            self._in_bogus(character)

    def _in_bogus(self, character: str) -> None:
        if character == ">":
            self._go("text", Place.TEXT)

    def _in_comment(self, character: str) -> None:
        if character == ">" and (self.tail in ("^", "^-") or self.tail.endswith(("--", "--!"))):
            self._go("text", Place.TEXT)
        else:
            self.tail = (self.tail + character)[-3:]

    def _in_name(self, character: str) -> None:
        if not self._ends_tag(character):
            if character in _SPACE or character == "/":
                self._go("between", Place.TAG)
            else:
                self.element += character.lower()

    def _in_between(self, character: str) -> None:
        if not self._ends_tag(character) and character not in _SPACE and character != "/":
            self.attribute = character.lower()
            self._go("attribute", Place.TAG)

    def _in_attribute(self, character: str) -> None:
        if self._ends_tag(character):
            return
        if character == "=":
            self._go("equals", Place.ATTRIBUTE)
            self.quote = ""
        elif character in _SPACE:
            self._go("after", Place.TAG)
        elif character == "/":
            self._go("between", Place.TAG)
        else:
            self.attribute += character.lower()

    def _in_after(self, character: str) -> None:
        if character == "=":
            self._go("equals", Place.ATTRIBUTE)
            self.quote = ""
        elif character not in _SPACE:
            self._go("between", Place.TAG)
            self._in_between(character)

    def _in_equals(self, character: str) -> None:
        if self._ends_tag(character) or character in _SPACE:
            return
        self.quote = character if character in "\"'" else ""
        self.stretch += 1
        self._go("value", Place.ATTRIBUTE)
        if not self.quote:
            self.tail = character

    def _in_value(self, character: str) -> None:
        if (self.quote and character == self.quote) or (not self.quote and character in _SPACE):
            self._go("between", Place.TAG)
        elif self.quote or not self._ends_tag(character):
            self.tail = (self.tail + character)[-40:]

    def _in_raw(self, character: str) -> None:
        self.tail = (self.tail + character)[-max(len(self.element) + 3, 40) :]
        if (character in _SPACE or character in "/>") and self.tail[:-1].lower().endswith(f"</{self.element}"):
            self.element = "/" + self.element
            self._go("between", Place.TAG)
            self._in_between(character)

    def _ends_tag(self, character: str) -> bool:
        if character != ">":
            return False
        if self.element in _RAW_ELEMENTS:
            self._go("raw", Place.STYLE if self.element == "style" else Place.RAW)
        else:
            self._go("text", Place.TEXT)
        return True
