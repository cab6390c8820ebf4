"""Is it better than bestsellers? A split in time: what was known before against what was bought after.

The protocol (docs/decisions.md): signals before the split are known; candidates are the products sold before it; the
truth of a person is what they bought in the window and never before; people are those with a history and at least
one such product. NDCG@10 with gain 1, log2 discount and the ideal cut at min(10, truths); mean over people.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.recommend.factors import Recipe, train
from engine.recommend.features import FloatArray, describe
from engine.recommend.profile import histories, profiles
from engine.recommend.rank import NEVER, best
from engine.recommend.recommender import select_rows
from engine.recommend.trend import SECONDS_A_DAY, recent_popularity, standardised
from subscribers.models import Kind
from subscribers.signals import Signals

CUT = 10


@dataclass(frozen=True)
class Score:
    """What one model reached. coverage: share of the candidates that stand in anybody's list."""

    name: str
    ndcg: float
    recall: float
    coverage: float

    def summary(self) -> dict[str, object]:
        """The score as plain data, under the names of the field."""
        return {"name": self.name, "ndcg@10": self.ndcg, "recall@10": self.recall, "coverage": self.coverage}


@dataclass(frozen=True)
class Evaluation:
    """The models side by side, over the same people."""

    split_at: int
    days: int
    customers: int
    scores: tuple[Score, ...]

    def of(self, name: str) -> Score:
        return next(score for score in self.scores if score.name == name)


def evaluate(signals: Signals, catalog: CatalogColumns, recipe: Recipe, *, split_at: int, days: int) -> Evaluation:
    """All-time popularity, recent popularity and our model, trained on what was known at `split_at` (seconds)."""
    positions = catalog.positions(signals.sku)
    before = signals.at < split_at
    known, places = signals.where(before), positions[before]
    history = histories(known, places, len(catalog), now=split_at)
    truth = _truth(signals, positions, history.people, history.bought, split_at=split_at, days=days)
    rows = np.flatnonzero(np.diff(truth.indptr))
    candidates = np.bincount(places[places >= 0], minlength=len(catalog)) > 0
    popularity = np.bincount(places[(places >= 0) & (known.kind == Kind.PURCHASE)], minlength=len(catalog))
    trend = recent_popularity(known, places, len(catalog), now=split_at)
    lists = {
        "all-time popular": np.tile(popularity.astype(np.float32), (len(rows), 1)),
        "recent popular": np.tile(trend, (len(rows), 1)),
    }
    if len(rows):
        attributes = describe(catalog)
        factors = train(history, catalog.sku, attributes, recipe)
        users = factors.users(history.people[rows], profiles(history.interest[rows], attributes))
        vectors, bias = factors.items(catalog.sku, attributes)
        lists["ours"] = users @ vectors.T + bias + np.float32(recipe.trend_weight) * standardised(trend)
    bought = select_rows(history.bought, rows)
    scores = [_score(name, scores, bought, truth[rows], candidates) for name, scores in lists.items()]
    return Evaluation(split_at, days, len(rows), tuple(scores))


def _truth(
    signals: Signals,
    positions: NDArray[np.int64],
    people: NDArray[np.int64],
    bought: sp.csr_matrix,
    *,
    split_at: int,
    days: int,
) -> sp.csr_matrix:
    """(people, products): bought in the window, never before, and sold before it."""
    window = (signals.at >= split_at) & (signals.at < split_at + days * SECONDS_A_DAY)
    counted = window & (signals.kind == Kind.PURCHASE) & (positions >= 0) & np.isin(signals.subscriber, people)
    rows, columns = np.searchsorted(people, signals.subscriber[counted]), positions[counted]
    sold_before = np.isin(columns, positions[(signals.at < split_at) & (positions >= 0)])
    rows, columns = rows[sold_before], columns[sold_before]
    later = sp.csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=bought.shape)
    later.sum_duplicates()
    later.data[:] = 1
    # bought says how often: taken off as it is, a thing bought twice before would leave 1 − 2, and count as a truth
    new = (later - later.multiply((bought > 0).astype(np.int8))).tocsr()
    new.eliminate_zeros()
    return new


def _score(
    name: str, scores: FloatArray, bought: sp.csr_matrix, truth: sp.csr_matrix, candidates: NDArray[np.bool_]
) -> Score:
    if not len(scores):
        return Score(name, 0.0, 0.0, 0.0)
    scores = np.array(scores, dtype=np.float32)
    scores[:, ~candidates] = NEVER
    scores[np.repeat(np.arange(len(scores)), np.diff(bought.indptr)), bought.indices] = NEVER
    chosen = best(scores, CUT)
    hits = np.zeros(chosen.shape, dtype=bool)
    for row, columns in enumerate(chosen):
        hits[row] = np.isin(columns, truth.indices[truth.indptr[row] : truth.indptr[row + 1]])
    truths = np.diff(truth.indptr)
    discount = 1.0 / np.log2(np.arange(2, CUT + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(truths, CUT)]
    ndcg = (hits @ discount[: chosen.shape[1]]) / ideal
    recall = hits.sum(axis=1) / np.minimum(truths, CUT)
    coverage = len(np.unique(chosen[chosen >= 0])) / max(int(candidates.sum()), 1)
    return Score(name, round(float(ndcg.mean()), 4), round(float(recall.mean()), 4), round(coverage, 4))
