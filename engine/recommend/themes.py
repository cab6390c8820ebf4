"""What a person and a product have in common, as columns of the attributes: asked for thousands of picks at once."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import Attributes
from engine.recommend.sparse import cut, rows_of, side_by_side

NONE = -1  # in place of a column
NO_THEME = ("price:", "word:")  # prices are no theme to write about, and words are in nobody's profile


class Themes:
    """The themes of every product, laid out to be compared with those of people.

    own_type: (m,) the column of each product's type, the first in the alphabet; NONE where it has no type.
    """

    def __init__(self, attributes: Attributes) -> None:
        matrix = attributes.matrix
        self.names = attributes.names
        self._telling = np.array([not name.startswith(NO_THEME) for name in self.names], dtype=np.bool_)
        self._of_product = _rows_where(self._telling, matrix, matrix.indices, empty=NONE - 1)
        types = np.array([name.startswith("type:") for name in self.names], dtype=np.bool_)
        found = _rows_where(types, matrix, matrix.indices, empty=len(self.names))
        first = found.min(axis=1, initial=len(self.names))  # names are sorted, and so are their columns
        self.own_type = np.where(first < len(self.names), first, NONE)

    def labels(self, profile: sp.csr_matrix) -> list[tuple[str, ...]]:
        """The labels of each profile, strongest first, prices too. profile: (n, a)."""
        names = [self.names[column] for column in profile.indices[by_strength(profile)].tolist()]
        return cut(names, profile.indptr)

    def shared(self, profile: sp.csr_matrix, rows: NDArray[np.int64], products: NDArray[np.int64]) -> NDArray[np.int64]:
        """(q,) the column of the strongest theme that person and product share, of equal ones the first in the
        alphabet; NONE where there is none. profile: (n, a). rows, products: (q,) who, and positions in the catalogue.
        """
        liked = _rows_where(self._telling, profile, profile.indices[by_strength(profile)], empty=NONE)[rows]
        if not liked.shape[1]:
            return np.full(len(rows), NONE, dtype=np.int64)
        common = (self._of_product[products][:, None, :] == liked[:, :, None]).any(axis=2)
        first = common.argmax(axis=1)  # they stand strongest first
        asked = np.arange(len(rows))
        return np.where(common[asked, first], liked[asked, first], NONE)


def by_strength(matrix: sp.csr_matrix) -> NDArray[np.int64]:
    """(nnz,) the cells of each row after the other, largest first; equal ones in the order of the columns."""
    return np.lexsort((matrix.indices, -matrix.data, rows_of(matrix.indptr)))


def _rows_where(
    wanted: NDArray[np.bool_], matrix: sp.csr_matrix, columns: NDArray[np.int64], *, empty: int
) -> NDArray[np.int64]:
    """(n, w) those of the columns, (nnz,) in the order of the matrix's rows, that are wanted, side by side."""
    kept = wanted[columns]
    return side_by_side(columns[kept], rows_of(matrix.indptr)[kept], matrix.shape[0], empty=empty)
