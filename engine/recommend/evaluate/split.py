"""A split in time: what was known before, and what was to be guessed after.

The protocol: signals before the split are known; candidates are the products sold before it; the truth for a person
is what they bought in the window and never before (or, counted by itself, what they bought again); people are those
with a history and at least one such product.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.catalog import IN_STOCK
from engine.recommend.arrange import NEW_DAYS
from engine.recommend.history import Histories, histories
from engine.recommend.sparse import pair_keys
from engine.recommend.trend import SECONDS_A_DAY, first_seen
from subscribers.models import Kind
from subscribers.signals import Signals

PROTOCOL = (
    "signals before the split are known; candidates are the products sold before it; the truth for a person is what "
    "they bought in the window and never before; people are those with a history and at least one such product; "
    "gain 1, log2 discount, ideal cut at min(k, truths); mean over people"
)


@dataclass(frozen=True)
class Question:
    """What is to be guessed of whom. people: (n,) subscriber ids, ascending. truth: (n, m) bool CSR."""

    people: NDArray[np.int64]
    truth: sp.csr_matrix

    def __len__(self) -> int:
        return len(self.people)


@dataclass(frozen=True)
class Split:
    """m candidates, in the order of catalog.sku.

    at: seconds since 1970. known: the signals before. positions: where the product of each stands among the candidates.
    first: (m,) when each was first seen. new, again: products new to the person, and repeat purchases. cold: people
    without a history. fresh: only products first sold in the last 14 days, of the people in `new`.
    """

    at: int
    days: int
    catalog: CatalogColumns
    known: Signals
    positions: NDArray[np.int64]
    history: Histories
    first: NDArray[np.int64]
    new: Question
    again: Question
    cold: Question
    fresh: Question

    @property
    def is_fresh(self) -> NDArray[np.bool_]:
        """(m,) which candidates were first sold in the last 14 days before the split."""
        return np.asarray(self.first >= self.at - NEW_DAYS * SECONDS_A_DAY)


def split(signals: Signals, catalog: CatalogColumns, *, at: int, days: int) -> Split:
    """Cut the signals at `at`, in seconds since 1970, and ask for the `days` after it."""
    before = signals.at < at
    known = signals.where(before)
    sold = np.zeros(len(catalog), dtype=np.bool_)
    places = catalog.positions(known.sku)
    sold[places[(places >= 0) & (known.kind == Kind.PURCHASE)]] = True
    if not sold.any():  # a shop that knows only looks
        sold[places[places >= 0]] = True
    candidates = as_on_sale(catalog.where(np.flatnonzero(sold)))
    positions = candidates.positions(known.sku)
    history = histories(known, positions, len(candidates), now=at)
    window = ~before & (signals.at < at + days * SECONDS_A_DAY)
    later = signals.where(window & (signals.kind == Kind.PURCHASE) & (signals.subscriber >= 0))
    which = candidates.positions(later.sku)
    who, which = later.subscriber[which >= 0], which[which >= 0]
    warm = np.isin(who, history.people)
    owned = np.isin(pair_keys(who, which, len(candidates)), _owned(history, len(candidates)))
    first = first_seen(known, positions, len(candidates))
    lately = first[which] >= at - NEW_DAYS * SECONDS_A_DAY
    asked = {"new": warm & ~owned, "again": warm & owned, "cold": ~warm, "fresh": warm & ~owned & lately}
    questions = {name: _question(who[rows], which[rows], len(candidates)) for name, rows in asked.items()}
    return Split(at, days, candidates, known, positions, history, first, **questions)


def as_on_sale(catalog: CatalogColumns) -> CatalogColumns:
    """The products as if all could be had: what was out of stock on the day of the split is not known any more."""
    size = len(catalog)
    return replace(
        catalog,
        availability=[IN_STOCK] * size,
        stock=np.full(size, -1, dtype=np.int64),
        pictured=np.ones(size, dtype=np.bool_),
    )


def _owned(history: Histories, products: int) -> NDArray[np.int64]:
    """The pairs of a person and a product they have bought."""
    people = np.repeat(history.people, np.diff(history.bought.indptr))
    return pair_keys(people, history.bought.indices.astype(np.int64), products)


def _question(who: NDArray[np.int64], which: NDArray[np.int64], products: int) -> Question:
    people, rows = np.unique(who, return_inverse=True)
    truth = sp.csr_matrix((np.ones(len(rows), dtype=np.int32), (rows, which)), shape=(len(people), products))
    truth.sum_duplicates()
    return Question(people, truth.astype(np.bool_))
