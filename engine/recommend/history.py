"""Signals summed up by person and product: who is interested in what, and who has bought what when."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import positions_in
from engine.recommend.sparse import offsets, rows_of
from engine.recommend.trend import SECONDS_A_DAY
from subscribers.models import Kind
from subscribers.signals import Signals

KIND_WEIGHT = np.zeros(6, dtype=np.float32)  # how much each kind of signal says, by Kind
KIND_WEIGHT[[Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE]] = (0.2, 0.4, 0.7, 1.0)
HALF_LIFE_DAYS = 90.0  # of 60, 90, 120 and 180 days the best on the real orders
PRODUCTS_A_PERSON = 200  # the strongest; of the real customers 6 % have more, and one has 1,786


@dataclass(frozen=True)
class Histories:
    """Everybody's interest in every product. p people, m products.

    people: (p,) int64 Subscriber.id of each row, ascending. interest: (p, m) float32 CSR, at most 1 a cell.
    bought: (p, m) int64 CSR, when each person last bought each product, in seconds since 1970.
    """

    people: NDArray[np.int64]
    interest: sp.csr_matrix
    bought: sp.csr_matrix

    def rows_of(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each person, −1 for those without a history."""
        return positions_in(self.people, people)


def histories(
    signals: Signals, positions: NDArray[np.int64], size: int, *, now: int, half_life_days: float = HALF_LIFE_DAYS
) -> Histories:
    """Sum up signals by person and product, newer and stronger ones louder. Unknown people are left out.

    positions: where each signal's product stands among `size`, −1 for none. now: what ages count from, in seconds.
    """
    named = (signals.subscriber >= 0) & (positions >= 0)
    what, at, kinds = positions[named], signals.at[named], signals.kind[named]
    people, rows = np.unique(signals.subscriber[named], return_inverse=True)
    shape = (len(people), size)
    interest = sp.csr_matrix((strength(kinds, at, now=now, half_life_days=half_life_days), (rows, what)), shape=shape)
    interest.sum_duplicates()
    np.minimum(interest.data, 1.0, out=interest.data)
    purchases = kinds == Kind.PURCHASE
    bought = _newest(rows[purchases], what[purchases], at[purchases], shape)
    return Histories(people, keep_strongest(interest, PRODUCTS_A_PERSON, 0.0), bought)


def strength(
    kinds: NDArray[np.int8], at: NDArray[np.int64], *, now: int, half_life_days: float = HALF_LIFE_DAYS
) -> NDArray[np.float32]:
    """How loudly each signal speaks, 0 to 1: its kind's weight, halved every `half_life_days`."""
    ages = np.maximum(now - at, 0) / SECONDS_A_DAY
    return np.asarray(KIND_WEIGHT[kinds] * 0.5 ** (ages / half_life_days), dtype=np.float32)


def keep_strongest(matrix: sp.csr_matrix, count: int, least: float) -> sp.csr_matrix:
    """Of each row the `count` largest cells that are at least `least`; equal ones in the order of the columns."""
    matrix = matrix.tocsr()
    loud = matrix.data >= least
    if not loud.all():
        matrix = _cells_where(matrix, loud)
    matrix.sort_indices()
    crowded = np.diff(matrix.indptr) > count
    if not crowded.any():
        return matrix
    rows = rows_of(matrix.indptr)
    asked = np.flatnonzero(crowded[rows])  # sorting costs, and most rows have no more than `count`
    order = asked[np.lexsort((-matrix.data[asked], rows[asked]))]  # of equal ones the lower column stays first
    lengths = np.diff(matrix.indptr)[crowded]
    place = np.arange(len(order)) - np.repeat(offsets(lengths)[:-1], lengths)
    kept = np.ones(matrix.nnz, dtype=np.bool_)
    kept[order[place >= count]] = False
    return _cells_where(matrix, kept)


def _cells_where(matrix: sp.csr_matrix, kept: NDArray[np.bool_]) -> sp.csr_matrix:
    """The matrix with some of its cells. kept: (nnz,)."""
    ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], ends), shape=matrix.shape)


def select_rows(matrix: sp.csr_matrix, rows: NDArray[np.int64]) -> sp.csr_matrix:
    """The given rows of a matrix; −1 gives an empty one."""
    if not matrix.shape[0]:
        return sp.csr_matrix((len(rows), matrix.shape[1]), dtype=matrix.dtype)
    there = rows >= 0
    picked = matrix[np.where(there, rows, 0)]
    if there.all():
        return picked
    # by hand: a product with a diagonal matrix turns the cells of a row around, and their sum rounds differently
    return _cells_where(picked, np.repeat(there, np.diff(picked.indptr)))


def _newest(
    rows: NDArray[np.int64], columns: NDArray[np.int64], at: NDArray[np.int64], shape: tuple[int, int]
) -> sp.csr_matrix:
    """The newest time of each cell."""
    order = np.lexsort((at, columns, rows))
    rows, columns, at = rows[order], columns[order], at[order]
    last = np.ones(len(rows), dtype=np.bool_)
    last[:-1] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
    return sp.csr_matrix((at[last], (rows[last], columns[last])), shape=shape, dtype=np.int64)
