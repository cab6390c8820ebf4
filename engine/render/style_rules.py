"""The CSS of a finished mail, taken apart: each declaration and selector, and under which at-rules it stands.

No more than is needed to tell which features are used: nothing is checked, and what cannot be read is left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_PIECE = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()"']|"[^"]*"|'[^']*')*\))|([{};])""", re.DOTALL)
_AT_RULE = re.compile(r"@(-?[\w-]+)\s*(.*)", re.DOTALL)
WITH_RULES_INSIDE = ("media", "supports", "layer", "container", "document")


@dataclass(frozen=True)
class Declaration:
    """`name: value`, in small letters but for the value's strings. under: the at-rules around it, outermost first."""

    name: str
    value: str
    important: bool
    under: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selector:
    """What a rule is for, such as `td.words`."""

    text: str
    under: tuple[str, ...] = ()


@dataclass(frozen=True)
class AtRule:
    """`@media only screen and (…)`: its name, and what stands behind it."""

    name: str
    condition: str
    under: tuple[str, ...] = ()


Part = Declaration | Selector | AtRule


def declarations(css: str, under: tuple[str, ...] = ()) -> Iterator[Declaration]:
    """The declarations of a style attribute or of what stands between braces.

    >>> [(each.name, each.value) for each in declarations("color: red; width:50% !important")]
    [('color', 'red'), ('width', '50%')]
    """
    for words in _split(_COMMENT.sub("", css), ";"):
        name, colon, value = words.partition(":")
        if colon and name.strip() and "{" not in words:
            plain = re.sub(r"\s*!\s*important\s*$", "", value.strip(), flags=re.IGNORECASE)
            yield Declaration(name.strip().lower(), plain, plain != value.strip(), under)


def parts_of(css: str, under: tuple[str, ...] = ()) -> Iterator[Part]:
    """Everything in a style sheet, in order."""
    plain = _COMMENT.sub("", css)
    start = at = 0
    while found := _next(plain, at):
        at = found.end()
        if found[2] != "{":
            if rule := _AT_RULE.fullmatch(plain[start : found.start()].strip()):
                yield AtRule(rule[1].lower(), rule[2], under)
            start = at
            continue
        head, end = plain[start : found.start()].strip(), _end_of_block(plain, at)
        yield from _block(head, plain[at:end], under)
        start = at = end + 1


def _block(head: str, inside: str, under: tuple[str, ...]) -> Iterator[Part]:
    if rule := _AT_RULE.fullmatch(head):
        name = rule[1].lower()
        yield AtRule(name, rule[2], under)
        within = (*under, f"@{name} {rule[2]}".strip())
        if name in WITH_RULES_INSIDE:
            yield from parts_of(inside, within)
        elif not name.endswith("keyframes"):
            yield from declarations(inside, within)
        return
    for selector in _split(head, ","):
        if selector.strip():
            yield Selector(" ".join(selector.split()), under)
    yield from declarations(inside, under)


def _next(css: str, at: int) -> re.Match[str] | None:
    """The next brace or semicolon that stands in no string and no brackets."""
    while found := _PIECE.search(css, at):
        if found[2]:
            return found
        at = found.end()
    return None


def _end_of_block(css: str, at: int) -> int:
    depth = 1
    while found := _next(css, at):
        depth += {"{": 1, "}": -1}.get(found[2], 0)
        if not depth:
            return found.start()
        at = found.end()
    return len(css)


def _split(text: str, at: str) -> Iterator[str]:
    """The parts between separators that stand in no string and no brackets."""
    start, depth, quote = 0, 0, ""
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == at and depth <= 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
