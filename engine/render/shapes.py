"""The exact way for templates that cannot be inlined once: premailer once for each shape of mail.

A mail is rendered with a mark in place of every value it prints. What is left is its shape: which branches were
taken, how often each loop went round. Mails of one shape differ in values only, so premailer runs over the shape, and
the values are put where the marks are. What the CSS may depend on stays in the shape as it is: empty values, classes,
styles, whole attributes where a selector asks for one. Ways and costs for a mail of 30 KB: premailer each time
35 ms, a known shape about what Jinja takes.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from jinja2 import Environment, Template, nodes, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from engine.render.markup import MarkupReader, Place
from engine.render.sandbox import Sandbox, printable

SHAPES = 200  # kept at a time; some 100 KB each
_MARK = "hpSLOT{:05d}hp"
_MARKS = re.compile(r"hpSLOT(\d{5})hp")
_DEPENDED_ON = ("class", "id", "style", "data-premailer")
_STYLE = re.compile(r"<style\b.*?</style\s*>", re.IGNORECASE | re.DOTALL)
_HARMLESS = re.compile(r"(?!-)[\w .,:/?&=%+#@;~-]*(?<!-)")  # in a comment: nothing that might end it

Inline = Callable[[str], str]


class MarkingSandbox(Sandbox):
    """A sandbox whose templates print marks; the values are in `printed`, in the order of the marks' numbers."""

    def __init__(self, files: Mapping[str, str]) -> None:
        super().__init__(files=files)
        self.printed: list[str] = []
        self.finalize = _mark


@pass_context  # and therefore never worked out at compile time, as the finalize of constants else is
def _mark(context: Context, value: Any) -> Any:
    environment = context.environment
    assert isinstance(environment, MarkingSandbox)
    value = printable(value)
    text = str(value)
    if isinstance(value, Markup) or not text.strip():
        return value  # markup has its marks inside already; an empty element may look different from a full one
    environment.printed.append(text)
    return _MARK.format(len(environment.printed) - 1)


@dataclass(frozen=True)
class Layout:
    """A shape before it is inlined: the texts around the marks, and for each mark what may stand there.

    number: of the value, for each mark in turn. fixed: of each mark, True where the value belongs to the shape, False
    where it does not, None in a comment, where it depends on the value.
    """

    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    fixed: tuple[bool | None, ...]

    def belongs(self, values: list[str]) -> tuple[str | None, ...]:
        """The values that are part of the shape, None for those that are not; one for each mark."""
        return tuple(
            values[number] if fixed or (fixed is None and not _HARMLESS.fullmatch(values[number])) else None
            for number, fixed in zip(self.numbers, self.fixed, strict=True)
        )

    def filled(self, kept: tuple[str | None, ...]) -> str:
        """The shape as HTML, with these values in it and marks for the others."""
        pieces = [self.texts[0]]
        for number, value, text in zip(self.numbers, kept, self.texts[1:], strict=True):
            pieces += (_MARK.format(number) if value is None else str(escape(value)), text)
        return "".join(pieces)


