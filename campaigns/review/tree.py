"""A mail's HTML as a tree in which what nobody can see makes no difference.

The order of attributes, the spelling of entities, comments that no mail program acts on, and whitespace that no mail
program shows are gone. Everything else is there, conditional comments for Outlook included.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from lxml import etree
from lxml.cssselect import CSSSelector

from campaigns.review.errors import SnapshotUnreadable

TEXT, COMMENT = "#text", "#comment"
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        """address article aside blockquote body br caption center col colgroup dd div dl dt fieldset figure footer form
        h1 h2 h3 h4 h5 h6 head header hr html li link main meta nav ol p pre section table tbody td tfoot th thead title
        tr ul""",
    )
)
_SPACES = re.compile(r"[ \t\n\r\f]+")  # HTML's whitespace; a no-break space is none
_SPACED = ("style", "class")  # attributes in which whitespace says nothing
_AS_IT_IS = frozenset(("pre", "textarea", "script", "style"))
_ACTED_ON = re.compile(r"^\s*\[if\b|<!\[endif\]\s*$", re.IGNORECASE)
_BLOCK_TAG = r"</?(?:table|tbody|tr|td|th|div|p)\b"
_BETWEEN_BLOCKS = re.compile(rf"((?:{_BLOCK_TAG}[^<>]*|\])>) (?={_BLOCK_TAG}|<!\[endif)")
_DISPLAY = re.compile(r"(?:^|;)\s*display\s*:\s*([\w-]+)", re.IGNORECASE)
_PRE = re.compile(r"(?:^|;)\s*white-space\s*:\s*(?:pre|break-spaces)", re.IGNORECASE)
_NORMAL = re.compile(r"(?:^|;)\s*white-space\s*:\s*(?:normal|nowrap)", re.IGNORECASE)
_DECLARATIONS = re.compile(r"""(?:"[^"]*"|'[^']*'|\([^)]*\)|[^;"'(]|["'(])+""")
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_ATTRIBUTE = re.compile(r"^(.*\S)@([\w:-]+)$", re.DOTALL)
MANY = frozenset(("", " "))  # more addresses than one product's card has
_FEW = 6  # a card's link with and without parameters, its picture in two sizes, and some room


@dataclass(eq=False)
class Node:
    """An element, text or conditional comment. digest: the same for what looks and works the same.

    addresses: where the links and pictures in it lead, or MANY. text: of text and comments.
    """

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    text: str = ""
    children: list["Node"] = field(default_factory=list)
    parent: "Node | None" = None
    digest: int = 0
    addresses: frozenset[str] = frozenset()

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, in the order they are read."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def name(self) -> str:
        """The tag, with its first class where it has one.

        >>> Node("p", {"class": "price low"}).name
        'p.price'
        """
        kind = self.attributes.get("class", "").split(" ")[0]
        return f"{self.tag}.{kind}" if kind else self.tag

    @property
    def place(self) -> str:
        """Where it stands: the names of the last three elements around it and its own."""
        names, node = list[str](), self.parent if self.tag in (TEXT, COMMENT) else self
        while node is not None and len(names) < 4:
            names.append(node.name)
            node = node.parent
        return " > ".join(reversed(names))

    @property
    def words(self) -> str:
        """The text in it, on one line."""
        return " ".join(node.text for node in self.walk() if node.tag == TEXT)


@dataclass(frozen=True)
class Ignored:
    """What a comparison passes over: elements by CSS selector, single attributes by `SELECTOR@ATTRIBUTE`."""

    elements: tuple[CSSSelector, ...] = ()
    attributes: tuple[tuple[CSSSelector, str], ...] = ()


def ignored(rules: Iterable[str]) -> Ignored:
    """Ignore rules as text. Raises SnapshotUnreadable for one that is no selector."""
    elements, attributes = list[CSSSelector](), list[tuple[CSSSelector, str]]()
    for rule in rules:
        found = _ATTRIBUTE.match(rule)
        try:
            selector = CSSSelector(found[1] if found else rule, translator="html")
        except Exception as error:  # cssselect has several that have no common class
            raise SnapshotUnreadable(f"{rule!r} is no CSS selector to ignore by: {error}") from None
        if found:
            attributes.append((selector, found[2].lower()))
        else:
            elements.append(selector)
    return Ignored(tuple(elements), tuple(attributes))


def tree_of(html: str, rules: Ignored | None = None) -> Node:
    """The tree of a mail. An empty one for an empty text."""
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True)
    top = Node("#mail")
    found = etree.fromstring(html.encode("utf-8", "replace"), parser) if html.strip() else None
    if found is not None:
        if rules:
            _take_out(found, rules)
        # quirks mode or not: a mail without a doctype is laid out by other rules
        top.attributes["doctype"] = " ".join((found.getroottree().docinfo.doctype or "").lower().split())
        _adopt(top, _made(found, as_it_is=False))
    _seal(top)
    return top


def _take_out(found: etree._Element, rules: Ignored) -> None:
    for selector in rules.elements:
        for element in selector(found):
            parent, tail = element.getparent(), element.tail
            if parent is None:
                continue
            before = element.getprevious()
            parent.remove(element)
            if tail and before is not None:
                before.tail = (before.tail or "") + tail
            elif tail:
                parent.text = (parent.text or "") + tail
    for selector, name in rules.attributes:
        for element in selector(found):
            element.attrib.pop(name, None)


def _made(element: etree._Element, *, as_it_is: bool) -> Node:
    tag = str(element.tag)
    node = Node(tag, {name: _value(name, value) if name in _SPACED else value for name, value in _attributes(element)})
    style = node.attributes.get("style", "")
    as_it_is = (as_it_is and not _NORMAL.search(style)) or tag in _AS_IT_IS or _PRE.search(style) is not None
    items, text = list[Node](), element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            items += [Node(TEXT, text=text), _made(child, as_it_is=as_it_is)]
            text = ""
        elif _ACTED_ON.search(child.text or ""):
            items += [Node(TEXT, text=text), Node(COMMENT, text=_for_outlook(child.text or ""))]
            text = ""
        text += child.tail or ""
    items.append(Node(TEXT, text=text))
    if tag == "style" and not _QUOTED.search(text):
        items[-1].text = _SPACES.sub(" ", text).strip()
    for item in items if as_it_is else _as_shown(node, items):
        if item.tag != TEXT or item.text:
            _adopt(node, item)
    return node


def _attributes(element: etree._Element) -> list[tuple[str, str]]:
    return sorted((str(name), str(value)) for name, value in element.attrib.items())


def _for_outlook(text: str) -> str:
    """A conditional comment without whitespace that stands between blocks."""
    return _BETWEEN_BLOCKS.sub(r"\1", _SPACES.sub(" ", text).strip())


def _as_shown(node: Node, items: list[Node]) -> list[Node]:
    """Whitespace as a mail program shows it: one space within a line, none at the edges of blocks."""
    shown = [item for item in items if item.tag != COMMENT]
    for place, item in enumerate(shown):
        if item.tag != TEXT:
            continue
        item.text = _SPACES.sub(" ", item.text)
        if item.text.startswith(" ") and is_block(shown[place - 1] if place else node):
            item.text = item.text[1:]
        if item.text.endswith(" ") and is_block(shown[place + 1] if place + 1 < len(shown) else node):
            item.text = item.text[:-1]
    return items


def is_block(node: Node) -> bool:
    """Whether whitespace beside it, or at its edges, is not shown.

    >>> is_block(Node("td")), is_block(Node("a")), is_block(Node("div", {"style": "display: inline-block"}))
    (True, False, False)
    """
    said = _DISPLAY.search(node.attributes.get("style", ""))
    if said:
        return not said[1].lower().startswith(("inline", "none", "contents"))
    return node.tag in _BLOCKS


def _adopt(parent: Node, child: Node) -> None:
    child.parent = parent
    parent.children.append(child)


def _seal(node: Node) -> None:
    for child in node.children:
        _seal(child)
    own = {node.attributes[name] for name in ("href", "src", "background") if node.attributes.get(name)}
    several = own.union(*(child.addresses for child in node.children))
    crowded = len(several) > _FEW or any(child.addresses is MANY for child in node.children)
    node.addresses = MANY if crowded else frozenset(several)
    children = tuple([child.digest for child in node.children])
    node.digest = hash((node.tag, tuple(node.attributes.items()), node.text, children))


@lru_cache(maxsize=4_096)  # the same few hundred in every mail: a fifth of the time of reading one
def _value(name: str, value: str) -> str:
    if name == "style":
        return "; ".join(f"{what}: {how}" if how else what for what, how in declarations(value))
    return " ".join(value.split()) if name == "class" else value


@lru_cache(maxsize=4_096)
def declarations(style: str) -> tuple[tuple[str, str], ...]:
    """The declarations of a style attribute, in order: of two for the same property the last one counts.

    >>> declarations("Color:#111 ;background: url(a;b)")
    (('color', '#111'), ('background', 'url(a;b)'))
    """
    found = list[tuple[str, str]]()
    for declaration in _DECLARATIONS.findall(style):
        what, _, how = declaration.partition(":")
        if what.strip():
            found.append((what.strip().lower() if not what.strip().startswith("--") else what.strip(), _spaced(how)))
    return tuple(found)


def _spaced(text: str) -> str:
    """With one space where there are several, outside of quotes."""
    return "".join(
        part if place % 2 else _SPACES.sub(" ", part) for place, part in enumerate(_QUOTED.split(text))
    ).strip()
