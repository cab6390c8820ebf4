"""Picks for people: everything of this room put together.

A Recommender is one consistent view of a moment: the catalogue, everybody's newest signals, the trend and a model.
It holds arrays only; whoever builds it reads the database (`campaigns.view`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.recommend import explain, rank
from engine.recommend.explain import Why
from engine.recommend.factors import Factors
from engine.recommend.features import Attributes, FloatArray, describe
from engine.recommend.guardrails import Guardrails
from engine.recommend.profile import Histories, histories, profiles
from engine.recommend.trend import recent_popularity, standardised
from subscribers.signals import Signals

SPARE = 8  # candidates beyond those asked for, so that exact scoring can still turn neighbours around
ROUNDING = np.float32(1e-3)  # two hundred times what was seen to differ between matrix products
PEOPLE_A_BATCH = 1_000  # a batch of scores at 10,000 products is 40 MB


@dataclass(frozen=True)
class Pick:
    """One product chosen for one person. score is comparable within one person's list only."""

    sku_id: int
    score: float
    why: Why


@dataclass(frozen=True)
class PersonPicks:
    """The picks of one person, best first; the first is the hero. May be empty: nothing is left to recommend."""

    subscriber_id: int
    picks: tuple[Pick, ...]


@dataclass
class Recommender:
    """Picks for anyone, at the moment `now` (seconds since 1970), which is the newest signal's time.

    Trends and recency are measured from the newest signal, not from the wall clock: a shop that imports its orders
    once a week, or a file from 2011, must not look as if everybody had left.
    """

    catalog: CatalogColumns
    signals: Signals
    factors: Factors
    now: int
    removed: dict[str, int] = field(default_factory=dict)

    @cached_property
    def attributes(self) -> Attributes:
        return describe(self.catalog)

    @cached_property
    def trend(self) -> FloatArray:
        """(m,) standardised recent popularity."""
        positions = self.catalog.positions(self.signals.sku)
        return standardised(recent_popularity(self.signals, positions, len(self.catalog), now=self.now))

    @cached_property
    def histories(self) -> Histories:
        positions = self.catalog.positions(self.signals.sku)
        return histories(self.signals, positions, len(self.catalog), now=self.now)

    def picks_for(
        self, people: NDArray[np.int64], personalised: NDArray[np.bool_], count: int
    ) -> Iterator[PersonPicks]:
        """The picks of each person, in the order given, in batches: memory is bounded by the batch.

        people: (n,) subscriber ids. personalised: (n,) whether each allows it; the others get the trend alone.
        """
        for start in range(0, len(people), PEOPLE_A_BATCH):
            part = slice(start, start + PEOPLE_A_BATCH)
            yield from self._batch(people[part], personalised[part], count)

    def _batch(self, people: NDArray[np.int64], personalised: NDArray[np.bool_], count: int) -> Iterator[PersonPicks]:
        if not len(self.catalog):
            yield from (PersonPicks(int(subscriber_id), ()) for subscriber_id in people)
            return
        rows = np.where(personalised, self.histories.rows_of(people), -1)
        profile = self._profiles(rows)
        users = self.factors.users(np.where(personalised, people, -1), profile)
        rough = self._scores(users, rows)
        candidates = rank.best(rough, count + SPARE)
        ranked = self._ranked(users, candidates, count)
        for row in np.flatnonzero(_doubtful(rough, candidates, count)):
            every = _candidates(rough[row], candidates[row], count)
            for part, exact in zip(ranked, self._ranked(users[[row]], every[None, :], count), strict=True):
                part[row] = exact[0]
        for place, (subscriber_id, *best) in enumerate(
            zip(people.tolist(), *(part.tolist() for part in ranked), strict=True)
        ):
            labels = _cells(profile, place)
            picks = tuple(
                Pick(int(self.catalog.sku[column]), round(score, 4), self._why(labels, column, liking))
                for column, score, liking in zip(*best, strict=True)
                if column >= 0
            )
            yield PersonPicks(subscriber_id, picks)

    def _ranked(
        self, users: FloatArray, columns: NDArray[np.int64], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """(n, count) each: the best of the given columns, their exact scores, and what of a score the model says."""
        liking = self._exact_liking(users, columns)
        scores = np.where(columns >= 0, liking + self._trend_weight * self.trend[columns], -np.inf)
        order = np.lexsort((columns, -scores), axis=1)[:, :count]
        return tuple(np.take_along_axis(part, order, axis=1) for part in (columns, scores, liking))  # type: ignore[return-value]

    @property
    def _trend_weight(self) -> float:
        return self.factors.recipe.trend_weight

    def _scores(self, users: FloatArray, rows: NDArray[np.int64]) -> FloatArray:
        """(n, m) float32, −inf for what must not be picked. Without a user vector the trend alone speaks."""
        vectors, bias = self._item_vectors
        scores = users @ vectors.T + bias
        scores[~_known(users)] = 0.0
        scores += np.float32(self._trend_weight) * self.trend
        guardrails = Guardrails(self.catalog.sellable)
        for rule, cells in guardrails.apply(scores, select_rows(self.histories.bought, rows)).items():
            self.removed[rule] = self.removed.get(rule, 0) + cells
        return np.asarray(scores, dtype=np.float32)

    def _exact_liking(self, users: FloatArray, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, c) what the model says of the given products, above its average product, in double precision.

        A matrix product rounds differently for one person than for a thousand (5e-6 in the score), which in 4,000
        mails would once turn two picks around between a preview and its plan. This sum is the same for any batch.
        """
        centred, above = self._centred
        liking = (users[:, None, :] * centred[columns]).sum(axis=2) + above[columns]
        return np.where(_known(users)[:, None], liking, 0.0)

    @cached_property
    def _centred(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The product vectors and biases, less those of the average product."""
        vectors, bias = self._item_vectors
        centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
        return centred, bias.astype(np.float64) - bias.mean(dtype=np.float64)

    def _profiles(self, rows: NDArray[np.int64]) -> sp.csr_matrix:
        """(n, a) under the model's own names; empty rows for people without a history."""
        own = profiles(select_rows(self.histories.interest, rows), self.attributes)
        return Attributes(self.attributes.names, own).aligned_to(self.factors.names)

    @cached_property
    def _item_vectors(self) -> tuple[FloatArray, FloatArray]:
        return self.factors.items(self.catalog.sku, self.attributes)

    @cached_property
    def _described(self) -> list[dict[int, float]]:
        aligned = self.attributes.aligned_to(self.factors.names)
        return [_cells(aligned, row) for row in range(aligned.shape[0])]

    def _why(self, labels: dict[int, float], column: int, above_average: float) -> Why:
        from_trend = max(self._trend_weight * float(self.trend[column]), 0.0)
        whole = from_trend + max(above_average, 0.0)
        share = from_trend / whole if whole else 0.0
        return explain.why(labels, self._described[column], self.factors.names, share)


def _doubtful(rough: FloatArray, candidates: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """(n,) whether a product that is no candidate may belong among the best `count`, but for rounding.

    So it is where many products score alike: new ones of one type, brand and price, say.
    """
    if not 0 < count < candidates.shape[1]:
        return np.zeros(len(rough), dtype=np.bool_)
    ends = np.take_along_axis(rough, candidates[:, [count - 1, -1]], axis=1)
    return np.asarray((candidates[:, -1] >= 0) & (ends[:, 1] >= ends[:, 0] - ROUNDING))


def _candidates(rough: FloatArray, candidates: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Every product of one row that may belong among the best `count`, whichever way its score was rounded."""
    return np.flatnonzero(rough >= rough[candidates[count - 1]] - ROUNDING)


def _known(users: FloatArray) -> NDArray[np.bool_]:
    """Whether anything is known of each person: whether their vector is not all zeros."""
    return np.asarray(np.abs(users).sum(axis=1) > 0)


def select_rows(matrix: sp.csr_matrix, rows: NDArray[np.int64]) -> sp.csr_matrix:
    """The given rows of a matrix; −1 gives an empty one."""
    if not matrix.shape[0]:
        return sp.csr_matrix((len(rows), matrix.shape[1]), dtype=matrix.dtype)
    there = rows >= 0
    picked = matrix[np.where(there, rows, 0)]
    if there.all():
        return picked
    # by hand: a product with a diagonal matrix turns the cells of a row around, and their sum rounds differently
    lengths = np.diff(picked.indptr)
    kept = np.repeat(there, lengths)
    ends = np.concatenate([[0], np.cumsum(np.where(there, lengths, 0))])
    return sp.csr_matrix((picked.data[kept], picked.indices[kept], ends), shape=picked.shape)


def _cells(matrix: sp.csr_matrix, row: int) -> dict[int, float]:
    start, end = matrix.indptr[row], matrix.indptr[row + 1]
    return dict(zip(matrix.indices[start:end].tolist(), matrix.data[start:end].tolist(), strict=True))
