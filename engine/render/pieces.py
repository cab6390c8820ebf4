"""Compile a template so that it gives a mail in pieces, and makes each piece once for all the mails that share it.

Most of a mail depends on nothing but the campaign, and most of the rest on one product: the same card stands in
thousands of mails. So the syntax tree is cut, between elements (or lines, in a text part), into units that depend on
nothing that differs, on one card, or on the person, and the first two are kept by their value (`engine.render.kept`).
A mail of five picks: 250 µs when Jinja prints all of it, 15 µs so. What is printed is the same: the tree is
only cut, and Jinja compiles the rest of it.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from keyword import iskeyword
from types import CodeType
from typing import Any, Protocol

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.idtracking import Symbols

from engine.render.dependencies import PERSONAL, Depends, dependencies_of, names_in
from engine.render.inline import speak
from engine.render.kept import Kept
from engine.render.locale import SOURCE_LANGUAGE, Words
from engine.render.markup import MarkupReader, Place
from engine.render.sandbox import Sandbox

SHORT = 1_500  # characters; constant text next to a card is kept with it up to here: fewer pieces for a little memory
TINY = 40  # characters of constant text that are cheaper made anew than looked up


class PieceGenerator(CodeGenerator):
    """Jinja's code generator, and one more thing: a scope that is marked as a unit gives its text in one piece."""

    def visit_Scope(self, node: nodes.Scope, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        """Look the piece up by its value; make and keep it when it is not there."""
        unit: Unit | None = getattr(node, "unit", None)
        if unit is None:
            super().visit_Scope(node, frame)
            return
        piece, value = self.temporary_identifier(), "None"
        if unit.depends != PERSONAL:
            if unit.depends:
                found = frame.symbols.find_ref(unit.depends)
                value = found or self.temporary_identifier()
                if not found:
                    self.writeline(f"{value} = resolve({unit.depends!r})")
                self.writeline(f"{piece} = tables[{unit.number}].get(id({value}))")
                self.writeline(f"if {piece} is None: {piece} = kept.find({unit.number}, {value})")
            else:
                self.writeline(f"{piece} = tables[{unit.number}].get(None)")
            self.writeline(f"if {piece} is None:")
            self.indent()
        inner = frame.inner()
        inner.symbols.analyze_node(node)
        self.enter_frame(inner)
        self.buffer(inner)
        self.blockvisit(node.body, inner)
        self.leave_frame(inner)
        self.writeline(f"{piece} = concat({inner.buffer})")
        if unit.depends != PERSONAL:
            self.writeline(f"{piece} = kept.keep({unit.number}, {value}, {piece})")
            self.outdent()
        self.writeline(f"if {piece}: yield {piece}")

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        """A text of ours is asked for directly: the sandbox's way, which looks at what is called, takes 2 µs more."""
        named = node.node.name if isinstance(node.node, nodes.Name) else ""
        plain = not (node.dyn_args or node.dyn_kwargs) and not any(iskeyword(given.key) for given in node.kwargs)
        if named not in ("_", "ngettext") or not plain or forward_caller or self._may_be_set(frame, named):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.write(f"environment.globals[{named!r}](")
        for arg in node.args:
            self.visit(arg, frame)
            self.write(", ")
        for given in node.kwargs:
            self.write(f"{given.key}=")
            self.visit(given.value, frame)
            self.write(", ")
        self.write(")")

    @staticmethod
    def _may_be_set(frame: Frame, name: str) -> bool:
        """Whether the template has a variable of this name."""
        symbols: Symbols | None = frame.symbols
        while symbols is not None and name not in symbols.stores:
            symbols = symbols.parent
        return symbols is not None

    def write_commons(self) -> None:
        """What every function of a template begins with."""
        super().write_commons()
        self.writeline("kept = environment.kept")
        self.writeline("tables = kept.tables")

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """An expression that is the same in every mail is worked out once: a call in the sandbox takes 3 µs."""
        number = getattr(node, "fixed", None)
        if number is None:
            return super().visit(node, *args, **kwargs)
        self.write(f"kept.once({number}, lambda: ")
        super().visit(node, *args, **kwargs)
        self.write(")")
        return None


class PieceSandbox(Sandbox):
    """A sandbox whose templates can be compiled in pieces. kept: where they are kept; its own for each language."""

    code_generator_class = PieceGenerator

    def __init__(self, kept: Kept, *, autoescape: bool = True) -> None:
        super().__init__(autoescape=autoescape)
        self.kept = kept

    def in_pieces(self, program: "Program") -> Template:
        """A template from compiled code; its `root_render_func` yields pieces."""
        self.kept.make_room(program.first, program.pieces)
        return self.template_class.from_code(self, program.code, self.make_globals(None), None)


@dataclass(frozen=True)
class Program:
    """A template compiled in pieces: the same code for all languages. pieces: how many numbers it uses, from `first`."""

    code: CodeType
    first: int
    pieces: int


@lru_cache(maxsize=16)  # some 50 ms for a template of 30 KB; a campaign has one for the HTML and one for the text
def cut(source: str, *, text: bool, first: int = 0) -> Program | None:
    """Compile a source so that it can be rendered in pieces. text: a text part, cut at line ends and not escaped.

    None for a template with statements that reach beyond their own place, such as `set` and `macro`: there what a
    part prints depends on what came before. Raises jinja2.TemplateError, and SyntaxError for what is nested too deeply.
    """
    sandbox = PieceSandbox(Kept(), autoescape=not text)
    speak(sandbox, Words(SOURCE_LANGUAGE))
    sandbox.optimized = False  # or a date that stands in the template would be written once for all languages
    tree = sandbox.parse(source)
    if any(not isinstance(node, _CUTTABLE) for node in tree.find_all(nodes.Stmt)):
        return None
    cutter = _Cutter(BetweenLines() if text else BetweenElements(), first)
    tree.body = list(cutter.body(tree.body))
    return Program(sandbox.compile(tree), first, cutter.pieces)


@dataclass
class Unit:
    """Parts of a template that are rendered and kept together. size: characters of constant text in it."""

    depends: Depends = ""
    parts: list[nodes.Node] = field(default_factory=list)
    size: int = 0
    number: int = 0

    @property
    def is_text(self) -> bool:
        """Whether there is nothing but constant text in it."""
        return bool(self.parts) and all(isinstance(part, nodes.TemplateData) for part in self.parts)

    def takes(self, other: "Unit") -> bool:
        """Whether the next unit had better be one with this."""
        if self.depends == other.depends:
            return True
        if self.depends and other.depends:
            return False
        constant = other if self.depends else self
        if PERSONAL in (self.depends, other.depends):
            return constant.size <= TINY and (constant.is_text or not constant.parts)
        return constant.size <= SHORT


_WORTH_FIXING = (nodes.Call, nodes.Filter, nodes.BinExpr)
_CUTTABLE = (nodes.Output, nodes.If, nodes.For, nodes.With)


class Cuts(Protocol):
    """Says where a text may be cut, reading it piece after piece."""

    @property
    def here(self) -> bool:
        """Whether it may be cut where we stand."""

    def read(self, text: str) -> Sequence[int]:
        """Go on over constant text. Returns the offsets at which it may be cut, its two ends included."""

    def printed(self) -> None:
        """Go on over what an expression prints."""

    def fork(self) -> "Cuts":
        """Another one that stands in the same place."""


@dataclass
class BetweenElements:
    """HTML is cut where < opens a tag or > has closed one, or in the text between: not within a tag or a comment."""

    reader: MarkupReader = field(default_factory=MarkupReader)

    @property
    def here(self) -> bool:
        """As the protocol says."""
        return self.reader.place is Place.TEXT

    def read(self, text: str) -> Sequence[int]:
        """As the protocol says."""
        found = [0] if self.here else []
        for offset, character in enumerate(text, start=1):
            self.reader.read(character)
            if self.here:
                found.append(offset)
        return found

    def printed(self) -> None:
        """As the protocol says: what is printed is escaped, and does not change where we stand."""
        self.reader.read("x")

    def fork(self) -> "BetweenElements":
        """As the protocol says."""
        return BetweenElements(replace(self.reader))


@dataclass
class BetweenLines:
    """A text part is cut at line starts."""

    here: bool = True

    def read(self, text: str) -> Sequence[int]:
        """As the protocol says."""
        found = [0] if self.here else []
        found += [offset for offset, character in enumerate(text, start=1) if character == "\n"]
        self.here = text.endswith("\n") if text else self.here
        return found

    def printed(self) -> None:
        """As the protocol says."""
        self.here = False

    def fork(self) -> "BetweenLines":
        """As the protocol says."""
        return BetweenLines(self.here)


class _Cutter:
    """Cuts the bodies of one template into units."""

    def __init__(self, cuts: Cuts, first: int) -> None:
        self._cuts, self._first = cuts, first
        self.pieces = 0
        self._loops: tuple[str, ...] = ()

    def body(self, body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
        """The nodes of a body, with those of each unit in a scope of its own; the other ones are cut inside."""
        unit, within = Unit(), Unit()  # the unit so far, and what may not be cut off yet: the start of a tag
        rest = deque(_flat(body))
        while rest:
            node = rest.popleft()
            if isinstance(node, nodes.TemplateData):
                offsets = self._cuts.read(node.data)
                first, last = (offsets[0], offsets[-1]) if offsets else (len(node.data), len(node.data))
                self._add(within, _data(node, 0, first))
                if offsets:
                    for done in (within, self._constant(node, first, last)):
                        if done.parts and not unit.takes(done):
                            yield from self._finished(unit)
                            unit = Unit()
                        self._join(unit, done)
                    within = self._constant(node, last, len(node.data))
                continue
            if self._cuts.here and not within.parts and self._cuttable(node):
                around = unit.parts if isinstance(node, nodes.If) and unit.is_text and unit.size <= SHORT else []
                inside, taken = self._with_neighbours(node, around, rest[0] if rest else None)
                if inside:
                    if not around:
                        yield from self._finished(unit)
                    unit = Unit()
                    yield inside
                    if taken and isinstance(rest[0], nodes.TemplateData):
                        rest[0] = _data(rest[0], taken, len(rest[0].data))
                    continue
            self._pass(node)
            self._add(within, node)
            if self._cuts.here:
                if not unit.takes(within):
                    yield from self._finished(unit)
                    unit = Unit()
                self._join(unit, within)
                within = Unit()
        if not unit.takes(within):
            yield from self._finished(unit)
            unit = Unit()
        self._join(unit, within)
        yield from self._finished(unit)

    def _cuttable(self, node: nodes.Node) -> bool:
        """Whether this is a condition or loop about the person, which is better cut than made anew as a whole."""
        return isinstance(node, (nodes.If, nodes.For)) and self._depends(node) == PERSONAL

    def _with_neighbours(
        self, node: Any, before: list[nodes.Node], after: nodes.Node | None
    ) -> tuple[nodes.Node | None, int]:
        """The node with its branches cut into units, and how many characters of the text after it stand in them now.

        A short constant text before or after a condition goes into each of its branches, and so into one piece with
        what stands there: fewer pieces, and the same print. None for a node whose branches end within a tag.
        """
        taken = 0
        if isinstance(node, nodes.If):
            behind: list[nodes.Node] = []
            if isinstance(after, nodes.TemplateData):
                offsets = self._cuts.fork().read(after.data)
                if offsets and offsets[0] == 0 and 0 < offsets[-1] <= SHORT:
                    taken, behind = offsets[-1], [_data(after, 0, offsets[-1])]
            if before or behind:
                node = _surrounded(node, before, behind)
        made = self._cut_branches(node)
        return made, taken if made else 0

    def _cut_branches(self, node: Any) -> nodes.Node | None:
        start, loops = self._cuts, self._loops
        branches = [node.body, node.else_] if isinstance(node, nodes.For) else [node.body, *node.elif_, node.else_]
        cut: list[Any] = []
        if isinstance(node, nodes.For):
            self._loops = (*loops, *names_in(node.target))
        for branch in branches:
            self._cuts = start.fork()
            if isinstance(branch, nodes.If):
                inside = self._cut_branches(branch)
                cut.append(inside)
                closed = inside is not None
            else:
                cut.append(list(self.body(branch)))
                closed = self._cuts.here
            if not closed:
                self._cuts, self._loops = start, loops
                return None
        self._loops = loops
        made = _copy(node)
        self._fix(made.test if isinstance(node, nodes.If) else made.iter)
        made.body, made.else_ = cut[0], cut[-1]
        if isinstance(node, nodes.If):
            made.elif_ = cut[1:-1]
        cut_inside: nodes.Node = made
        return cut_inside

    def _pass(self, node: nodes.Node) -> None:
        """Go on over a node that stays whole."""
        if isinstance(node, nodes.Expr):
            self._cuts.printed()
            return
        ends = [self._cuts.fork()] if not _always_prints(node) else []
        for branch in _branches(node):
            cuts, self._cuts = self._cuts, self._cuts.fork()
            for inner in _flat(branch):
                if isinstance(inner, nodes.TemplateData):
                    self._cuts.read(inner.data)
                else:
                    self._pass(inner)
            ends.append(self._cuts)
            self._cuts = cuts
        self._cuts = next((end for end in ends if not end.here), ends[-1])

    def _fix(self, node: nodes.Node) -> None:
        """Mark the largest expressions in a part that are the same in every mail and take some time."""
        if isinstance(node, _WORTH_FIXING) and self._depends(node) == "":
            node.fixed = self._number()  # type: ignore[union-attr]
        else:
            for child in node.iter_child_nodes():
                self._fix(child)

    def _number(self) -> int:
        self.pieces += 1
        return self._first + self.pieces - 1

    def _depends(self, node: nodes.Node) -> Depends:
        return dependencies_of(node, self._loops)

    def _add(self, unit: Unit, node: nodes.Node) -> None:
        if isinstance(node, nodes.TemplateData):
            if node.data:
                unit.parts.append(node)
                unit.size += len(node.data)
            return
        depends = self._depends(node)
        unit.depends = depends if unit.depends in ("", depends) else unit.depends if not depends else PERSONAL
        unit.parts.append(node)

    def _constant(self, node: nodes.TemplateData, start: int, end: int) -> Unit:
        unit = Unit()
        self._add(unit, _data(node, start, end))
        return unit

    def _join(self, unit: Unit, other: Unit) -> None:
        unit.depends = unit.depends or other.depends
        unit.parts += other.parts
        unit.size += other.size

    def _finished(self, unit: Unit) -> Iterator[nodes.Node]:
        if not unit.parts:
            return
        if unit.depends == PERSONAL:
            for part in unit.parts:
                self._fix(part)
        if len(unit.parts) == 1 and isinstance(unit.parts[0], nodes.Expr):
            alone = unit.parts[0]
            if unit.depends == PERSONAL:
                yield nodes.Output([alone], lineno=alone.lineno)  # Jinja gives it in one piece by itself
                return
        unit.number = self._number()
        yield _scope(unit)


def _flat(body: Sequence[nodes.Node]) -> Iterator[nodes.Node]:
    """Statements, expressions and texts in turn: what is printed one after the other, one by one."""
    for node in body:
        if isinstance(node, nodes.Output):
            yield from node.nodes
        else:
            yield node


def _scope(unit: Unit) -> nodes.Scope:
    """A scope with the parts of a unit, which the code generator knows by its attribute `unit`."""
    scope = nodes.Scope(_outputs(unit.parts), lineno=unit.parts[0].lineno)
    scope.unit = unit  # type: ignore[attr-defined]
    return scope


def _data(node: nodes.TemplateData, start: int, end: int) -> nodes.TemplateData:
    before = node.data.count("\n", 0, start)
    return nodes.TemplateData(node.data[start:end], lineno=node.lineno + before, environment=node.environment)


def _copy(node: Any) -> Any:
    return type(node)(*(getattr(node, name) for name in node.fields), lineno=node.lineno, environment=node.environment)


def _surrounded(node: nodes.If, before: list[nodes.Node], after: list[nodes.Node]) -> nodes.If:
    """A condition with texts at both ends of each of its branches, one for "none of them" included."""
    made: nodes.If = _copy(node)
    made.elif_ = [_copy(inner) for inner in node.elif_]
    for branch in (made, *made.elif_):
        branch.body = _outputs([*before, *_flat(branch.body), *after])
    made.else_ = _outputs([*before, *_flat(node.else_), *after])
    return made


def _outputs(parts: Sequence[nodes.Node]) -> list[nodes.Node]:
    """Parts as a body: expressions and texts next to each other in one Output."""
    body: list[nodes.Node] = []
    for part in parts:
        if not isinstance(part, nodes.Expr):
            body.append(part)
        elif body and isinstance(body[-1], nodes.Output):
            body[-1].nodes.append(part)
        else:
            body.append(nodes.Output([part], lineno=part.lineno))
    return body


def _branches(node: nodes.Node) -> Iterator[Sequence[nodes.Node]]:
    yield node.body  # type: ignore[attr-defined]
    for inner in getattr(node, "elif_", ()):
        yield from _branches(inner)
    if getattr(node, "else_", None):
        yield node.else_  # type: ignore[attr-defined]


def _always_prints(node: nodes.Node) -> bool:
    """Whether one of the branches is taken in any case."""
    return not isinstance(node, (nodes.If, nodes.For)) or bool(node.else_ and isinstance(node, nodes.If))
