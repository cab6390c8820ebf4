"""From a shortlist to a row of picks: the hero first, then a mix of types, and now and then something new."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from engine.recommend.trend import NEVER_SEEN, SECONDS_A_DAY

NEW_DAYS = 14  # so long a product counts as new after its first signal
CANDIDATES = 12  # beyond the picks asked for, that diversity can choose from


def diversified(
    places: NDArray[np.int64],
    scores: NDArray[np.float64],
    kinds: NDArray[np.int64],
    hero: NDArray[np.int64],
    *,
    count: int,
    diversity: float,
) -> NDArray[np.int64]:
    """(n, count) places: the hero, then the best by maximal marginal relevance (Carbonell and Goldstein, 1998).

    places, scores: (n, c), best first, −1 where a list has ended. kinds: (s,) the product type of each place.
    diversity: 0 takes the best scores, 1 looks only at how many of the type are chosen already. Scores count as
    shares of the distance between the best and the last of each list.
    """
    people, width = places.shape
    chosen = np.full((people, count), -1, dtype=np.int64)
    if not people or not count:
        return chosen
    chosen[:, 0] = hero
    worth = _worth(scores)
    free = (places >= 0) & (places != hero[:, None]) & (hero >= 0)[:, None]
    types = kinds[np.maximum(places, 0)]
    seen = (types == kinds[np.maximum(hero, 0)][:, None]).astype(np.float64)
    rows = np.arange(people)
    for slot in range(1, min(count, width + 1)):
        value = np.where(free, (1 - diversity) * worth - diversity * seen, -np.inf)
        best = value.argmax(axis=1)  # of equal ones the better score, which stands further left
        there = free[rows, best]
        chosen[there, slot] = places[rows, best][there]
        free[rows, best] = False
        seen += there[:, None] & (types == types[rows, best][:, None])
    return chosen


@dataclass(frozen=True)
class Novelties:
    """The new products on the shelf. places: (q,), ascending. seed: what chance is drawn from."""

    places: NDArray[np.int64]
    share: float
    seed: str

    def draw(self, subscriber_id: int, taken: NDArray[np.int64]) -> tuple[int, float] | None:
        """(a new product for this person's last pick, the chance with which it was chosen), mostly None.

        The chance is over all draws: the share times one of the products left. It is what a later evaluation divides
        by (inverse propensity). The same seed and person give the same draw.
        """
        if not self.turn_of(subscriber_id):
            return None
        left = np.setdiff1d(self.places, taken)
        if not len(left):
            return None
        place = int(left[int.from_bytes(self._digest(subscriber_id)[8:]) % len(left)])
        return place, self.share / len(left)

    def turn_of(self, subscriber_id: int) -> bool:
        """Whether it is this person's turn to see something new."""
        if self.share <= 0 or not len(self.places):
            return False
        return int.from_bytes(self._digest(subscriber_id)[:8]) / 2**64 < self.share

    def _digest(self, subscriber_id: int) -> bytes:
        return blake2b(f"{self.seed} {subscriber_id}".encode(), digest_size=16).digest()


def new_places(first: NDArray[np.int64], now: int) -> NDArray[np.bool_]:
    """Which products are new: no signal at all yet, or the first one in the last 14 days. first: from `first_seen`."""
    return np.asarray((first == NEVER_SEEN) | (first > now - NEW_DAYS * SECONDS_A_DAY))


def _worth(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, c) from 1 for the best of each list to 0 for its last."""
    there = np.isfinite(scores)
    best = np.where(there, scores, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    last = np.where(there, scores, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        worth = (scores - last) / (best - last)
    return np.where(there & np.isfinite(worth), worth, 0.0)
