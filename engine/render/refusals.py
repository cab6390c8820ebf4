"""What keeps a template from being inlined once: Jinja on which the CSS depends, or which prints markup of its own."""

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes

from engine.render.flatten import Token
from engine.render.markup import MarkupReader, Place

CONTROL = {"if": "endif", "for": "endfor", "with": "endwith"}
BRANCHES = ("elif", "else")
_ALLOWED = {*CONTROL, *CONTROL.values(), *BRANCHES, "set"}
_DEPENDED_ON = ("class", "id", "style", "data-premailer")
_MARKUP_FILTERS = {"safe", "tojson", "xmlattr", "urlize"}
_ESCAPING_FILTERS = {"e", "escape", "forceescape"}  # as the last step; cut up later they leave half an &lt;
_MARKUP_CALLS = {"super", "self", "caller", "loop"}
_STYLES = re.compile(r"<style\b([^>]*)>(.*?)</style\s*>", re.IGNORECASE | re.DOTALL)
_MEDIA = re.compile(r"@media[^{]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", re.IGNORECASE)
_POSITIONAL = re.compile(r":(?:first|last|nth|only)-|:empty|:not\(|:has\(|[+~]", re.IGNORECASE)
_SELECTORS = re.compile(r"([^{}]+)\{")
_COMMENTS = re.compile(r"/\*.*?\*/", re.DOTALL)
_CLOSES_COMMENT = re.compile(r"-?!?>|-\Z")


class CannotInlineOnce(Exception):
    """Inlining this template once would not be exact; says where and why."""


def refuse_piece(environment: Environment, piece: Token, reader: MarkupReader) -> None:
    """Refuse a piece of Jinja for what it may print, or for where it stands."""
    if piece.kind == "statement" and piece.keyword not in _ALLOWED:
        raise CannotInlineOnce(f"{piece.place}: {{% {piece.keyword} %}} may print markup of its own")
    if what := prints_markup(environment, piece):
        raise CannotInlineOnce(f"{piece.place}: {piece.text} may print markup of its own ({what})")
    if reader.place == Place.STYLE:
        raise CannotInlineOnce(f"{piece.place}: Jinja inside <style>: the CSS differs from mail to mail")
    if reader.place == Place.TAG:
        raise CannotInlineOnce(f"{piece.place}: Jinja among the attributes of a tag: write whole attributes, in quotes")
    if reader.place == Place.ATTRIBUTE:
        if not reader.quote:
            raise CannotInlineOnce(f"{piece.place}: Jinja in the attribute {reader.attribute} without quotes around it")
        if reader.attribute in _DEPENDED_ON or reader.element in ("style", "link", "base"):
            raise CannotInlineOnce(f"{piece.place}: Jinja in the attribute {reader.attribute}: the CSS depends on it")
    if reader.undecided:
        raise CannotInlineOnce(f"{piece.place}: what follows {reader.undecided!r} decides how it is read")


def refuse_data(piece: Token, reader: MarkupReader) -> None:
    """Refuse a text that, right behind a piece of Jinja in a comment, may or may not end the comment."""
    if reader.place == Place.COMMENT and _CLOSES_COMMENT.match(piece.text):
        raise CannotInlineOnce(f"{piece.place}: whether {piece.text[:3]!r} ends the comment depends on the mail")


def refuse_selectors(pieces: list[Token]) -> None:
    """Refuse style rules whose effect depends on siblings or attributes, which Jinja may change from mail to mail."""
    flat = "".join(piece.text for piece in pieces)
    for found in _STYLES.finditer(flat):
        attributes, css = found.groups()
        if re.search(r"""data-premailer\s*=\s*["']?ignore["'\s]?""", attributes):
            continue
        plain = _MEDIA.sub("", _COMMENTS.sub("", css))
        for selector in map(str.strip, _SELECTORS.findall(plain)):
            if _POSITIONAL.search(selector) or "[" in selector:
                place = _place_of(pieces, flat.find(selector, found.start()))
                raise CannotInlineOnce(f"{place}: the CSS selector `{selector}` depends on neighbours or attributes")


def _place_of(pieces: list[Token], offset: int) -> str:
    for piece in pieces:
        if offset < len(piece.text):
            return Token("data", "", piece.line + piece.text.count("\n", 0, max(offset, 0)), piece.file).place
        offset -= len(piece.text)
    return "the style sheet"


def prints_markup(environment: Environment, piece: Token) -> str:
    """What in a piece of Jinja may print markup that is not in the template, or keep it in a variable; else nothing."""
    if piece.kind == "data":
        return ""
    source = piece.text
    if piece.keyword == "elif":
        source = "{% " + piece.words.removeprefix("el") + " %}{% endif %}"
    elif piece.keyword in CONTROL:
        source = f"{piece.text}{{% {CONTROL[piece.keyword]} %}}"
    elif piece.kind == "statement" and piece.keyword != "set":
        return ""
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError:
        return f"{piece.keyword} takes a block of markup"
    outermost = {id(node) for output in tree.find_all(nodes.Output) for node in output.nodes}
    return next(_markup_in(tree, outermost), "")


def _markup_in(tree: nodes.Template, outermost: set[int]) -> Iterator[str]:
    for filtered in tree.find_all(nodes.Filter):
        named = filtered.args[0] if filtered.name == "map" and filtered.args else None
        applied = named.value if isinstance(named, nodes.Const) else "" if named else filtered.name
        if applied in _MARKUP_FILTERS or not applied:
            yield f"|{filtered.name}"
        if applied in _ESCAPING_FILTERS and id(filtered) not in outermost:
            yield f"|{applied} before the last step"
    for loop in tree.find_all(nodes.For):
        if loop.recursive:
            yield "recursive"
    for name in tree.find_all(nodes.Name):
        if name.name in _MARKUP_CALLS - {"loop"}:
            yield name.name
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "loop":
            yield "loop()"
