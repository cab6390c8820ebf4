"""Where in an HTML source does a piece of Jinja stand? Reads the text between the pieces, one after the other."""

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


_RAW_ELEMENTS = ("style", "script", "title", "textarea")
_TAG_NAME = re.compile(r"<(/?[a-zA-Z][^\s/>]*)")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(\s*=\s*)?""")


@dataclass
class MarkupReader:
    """Follows HTML text piece by piece. `attribute` is the one we stand in, in lower case, when place says so."""

    place: Place = Place.TEXT
    element: str = ""
    attribute: str = ""
    quote: str = ""

    def read(self, text: str) -> None:
        """Go on over a stretch of text without Jinja in it."""
        at = 0
        while at < len(text):
            at = getattr(self, f"_in_{self.place}")(text, at)

    def _in_text(self, text: str, at: int) -> int:
        start = text.find("<", at)
        if start < 0:
            return len(text)
        if text.startswith("<!--", start):
            self.place = Place.COMMENT
            return start + 4
        tag = _TAG_NAME.match(text, start)
        if not tag:
            return start + 1
        self.place, self.element = Place.TAG, tag[1].lower()
        return tag.end()

    def _in_tag(self, text: str, at: int) -> int:
        character = text[at]
        if character == ">":
            raw = self.element in _RAW_ELEMENTS
            self.place = (Place.STYLE if self.element == "style" else Place.RAW) if raw else Place.TEXT
            return at + 1
        found = _ATTRIBUTE.match(text, at)
        if not found:
            return at + 1
        self.attribute = found[1].lower()
        if not found[2]:
            return found.end()
        at = found.end()
        self.place = Place.ATTRIBUTE
        self.quote = text[at] if at < len(text) and text[at] in "\"'" else ""
        return at + len(self.quote)

    def _in_attribute(self, text: str, at: int) -> int:
        if self.quote:
            end = text.find(self.quote, at)
            if end < 0:
                return len(text)
            self.place = Place.TAG
            return end + 1
        found = re.compile(r"[\s>]").search(text, at)
        if not found:
            return len(text)
        self.place = Place.TAG
        return found.start()

    def _in_comment(self, text: str, at: int) -> int:
        end = text.find("-->", at)
        if end < 0:
            return len(text)
        self.place = Place.TEXT
        return end + 3

    def _in_style(self, text: str, at: int) -> int:
        return self._in_raw(text, at)

    def _in_raw(self, text: str, at: int) -> int:
        found = re.compile(rf"</{re.escape(self.element)}\s*>", re.IGNORECASE).search(text, at)
        if not found:
            return len(text)
        self.place = Place.TEXT
        return found.end()
