"""Scoring as most would write it first: `model.predict` for one person after the other. Correct, readable, and slow."""

import numpy as np
import scipy.sparse as sp
from _crowd import Crowd
from lightfm import LightFM
from numpy.typing import NDArray

from engine.recommend.features import Attributes, FloatArray
from engine.recommend.scoring import LEAST_SIZE


class Predictor:
    """A LightFM model with the crowd's vectors, as if it had been trained to them, and what is added to its scores.

    hybrid: with the attributes of products and the profiles of people, as our model has them; otherwise the vectors
    are summed beforehand and predict is given identities alone, which is the least it can be asked to do.
    """

    def __init__(self, crowd: Crowd, *, hybrid: bool = True) -> None:
        moment = crowd.moment
        trained, people, products = moment.model.factors, len(crowd.people), len(moment.catalog)
        self._moment, self._products = moment, np.arange(products)
        attributes, profiles = moment.attributes, moment.profiles(moment.rows_of(crowd.people, crowd.everyone))
        users, items, bias = trained.user_vectors, trained.item_vectors, trained.item_bias
        if not hybrid:
            users = trained.users(crowd.people, Attributes(attributes.names, profiles).aligned_to(trained.names))
            items, bias = trained.items(moment.catalog.sku, attributes)
        self._users = sp.identity(people, dtype=np.float32, format="csr")
        self._items = sp.identity(products, dtype=np.float32, format="csr")
        if hybrid:
            self._users = sp.hstack([self._users, profiles]).tocsr()
            self._items = sp.hstack([self._items, attributes.matrix]).tocsr()
        self._model = LightFM(no_components=users.shape[1], loss="warp")
        nothing = sp.coo_matrix((people, products), dtype=np.float32)
        self._model.fit(nothing, user_features=self._users, item_features=self._items, epochs=0)  # only makes room
        self._model.user_embeddings, self._model.item_embeddings = users, items
        self._model.user_biases, self._model.item_biases = np.zeros(len(users), dtype=np.float32), bias
        self._base = (moment.trend + moment.boosts).astype(np.float64)
        catalog, lowest = moment.catalog, moment.rules.lowest_price or 0
        self._on_shelf = (catalog.stock != 0) & (catalog.price_minor >= lowest)

    def predicted(self, row: int) -> NDArray[np.float64]:
        """(m,) what LightFM says of every product to the person in this row of the crowd."""
        found = self._model.predict(
            row, self._products, user_features=self._users, item_features=self._items, num_threads=1
        )
        return np.asarray(found, dtype=np.float64)

    def best_predicted(self, row: int, count: int) -> NDArray[np.int64]:
        """The best products by LightFM alone, best first: what is timed."""
        scores = self.predicted(row)
        best = np.argpartition(-scores, count)[:count]
        return best[np.argsort(-scores[best])]

    def scores(self, row: int) -> NDArray[np.float64]:
        """(m,) the whole score as `engine.recommend.scoring` defines it, −inf for what must not be picked."""
        moment = self._moment
        history, bought = moment.histories.interest[[row]], moment.histories.bought[[row]]
        near = np.zeros(len(self._products))
        for product, interest in zip(history.indices, history.data, strict=True):
            neighbours = moment.neighbours[[product]]
            near[neighbours.indices] += float(interest) * neighbours.data
        loudness = np.sqrt((near[self._on_shelf] ** 2).sum() / max(self._on_shelf.sum(), LEAST_SIZE))
        found = self.predicted(row) + self._base
        if loudness > 0:
            attention = moment.model.recipe.neighbour_weight * moment.attention[row]
            found += attention * (near - history.sum() * moment.usual) / loudness
        found[~self._on_shelf] = -np.inf
        found[bought.indices] = -np.inf
        shown = moment.shown.sku[moment.shown.subscriber == moment.histories.people[row]]
        found[moment.catalog.positions(shown)] = -np.inf
        return found


def lists_that_differ(predictor: Predictor, lists: NDArray[np.int64], rounding: float) -> tuple[int, int]:
    """(how many of our lists are not the naive one, and of how many no rounding can be the reason).

    lists: (n, c) positions in the catalogue of the crowd's first n people. Two products whose scores are nearer to
    each other than `rounding` may stand in either order: LightFM sums in 32 bits in another order than we do.
    """
    other = worse = 0
    for row, ours in enumerate(lists):
        scores = predictor.scores(row)
        naive = np.argsort(-scores, kind="stable")[: len(ours)]
        if (naive != ours).any():
            other += 1
            worse += not np.allclose(scores[naive], scores[ours], rtol=0, atol=rounding)
    return other, worse


def bare_product(users: FloatArray, items: FloatArray, batch: int, room: FloatArray) -> None:
    """Every score by the factors alone, a batch at a time, into memory made once: no exclusions, no lists."""
    for start in range(0, len(users), batch):
        some = users[start : start + batch]
        np.matmul(some, items.T, out=room[: len(some)])
