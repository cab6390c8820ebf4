"""The features of HTML and CSS that a finished mail uses, under the names that caniemail gives them.

A `Detector` is made from names and titles ("css-display-flex": "display:flex"). Nearly all say themselves what they are
about; the few that do not are in the tables below. A test goes through the whole list.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.render.style_rules import AtRule, Declaration, Selector, declarations, parts_of

_TITLES = {  # titles that speak of several properties without naming each
    "css-border-inline-block-longhand": r"border-(inline|block)-(color|style|width)",
    "css-border-inline-block-individual": r"border-(inline|block)-(start|end)",
    "css-border-radius-logical": r"border-(start|end)-(start|end)-radius",
    "css-column-layout-properties": r"columns|column-(count|fill|rule|rule-color|rule-style|rule-width|span|width)",
    "css-grid-template": r"grid-template(-areas|-columns|-rows)?",
    "css-color-scheme": r"color-scheme",
    "css-margin": r"margin(-top|-right|-bottom|-left)?",
    "css-padding": r"padding(-top|-right|-bottom|-left)?",
    "css-border": r"border(-(top|right|bottom|left|color|style|width)(-(color|style|width))?)?",
    "css-border-radius": r"border-((top|bottom)-(left|right)-)?radius",
    "css-outline": r"outline(-color|-style|-width)?",
    "css-overflow": r"overflow(-x|-y)?",
    "css-scroll-snap": r"scroll-snap-.*",
    "css-animation": r"animation(-.*)?",
    "css-transition": r"transition(-.*)?",
}
_VALUES = {"css-intrinsic-size", "css-sytem-ui"}  # their titles list values and not properties
_SELECTORS = {  # one selector of each kind, as CSS is written
    "css-selector-adjacent-sibling": r"\+",
    "css-selector-attribute": r"\[",
    "css-selector-chaining": r"\.[\w-]+\.[\w-]+",
    "css-selector-child": r">",
    "css-selector-class": r"\.[\w-]",
    "css-selector-descendant": r"[\w\])*] +[\w.#\[*:]",
    "css-selector-general-sibling": r"~(?!=)",
    "css-selector-id": r"#[\w-]",
    "css-selector-type": r"(^|[\s>+~])[a-z]",
    "css-selector-universal": r"(^|[\s>+~])\*",
    "css-nesting": r"&",
}
_ELEMENTS = {
    "html-h1-h6": ("h1", "h2", "h3", "h4", "h5", "h6"),
    "html-image-maps": ("map",),
    "html-address": ("address",),
}
_ATTRIBUTES = {"css-inert-attribute": ("inert",), "html-srcset": ("srcset", "sizes"), "amp": ("amp4email", "⚡4email")}
_IMAGES = {"jpg": ("jpg", "jpeg", "jfif"), "heif": ("heif", "heic"), "tiff": ("tif", "tiff"), "mp4": ("mp4", "webm")}
_SHOWN = ("src", "background", "srcset", "poster")


@dataclass(frozen=True)
class Use:
    """A feature in a mail. where: "inline", "<style>", "HTML", or the at-rule around it. sign: how to find it in a
    source, as a regular expression."""

    feature: str
    where: str
    sign: str


class Detector:
    """Finds features in mails. titles: (title, description) of each by its name."""

    def __init__(self, titles: Mapping[str, tuple[str, str]]) -> None:
        self.properties: dict[str, str] = {}  # a regular expression for the property's name → feature
        self.pairs: dict[tuple[str, str], str] = {}
        self.in_values: dict[str, str] = {}  # a regular expression for a part of the value → feature
        self.at_rules: dict[tuple[str, str], str] = {}  # (name, what its condition mentions) → feature
        self.selectors: dict[str, str] = {}
        self.elements: dict[str, str] = {}
        self.attributes: dict[str, str] = {}
        self.typed: dict[tuple[str, str, str], str] = {}
        self.images: dict[str, str] = {}
        self.others: set[str] = set()
        for slug, (title, description) in titles.items():
            self._learn(slug, title.strip(), description)

    def uses(self, html: str) -> Iterator[Use]:
        """Every feature of this mail, each as often as it is found."""
        from lxml import etree

        tree = etree.fromstring(html.strip(), etree.HTMLParser())
        if re.match(r"\s*<!doctype html>", html, re.IGNORECASE):
            yield from self._known("html-doctype", "HTML", r"<!doctype html>")
        for node in tree.iter():
            if not isinstance(node.tag, str):
                yield from self._known("html-comments", "HTML", "<!--")
                continue
            yield from self._in_element(node)
            if node.tag == "style":
                yield from self._in_sheet(node.text or "")
            if style := node.get("style"):
                for declaration in declarations(style):
                    yield from self._in_declaration(declaration, "inline")

    def _learn(self, slug: str, title: str, description: str) -> None:
        kind, _, name = slug.partition("-")
        if slug in _SELECTORS:
            self.selectors[_SELECTORS[slug]] = slug
        elif slug in _ATTRIBUTES or title.endswith("attribute"):
            self.attributes |= dict.fromkeys(_ATTRIBUTES.get(slug, (title.removesuffix("attribute").strip(),)), slug)
        elif kind == "image":
            self.images |= dict.fromkeys(_IMAGES.get(name, (name,)), slug)
        elif kind == "html":
            self._learn_html(slug, title, description)
        elif kind == "css":
            self._learn_css(slug, title, name)
        else:
            self.others.add(slug)

    def _learn_html(self, slug: str, title: str, description: str) -> None:
        named = re.findall(r"<(\w+)>", description if slug == "html-semantics" else title)
        if typed := re.match(r'<(\w+) (\w+)="(\w+)">', title):
            self.typed[typed[1], typed[2], typed[3]] = slug
        elif slug in _ELEMENTS or named:
            self.elements |= dict.fromkeys(_ELEMENTS.get(slug, named), slug)
        else:
            self.others.add(slug)  # asked for by name where they are found

    def _learn_css(self, slug: str, title: str, name: str) -> None:
        if found := re.match(r"unit-(\w+)$", name):
            unit = "%" if found[1] == "percent" else found[1]
            words = {"initial": r"\binitial\b", "calc": r"\bcalc\("}
            self.in_values[words.get(unit, rf"(?<![\w#.-])-?(?:\d+\.?\d*|\.\d+){unit}(?![\w%])")] = slug
        elif name.startswith("pseudo-"):
            colons = "::?" if "element" in name else ":"
            pseudo = re.sub(r"pseudo-(class|element)-", "", name)
            self.selectors[rf"(?<!:){colons}{pseudo}(?![\w-])"] = slug
        elif title.startswith("@"):
            for at_rule in re.findall(r"@([\w-]+)", title)[:1]:
                self.at_rules |= {(at_rule, part): slug for part in re.findall(r"\(([\w-]+)\)", title) or [""]}
        elif slug == "css-variables":
            self.in_values[r"\bvar\("], self.properties["--.*"] = slug, slug
        elif slug in _VALUES:
            self.in_values[rf"(?<![\w-])(?:{'|'.join(_words(title))})(?![\w-])"] = slug
        elif slug in _TITLES:
            self.properties[_TITLES[slug]] = slug
        elif pair := re.fullmatch(r"([a-z-]+):\s*([a-z-]+)", title):
            self.pairs[pair[1], pair[2]] = slug
        elif functions := re.findall(r"([a-z-]+)\(\)", title):
            self.in_values[rf"(?<![\w-])(?:{'|'.join(functions)})\("] = slug
        elif listed := _words(title):
            self.properties["|".join(listed)] = slug
        else:
            self.others.add(slug)

    def _in_element(self, node: Any) -> Iterator[Use]:
        tag = node.tag.lower()
        yield from self._known(self.elements.get(tag), "HTML", rf"<{tag}\b")
        for name, value in node.attrib.items():
            yield from self._known(self.attributes.get(name), "HTML", rf"\s{re.escape(name)}\s*=")
            yield from self._known(self.typed.get((tag, name, value)), "HTML", rf"<{tag}\b[^>]*{re.escape(value)}")
            if name in _SHOWN:
                yield from self._in_address(value, "HTML", rf"<{tag}\b[^>]*{name}")
        if tag == "a" and node.get("href", "").startswith("#"):
            yield from self._known("html-anchor-links", "HTML", r"href\s*=\s*[\"']#")
        if tag == "a" and node.get("href", "").lower().startswith("mailto:"):
            yield from self._known("html-mailto-links", "HTML", "mailto:")
        if tag == "meta" and node.get("name") == "color-scheme":
            yield from self._known("html-meta-color-scheme", "HTML", r"<meta\b[^>]*color-scheme")

    def _in_sheet(self, css: str) -> Iterator[Use]:
        if "/*" in css:
            yield from self._known("css-comments", "<style>", r"/\*")
        for part in parts_of(css):
            where = part.under[-1] if part.under else "<style>"
            if isinstance(part, Declaration):
                yield from self._in_declaration(part, where)
            elif isinstance(part, Selector):
                yield from self._in_selector(part.text, where)
            elif isinstance(part, AtRule):
                for (name, mentioned), slug in self.at_rules.items():
                    if part.name == name and mentioned in part.condition:
                        yield Use(slug, "<style>", rf"@{name}\b.*{re.escape(mentioned)}")

    def _in_declaration(self, declaration: Declaration, where: str) -> Iterator[Use]:
        name, value = declaration.name, declaration.value
        sign = rf"(?<![\w-]){re.escape(name)}\s*:"
        for pattern, slug in self.properties.items():
            if re.fullmatch(pattern, name):
                yield Use(slug, where, sign)
        yield from self._known(self.pairs.get((name, value.lower())), where, rf"{sign}\s*{re.escape(value)}")
        plain = re.sub(r"\"[^\"]*\"|'[^']*'|url\([^)]*\)", "", value)
        for pattern, slug in self.in_values.items():
            if re.search(pattern, plain, re.IGNORECASE):
                yield Use(slug, where, rf":[^;]*{pattern}")
        if declaration.important:
            yield from self._known("css-important", where, "!important")
        for address in re.findall(r"url\(\s*[\"']?([^\"')]+)", value):
            yield from self._in_address(address, where, sign)

    def _in_selector(self, text: str, where: str) -> Iterator[Use]:
        bare = re.sub(r"\[[^\]]*\]", "[]", text)
        for pattern, slug in self.selectors.items():
            if re.search(pattern, bare):
                yield Use(slug, where, re.escape(text))

    def _in_address(self, address: str, where: str, sign: str) -> Iterator[Use]:
        if address.startswith("data:"):
            yield from self._known("image-base64", where, sign)
            return
        ending = address.partition("?")[0].partition("#")[0].rpartition(".")[2].lower()
        yield from self._known(self.images.get(ending), where, sign)

    def _known(self, slug: str | None, where: str, sign: str) -> Iterable[Use]:
        everything = (self.elements, self.attributes, self.typed, self.images, self.pairs)
        if slug and (slug in self.others or any(slug in each.values() for each in everything)):
            yield Use(slug, where, sign)


def _words(title: str) -> list[str]:
    """The properties or values a title lists: "gap, column-gap, row-gap"; none when it is a sentence."""
    plain = re.sub(r"\s+(property|shorthand)$", "", title.strip())
    words = re.split(r"\s*[,&]\s*", plain)
    return words if all(re.fullmatch(r"[a-z-]+", word) for word in words) else []