class ShapedTemplate:
    """Renders one template by shapes. inline: premailer over a finished document."""

    def __init__(self, files: Mapping[str, str], compile_: Callable[[Sandbox], Template], inline: Inline):
        self._environment = MarkingSandbox(files)
        self._template = compile_(self._environment)
        self._inline = inline
        self._layouts: OrderedDict[str, tuple[int, Layout | None]] = OrderedDict()
        self._inlined: OrderedDict[tuple[int, tuple[str | None, ...]], list[str | int] | None] = OrderedDict()
        self._numbers = count()

    def render(self, fill: Callable[[Template], str]) -> str | None:
        """The inlined mail; None where marks get lost, and the mail must be inlined by itself.

        fill: renders a template for the person.
        """
        self._environment.printed = []
        marked = fill(self._template)
        values = self._environment.printed
        number, layout = _remembered(self._layouts, marked, lambda: (next(self._numbers), _layout(marked, len(values))))
        if layout is None:
            return None
        kept = layout.belongs(values)
        made = _remembered(self._inlined, (number, kept), lambda: self._segments(layout, kept))
        if made is None:
            return None
        return "".join([part if type(part) is str else str(escape(values[part])) for part in made])

    def _segments(self, layout: Layout, kept: tuple[str | None, ...]) -> list[str | int] | None:
        """The inlined shape: texts, and the numbers of values between them. None where a mark was lost or moved."""
        parts = _MARKS.split(self._inline(layout.filled(kept)))
        found = [int(number) for number in parts[1::2]]
        wanted = [number for number, value in zip(layout.numbers, kept, strict=True) if value is None]
        if found != wanted:
            return None
        return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _remembered(cache: OrderedDict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    if key in cache:
        cache.move_to_end(key)
        return cache[key]
    made = cache[key] = make()
    if len(cache) > SHAPES:
        cache.popitem(last=False)
    return made


def _layout(marked: str, printed: int) -> Layout | None:
    """What stands where in a rendered shape. None when its marks are not each there once, in whatever order."""
    parts = _MARKS.split(marked)
    texts, numbers = tuple(parts[::2]), tuple(int(number) for number in parts[1::2])
    if sorted(numbers) != list(range(printed)):
        return None
    by_attributes = any("[" in style for style in _STYLE.findall(marked))
    reader, fixed = MarkupReader(), list[bool | None]()
    for text in texts[:-1]:
        reader.read(text)
        fixed.append(_belongs_to_shape(reader, by_attributes=by_attributes))
        reader.read("x")
    return Layout(texts, numbers, tuple(fixed))


def _belongs_to_shape(reader: MarkupReader, *, by_attributes: bool) -> bool | None:
    """Whether a value at this place may matter to a parser or to the CSS."""
    if reader.undecided and reader.place != Place.COMMENT:
        return True
    match reader.place:
        case Place.TEXT:
            return False
        case Place.COMMENT:
            return None
        case Place.ATTRIBUTE:
            plain = reader.quote and reader.attribute not in _DEPENDED_ON
            return by_attributes or not plain or reader.element in ("style", "link", "base")
        case Place.RAW:
            return reader.element != "title"
    return True


def captured(environment: Environment, sources: Mapping[str, str]) -> str:
    """Where a template uses what another part of it printed: there a mark instead of the value would count. Else "".

    A call of a macro, `caller`, `super` or `self` may stand as a print of its own and nowhere else.
    """
    for name, source in sources.items():
        tree = environment.parse(source)
        for kind, word in _CAPTURING:
            for found in tree.find_all(kind):
                return f"{name}, line {found.lineno}: {{% {word} %}} works on what was printed"
        if used := next(_used_macros(tree), None):
            return f"{name}, line {used.lineno}: {used.name} is used in an expression, not printed by itself"
    return ""


_CAPTURING: tuple[tuple[type[nodes.Node], str], ...] = (
    (nodes.AssignBlock, "set … endset"),
    (nodes.FilterBlock, "filter"),
    (nodes.ScopedEvalContextModifier, "autoescape"),
)


def _used_macros(tree: nodes.Template) -> Iterator[nodes.Name]:
    """Names of what prints, where they are not just called and printed."""
    macros = {macro.name for macro in tree.find_all(nodes.Macro)} | {"caller", "super", "self"}
    macros |= {imported.target for imported in tree.find_all(nodes.Import)}
    for imported in tree.find_all(nodes.FromImport):
        macros |= {name[1] if isinstance(name, tuple) else name for name in imported.names}
    fine = set[int]()
    for call in _printed_calls(tree):
        callee = call.node
        while isinstance(callee, (nodes.Getattr, nodes.Getitem)):
            callee = callee.node
        fine.add(id(callee))
    recursive = {id(call.node) for call in tree.find_all(nodes.Call) if _is_loop(call.node)}
    for name in tree.find_all(nodes.Name):
        if (name.ctx == "load" and name.name in macros and id(name) not in fine) or id(name) in recursive - fine:
            yield name


def _printed_calls(tree: nodes.Template) -> Iterator[nodes.Call]:
    for output in tree.find_all(nodes.Output):
        yield from (node for node in output.nodes if isinstance(node, nodes.Call))
    yield from (block.call for block in tree.find_all(nodes.CallBlock))


def _is_loop(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "loop"
