"""Compile a template so that it gives a mail in pieces, and makes each piece once for all the mails that share it.

Most of a mail depends on nothing but the campaign, and most of the rest on one product: the same card stands in
thousands of mails. So the syntax tree is cut, between elements (or lines, in a text part), into units that depend on
nothing that differs, on one card, or on the person, and the first two are kept by their value (`engine.render.kept`).
A mail of ten picks: 235 µs when Jinja prints all of it, 13 µs so. What is printed is the same: the tree is
only cut, and Jinja compiles the rest of it.
"""

from dataclasses import dataclass
from functools import lru_cache
from keyword import iskeyword
from types import CodeType
from typing import Any

from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.idtracking import Symbols

from engine.render.cuts import BetweenElements, BetweenLines
from engine.render.dependencies import PERSONAL
from engine.render.inline import speak
from engine.render.kept import Kept
from engine.render.locale import SOURCE_LANGUAGE, Words
from engine.render.sandbox import Sandbox
from engine.render.units import CUTTABLE, Cutter, Unit


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
    """A template compiled in pieces, for all languages. pieces: how many numbers it uses, from `first`."""

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
    if any(not isinstance(node, CUTTABLE) for node in tree.find_all(nodes.Stmt)):
        return None
    cutter = Cutter(BetweenLines() if text else BetweenElements(), first)
    tree.body = list(cutter.body(tree.body))
    return Program(sandbox.compile(tree), first, cutter.pieces)
