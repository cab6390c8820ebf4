"""The cells of sparse matrices, asked for by the thousand."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Piece = TypeVar("Piece")


def pair_keys(people: NDArray[np.int64], places: NDArray[np.int64], products: int) -> NDArray[np.int64]:
    """One number for each pair of a person and a product."""
    return people * np.int64(max(products, 1)) + places


def rows_of(indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of every cell of a CSR matrix."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n + 1,) where each of n pieces of these lengths begins, and at last where all of them end."""
    ends = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=ends[1:])
    return ends


def cut(pieces: Sequence[Piece], ends: NDArray[np.int64]) -> list[tuple[Piece, ...]]:
    """The pieces, one after the other, cut up. ends: from `offsets`."""
    return [tuple(pieces[start:end]) for start, end in pairwise(ends.tolist())]


def side_by_side(values: NDArray[np.int64], rows: NDArray[np.int64], size: int, *, empty: int) -> NDArray[np.int64]:
    """(size, w) the values of each row next to each other; `empty` fills the rest. rows: (q,) ascending."""
    lengths = np.bincount(rows, minlength=size)
    table = np.full((size, int(lengths.max(initial=0))), empty, dtype=np.int64)
    table[rows, np.arange(len(rows)) - offsets(lengths)[rows]] = values
    return table


def has(matrix: sp.csr_matrix, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(q,) whether the matrix has these cells."""
    there = pair_keys(rows_of(matrix.indptr), matrix.indices.astype(np.int64), matrix.shape[1])
    return np.isin(pair_keys(rows, columns, matrix.shape[1]), there)


def stands_in(matrix: sp.csr_matrix, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, k) whether each row of the matrix has these columns. columns: (n, k), −1 for none."""
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    return np.asarray(has(matrix, rows, columns.ravel()).reshape(columns.shape) & (columns >= 0))
