"""The cells of sparse matrices, asked for by the thousand."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


def pair_keys(people: NDArray[np.int64], places: NDArray[np.int64], products: int) -> NDArray[np.int64]:
    """One number for each pair of a person and a product."""
    return people * np.int64(max(products, 1)) + places


def rows_of(indptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of every cell of a CSR matrix."""
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def stands_in(matrix: sp.csr_matrix, columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n, k) whether each row of the matrix has these columns. columns: (n, k), −1 for none."""
    there = pair_keys(rows_of(matrix.indptr), matrix.indices.astype(np.int64), matrix.shape[1])
    asked = pair_keys(np.arange(len(columns))[:, None], columns, matrix.shape[1])
    return np.asarray(np.isin(asked, there) & (columns >= 0))
