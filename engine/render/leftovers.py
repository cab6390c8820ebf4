"""Template source that a reader would see: braces in what a marketer wrote, where no template is read any more.

Looked for where source could leak, and not in finished mails: a product may well be called "{{ Curly }} Shampoo".
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from jinja2 import Environment, TemplateSyntaxError

_BRACES = re.compile(r"\{\{.*?(?:\}\}|$)|\{%.*?(?:%\}|$)|hpMARK\d+hp")
_PLAIN = Environment(autoescape=False)


def leftovers(sources: Iterable[str], variables: Mapping[str, str]) -> tuple[str, ...]:
    """Pieces that look like Jinja in the values of variables, and in the parts of sources that are printed as they are.

    >>> leftovers(["Hello {{ name }}"], {"headline": "For {{ name }} only"})
    ('{{ name }}',)
    """
    texts = [*variables.values(), *(text for source in sources for text in _printed_as_it_is(source))]
    return tuple(dict.fromkeys(found for text in texts for found in _BRACES.findall(text)))


def _printed_as_it_is(source: str) -> Iterator[str]:
    try:
        for _, kind, text in _PLAIN.lex(source):
            if kind == "data":
                yield text
    except TemplateSyntaxError:
        return  # it is refused with its line when it is compiled
