"""Is the HTML of a mail well nested? Found out for each piece alone, and put together for each mail.

A piece is read once. What its nesting has to do with the pieces around it is its *shape*: a few words such as
"/td", "/tr", "+tr", "+td". A mail is the tuple of its shapes, and most mails of a run have one of a few such tuples.
Comments are comments, Outlook's conditional ones too. Only void elements may be left open: a parser that has to guess
where an element ends guesses differently in each mail program.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

SPACE = " \t\n\r\f"  # HTML's white space; a no-break space is something to see
_RAW = ("style", "script", "xmp", "iframe", "noembed", "noframes")  # < is no tag in them
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
# Possessive (++, *+), and what has no end ends with the text: a megabyte of "<a b" is read once, and not from each "<".
_GAP, _NAME = r"[ \t\n\r\f]*+", r"[a-zA-Z][^ \t\n\r\f/>]*+"
_KEY, _VALUE = r"[^ \t\n\r\f/>][^ \t\n\r\f/>=]*+", r"""(?:"[^"]*+"|'[^']*+'|[^ \t\n\r\f"'>][^ \t\n\r\f>]*+)"""
_REST = rf"(?:[ \t\n\r\f/]++|{_KEY}(?:{_GAP}={_GAP}{_VALUE}?+)?+)*+(?:>|\Z)"
_MARKUP = re.compile(
    r"(<!--(?:-?>|.*?(?:--!?>|\Z))|"
    + "".join(rf"(?i:<{name}(?=[ \t\n\r\f/>])){_REST}.*?(?:(?i:</{name}(?=[ \t\n\r\f/>])){_REST}|\Z)|" for name in _RAW)
    + rf"</?{_NAME}{_REST}|<[!?/](?!--|[a-zA-Z])[^>]*+(?:>|\Z)|<![a-zA-Z][^>]*+(?:>|\Z)|<\?[^>]*+(?:>|\Z))",
    re.DOTALL,
)
_TAG = re.compile(rf"<(/?)({_NAME})")
_ATTRIBUTE = re.compile(rf"([ \t\n\r\f/]*+)({_KEY})(?:{_GAP}={_GAP}({_VALUE})?+)?+")
_RAW_END = re.compile(rf"(?i:</(?:{'|'.join(_RAW)})){_REST}\Z")

