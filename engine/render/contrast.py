"""Can the words of a mail be read, in light and in dark? WCAG 2.1 contrast of text against what is behind it.

For a finished mail, whose CSS is inlined: colours come from style attributes, from bgcolor and color, and from what is
left in <style>, where `@media (prefers-color-scheme: dark)` counts in the dark only. Takes some 20 ms: for the first
mail of a run and for previews, not for each mail.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import Any

from lxml import etree
from lxml import html as lxml_html
from lxml.cssselect import CSSSelector, SelectorError
from PIL import ImageColor

from engine.render.inspection import Finding

NORMAL, LARGE = 4.5, 3.0  # WCAG 2.1 success criterion 1.4.3
UNREADABLE = 2.0
LARGE_SIZE, LARGE_BOLD = 24.0, 18.66  # pixels: 18 and 14 points
DEEPEST = 5  # @media in @media
HIDDEN_SIZE = 2.0  # pixels; a preheader that is there for the inbox alone

Colour = tuple[float, float, float]
Rgba = tuple[int, int, int, float]
_BLACK, _WHITE, _DARK_CANVAS = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0), (18.0, 18.0, 18.0)  # #121212: Chromium's
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark", re.IGNORECASE)
_FUNCTION = re.compile(r"rgba?\(\s*([\d.]+%?)[\s,]+([\d.]+%?)[\s,]+([\d.]+%?)\s*(?:[,/]\s*([\d.]+%?)\s*)?\)")
_LENGTH = re.compile(r"([\d.]+)(px|pt|em|rem|%)?")
_DECLARATION = re.compile(r"\s*([\w-]+)\s*:\s*((?:[^;\"'(]|\"[^\"]*\"|'[^']*'|\([^)]*\))*)")
_USED = {"color", "background-color", "font-size", "font-weight", "display", "visibility", "opacity", "mso-hide"}
_USED |= {"background", "background-image", "max-height"}
_SIZES = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h5": 0.83, "h6": 0.67, "small": 0.83, "big": 1.2}  # em: browsers' own
_NAMED_SIZES = {"x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0, "x-large": 24.0, "xx-large": 32.0}
_BOLD = {"h1", "h2", "h3", "h4", "h5", "h6", "b", "strong", "th"}
_NOT_SHOWN = {"head", "style", "script", "title", "template", "noscript", "textarea"}


@dataclass(frozen=True)
class _Rule:
    """A style rule that was not inlined. important: those of its declarations that win over style attributes."""

    selector: CSSSelector
    weight: tuple[int, int, int, int]  # specificity, then the order in the mail
    plain: Mapping[str, str]
    important: Mapping[str, str]


@dataclass
class _Look:
    """How an element's words look. pictured: a picture of unknown colours is behind them."""

    colour: Colour = _BLACK
    behind: Colour = _WHITE
    size: float = 16.0
    bold: bool = False
    hidden: bool = False
    pictured: bool = False
    declared: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=64)
def contrast_findings(html: str) -> tuple[Finding, ...]:
    """Each pair of colours that is too close, once, with words that are written in it; the hardest to read first.

    Below 4.5:1, for large words 3:1, it is a warning; below 2:1 an error, unless a picture may stand behind the words.
    What nobody sees, such as a preheader, may have any colour. The dark is looked at where the mail has rules for it:
    what programs make of others by themselves nobody knows.
    """
    try:
        tree = lxml_html.document_fromstring(html)
    except (ValueError, etree.LxmlError):  # nothing in it, or not HTML at all
        return ()
    light, dark = _rules(tree)
    found = dict.fromkeys(_too_close(tree, light, "light", _Look()))
    if dark:
        by_itself = any("dark" in (meta.get("content") or "") for meta in tree.iter("meta") if _is_scheme(meta))
        canvas = _Look(_WHITE, _DARK_CANVAS) if by_itself else _Look()
        found |= dict.fromkeys(_too_close(tree, light + dark, "dark", canvas))
    return tuple(sorted(found, key=lambda finding: (finding.severity, -finding.weight, finding.detail)))


