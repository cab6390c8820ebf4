"""The Jinja sandbox templates run in: no way to Python objects, and an end to every text before it fills the memory.

What grows is asked for its size beforehand: a mail has 100,000 characters at most, and 30 characters of template can
ask for 10¹². What takes long without growing, such as loops within loops, `engine.render.bounded` brings to an end.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import BuiltinMethodType, MethodType
from typing import Any

from jinja2 import DictLoader, Environment, FileSystemLoader, StrictUndefined, Undefined
from jinja2.exceptions import SecurityError
from jinja2.filters import FILTERS, sync_do_slice
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEscapeFormatter, SandboxedFormatter
from jinja2.utils import pass_environment, pass_eval_context
from markupsafe import Markup

LARGEST = 1_000_000  # characters or units; a mail has 100,000 characters at most
MOST_VALUES = 100_000  # in a list or a range, as in Jinja's own sandbox
LARGEST_POWER = 64  # as exponent, as digits to round to, as spaces to indent by
LARGEST_BITS = 4_096  # of a number that is multiplied: Python refuses to print more than 4,300 digits
_CHUNK = 256  # a mail has some 150 pieces; few enough that pieces of LARGEST each are noticed in time

_NUMBER = re.compile(r"\d+")
_DIRECTIVE = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d+)?(?:\.(\*|\d+))?")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja with strict undefined and no way out to Python objects. The same values always give the same text."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})  # these are not computed beforehand, at compile time, either

    def __init__(
        self, folders: Sequence[Path] = (), *, files: Mapping[str, str] | None = None, autoescape: bool = True
    ) -> None:
        super().__init__(
            loader=_Named(files) if files else FileSystemLoader([str(folder) for folder in folders], "utf-8-sig"),
            autoescape=autoescape,
            undefined=StrictUndefined,
            keep_trailing_newline=False,
            finalize=printable,
        )
        self.filters.update(_FILTERS)
        for by_chance in (self.filters, self.globals):
            by_chance.pop("random", None)
            by_chance.pop("lipsum", None)

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        """What a template, a macro or a block prints, as one text. Stops in the middle of what becomes too long."""
        pieces = iter(pieces)
        text = "".join(islice(pieces, _CHUNK))
        _refuse_length(len(text))
        while chunk := list(islice(pieces, _CHUNK)):
            more = "".join(chunk)
            _refuse_length(len(text) + len(more))
            text += more
        return text

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`card.title`: contexts are plain dicts, so look the key up first (0.1 µs against 0.6, some 70 a mail).

        `campaign.copy` then is what the marketer wrote, not dict.copy. What is no key goes the sandbox's way.
        """
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic within bounds: a number or a text that fills the memory stops one mail and not the machine."""
        if operator == "+":
            if isinstance(left, (str, list, tuple)) and isinstance(right, (str, list, tuple)):
                _refuse_length(len(left) + len(right))
        elif operator == "%":
            if isinstance(left, str):
                _refuse_wide_directives(left, right)
        elif operator == "**":
            if not (abs(left) <= LARGEST and abs(right) <= LARGEST_POWER):
                raise OverflowError(f"{_short(left)} ** {_short(right)} is too large a number for a mail")
        elif isinstance(left, int) and isinstance(right, int):
            if left.bit_length() + right.bit_length() > LARGEST_BITS:
                raise OverflowError(f"{_short(left)} * {_short(right)} is too large a number for a mail")
        elif isinstance(left, int) or isinstance(right, int):
            times, repeated = (left, right) if isinstance(left, int) else (right, left)
            if hasattr(repeated, "__len__"):
                _refuse_length(len(repeated) * times)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., Any] | None:
        """In place of a method that can make a long text out of a short one: the same with a bound.

        Jinja asks here for every attribute that a template comes by, to look into the fields of str.format.
        """
        if not isinstance(value, (BuiltinMethodType, MethodType)):
            return None
        owner, name = value.__self__, value.__name__
        if isinstance(owner, (str, int)) and name in _BYTES:
            raise SecurityError(f".{name}() makes bytes, and a mail is made of text")
        if not isinstance(owner, str):
            return None
        if name in ("format", "format_map"):
            return self._bounded_format(owner, name)
        size = _SIZES.get(name)
        if size is None:
            return None

        def bounded(*args: Any, **kwargs: Any) -> Any:
            args = tuple(list(arg) if isinstance(arg, Iterator) else arg for arg in args)  # asked for twice
            _refuse_length(size(owner, *args, **kwargs))
            return value(*args, **kwargs)

        return bounded

    def _bounded_format(self, text: str, name: str) -> Callable[..., str]:
        def bounded(*args: Any, **kwargs: Any) -> str:
            if name == "format_map":
                (kwargs,), args = args, ()
            formatter = _EscapeFormatter(self, escape=text.escape) if isinstance(text, Markup) else _Formatter(self)
            return type(text)(formatter.vformat(text, args, kwargs))

        return bounded


class _Named(DictLoader):
    """Files in memory that keep their names, for the sentence about a mistake in one of them."""

    def get_source(  # type: ignore[override]
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, _, up_to_date = super().get_source(environment, template)
        return source, template, up_to_date


class _Formatter(SandboxedFormatter):
    """str.format with all widths together within the bound. For one text: it counts."""

    _width = 0

    def format_field(self, value: Any, format_spec: str) -> Any:
        self._width += sum(map(_whole, _NUMBER.findall(format_spec)))
        if isinstance(value, str):
            self._width += len(value)
        _refuse_length(self._width)
        return super().format_field(value, format_spec)


class _EscapeFormatter(_Formatter, SandboxedEscapeFormatter):
    """The same for text that is markup."""


def printable(value: Any) -> Any:
    """What may be printed: plain values. A method prints its place in memory, which is another one in each process."""
    if type(value) is str or isinstance(value, (str, int, float)) or value is None:  # nearly all are, 70 a mail
        return value
    _refuse_unprintable(value)
    return value


def _refuse_unprintable(value: Any) -> None:
    """Look at a value and all in it, and count: a list of twice the same list, 40 times, has 10¹² values to print."""
    waiting, seen = [value], 0
    while waiting:
        inner = waiting.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise OverflowError(f"a {type(value).__name__} of more than {MOST_VALUES:,} values is too long for a mail")
        if isinstance(inner, (str, int, float)) or inner is None:
            continue
        if isinstance(inner, Undefined):
            str(inner)  # raises, also within a list, which would print it as "Undefined"
        elif isinstance(inner, (list, tuple, dict)):
            _refuse_length(len(waiting) + len(inner))
            waiting += inner
            if isinstance(inner, dict):
                waiting += inner.values()
        else:
            raise TypeError(
                f"{type(inner).__name__} cannot be printed; a call needs (), a filter such as map needs |list"
            )


def _refuse_length(length: int) -> None:
    if length > LARGEST:
        raise OverflowError(f"a text of {_short(length)} characters is too long for a mail")


def _refuse_wide_directives(text: str, values: Any) -> None:
    """'%9d' % 1 gives 9 characters. Widths count, also those that `*` takes from the values, and texts as often as
    there are directives."""
    directives = _DIRECTIVE.findall(text)
    given = [*values.values()] if isinstance(values, Mapping) else values if isinstance(values, tuple) else (values,)
    longest = max((len(value) for value in given if isinstance(value, str)), default=0)
    width = len(text) + longest * len(directives)
    for numbers in directives:
        for number in filter(None, numbers):
            width += sum(abs(value) for value in given if isinstance(value, int)) if number == "*" else _whole(number)
    _refuse_length(width)


def _whole(digits: str) -> int:
    """A number that may have more digits than Python reads."""
    return int(digits) if len(digits) <= len(str(LARGEST)) else LARGEST + 1


def _short(number: Any) -> str:
    """A number for a sentence: 2 to the 4,000 has 1,200 digits."""
    if isinstance(number, int) and abs(number) >= 10**15:
        return f"10^{number.bit_length() * 3 // 10}"
    return f"{number:,}"


def _joined(separator: str, values: Iterable[Any]) -> int:
    texts = list(values)
    return len(separator) * len(texts) + sum(len(text) for text in texts if isinstance(text, str))


def _replaced(text: str, old: str, new: str, *_: Any, **__: Any) -> int:
    return len(text) + len(new) * text.count(old)


def _translated(text: str, table: Any) -> int:
    values = table.values() if isinstance(table, Mapping) else table
    return len(text) * max((len(value) for value in values if isinstance(value, str)), default=1)


def _expanded(text: str, tabsize: int = 8) -> int:
    return len(text) + text.count("\t") * max(tabsize, 0)


_SIZES: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), lambda text, width, *_: width),
    "expandtabs": _expanded,
    "join": _joined,
    "replace": _replaced,
    "translate": _translated,
}
"""How long the text is at most that a method of str makes."""
_BYTES = {"encode", "to_bytes"}


def _center(value: Any, width: int = 80) -> Any:
    _refuse_length(width)
    return FILTERS["center"](value, width)


def _indent(s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> Any:
    indention = len(width) if isinstance(width, str) else width
    _refuse_length(len(s) + indention * (len(s.splitlines()) + 1))
    return FILTERS["indent"](s, width, first, blank)


@pass_eval_context
def _replace(context: Any, s: Any, old: Any, new: Any, count: int | None = None) -> Any:
    _refuse_length(_replaced(str(s), str(old), str(new)))
    return FILTERS["replace"](context, s, old, new, count)


@pass_eval_context
def _join(context: Any, value: Iterable[Any], d: Any = "", attribute: Any = None) -> Any:
    texts = list(value)
    _refuse_length(_joined(str(d), texts))
    return FILTERS["join"](context, texts, d, attribute)


def _format(value: Any, *args: Any, **kwargs: Any) -> Any:
    _refuse_wide_directives(str(value), kwargs or args)
    return FILTERS["format"](value, *args, **kwargs)


def _batch(value: Any, linecount: int, fill_with: Any = None) -> Any:
    _refuse_count("batch", linecount, MOST_VALUES)
    return FILTERS["batch"](value, linecount, fill_with)


def _slice(value: Any, slices: int, fill_with: Any = None) -> Any:
    _refuse_count("slice", slices, MOST_VALUES)
    return sync_do_slice(value, slices, fill_with)


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    _refuse_count("round", abs(precision), LARGEST_POWER)
    return FILTERS["round"](value, precision, method)


@pass_eval_context
def _tojson(context: Any, value: Any, indent: int | None = None) -> Any:
    _refuse_unprintable(value)
    _refuse_count("tojson", indent or 0, LARGEST_POWER)
    return FILTERS["tojson"](context, value, indent)


def _pprint(value: Any) -> Any:
    _refuse_unprintable(value)
    return FILTERS["pprint"](value)


def _string(value: Any) -> Any:
    _refuse_unprintable(value)
    return FILTERS["string"](value)


@pass_environment
def wordwrap(  # noqa: PLR0917 - Jinja's own parameters
    environment: Environment,
    s: str,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> Any:
    """Jinja's filter with a bound."""
    _refuse_length(len(s) + len(wrapstring or "\n") * (len(s) // max(width, 1) + s.count("\n") + 1))
    return FILTERS["wordwrap"](environment, s, width, break_long_words, wrapstring, break_on_hyphens)


def _refuse_count(name: str, count: int, most: int) -> None:
    if count > most:
        raise OverflowError(f"|{name} takes {most:,} at most, not {_short(count)}")


_FILTERS: dict[str, Callable[..., Any]] = {
    "batch": _batch,
    "center": _center,
    "format": _format,
    "indent": _indent,
    "join": _join,
    "pprint": _pprint,
    "replace": _replace,
    "round": _round,
    "slice": _slice,
    "string": _string,
    "tojson": _tojson,
    "wordwrap": wordwrap,
}
"""The filters that can make something large out of something small, bounded; Jinja calls them when compiling too."""
