"""One source out of a template and everything it extends and includes, so that CSS can be inlined over the whole.

Where Jinja's rules for what a block or an included file sees would give another result, flattening is refused, and the
files travel together as a bundle, to be put together by Jinja itself when the mail is rendered.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError
from jinja2.meta import find_referenced_templates

from engine.errors import EngineError, TemplateBroken
from engine.render.environment import compiling, explain_error

Source = Callable[[str], str]
"""Gives the text of a template file by its name."""

DEEPEST = 20  # includes within includes; a template that includes itself never ends
_TEXTS = (".html", ".txt")
BUNDLE = "{# handpicked bundle #}\n"
_LITERAL = re.compile(r"""\s*(?:extends|include)\s+(?:"([^"]+)"|'([^']+)')\s*""")
_OF_BLOCKS = re.compile(r"\b(super|self)\b\s*[.(]")
_SCOPES = {"for": "endfor", "with": "endwith"}  # what stands in them may see other variables than a block does
_DEFINING = ("set", "macro")


class CannotFlatten(Exception):
    """The template uses something that is only known when it is rendered; says what."""


@dataclass(frozen=True)
class Token:
    """A piece of template source. kind: data, expression or statement. The texts of all pieces make up the source."""

    kind: str
    text: str
    line: int
    file: str = ""

    @property
    def words(self) -> str:
        """What stands between the braces, without whitespace control."""
        return self.text[2:-2].strip("-+ \n\t")

    @property
    def keyword(self) -> str:
        """The first word of a statement: if, for, endblock."""
        found = re.match(r"\w+", self.words) if self.kind == "statement" else None
        return found[0] if found else ""

    @property
    def place(self) -> str:
        """Where it stands, for a sentence."""
        return f"{self.file}, line {self.line}" if self.file else f"line {self.line}"


def tokens(environment: Environment, source: str, name: str) -> list[Token]:
    """Cut a source into data, expressions and statements. Raises TemplateBroken, CannotFlatten.

    Template comments are dropped. Whitespace control ({%- -%}) has done its work on the data and is dropped too: put
    into another file, it would eat the spaces of that file.
    """
    pieces: list[Token] = []
    kinds = {"variable_begin": "expression", "block_begin": "statement"}
    kind, text, start = "data", "", 1
    try:
        for line, token, value in environment.lex(source, name):
            if token in kinds or token == "raw_begin":
                kind, text, start = kinds.get(token, "raw"), value[:2], line
            elif token in ("variable_end", "block_end"):
                pieces.append(Token(kind, text + value.strip("-+ \n\t")[:2], start, name))
                kind, text = "data", ""
            elif token == "raw_end":
                kind = "data"
            elif kind == "raw":
                raise CannotFlatten(f"{name}, line {line}: {{% raw %}} prints braces as they are")
            elif kind != "data":
                text += value
            elif token == "data":
                pieces.append(Token("data", value, line, name))
    except TemplateSyntaxError as error:
        raise explain_error(error, name) from error
    return pieces


def text_of(pieces: list[Token]) -> str:
    """The source that the pieces make up. Jinja drops the last newline of a source: one more saves it."""
    text = "".join(piece.text for piece in pieces)
    return text + "\n" if text.endswith("\n") else text


def reads_as(environment: Environment, source: str, wanted: list[Token]) -> bool:
    """Whether Jinja finds exactly the wanted pieces in this source, and no comments."""
    try:
        found = [(kind, text) for _, kind, text in environment.lex(source)]
        pieces = [piece.text for piece in tokens(environment, source, "") if piece.kind != "data"]
    except (TemplateSyntaxError, TemplateBroken, CannotFlatten):
        return False
    return pieces == [piece.text for piece in wanted] and all(kind != "comment_begin" for kind, _ in found)


def flatten(environment: Environment, source_of: Source, name: str) -> list[Token]:
    """The pieces of `name` with literal `extends` and `include` resolved. Raises CannotFlatten, TemplateBroken."""
    pieces = _flat(environment, source_of, name, {}, 0)
    if not reads_as(environment, text_of(pieces), [piece for piece in pieces if piece.kind != "data"]):
        raise CannotFlatten(f"{name}: a brace beside {{{{ }}}} or {{% %}} from another file reads as one with it")
    return pieces


def place_of(environment: Environment, source: str, places: Sequence[str], line: int, said: str) -> str:
    """Where a piece of Jinja in a line of a flattened source comes from: the one that has the words of the sentence
    about it, else the first of the line. "" when there is none."""
    with suppress(EngineError, CannotFlatten):
        pieces = [piece for piece in tokens(environment, source, "") if piece.kind != "data"]
        here = [
            (piece.text, place)
            for piece, place in zip(pieces, places, strict=False)
            if piece.line <= line <= piece.line + piece.text.count("\n")
        ]
        words = re.findall(r"'(\w+)'", said)
        told = [place for text, place in here if any(re.search(rf"\b{word}\b", text) for word in words)]
        return next(iter([*told, *(place for _, place in here)]), "")
    return ""


def reachable(environment: Environment, source_of: Source, name: str) -> dict[str, str]:
    """The template's file and all it may need. Raises TemplateMissing, TemplateBroken for the template's own.

    Only what it names, unless it works a name out when it is rendered: then all the template files there are.
    """
    files, wanted = dict[str, str](), [name]
    while wanted:
        file = wanted.pop()
        with suppress(EngineError):  # a picture among them is no text; what must not be sent cannot be included
            files[file] = source_of(file)
            named = list(find_referenced_templates(environment.parse(files[file])))
            if None in named:
                named += environment.list_templates(filter_func=lambda other: other.endswith(_TEXTS))
            wanted += [other for other in named if other and other not in files]
    if name not in files:
        source_of(name)  # raises
    return files


