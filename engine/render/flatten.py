"""One source out of a template and everything it extends and includes, so that CSS can be inlined over the whole."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError

from engine.errors import TemplateBroken
from engine.render.environment import explain_error

Source = Callable[[str], str]
"""Gives the text of a template file by its name."""

DEEPEST = 20  # includes within includes; a template that includes itself never ends
_LITERAL = re.compile(r"""\s*(?:extends|include)\s+(?:"([^"]+)"|'([^']+)')\s*""")


class CannotFlatten(Exception):
    """The template uses something that is only known when it is rendered; says what."""


@dataclass(frozen=True)
class Token:
    """A piece of template source. kind: data, expression or statement. The texts of all pieces make up the source."""

    kind: str
    text: str
    line: int

    @property
    def words(self) -> str:
        """What stands between the braces, without whitespace control."""
        return self.text[2:-2].strip("-+ \n\t")

    @property
    def keyword(self) -> str:
        """The first word of a statement: if, for, endblock."""
        return self.words.split(None, 1)[0] if self.kind == "statement" and self.words else ""


def tokens(environment: Environment, source: str, name: str) -> list[Token]:
    """Cut a source into data, expressions and statements; template comments are dropped. Raises TemplateBroken."""
    pieces: list[Token] = []
    kinds = {"variable_begin": "expression", "block_begin": "statement"}
    kind, text, start = "data", "", 1
    try:
        for line, token, value in environment.lex(source, name):
            if token in kinds or token == "raw_begin":
                kind, text, start = kinds.get(token, "raw"), value if token in kinds else "", line
            elif token in ("variable_end", "block_end", "raw_end"):
                if kind != "raw":
                    pieces.append(Token(kind, text + value.rstrip("\n"), start))
                    _keep_newline(pieces, value, line)
                kind, text = "data", ""
            elif kind == "raw":
                raise CannotFlatten(f"line {line}: {{% raw %}} prints braces as they are")
            elif kind != "data":
                text += value
            elif token == "data":
                pieces.append(Token("data", value, line))
    except TemplateSyntaxError as error:
        raise explain_error(error, name) from error
    return pieces


def _keep_newline(pieces: list[Token], end: str, line: int) -> None:
    if end.endswith("\n"):
        pieces.append(Token("data", "\n", line))


def flatten(environment: Environment, source_of: Source, name: str) -> str:
    """The source of `name` with literal `extends` and `include` resolved. Raises CannotFlatten, TemplateBroken."""
    return "".join(token.text for token in _flat(environment, source_of, name, {}, 0))


def _flat(
    environment: Environment, source_of: Source, name: str, overrides: dict[str, list[Token]], depth: int
) -> list[Token]:
    if depth > DEEPEST:
        raise TemplateBroken(f"template {name}: includes itself, directly or through another; take one of them out")
    pieces = tokens(environment, source_of(name), name)
    parent = next((piece for piece in pieces if piece.keyword == "extends"), None)
    if parent is None:
        filled = _fill_blocks(pieces, overrides)
        return [out for piece in filled for out in _included(environment, source_of, piece, depth)]
    for block, content in _blocks(pieces).items():
        overrides.setdefault(block, content)
    return _flat(environment, source_of, _literal(parent), overrides, depth + 1)


def _included(environment: Environment, source_of: Source, piece: Token, depth: int) -> list[Token]:
    if piece.keyword != "include":
        return [piece]
    return _flat(environment, source_of, _literal(piece), {}, depth + 1)


def _literal(piece: Token) -> str:
    found = _LITERAL.fullmatch(f" {piece.words} ")
    if not found:
        raise CannotFlatten(f"line {piece.line}: {{% {piece.words} %}} is only known when the mail is rendered")
    return found[1] or found[2]


def _blocks(pieces: list[Token]) -> dict[str, list[Token]]:
    """The outermost blocks of a child template, without their own block tags."""
    found: dict[str, list[Token]] = {}
    depth, name, content = 0, "", list[Token]()
    for piece in pieces:
        if piece.keyword == "block":
            depth += 1
            if depth == 1:
                name, content = _block_name(piece), []
                continue
        elif piece.keyword == "endblock":
            depth -= 1
            if depth == 0:
                found[name] = content
                continue
        if "super()" in piece.words and piece.kind == "expression":
            raise CannotFlatten(f"line {piece.line}: {{{{ super() }}}} is only known when the mail is rendered")
        if depth:
            content.append(piece)
    return found


def _fill_blocks(pieces: list[Token], overrides: dict[str, list[Token]]) -> list[Token]:
    """Put the overriding content in place of each block, and drop the block tags."""
    result: list[Token] = []
    skipping, depth = 0, 0
    for piece in pieces:
        if piece.keyword == "block":
            depth += 1
            name = _block_name(piece)
            if not skipping and name in overrides:
                result.extend(_fill_blocks(overrides[name], overrides))
                skipping = depth
            continue
        if piece.keyword == "endblock":
            skipping = 0 if skipping == depth else skipping
            depth -= 1
            continue
        if not skipping:
            result.append(piece)
    return result


def _block_name(piece: Token) -> str:
    words = piece.words.split()
    if len(words) < 2 or any(word in ("scoped", "required") for word in words[2:]):
        raise CannotFlatten(f"line {piece.line}: {{% {piece.words} %}} is no plain block")
    return words[1]
