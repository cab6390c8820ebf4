"""How good lists are: NDCG, recall and hit rate against the truth, coverage and novelty by themselves."""

from dataclasses import asdict, dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.sparse import stands_in

CUT = 10


@dataclass(frozen=True)
class Measures:
    """Means over people, of lists cut at 10.

    recall: of the truths, at most 10. hit_rate: people with at least one hit. coverage: candidates in anybody's list.
    novelty: −log2 of the share of purchases a listed product had: 10 bits is a product with one purchase in 1,024.
    full_lists: people with 10 products. top_hero: share of people with the commonest first product.
    """

    ndcg: float
    recall: float
    hit_rate: float
    coverage: float
    novelty: float
    full_lists: float
    top_hero: float

    def summary(self) -> dict[str, float]:
        """The measures under the names of the field."""
        cut = {"ndcg": f"ndcg@{CUT}", "recall": f"recall@{CUT}", "hit_rate": f"hit_rate@{CUT}"}
        return {cut.get(name, name): value for name, value in asdict(self).items()}


NOTHING = Measures(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def ndcg_of(hits: NDArray[np.bool_], truths: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n,) NDCG with gain 1, log2 discount, and the ideal cut at min(10, truths). truths: (n,), at least 1."""
    discount = 1.0 / np.log2(np.arange(2, CUT + 2))
    ideal = np.cumsum(discount)[np.clip(truths, 1, CUT) - 1]
    return np.asarray((hits @ discount[: hits.shape[1]]) / ideal)


def measure(lists: NDArray[np.int64], truth: sp.csr_matrix, popularity: NDArray[np.float64]) -> Measures:
    """Measure lists of at most 10. lists: (n, k) candidates, −1 for none. popularity: (m,) purchases of each."""
    if not len(lists):
        return NOTHING
    lists = lists[:, :CUT]
    hits, truths = stands_in(truth, lists), np.diff(truth.indptr)
    listed = lists[lists >= 0]
    share = (popularity + 1) / (popularity.sum() + len(popularity))  # as if each had been bought once more
    heroes = lists[:, 0][lists[:, 0] >= 0] if lists.shape[1] else listed
    values = (
        ndcg_of(hits, truths).mean(),
        (hits.sum(axis=1) / np.minimum(truths, CUT)).mean(),
        hits.any(axis=1).mean(),
        len(np.unique(listed)) / max(len(popularity), 1),
        -np.log2(share[listed]).mean() if len(listed) else 0.0,
        ((lists >= 0).sum(axis=1) == CUT).mean(),
        np.bincount(heroes).max() / len(lists) if len(heroes) else 0.0,
    )
    return Measures(*(round(float(value), 4) for value in values))
