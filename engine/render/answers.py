"""What a worker answers, as bytes that are safe to read even if a template got hold of the worker.

A pickle may name any function of Python to be called. Here only plain values, dates and our own dataclasses, enums and
named tuples can be written, and nothing else is read: a dataclass is filled field by field, without its code running.
"""

import io
import os
import pickle
import sys
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

OUR_ROOMS = ("engine.", "campaigns.", "subscribers.")
_PLAIN = {f"{kind.__module__}.{kind.__name__}": kind for kind in (date, datetime, time, timedelta, timezone, Decimal)}


class _Made:
    """Makes one of our own values from its fields. An instance and no function: a pickle cannot set anything on it."""

    __slots__ = ()

    def __call__(self, module: str, name: str, values: list[Any]) -> Any:
        kind = our_class(module, name)
        if kind and is_dataclass(kind) and len(values) == len(fields(kind)):
            made = object.__new__(kind)
            for field, value in zip(fields(kind), values, strict=True):
                object.__setattr__(made, field.name, value)
            return made
        if kind and issubclass(kind, Enum):
            return kind(*values)
        if kind and issubclass(kind, tuple):
            return tuple.__new__(kind, values)
        raise pickle.UnpicklingError(f"{module}.{name} is no answer")

    def __reduce__(self) -> str:
        return "MADE"


MADE = _Made()


def our_class(module: str, name: str) -> type[Any] | None:
    """A class of ours that is loaded already and stands in this very module."""
    found = getattr(sys.modules.get(module), name, None) if module.startswith(OUR_ROOMS) and "." not in name else None
    return found if isinstance(found, type) and found.__module__ == module else None


class _Writer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind is _Made or kind in _PLAIN.values() or value in (str, *_PLAIN.values()):
            return NotImplemented
        if isinstance(value, Enum):
            return MADE, (kind.__module__, kind.__qualname__, [value.value])
        if isinstance(value, str):  # Markup, which Jinja makes of what is escaped
            return str, (str.__str__(value),)
        if is_dataclass(kind):
            return MADE, (kind.__module__, kind.__qualname__, [getattr(value, field.name) for field in fields(kind)])
        if isinstance(value, tuple):
            return MADE, (kind.__module__, kind.__qualname__, list(value))
        raise TypeError(f"a {kind.__name__} cannot be an answer: only plain values and our own dataclasses can")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (__name__, "MADE"):
            return MADE
        if (module, name) == ("builtins", "str"):
            return str
        if f"{module}.{name}" in _PLAIN:
            return _PLAIN[f"{module}.{name}"]
        raise pickle.UnpicklingError(f"{module}.{name} is no answer")


def write(value: object) -> bytes:
    """As bytes. Raises TypeError for what is neither plain nor ours."""
    stream = io.BytesIO()
    _Writer(stream, protocol=5).dump(value)
    return stream.getvalue()


def read(answer: bytes | bytearray) -> Any:
    """What was written. Raises what it likes for bytes that `write` did not make, and does nothing else for them."""
    return _Reader(io.BytesIO(answer)).load()


def send(descriptor: int, message: bytes) -> None:
    """One message through a socket. 4 MB take 1 ms here and back; a multiprocessing.Connection takes 8."""
    for part in (len(message).to_bytes(8, "big"), message):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int, largest: int) -> bytearray:
    """One message. Raises EOFError at the end, OSError for one that is too large."""
    size = int.from_bytes(_exactly(descriptor, 8), "big")
    if size > largest:
        raise OSError(f"a message of {size} bytes")
    return _exactly(descriptor, size)


def _exactly(descriptor: int, size: int) -> bytearray:
    message = bytearray(size)
    rest = memoryview(message)
    while rest:
        read_now = os.readv(descriptor, [rest])
        if not read_now:
            raise EOFError
        rest = rest[read_now:]
    return message
