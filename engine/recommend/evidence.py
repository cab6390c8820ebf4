"""What of each history spoke most for each pick, for a batch of picks at once."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.explain import Evidence
from engine.recommend.features import FloatArray
from engine.recommend.sparse import cut, has, rows_of

DECIMALS = 4


@dataclass(frozen=True)
class Proofs:
    """The evidence for q picks: e pieces, those of one pick after those of another, strongest first.

    ends: (q + 1,) where each pick's begin, and the end of all. products: (e,) int64 positions in the catalogue. bought:
    (e,) bool, looked at otherwise. drop: (e,) float64, by how much the score falls without it, to four decimals.
    """

    ends: NDArray[np.int64]
    products: NDArray[np.int64]
    bought: NDArray[np.bool_]
    drop: NDArray[np.float64]

    @classmethod
    def of(cls, spoke: sp.csr_matrix, scale: FloatArray, bought: sp.csr_matrix, rows: NDArray[np.int64]) -> "Proofs":
        """spoke: (q, m) how loudly each product of the person's history spoke for each pick. scale: (q,) what that is
        multiplied with. bought: (n, m) what each person has bought. rows: (q,) whose pick each is."""
        pick = rows_of(spoke.indptr)
        drop = spoke.data * scale[pick]
        order = np.lexsort((spoke.indices, -drop, pick))  # of equal ones the product that stands first
        products = spoke.indices[order].astype(np.int64)
        rounded = np.round(drop[order].astype(np.float64), DECIMALS)
        return cls(spoke.indptr, products, has(bought, rows[pick], products), rounded)

    def first_bought(self, otherwise: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(q,) whether the strongest piece for each pick was bought; `otherwise`, (q,), where there is none."""
        found = otherwise.copy()
        some = np.flatnonzero(np.diff(self.ends))
        found[some] = self.bought[self.ends[some]]
        return found

    def as_tuples(self, sku: NDArray[np.int64]) -> list[tuple[Evidence, ...]]:
        """Those of each pick. sku: (m,) the sku_id of each product."""
        pieces = zip(sku[self.products].tolist(), self.bought.tolist(), self.drop.tolist(), strict=True)
        each = map(partial(tuple.__new__, Evidence), pieces)  # 60 ns each instead of 200: there are ten a person
        return cut(list(each), self.ends)