def ratio(one: Colour, other: Colour) -> float:
    """The contrast of two colours: 1 for the same, 21 for black on white.

    >>> round(ratio((0, 0, 0), (255, 255, 255)), 1), round(ratio((118, 118, 118), (255, 255, 255)), 2)
    (21.0, 4.54)
    """
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def colour_of(text: str) -> Rgba | None:
    """A CSS colour with its opacity; None for what is no colour of its own, such as inherit.

    >>> colour_of("#1F3b33"), colour_of("rgba(0, 0, 0, 50%)"), colour_of("White"), colour_of("inherit")
    ((31, 59, 51, 1.0), (0, 0, 0, 0.5), (255, 255, 255, 1.0), None)
    """
    text = text.strip().lower()
    if text == "transparent":
        return 0, 0, 0, 0.0
    if found := _FUNCTION.fullmatch(text):
        red, green, blue = (min(255, round(_share(part, 255))) for part in found.groups()[:3])
        return red, green, blue, min(1.0, _share(found[4], 1)) if found[4] else 1.0
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        return None
    return red, green, blue, alpha[0] / 255 if alpha else 1.0


def _share(text: str, whole: float) -> float:
    try:
        return float(text[:-1]) / 100 * whole if text.endswith("%") else float(text)
    except ValueError:  # 1.2.3
        return 0.0


def _luminance(colour: Colour) -> float:
    parts = (part / 255 for part in colour)
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _is_scheme(meta: Any) -> bool:
    return (meta.get("name") or "").lower() == "color-scheme"


def _too_close(tree: Any, rules: list[_Rule], scheme: str, canvas: _Look) -> Iterator[Finding]:
    declared: dict[Any, list[tuple[tuple[int, ...], Mapping[str, str]]]] = {}
    for rule in rules:
        for element in rule.selector(tree):
            declared.setdefault(element, []).append(((0, *rule.weight), rule.plain))
            declared.setdefault(element, []).append(((2, *rule.weight), rule.important))
    looks: dict[Any, _Look] = {}
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        look = looks[element] = _look(element, looks.get(element.getparent(), canvas), declared.get(element, []))
        if not look.hidden and (words := _words(element)):
            yield from _judged(look, words, scheme)


def _judged(look: _Look, words: str, scheme: str) -> Iterator[Finding]:
    contrast = ratio(look.colour, look.behind)
    wanted = LARGE if look.size >= LARGE_SIZE or (look.bold and look.size >= LARGE_BOLD) else NORMAL
    if contrast < wanted:
        severity = "error" if contrast < UNREADABLE and not look.pictured else "warning"
        said = (
            f"{contrast:.1f}:1 in {scheme}, at least {wanted}:1 is readable: {_hex(look.colour)} on {_hex(look.behind)}"
        )
        yield Finding(severity, "contrast", f"{said}, {words[:40]!r}", round(wanted / contrast, 3))


def _words(element: Any) -> str:
    """What stands directly in the element, if there is anything to read in it: not a bullet or a line alone."""
    texts = (element.text, *(child.tail for child in element))
    words = " ".join(" ".join(text for text in texts if text).split())
    return words if any(character.isalnum() for character in words) else ""


def _look(element: Any, around: _Look, declared: list[tuple[tuple[int, ...], Mapping[str, str]]]) -> _Look:
    """The look of an element, from that of the one around it."""
    plain, important = _declarations(element.get("style") or "")
    attributes = {"background-color": element.get("bgcolor"), "color": element.get("text") or element.get("color")}
    said: dict[str, str] = {name: value for name, value in attributes.items() if value}
    for _, values in sorted([*declared, ((1,), plain), ((3,), important)], key=lambda entry: entry[0]):
        said |= values
    tag = str(element.tag)
    look = _Look(around.colour, around.behind, around.size, around.bold or tag in _BOLD, around.hidden, around.pictured)
    look.size = _size(said.get("font-size", ""), around.size, around.size * _SIZES.get(tag, 1.0))
    if weight := said.get("font-weight", ""):
        look.bold = weight in ("bold", "bolder") or (weight.isdigit() and int(weight) >= 700)
    colour, behind = colour_of(said.get("color", "")), colour_of(said.get("background-color", ""))
    if behind and behind[3]:
        look.behind = _over(behind, around.behind)
        look.pictured = look.pictured and behind[3] < 1
    if element.get("background") or re.search(r"url\(|gradient\(", said.get("background-image", "")):
        look.pictured = True
    look.colour = _over(colour, look.behind) if colour else look.colour
    look.hidden = look.hidden or tag in _NOT_SHOWN or _is_hidden(said, look.size)
    return look


