"""premailer, once per template version and never per mail.

The CSS of a template does not depend on who reads the mail, so it is inlined into the template itself: every piece of
Jinja is replaced by a mark that HTML carries through unharmed, premailer runs over the whole, and the pieces are put
back. Per mail: Jinja with premailer each time 34,700 µs, a template inlined once 244 µs, Jinja alone 250 µs.

Where that would not be exact it is refused with the reason, and the mail takes one of the slower ways: premailer once
for each shape of mail (`engine.render.shapes`), or for every mail.
"""

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any

from jinja2 import Environment

from engine.errors import TemplateBroken, TemplateMissing
from engine.render import structure
from engine.render.flatten import CannotFlatten, Source, Token, bundle, flatten, reachable, reads_as, text_of
from engine.render.locale import SOURCE_LANGUAGE, Words
from engine.render.markup import MarkupReader, Place
from engine.render.messages import messages_of
from engine.render.refusals import CannotInlineOnce, refuse_data, refuse_piece, refuse_selectors
from engine.render.sandbox import Sandbox
from engine.render.shapes import captured
from engine.render.structure import MARK, MARKS, Mark

_IMPORT = re.compile(r"@import\b", re.IGNORECASE)
_STYLESHEET = re.compile(r"<link\b[^>]*\brel\s*=\s*[\"']?[^\"'>]*\bstylesheet", re.IGNORECASE)
_PRINTED_REL = re.compile(r"<link\b[^>]*\brel\s*=\s*[\"']?[^\"'>]*\{[{%]", re.IGNORECASE)
_DOCTYPE = re.compile(r"((?:\s|<!--(?!\[if).*?-->)*)(<!doctype[^>]*>)\s*", re.IGNORECASE | re.DOTALL)


class InlinePath(StrEnum):
    """When premailer runs. once: for the template. shapes: for each shape of mail. each: for every mail."""

    ONCE = "once"
    SHAPES = "shapes"
    EACH = "each"


@dataclass(frozen=True)
class InlinedTemplate:
    """A template ready to be rendered. reason: why not `once`, where it is not.

    source: the template in one piece with its CSS inlined; else a bundle of its files (`flatten.bundle`). places: where
    the pieces of Jinja in that one piece come from, in their order. messages: the texts it says by itself.
    """

    name: str
    source: str
    path: InlinePath
    reason: str
    places: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def once(self) -> bool:
        """Whether its CSS is inlined already."""
        return self.path is InlinePath.ONCE


def inline_template(environment: Environment, source_of: Source, name: str) -> InlinedTemplate:
    """Prepare the template file `name`. Raises TemplateBroken for what must not be sent at all."""
    speak(environment, Words(SOURCE_LANGUAGE))

    def checked(file: str) -> str:
        source = source_of(file)
        refuse_outside_styles(source, file)
        return source

    try:
        pieces = flatten(environment, checked, name)
        refuse_outside_styles(text_of(pieces), name)
        source = inline_once(environment, pieces, name)
    except (CannotFlatten, CannotInlineOnce) as refusal:
        files = reachable(environment, checked, name)
        held = captured(environment, files)
        if held:
            return InlinedTemplate(name, bundle(name, files), InlinePath.EACH, f"{refusal}; and {held}")
        return InlinedTemplate(name, bundle(name, files), InlinePath.SHAPES, str(refusal))
    places = tuple(piece.place for piece in pieces if piece.kind != "data")
    return InlinedTemplate(name, source, InlinePath.ONCE, "", places)


def speak(environment: Environment, words: Words) -> None:
    """Give a sandbox the words of a language: `_` and `ngettext` for texts, the filter `date` for days."""
    environment.globals["_"], environment.globals["ngettext"] = words.gettext, words.ngettext
    environment.filters["date"] = words.date


def prepare(files: Mapping[str, str], name: str) -> InlinedTemplate:
    """`inline_template` for files that were read beforehand: what a worker does, which may read none itself."""
    return _prepared(tuple(sorted(files.items())), name)


@lru_cache(maxsize=8)  # 100 ms each, and a page of previews asks for the same again and again
def _prepared(given: tuple[tuple[str, str], ...], name: str) -> InlinedTemplate:
    files = dict(given)

    def source_of(file: str) -> str:
        if file not in files:
            raise TemplateMissing(f"there is no template file {file!r}")
        return files[file]

    sandbox = Sandbox(files=files)
    template = inline_template(sandbox, source_of, name)
    messages = messages_of(sandbox, reachable(sandbox, source_of, name), files, name)
    return replace(template, messages=tuple(messages))


