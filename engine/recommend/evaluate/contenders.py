"""The models that are compared: each gives scores of all candidates for some people, a batch at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.errors import NothingToTrainOn
from engine.recommend.evaluate.split import Split
from engine.recommend.factors import train
from engine.recommend.features import Attributes, FloatArray
from engine.recommend.history import select_rows
from engine.recommend.moment import Moment
from engine.recommend.rank import NEVER, best
from engine.recommend.recipe import Recipe
from engine.recommend.scoring import all_scores
from engine.recommend.trend import recent_popularity
from subscribers.models import Kind

KNN_NEIGHBOURS = 50
ALL_TIME, RECENT, OWN, KNN, PLAIN, OURS, OURS_FREE = (
    "all-time popular",
    "recent popular",
    "own history",
    "item-kNN",
    "plain LightFM",
    "ours",
    "ours, no rules",
)


class Contender(ABC):
    """A model that was shown what was known at the split."""

    name: str

    def __init__(self, split: Split) -> None:
        self.split = split

    @abstractmethod
    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        """(n, m) float32, higher is better; 0 throughout for somebody it knows nothing of."""

    def _interest(self, people: NDArray[np.int64]) -> sp.csr_matrix:
        return select_rows(self.split.history.interest, self.split.history.rows_of(people))


class AllTime(Contender):
    """What was bought most often ever."""

    name = ALL_TIME

    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        return np.tile(popularity(self.split).astype(np.float32), (len(people), 1))


class Recent(Contender):
    """What was bought most in the last weeks: half-life 21 days. The bar for every model."""

    name = RECENT

    @cached_property
    def _trend(self) -> FloatArray:
        split = self.split
        return recent_popularity(split.known, split.positions, len(split.catalog), now=split.at)

    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        return np.tile(self._trend, (len(people), 1))


class OwnHistory(Contender):
    """What the person showed most interest in themselves: strong for repeat purchases, silent about anything new."""

    name = OWN

    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        interest = np.asarray(self._interest(people).toarray(), dtype=np.float32)
        return np.where(interest > 0, interest, NEVER)


class ItemKnn(Contender):
    """What the same people bought as the products of the history: cosine, 50 neighbours a product."""

    name = KNN

    @cached_property
    def _near(self) -> sp.csr_matrix:
        interest = self.split.history.interest
        length = np.sqrt(np.asarray(interest.multiply(interest).sum(axis=0)).ravel())
        turned = (interest @ sp.diags_array(1 / np.maximum(length, 1e-9))).T.tocsr()
        rows, columns, values = [], [], []
        for start in range(0, turned.shape[0], 256):
            likeness = np.asarray((turned[start : start + 256] @ turned.T).todense(), dtype=np.float32)
            likeness[np.arange(len(likeness)), start + np.arange(len(likeness))] = 0
            chosen = best(likeness, KNN_NEIGHBOURS)
            rows.append(np.repeat(start + np.arange(len(likeness)), chosen.shape[1]))
            columns.append(chosen.ravel())
            values.append(np.take_along_axis(likeness, chosen, axis=1).ravel())
        cells = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csr_matrix(cells, shape=(turned.shape[0], turned.shape[0]))

    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        return np.asarray((self._interest(people) @ self._near).toarray(), dtype=np.float32)


class PlainLightFM(Contender):
    """LightFM with WARP on identities alone: no features, no recency, no trend."""

    name = PLAIN

    def __init__(self, split: Split, recipe: Recipe) -> None:
        super().__init__(split)
        size = len(split.catalog)
        nothing = Attributes((), sp.csr_matrix((size, 0), dtype=np.float32))
        history = split.history
        flat = history.interest.copy()
        flat.data = np.ones_like(flat.data)
        alone = type(history)(history.people, flat, history.bought)
        profile = sp.csr_matrix((len(history.people), 0), dtype=np.float32)
        plain = Recipe(components=recipe.components, epochs=recipe.epochs, regularisation=0.0, max_sampled=10)
        self._factors = train(alone, profile, split.catalog.sku, nothing, plain)
        self._vectors, self._bias = self._factors.items(split.catalog.sku, nothing)

    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        users = self._factors.users(people, sp.csr_matrix((len(people), 0), dtype=np.float32))
        return np.asarray(users @ self._vectors.T + self._bias, dtype=np.float32)


class Ours(Contender):
    """Our scores alone: no hero cap, no diversity, no chance, and what the rules forbid is not taken out."""

    name = OURS_FREE

    def __init__(self, split: Split, moment: Moment) -> None:
        super().__init__(split)
        self._moment = moment

    def scores(self, people: NDArray[np.int64]) -> FloatArray:
        moment = self._moment
        everyone = np.ones(len(people), dtype=np.bool_)
        found = np.full((len(people), len(moment.catalog)), -np.inf, dtype=np.float32)
        found[:, moment.on_shelf] = all_scores(moment.readers(people, everyone), moment.shelf)
        return found


def popularity(split: Split) -> NDArray[np.float64]:
    """(m,) how often each candidate was bought before the split."""
    bought = (split.known.kind == Kind.PURCHASE) & (split.positions >= 0)
    return np.bincount(split.positions[bought], minlength=len(split.catalog)).astype(np.float64)


def baselines(split: Split, recipe: Recipe, only: Sequence[str] = ()) -> list[Contender]:
    """The models every other one is measured against, as many as the signals allow. only: names; all if empty."""
    makers: dict[str, Callable[[], Contender]] = {
        ALL_TIME: lambda: AllTime(split),
        RECENT: lambda: Recent(split),
        OWN: lambda: OwnHistory(split),
        KNN: lambda: ItemKnn(split),
        PLAIN: lambda: PlainLightFM(split, recipe),
    }
    found: list[Contender] = []
    for name, make in makers.items():
        if not only or name in only:
            with suppress(NothingToTrainOn):  # one product, or nobody by name
                found.append(make())
    return found
