"""Read many rows straight into numpy columns: by binary COPY on PostgreSQL, from the driver's cursor on SQLite."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select
from sqlmodel import Session

from subscribers.bulk import driver_cursor

READ_AHEAD = 4 << 20  # bytes that are read before they become columns: 80,000 signals
NO_NULL = "a column that is read into numpy must not hold NULL"
_IN_COPY = {"i1": "int2", "i2": "int2", "i4": "int4", "i8": "int8", "f8": "float8"}  # PostgreSQL has no int1
_ON_THE_WIRE = {"int2": ">i2", "int4": ">i4", "int8": ">i8", "float8": ">f8"}
_HEAD, _END = 19, 2  # bytes before the first row and after the last (PostgreSQL's manual, COPY, binary format)


def read_columns(session: Session, query: Select[Any], dtype: np.dtype[np.void]) -> list[NDArray[Any]]:
    """The rows of a query as columns of these types, without a Python object for any of them to stay.

    dtype: a structured type with one field for each column of the query, in its order. No value may be NULL.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        parts = list(_copied_out(connection, query, dtype))
        return [np.concatenate([part[number] for part in parts]) for number in range(len(_names_of(dtype)))]
    cursor: Any = connection.execute(query).cursor  # the driver's own: plain tuples
    rows = np.fromiter(cursor, dtype=dtype)
    return [np.ascontiguousarray(rows[name]) for name in _names_of(dtype)]


def _copied_out(connection: Connection, query: Select[Any], dtype: np.dtype[np.void]) -> Iterator[list[NDArray[Any]]]:
    """Some rows at a time, as columns. Every row of a binary COPY is as long as the next: 2 bytes with the number of
    its fields, and 4 with the length of each before it."""
    names = _names_of(dtype)
    kinds = [_IN_COPY[dtype[name].str[1:]] for name in names]
    fields = [("fields", ">i2")]
    for name, kind in zip(names, kinds, strict=True):
        fields += [(f"{name} length", ">i4"), (name, _ON_THE_WIRE[kind])]
    wire = np.dtype(fields)
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    cast = ", ".join(f"{name}::{kind}" for name, kind in zip(names, kinds, strict=True))
    statement = f"COPY (SELECT {cast} FROM ({compiled}) AS found ({', '.join(names)})) TO STDOUT (FORMAT BINARY)"

    def columns(rows: bytearray, count: int) -> list[NDArray[Any]]:
        found = np.frombuffer(rows, dtype=wire, count=count)
        if any((found[f"{name} length"] != wire[name].itemsize).any() for name in names):
            raise ValueError(NO_NULL)
        return [found[name].astype(dtype[name]) for name in names]

    waiting = bytearray()
    with driver_cursor(connection, statement) as cursor, cursor.copy(statement, compiled.params) as copy:
        for number, block in enumerate(copy):
            waiting += block[_HEAD:] if not number else block
            if len(waiting) >= READ_AHEAD:
                count = len(waiting) // wire.itemsize
                yield columns(waiting, count)
                waiting = waiting[count * wire.itemsize :]
    count, rest = divmod(len(waiting) - _END, wire.itemsize)
    if rest:
        raise ValueError(NO_NULL)
    yield columns(waiting, count)


def _names_of(dtype: np.dtype[np.void]) -> tuple[str, ...]:
    assert dtype.names is not None  # a structured type
    return dtype.names