def inline_html(html: str, name: str = "") -> str:
    """Run premailer over a finished document, the way all our mails are inlined. Raises TemplateBroken."""
    try:
        inlined: str = _premailer()(
            html,
            strip_important=False,  # the default drops !important inside @media and with it dark mode and phones
            disable_validation=True,  # with the next one 1.9 times faster
            align_floating_images=False,
            allow_network=False,
            # else `height: auto` in the CSS overwrites an image's own height="240" with "auto", and the mail jumps
            disable_basic_attributes=["width", "height"],
            cssutils_logging_level=logging.CRITICAL,
        ).transform(pretty_print=False)
    except TemplateBroken as error:
        raise TemplateBroken(f"template {name}: {error}") from None
    except Exception as error:  # its parsers raise what they like, down to AttributeError for an empty document
        raise TemplateBroken(f"template {name}: premailer cannot read its HTML or CSS ({error})") from error
    if _STYLESHEET.search(inlined):  # written with character references, or put together when it was printed
        raise TemplateBroken(f"template {name}: <link rel=stylesheet> is not allowed; use <style> in the template")
    doctype = _DOCTYPE.match(html)  # premailer drops `<!doctype html>`, and Outlook.com falls into quirks mode
    kept = _DOCTYPE.match(inlined)
    body = kept[1].lstrip() + inlined[kept.end() :] if kept else inlined
    return f"{doctype[2]}\n{body}" if doctype else body


def inline_once(environment: Environment, pieces: list[Token], name: str) -> str:
    """The flattened source with its CSS inlined and all its Jinja in place. Raises CannotInlineOnce, TemplateBroken."""
    refuse_selectors(pieces)
    marked, marks = _mark(environment, pieces)
    inlined = inline_html(marked, name)
    structure.check(marked, inlined, marks)
    source = MARKS.sub(lambda match: marks[int(match[2])].piece.text, inlined)
    if not reads_as(environment, source, [mark.piece for mark in marks]):
        raise CannotInlineOnce("braces written as character references become Jinja; write {{ '{' }} for a brace")
    return source


def refuse_outside_styles(source: str, name: str) -> None:
    """A template must not pull in style sheets: premailer would read files and addresses. Raises TemplateBroken."""
    if _IMPORT.search(source):
        raise TemplateBroken(f"template {name}: @import is not allowed; put the CSS into the template itself")
    if _STYLESHEET.search(source):
        raise TemplateBroken(f"template {name}: <link rel=stylesheet> is not allowed; use <style> in the template")
    if _PRINTED_REL.search(source):
        raise TemplateBroken(f"template {name}: Jinja in <link rel=…> is not allowed; write the word out")


def _mark(environment: Environment, pieces: list[Token]) -> tuple[str, list[Mark]]:
    """The document with a mark for each piece of Jinja, and what stands behind each mark."""
    reader, parts, marks = MarkupReader(), list[str](), list[Mark]()
    for piece in pieces:
        if piece.kind == "data":
            if marks:
                refuse_data(piece, reader)
            reader.read(piece.text)
            parts.append(piece.text)
            continue
        refuse_piece(environment, piece, reader)
        mark = MARK.format(len(marks))
        between_elements = reader.place == Place.TEXT
        parts.append(f"<!--{mark}-->" if between_elements and piece.kind == "statement" else mark)
        marks.append(Mark(piece, reader.place, None if between_elements else reader.stretch))
        reader.read(mark)
    if reader.place != Place.TEXT:
        raise CannotInlineOnce(f"<{reader.element}> or what is in it does not end")
    return "".join(parts), marks


@cache
def _premailer() -> Any:
    """Premailer that reads no other files, and keeps the rules it cannot inline."""
    os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "1024")
    from premailer import premailer

    # 3.10 keeps selectors and style attributes in one cache under the same keys: style="p" found the selector `p`
    premailer._create_cssselector = lru_cache(1024)(premailer.CSSSelector)

    def refused(address: str) -> Any:
        raise TemplateBroken(f"the CSS imports {address}: that is not allowed; put the CSS into the template itself")

    @lru_cache(1024)
    def parsed(css: str) -> Any:
        return premailer.cssutils.CSSParser(fetcher=refused, validate=False).parseString(css)

    class OurPremailer(premailer.Premailer):  # type: ignore[misc]
        def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
            return parsed(css_body)

        def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[list[Any], list[Any]]:
            rules, leftover = super()._parse_style_rules(css_body, ruleset_index)
            kept = [rule for rule in (parsed(css_body) if css_body else ()) if rule.type in kept_types]
            return rules, [*kept, *leftover]

        def _css_rules_to_string(self, rules: list[Any]) -> str:
            kept = [rule.cssText for rule in rules if getattr(rule, "type", None) in kept_types]
            others = [rule for rule in rules if getattr(rule, "type", None) not in kept_types]
            return "\n".join([*kept, super()._css_rules_to_string(others)]).strip()

    # premailer drops @font-face, and @supports and @keyframes, which cssutils does not know
    rule = premailer.cssutils.css.CSSRule
    kept_types = {rule.FONT_FACE_RULE, rule.UNKNOWN_RULE, rule.PAGE_RULE}
    return OurPremailer