def _is_hidden(said: Mapping[str, str], size: float) -> bool:
    zero = ("0", "0px")
    return (
        said.get("display") == "none"
        or said.get("visibility") == "hidden"
        or said.get("opacity") == "0"
        or said.get("max-height") in zero
        or size <= HIDDEN_SIZE
    )


def _over(colour: Rgba, behind: Colour) -> Colour:
    """What a colour that lets some of what is behind it through looks like."""
    red, green, blue = (part * colour[3] + under * (1 - colour[3]) for part, under in zip(colour, behind, strict=False))
    return red, green, blue


def _size(text: str, around: float, default: float) -> float:
    found = _LENGTH.fullmatch(text)
    if not found:
        return _NAMED_SIZES.get(text, default)
    number, unit = _share(found[1], 1), found[2] or "px"
    return number * {"px": 1.0, "pt": 4 / 3, "em": around, "rem": 16.0, "%": around / 100}[unit]


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in colour)


def _rules(tree: Any) -> tuple[list[_Rule], list[_Rule]]:
    """(the rules that always count, those for the dark)."""
    always, dark, numbers = list[_Rule](), list[_Rule](), count()
    for style in tree.iter("style"):
        for media, selectors, body in _blocks(_COMMENT.sub("", style.text or "")):
            if media and not _DARK.search(media):
                continue  # for phones, print and old Outlooks: not more colours, other sizes
            plain, important = _declarations(body)
            for selector in selectors.split(","):
                if rule := _rule(selector.strip(), next(numbers), plain, important):
                    (dark if media else always).append(rule)
    return always, dark


def _rule(selector: str, number: int, plain: Mapping[str, str], important: Mapping[str, str]) -> _Rule | None:
    """None for what no element can match by itself, such as a:hover."""
    if not (plain or important):
        return None
    try:
        compiled = CSSSelector(selector, translator="html")
    except SelectorError:
        return None
    from cssselect import parse

    ids, classes, elements = parse(selector)[0].specificity()
    return _Rule(compiled, (ids, classes, elements, number), plain, important)


def _blocks(css: str, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """(media query, selectors, declarations) of each rule; in @media, and in nothing else that starts with @."""
    position = 0
    while (start := css.find("{", position)) >= 0:
        prelude, end = css[position:start].rpartition(";")[2].strip(), _end(css, start)
        body, position = css[start + 1 : end], end + 1
        if prelude.startswith("@media"):
            for inner, selectors, declarations in _blocks(body, depth + 1) if depth < DEEPEST else ():
                yield f"{prelude[6:].strip()} {inner}", selectors, declarations
        elif not prelude.startswith("@"):
            yield "", prelude, body


def _end(css: str, start: int) -> int:
    """Where the brace that opens at `start` closes; the end where it does not."""
    depth = 0
    for brace in re.compile(r"[{}]").finditer(css, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(css)


def _declarations(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """(the plain ones, the important ones), of what is used here."""
    plain, important = dict[str, str](), dict[str, str]()
    for found in _DECLARATION.finditer(css):
        name, value = found[1].lower(), found[2].strip().lower()
        if name in _USED and value:
            wanted = important if value.endswith("!important") else plain
            value = value.removesuffix("!important").strip()
            wanted |= _background(value) if name == "background" else {name: value}
    return plain, important


def _background(value: str) -> dict[str, str]:
    """The colour and the picture in a `background`."""
    words = re.findall(r"(?:[^\s(]|\([^)]*\))+", value)
    colours = [word for word in words if colour_of(word)]
    return {
        "background-color": colours[-1] if colours else "transparent",
        "background-image": next((word for word in words if re.search(r"url\(|gradient\(", word)), "none"),
    }
