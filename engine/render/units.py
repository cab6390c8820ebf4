"""Cut the syntax tree of a template into units: parts that depend on the same and are rendered and kept together.

What is printed stays the same: the tree is only cut, into scopes that know their unit, and short texts around a
condition are printed by its branches instead.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes

from engine.render.cuts import Cuts
from engine.render.dependencies import PERSONAL, Depends, dependencies_of, names_in

SHORT = 1_500  # characters; constant text next to a card is kept with it up to here: fewer pieces for a little memory
TINY = 40  # characters of constant text that are cheaper made anew than looked up
CUTTABLE = (nodes.Output, nodes.If, nodes.For, nodes.With)
"""The statements there may be in a template that is cut."""
_WORTH_FIXING = (nodes.Call, nodes.Filter, nodes.BinExpr)


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


class Cutter:
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
