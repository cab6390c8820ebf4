"""On what does a part of a template depend: on nothing that differs between mails, on one card, or on the person?"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from jinja2 import nodes

Depends = str
"""The name of the one variable a part depends on; "" for none, PERSONAL for anything else."""

PERSONAL: Final = "*"
COMMON = {"campaign", "sender", "language", "direction", "links.home", "_", "ngettext", "range", "dict"}
"""What is the same in all mails of a run in one language."""
SHARED = {"hero", "banner"}
"""What many mails of a run have in common: values that the composer shares."""
_IN_PARTS = {"links"}  # what matters is which of them


def dependencies_of(node: nodes.Node, loops: Collection[str]) -> Depends:
    """On which single variable this part depends. loops: the variables of the loops around it.

    A loop's variable counts as one only if it is not taken apart itself: a pair of cards is another one in each mail.
    """
    names = free_names(node) - (COMMON - {*loops})
    if not names:
        return ""
    (name, *others) = names
    if others or name not in {*loops, *SHARED} or _taken_apart(node, name):
        return PERSONAL
    return name


def free_names(node: nodes.Node) -> set[str]:
    """The variables a part reads and does not define itself; "links.home" for what is read of `links`."""
    if isinstance(node, nodes.Name):
        return {node.name} if node.ctx == "load" else set()
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name in _IN_PARTS:
        return {f"{node.node.name}.{node.attr}"}
    if isinstance(node, nodes.For):
        inner = _names(node.body) | (free_names(node.test) if node.test else set())
        return free_names(node.iter) | (inner - names_in(node.target) - {"loop"}) | _names(node.else_)
    if isinstance(node, nodes.With):
        defined = set[str]().union(*(names_in(target) for target in node.targets))
        return _names(node.values) | (_names(node.body) - defined)
    return _names(node.iter_child_nodes())


def _names(parts: Iterable[nodes.Node]) -> set[str]:
    return set[str]().union(*(free_names(part) for part in parts))


def names_in(target: nodes.Node) -> set[str]:
    """The variables a loop or `with` sets."""
    return {target.name} if isinstance(target, nodes.Name) else {name.name for name in target.find_all(nodes.Name)}


def _taken_apart(node: nodes.Node, name: str) -> bool:
    """Whether the variable is used other than for its attributes or to be printed: looped over, counted, passed on."""
    return any(_uses(node, name, whole=True))


def _uses(node: nodes.Node, name: str, *, whole: bool) -> Iterator[nodes.Node]:
    if isinstance(node, nodes.Name):
        if node.name == name and not whole:
            yield node
        return
    for child in node.iter_child_nodes():
        fine = isinstance(node, (nodes.Getattr, nodes.Output)) or (
            isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const)
        )
        yield from _uses(child, name, whole=fine)
