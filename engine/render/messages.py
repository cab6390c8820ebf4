"""Which texts a template says by itself: what a catalogue must have before mails are written in its language."""

import tomllib
from collections.abc import Iterable, Mapping

from jinja2 import Environment, TemplateSyntaxError, nodes

_ASKING = ("_", "ngettext")


def messages_of(environment: Environment, html: Mapping[str, str], files: Mapping[str, str], name: str) -> list[str]:
    """The messages of a template's HTML files, its text part, and the subject and preheader of its sheet, each once."""
    stem = name.removesuffix(".html")
    sources = [*html.values(), files.get(f"{stem}.txt", files.get("layouts/plain.txt", ""))]
    try:
        sheet = tomllib.loads(files.get(f"{stem}.toml", ""))
    except tomllib.TOMLDecodeError:
        sheet = {}  # said where the sheet is read
    return messages_in(environment, [*sources, str(sheet.get("subject", "")), str(sheet.get("preheader", ""))])


def messages_in(environment: Environment, sources: Iterable[str]) -> list[str]:
    """The texts that stand in calls of `_` and `ngettext`, in order, each once.

    >>> messages_in(Environment(), ["{{ _('Hello') }} {{ ngettext('one', '%(num)s', n) }}"])
    ['Hello', 'one']
    """
    found: dict[str, None] = {}
    for source in sources:
        try:
            tree = environment.parse(source)
        except TemplateSyntaxError:
            continue  # said with its line where the template is compiled
        for call in tree.find_all(nodes.Call):
            asking = isinstance(call.node, nodes.Name) and call.node.name in _ASKING
            if asking and call.args and isinstance(call.args[0], nodes.Const):
                found[str(call.args[0].value)] = None
    return list(found)
