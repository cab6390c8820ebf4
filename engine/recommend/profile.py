"""From signals to a profile: which types, labels, brands and prices a person keeps coming back to.

Profiles are computed from the newest signals whenever they are needed and never stored.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import Attributes
from engine.recommend.trend import SECONDS_A_DAY
from subscribers.models import Kind
from subscribers.signals import Signals

KIND_WEIGHT = np.zeros(6, dtype=np.float32)  # how much each kind of signal says, by Kind
KIND_WEIGHT[[Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE]] = (0.2, 0.4, 0.7, 1.0)
HALF_LIFE_DAYS = 90.0  # of 60, 90 and 180 days the best on the real orders
LABELS_A_PERSON = 6  # with the identity and the price band 8 non-zeros; wide dense rows train 25 times slower
LEAST_SHARE = 0.1  # of a person's interest: what is rarer is chance


@dataclass(frozen=True)
class Histories:
    """Everybody's interest in every product: interest is (people, products) float32 CSR, at most 1 a cell.

    people: int64 Subscriber.id of each row, ascending. bought: same shape, above 0 where the person has bought it.
    """

    people: NDArray[np.int64]
    interest: sp.csr_matrix
    bought: sp.csr_matrix

    def rows_of(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each person, −1 for those without a history."""
        if not len(self.people):
            return np.full(len(people), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.people, people), len(self.people) - 1)
        return np.where(self.people[place] == people, place, -1)


def histories(
    signals: Signals, positions: NDArray[np.int64], size: int, *, now: int, half_life_days: float = HALF_LIFE_DAYS
) -> Histories:
    """Sum up signals by person and product, newer and stronger ones louder. Unknown people are left out."""
    named = (signals.subscriber >= 0) & (positions >= 0)
    who, what = signals.subscriber[named], positions[named]
    people, rows = np.unique(who, return_inverse=True)
    ages = np.maximum(now - signals.at[named], 0) / SECONDS_A_DAY
    weights = (KIND_WEIGHT[signals.kind[named]] * 0.5 ** (ages / half_life_days)).astype(np.float32)
    shape = (len(people), size)
    interest = sp.csr_matrix((weights, (rows, what)), shape=shape)
    interest.sum_duplicates()
    np.minimum(interest.data, 1.0, out=interest.data)
    purchases = signals.kind[named] == Kind.PURCHASE
    bought = sp.csr_matrix(
        (np.ones(int(purchases.sum()), dtype=np.float32), (rows[purchases], what[purchases])), shape=shape
    )
    bought.sum_duplicates()
    return Histories(people, interest, bought)


def profiles(interest: sp.csr_matrix, attributes: Attributes) -> sp.csr_matrix:
    """The strongest labels of each person, (people, attributes) float32 CSR, at most 6 a row, as shares of the
    person's interest. Words are left out: they are for products.

    interest: (people, products).
    """
    telling = np.array([not name.startswith("word:") for name in attributes.names], dtype=np.float32)
    present = attributes.matrix.copy()
    present.data = np.ones_like(present.data)
    shares = (interest @ present @ sp.diags_array(telling)).tocsr()
    totals = np.asarray(interest.sum(axis=1)).ravel()
    shares.data /= np.repeat(np.maximum(totals, 1e-9), np.diff(shares.indptr)).astype(np.float32)
    return keep_strongest(shares, LABELS_A_PERSON, LEAST_SHARE)


def keep_strongest(matrix: sp.csr_matrix, count: int, least: float) -> sp.csr_matrix:
    """Of each row the `count` largest cells that are at least `least`; equal ones in the order of the columns."""
    matrix = matrix.tocsr()
    matrix.sort_indices()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
    chosen = np.sort(order[(place < count) & (matrix.data[order] >= least)])
    return sp.csr_matrix(
        (matrix.data[chosen].astype(np.float32), (rows[chosen], matrix.indices[chosen])), shape=matrix.shape
    )
