"""What differs between two mails, element by element: their words, attributes, styles, links, and what came or went."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import zip_longest
from urllib.parse import parse_qsl, urlsplit

from campaigns.review.tree import COMMENT, TEXT, Node, declarations

WORDS, ATTRIBUTE, STYLE, LINK, ELEMENT, ADDED, REMOVED, MOVED = (
    "words",
    "attribute",
    "style",
    "link",
    "element",
    "added",
    "removed",
    "moved",
)
_ADDRESS = re.compile(r"^https?://\S+$")
_LEADS = ("href", "src", "background", "action")


@dataclass(frozen=True)
class Change:
    """One difference. what: the attribute, the property of a style, or the part of a link. place: the elements around.

    before, after: the nodes themselves, where there was one.
    """

    kind: str
    place: str
    what: str = ""
    old: str = ""
    new: str = ""
    before: Node | None = None
    after: Node | None = None


def changes_between(before: Node, after: Node) -> list[Change]:
    """Everything that differs between two trees of `campaigns.review.tree`; nothing for what looks and works alike."""
    found = list(_compare(before, after))
    return _with_moves(found) if len(found) > 1 else found


def _compare(before: Node, after: Node) -> Iterator[Change]:
    if before.digest == after.digest:
        return
    made = Change("", after.place, before=before, after=after)
    if before.tag != after.tag:
        yield replace(made, kind=ELEMENT, old=before.tag, new=after.tag)
    if before.text != after.text:
        what = "Outlook" if after.tag == COMMENT else ""
        yield replace(made, kind=WORDS, what=what, old=before.text, new=after.text)
    for name in sorted(before.attributes.keys() | after.attributes.keys()):
        old, new = before.attributes.get(name), after.attributes.get(name)
        if old != new:
            yield from _attribute(made, name, old, new)
    yield from _children(before, after)


def _attribute(made: Change, name: str, old: str | None, new: str | None) -> Iterator[Change]:
    if name == "style":
        for what, before, after in style_parts(old or "", new or ""):
            yield replace(made, kind=STYLE, what=what, old=before, new=after)
    elif name in _LEADS and old and new:
        for what, before, after in address_parts(old, new):
            yield replace(made, kind=LINK, what=f"{name} {what}", old=before, new=after)
    else:  # an attribute that is not there is another thing than an empty one
        without = "(none)"
        yield replace(
            made, kind=ATTRIBUTE, what=name, old=without if old is None else old, new=without if new is None else new
        )


def style_parts(old: str, new: str) -> list[tuple[str, str, str]]:
    """(property, before, after) of each declaration that differs; their order, where only that does.

    >>> style_parts("color: #111; margin: 0", "color: #222; margin: 0")
    [('color', '#111', '#222')]
    """
    before, after = declarations(old), declarations(new)
    first, second = dict(before), dict(after)
    names = list(dict.fromkeys([*first, *second]))
    found = [(name, first.get(name, ""), second.get(name, "")) for name in names if first.get(name) != second.get(name)]
    return found or [("order of declarations", old, new)]


def address_parts(old: str, new: str) -> list[tuple[str, str, str]]:
    """(part, before, after) of each part of an address that differs: its host, its path, a parameter.

    >>> address_parts("https://a.example/p?x=1&y=2", "https://a.example/p?x=1&y=3")
    [('?y', '2', '3')]
    """
    try:
        first, second = urlsplit(old), urlsplit(new)
    except ValueError:
        return [("address", old, new)]
    found = [
        (name, getattr(first, part), getattr(second, part))
        for name, part in (("scheme", "scheme"), ("host", "netloc"), ("path", "path"), ("#", "fragment"))
        if getattr(first, part) != getattr(second, part)
    ]
    if first.query != second.query:
        before, after = (parse_qsl(query, keep_blank_values=True) for query in (first.query, second.query))
        once = len(dict(before)) == len(before) and len(dict(after)) == len(after)
        asked, asks = dict(before), dict(after)
        parts = [
            (f"?{name}", asked.get(name, "(none)"), asks.get(name, "(none)"))
            for name in dict.fromkeys([*asked, *asks])
            if asked.get(name) != asks.get(name)
        ]
        found += parts if once and parts else [("?", first.query, second.query)]
    return found or [("address", old, new)]


def _children(before: Node, after: Node) -> Iterator[Change]:
    first, second = before.children, after.children
    for old, new in _gaps(first, second, [child.digest for child in first], [child.digest for child in second]):
        paired = list(_gaps(old, new, [child.name for child in old], [child.name for child in new], both=True))
        for some, others in paired:
            for one, other in zip_longest(some, others):
                if one and other and (one.tag == other.tag or len(some) == len(others) == 1):
                    yield from _compare(one, other)
                    continue
                if one:
                    yield Change(REMOVED, one.place, one.name, _said(one), "", before=one)
                if other:
                    yield Change(ADDED, other.place, other.name, "", _said(other), after=other)


def _gaps(
    first: Sequence[Node],
    second: Sequence[Node],
    keys: Sequence[object],
    others: Sequence[object],
    *,
    both: bool = False,
) -> Iterator[tuple[Sequence[Node], Sequence[Node]]]:
    """The stretches that differ, side by side. both: those that are alike too, one by one."""
    for kind, start, end, begin, stop in SequenceMatcher(None, keys, others, autojunk=False).get_opcodes():
        if kind != "equal":
            yield first[start:end], second[begin:stop]
        elif both:
            for one, other in zip(first[start:end], second[begin:stop], strict=True):
                yield [one], [other]


def _said(node: Node) -> str:
    return node.text if node.tag in (TEXT, COMMENT) else node.words


def _with_moves(found: list[Change]) -> list[Change]:
    """What went in one place and came, just the same, in another has moved."""
    came = dict[int, list[Change]]()
    for change in found:
        if change.kind == ADDED and change.after is not None:
            came.setdefault(change.after.digest, []).append(change)
    gone, moved = set[int](), dict[int, Change]()
    for change in found:
        if change.kind == REMOVED and change.before is not None and (there := came.get(change.before.digest)):
            other = there.pop(0)
            gone.add(id(other))
            moved[id(change)] = replace(change, kind=MOVED, new=change.old, after=other.after)
    return [moved.get(id(change), change) for change in found if id(change) not in gone]


def narrowed(old: str, new: str) -> tuple[str, str]:
    """Only what differs of two texts, in whole words: not the name that stands beside it.

    >>> narrowed("Hello Ana, good day", "Welcome Ana, good day")
    ('Hello', 'Welcome')
    """
    first, second = old.split(" "), new.split(" ")
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    end = 0
    while end < min(len(first), len(second)) - start and first[-1 - end] == second[-1 - end]:
        end += 1
    return " ".join(first[start : len(first) - end]), " ".join(second[start : len(second) - end])


def text_changes(old: str, new: str, where: str) -> list[Change]:
    """What differs between two plain texts, paragraph by paragraph. where: such as "text part"."""
    first, second = re.split(r"\n{2,}", old.strip("\n")), re.split(r"\n{2,}", new.strip("\n"))
    found = list[Change]()
    for kind, start, end, begin, stop in SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for one, other in zip_longest(first[start:end], second[begin:stop]):
            if one is None or other is None:
                kind_now = ADDED if one is None else REMOVED
                found.append(Change(kind_now, where, "paragraph", one or "", other or ""))
            else:
                found.append(Change(WORDS, where, "", one, other))
    if not found and old != new:
        found.append(Change(WORDS, where, "line ends", old, new))
    return found


def as_link(old: str, new: str) -> list[tuple[str, str, str]]:
    """The parts that differ where both texts are addresses, else nothing."""
    return address_parts(old, new) if _ADDRESS.match(old) and _ADDRESS.match(new) else []
