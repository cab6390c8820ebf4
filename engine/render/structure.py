"""Does a template give the same document in every mail? Looks at how a parser reads it, with marks for the Jinja in it.

A mark between elements is a comment for a statement and a word for an expression; inside an attribute, a comment or raw
text it is a word. Statements that belong together must stand in one element; and whether a branch is left out, a loop
goes round twice or nothing is printed, what stands around it must stay as it is. Else a parser closes or moves other
elements in some mails, and the CSS finds other elements there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from engine.render.flatten import Token
from engine.render.markup import Place
from engine.render.refusals import BRANCHES, CONTROL, CannotInlineOnce

MARK = "hpMARK{:05d}hp"  # letters and digits only: nothing in HTML, URLs or CSS needs to be escaped in it
MARKS = re.compile(r"(<!--)?hpMARK(\d{5})hp(?(1)-->)")
_WORD = re.compile(r"hpMARK(\d{5})hp")


@dataclass(frozen=True)
class Mark:
    """A piece of Jinja and where it stands. stretch: in which value, comment or raw text; None between elements."""

    piece: Token
    place: Place
    stretch: int | None


@dataclass(frozen=True)
class Group:
    """Statements that belong together, by number: for … endfor, or if … elif … else … endif. depth: how far inside."""

    parts: tuple[int, ...]
    depth: int


def check(marked: str, inlined: str, marks: list[Mark]) -> None:
    """Raise CannotInlineOnce where pieces lost their place, or where mails would differ in more than they print."""
    found = [int(match[2]) for match in MARKS.finditer(inlined)]
    for number, mark in enumerate(marks):
        if found[number : number + 1] != [number]:
            raise CannotInlineOnce(
                f"{mark.piece.place}: {mark.piece.text} does not keep its place: are tags and tables well nested?"
            )
    if len(found) > len(marks):
        raise CannotInlineOnce("a word in the template looks like one of our own marks")
    groups = list(_groups(marks))
    tree = _parse(marked)
    _check_places(tree, marks, groups)
    _refuse_conditional_styles(tree, marks)
    _check_variants(marked, marks, groups)


def _groups(marks: list[Mark]) -> Iterator[Group]:
    open_groups: list[list[int]] = []
    for number, mark in enumerate(marks):
        keyword = mark.piece.keyword
        if keyword in CONTROL:
            open_groups.append([number])
        elif keyword in (*BRANCHES, *CONTROL.values()):
            open_groups[-1].append(number)
            if keyword in CONTROL.values():
                yield Group(tuple(open_groups.pop()), len(open_groups))


def _check_places(tree: Any, marks: list[Mark], groups: list[Group]) -> None:
    places: dict[int, tuple[Place, object]] = {}
    for node in tree.iter():
        if not isinstance(node.tag, str):
            alone = _WORD.fullmatch(node.text or "")
            if alone:
                places[int(alone[1])] = (Place.TEXT, node.getparent())
            else:
                places.update(dict.fromkeys(_numbers(node.text), (Place.COMMENT, node)))
        else:
            inside = Place.RAW if node.tag in ("title", "textarea", "script") else Place.TEXT
            places.update(dict.fromkeys(_numbers(node.text), (inside, node)))
            for name, value in node.attrib.items():
                places.update(dict.fromkeys(_numbers(value), (Place.ATTRIBUTE, (node, name))))
        places.update(dict.fromkeys(_numbers(node.tail), (Place.TEXT, node.getparent())))
    for number, mark in enumerate(marks):
        if number not in places or places[number][0] != mark.place:
            raise CannotInlineOnce(f"{mark.piece.place}: {mark.piece.text} stands where HTML is read in different ways")
    for group in groups:
        opening = marks[group.parts[0]].piece
        if len({(marks[part].stretch, places[part]) for part in group.parts}) > 1:
            raise CannotInlineOnce(f"{opening.place}: {opening.text} ends in another element than it began")


def _refuse_conditional_styles(tree: Any, marks: list[Mark]) -> None:
    opened: list[Token] = []
    for node in tree.iter():
        alone = None if isinstance(node.tag, str) else _WORD.fullmatch(node.text or "")
        if alone:
            piece = marks[int(alone[1])].piece
            if piece.keyword in CONTROL:
                opened.append(piece)
            elif piece.keyword in CONTROL.values():
                opened.pop()
        elif node.tag == "style" and opened and node.get("data-premailer") != "ignore":
            raise CannotInlineOnce(f"{opened[-1].place}: {opened[-1].text} around <style>: not in every mail")


def _check_variants(marked: str, marks: list[Mark], groups: list[Group]) -> None:
    """Make the same change to the template and to what a parser made of it: both must be read as the same document."""
    both = [_segments(marked), _segments(_serialised(marked))]

    def differs(wanted: list[Group], branch: int, times: int) -> bool:
        return len({_shape(_parse(_variant(segments, wanted, branch, times))) for segments in both}) > 1

    for value in ("", " "):
        if len({_shape(_parse(_printing(segments, marks, value))) for segments in both}) > 1:
            raise CannotInlineOnce("an expression stands where HTML moves text: put it into an element of its own")
    between = [group for group in groups if marks[group.parts[0]].stretch is None]
    for depth in range(max((group.depth for group in between), default=-1) + 1):
        level = [group for group in between if group.depth == depth]
        for branch in range(max(len(group.parts) for group in level) - 1 if level else 0):
            for times in (0, 2):
                if differs(level, branch, times):
                    guilty = next((group for group in level if differs([group], branch, times)), level[0])
                    opening = marks[guilty.parts[0]].piece
                    raise CannotInlineOnce(f"{opening.place}: what {opening.text} prints changes what is around it")


def _segments(text: str) -> list[str]:
    """Data and marks in turn: the mark with number n is at 2n + 1."""
    segments, at = [], 0
    for match in MARKS.finditer(text):
        segments += [text[at : match.start()], match[0]]
        at = match.end()
    return [*segments, text[at:]]


def _variant(segments: list[str], groups: list[Group], branch: int, times: int) -> str:
    """The text with one branch of each group so many times."""
    changed = list(segments)
    for group in groups:
        if branch < len(group.parts) - 1:
            first, last = 2 * group.parts[branch] + 2, 2 * group.parts[branch + 1] + 1
            changed[first] = "".join(segments[first:last]) * times
            changed[first + 1 : last] = [""] * (last - first - 1)
    return _without_statements("".join(changed))


def _printing(segments: list[str], marks: list[Mark], value: str) -> str:
    """The text with every expression between elements printing this value."""
    changed = list(segments)
    for number, mark in enumerate(marks):
        if mark.piece.kind == "expression" and mark.stretch is None:
            changed[2 * number + 1] = value
    return _without_statements("".join(changed))


def _without_statements(text: str) -> str:
    """Without the comments that mark statements: Jinja leaves nothing of them, and a parser takes notice of them."""
    return MARKS.sub(lambda match: "" if match[1] else match[0], text)


def _parse(text: str) -> Any:
    from lxml import etree

    tree = etree.fromstring(text.strip(), etree.HTMLParser())  # premailer strips a mail too
    if tree is None:
        raise CannotInlineOnce("nothing is left of it where an expression prints nothing: put it into an element")
    return tree


def _serialised(text: str) -> str:
    from lxml import etree

    return etree.tostring(_parse(text).getroottree(), method="html", encoding="utf-8").decode()


def _shape(node: Any) -> tuple[object, ...]:
    """An element and all in it as plain data: equal for equal documents."""
    children = tuple((_shape(child), child.tail or "") for child in node)
    return str(node.tag), tuple(sorted(node.attrib.items())), node.text or "", children


def _numbers(text: str | None) -> list[int]:
    return [int(number) for number in _WORD.findall(text or "")]