def bundle(name: str, files: Mapping[str, str]) -> str:
    """Files as one text, for a template that cannot be flattened. name: the one to render."""
    return BUNDLE + json.dumps([name, files], sort_keys=True)


def unbundle(source: str) -> tuple[str, Mapping[str, str]] | None:
    """(the name, the files) of a bundle; None for a source that is none."""
    if not source.startswith(BUNDLE):
        return None
    name, files = json.loads(source.removeprefix(BUNDLE))
    return name, files


def _flat(
    environment: Environment, source_of: Source, name: str, overrides: dict[str, list[Token]], depth: int
) -> list[Token]:
    if depth > DEEPEST:
        raise TemplateBroken(f"template {name}: includes itself, directly or through another; take one of them out")
    source = source_of(name)
    with compiling(name):
        environment.compile(source, name)  # here a mistake still has its own file and line
    pieces = tokens(environment, source, name)
    for piece in pieces:
        if piece.keyword in ("import", "from"):
            raise CannotFlatten(f"{piece.place}: {{% {piece.words} %}} brings macros, which may print any markup")
    parent = next((piece for piece in pieces if piece.keyword == "extends"), None)
    if parent is None:
        filled = _fill_blocks(pieces, overrides)
        return [out for piece in filled for out in _included(environment, source_of, piece, depth)]
    _refuse_outside_blocks(pieces, parent)
    for block, content in _blocks(pieces).items():
        overrides.setdefault(block, content)
    return _flat(environment, source_of, _literal(parent), overrides, depth + 1)


def _included(environment: Environment, source_of: Source, piece: Token, depth: int) -> list[Token]:
    if piece.keyword != "include":
        return [piece]
    pieces = _flat(environment, source_of, _literal(piece), {}, depth + 1)
    for inner in pieces:
        if inner.keyword in _DEFINING:
            raise CannotFlatten(f"{inner.place}: {{% {inner.words} %}} in an included file counts in that file only")
    return pieces


def _literal(piece: Token) -> str:
    found = _LITERAL.fullmatch(f" {piece.words} ")
    if not found:
        raise CannotFlatten(f"{piece.place}: {{% {piece.words} %}} is only known when the mail is rendered")
    return found[1] or found[2]


def _refuse_outside_blocks(pieces: list[Token], parent: Token) -> None:
    """Refuse, in a template that extends another, what has an effect although it stands in no block."""
    depth = 0
    for piece in pieces:
        if piece.keyword == "endblock":
            depth -= 1
        elif piece.keyword == "block":
            depth += 1
        elif depth == 0 and piece is not parent and piece.keyword in (*_DEFINING, "extends"):
            raise CannotFlatten(f"{piece.place}: {{% {piece.words} %}} outside the blocks takes effect in all of them")
    before = pieces[: pieces.index(parent)]
    for piece in before:
        if piece.kind != "data" or piece.text.strip():
            raise CannotFlatten(f"{piece.place}: what stands before {{% {parent.words} %}} is printed first")


def _blocks(pieces: list[Token]) -> dict[str, list[Token]]:
    """The blocks of a child template, inner ones too, without their own block tags."""
    found: dict[str, list[Token]] = {}
    open_names: list[str] = []
    for piece in pieces:
        if piece.keyword == "endblock":
            open_names.pop()
        for name in open_names:
            found[name].append(piece)
        if piece.keyword == "block":
            open_names.append(_block_name(piece))
            found[open_names[-1]] = []
    return found


def _fill_blocks(pieces: list[Token], overrides: dict[str, list[Token]], *, inside: bool = False) -> list[Token]:
    """Put the overriding content in place of each block, and drop the block tags."""
    result: list[Token] = []
    open_blocks: list[str] = []
    skipping, scopes = 0, 0
    for piece in pieces:
        scopes += (piece.keyword in _SCOPES) - (piece.keyword in _SCOPES.values())
        if piece.keyword == "block":
            name = _block_name(piece)
            if not skipping and scopes:
                raise CannotFlatten(f"{piece.place}: {{% {piece.words} %}} does not see the variables around it")
            if not skipping and name in overrides:
                result.extend(_fill_blocks(overrides[name], overrides, inside=True))
                skipping = len(open_blocks) + 1
            open_blocks.append(name)
        elif piece.keyword == "endblock":
            skipping = 0 if skipping == len(open_blocks) else skipping
            open_blocks.pop()
        elif not skipping:
            _refuse_in_block(piece, inside=inside or bool(open_blocks))
            result.append(piece)
    return result


def _refuse_in_block(piece: Token, *, inside: bool) -> None:
    if piece.kind != "data" and _OF_BLOCKS.search(piece.words):
        raise CannotFlatten(f"{piece.place}: {{{{ {piece.words} }}}} is only known when the mail is rendered")
    if inside and piece.keyword in _DEFINING:
        raise CannotFlatten(f"{piece.place}: {{% {piece.words} %}} in a block counts in that block only")


def _block_name(piece: Token) -> str:
    words = piece.words.split()
    if len(words) != 2:
        raise CannotFlatten(f"{piece.place}: {{% {piece.words} %}} is no plain block")
    return words[1]