_ROWS = frozenset(("caption", "colgroup", "thead", "tbody", "tfoot", "tr"))
_CHILDREN = {
    "table": _ROWS,
    **dict.fromkeys(("thead", "tbody", "tfoot"), frozenset(("tr",))),
    "tr": frozenset(("td", "th")),
    **dict.fromkeys(("ul", "ol"), frozenset(("li",))),
}
_PARENTS = {
    "tr": frozenset(("table", "thead", "tbody", "tfoot")),
    **dict.fromkeys(("td", "th"), frozenset(("tr",))),
    **dict.fromkeys(_ROWS - {"tr"}, frozenset(("table",))),
    "li": frozenset(("ul", "ol", "menu")),
}
_ENDS_P = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "details",
        "div",
        "dl",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "ul",
    ]
)
_KEEPS_P = frozenset(("table", "td", "th", "caption", "button", "object"))  # HTML standard: in button scope
_NEVER_EMPTY = frozenset(["a", "h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "button", "b", "strong", "em", "i"])
_PICTURE, _WORDS = 1, 2  # what an element holds: a picture without words, or something to read


class Tag(NamedTuple):
    """A tag as a parser reads it. name in lower case; attributes as written, quotes taken off; fault: a mistake in
    the tag itself."""

    name: str
    closes: bool
    attributes: dict[str, str]
    fault: str


class Nesting(NamedTuple):
    """fault: the first mistake, empty when there is none. empty: the elements without content before it."""

    fault: str
    empty: tuple[str, ...]


def parted(html: str) -> list[str]:
    """Text and markup in turns, text first and last: a comment, a style with all it holds, or a tag is one markup."""
    return _MARKUP.split(html)


@lru_cache(maxsize=16_384)  # a tag has some 300 bytes once its style is inlined
def tag_of(markup: str) -> Tag | None:
    """The tag that a markup is or begins with; None for comments and declarations."""
    found = _TAG.match(markup)
    if not found:
        return None
    name, attributes, fault, at = found[2].lower(), dict[str, str](), "", found.end()
    while attribute := _ATTRIBUTE.match(markup, at):
        at, key = attribute.end(), attribute[2].lower()
        if not fault and (not attribute[1] or re.search("[\"'<=]", key)):
            fault = f"<{name}> has a quotation mark that does not close, or no space before {key[:30]!r}"
        elif not fault and key in attributes:
            fault = f"<{name}> has {key} twice"
        value = attribute[3] or ""
        attributes.setdefault(key, value[1:-1] if value[:1] in ("'", '"') else value)
    return Tag(name, bool(found[1]), attributes, fault)


def shape_of(parts: Sequence[str]) -> str:
    """What the nesting of a piece has to do with what stands around it. parts: of the piece, see `parted`."""
    reader = _Reader(inside=True)
    for number, part in enumerate(parts):
        if reader.fault:
            break
        if number % 2:
            _read_markup(reader, part)
        elif part.strip(SPACE):
            reader.text()
    return "\n".join(reader.shape())


@lru_cache(maxsize=4_096)
def nesting(shapes: tuple[str, ...]) -> Nesting:
    """What is wrong with the nesting of the mail whose pieces have these shapes.

    >>> nesting((shape_of(parted("<p>Hello ")), shape_of(parted("</div>"))))
    Nesting(fault='</div> where </p> should be', empty=())
    """
    reader = _Reader(inside=False)
    for word in (word for shape in shapes for word in shape.split("\n") if word):
        if reader.fault:
            break
        reader.replay(word)
    if not reader.fault and reader.open:
        reader.complain(f"<{reader.open[-1].name}> is not closed")
    return Nesting(reader.fault, tuple(sorted(set(reader.empty))))


def _read_markup(reader: "_Reader", markup: str) -> None:
    tag = tag_of(markup)
    if tag is None:
        if not markup.endswith(("-->", "--!>") if markup.startswith("<!--") else ">"):
            reader.complain(f"{markup[:40]!r} has no end")
    elif not markup.endswith(">") or (tag.name in _RAW and not (tag.closes or _RAW_END.search(markup))):
        reader.complain(f"{markup[:40]!r} has no end")
    elif tag.closes:
        reader.end(tag.name)
    else:
        _read_begin(reader, tag)


def _read_begin(reader: "_Reader", tag: Tag) -> None:
    reader.begin(tag.name, tag.attributes.get("class", ""), named=tag.name == "a" and "href" not in tag.attributes)
    if tag.fault:
        reader.complain(tag.fault)
    elif tag.name in _VOID:
        reader.leave()
        if tag.name in ("img", "input"):
            reader.hold(_WORDS if tag.name == "input" or tag.attributes.get("alt", "").strip() else _PICTURE)
    elif tag.name in _RAW:
        reader.leave()


class _Open:
    """An element that is open. holds: nothing, a picture or words. in_a, in_p: whether it is in such an element, or
    one itself; seals: whether a <p> outside the piece is out of its reach."""

    __slots__ = ("holds", "in_a", "in_p", "kind", "name", "seals")

    def __init__(self, name: str, kind: str, holds: int, around: "_Open | None") -> None:
        self.name, self.kind, self.holds, keeps = name, kind, holds, name in _KEEPS_P
        self.in_a: bool = name == "a" or (around is not None and around.in_a)
        self.in_p: bool = name == "p" or (around is not None and around.in_p and not keeps)
        self.seals: bool = keeps or (around is not None and around.seals)


class _Reader:
    """Reads the nesting of a piece (inside: around it may be anything, which is put into words) or of a mail.

    The words: "/td" an element from outside ends, "td" one begins and ends, "+td" one begins and stays open, "~p"
    one begins somewhere within that must not stand in every element, "#" text, "*" words and "%" pictures somewhere
    within, "?h1" an empty element, "!…" a fault, after which nothing is read.
    """

    def __init__(self, *, inside: bool) -> None:
        self.inside = inside
        self.open: list[_Open] = []
        self.empty: list[str] = []
        self.fault = ""
        self._words: list[str] = []
        self._said: set[str] = set()

    def shape(self) -> Iterable[str]:
        if self.fault:
            return [*self._words, f"!{self.fault}"]
        words = [*self._words]
        for element in self.open:
            words.append(f"+{element.name} {element.kind}".rstrip())
            words += ["*"] * bool(element.holds & _WORDS) + ["%"] * bool(element.holds & _PICTURE)
        return words

    def replay(self, word: str) -> None:
        sign, rest = word[0], word[1:]
        if sign == "/":
            self.end(rest)
        elif sign == "+":
            name, _, kind = rest.partition(" ")
            self.begin(name, kind)
        elif sign == "~":
            self._must_not_stand_in(rest)
        elif sign == "#":
            self.text()
        elif sign in "*%":
            self.hold(_WORDS if sign == "*" else _PICTURE)
        elif sign == "?":
            self.empty.append(rest)
        elif sign == "!":
            self.complain(rest)
        else:
            self._may_stand_here(word)

    def complain(self, fault: str) -> None:
        self.fault = self.fault or fault.replace("\n", " ")

    def text(self) -> None:
        if self.open and self.open[-1].name in _CHILDREN:
            self.complain(f"text stands directly in <{self.open[-1].name}>")
        elif self.open or not self.inside:
            self.hold(_WORDS)
        else:
            self._say("#")

    def hold(self, what: int) -> None:
        if self.open:
            self.open[-1].holds |= what
        elif self.inside:
            self._say("*" if what & _WORDS else "%")

    def begin(self, name: str, kind: str = "", *, named: bool = False) -> None:
        self._may_stand_here(name)
        if not self.fault and (name == "a" or name in _ENDS_P):
            self._must_not_stand_in(name)
        kind = " ".join(kind.split())[:60]
        self.open.append(_Open(name, kind, _WORDS if named else 0, self.open[-1] if self.open else None))

    def leave(self) -> None:
        self.open.pop()

    def end(self, name: str) -> None:
        if not self.open:
            if self.inside:
                self._say(f"/{name}")
                self._said.clear()
            else:
                self.complain(f"</{name}> closes nothing")
        elif self.open[-1].name != name:
            self.complain(f"</{name}> where </{self.open[-1].name}> should be")
        else:
            element = self.open.pop()
            if name in _NEVER_EMPTY and not (element.holds & _WORDS or (element.holds and name != "a")):
                self._say_empty(f"{name} {element.kind}".rstrip())
            for what in (_PICTURE, _WORDS):
                if element.holds & what:
                    self.hold(what)

    def _say_empty(self, element: str) -> None:
        if self.inside:
            self._say(f"?{element}")
        else:
            self.empty.append(element)

    def _may_stand_here(self, name: str) -> None:
        if not self.open and self.inside:
            self._say(name)
            return
        parent = self.open[-1].name if self.open else ""
        allowed = _CHILDREN.get(parent)
        if (allowed and name not in allowed) or parent not in _PARENTS.get(name, (parent,)):
            self.complain(f"<{name}> stands directly in <{parent}>" if parent else f"<{name}> stands by itself")

    def _must_not_stand_in(self, name: str) -> None:
        around = self.open[-1] if self.open else None
        if around and (around.in_a if name == "a" else around.in_p):
            self.complain(f"<{name}> inside <{'a' if name == 'a' else 'p'}>, which it ends")
        elif self.inside and (name == "a" or not (around and around.seals)):
            self._say(f"~{name}")

    def _say(self, word: str) -> None:
        if word not in self._said:
            self._said.add(word)
            self._words.append(word)
