"""Who gets which hero: no product for more people than it may be shown to, or than its stock could serve.

Everybody asks for their best product. Where too many ask for one, those keep it who would lose most by moving on;
the others ask for their next best, until nobody has to move (Gale and Shapley, 1962, with people proposing). The
result depends on neither the order of the people nor chance.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

NOBODY_LEFT = -1

More = Callable[[NDArray[np.int64], int], tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Called with (rows, count): the best `count` places of these people and their scores, for those who ran out."""


def limits(stock: NDArray[np.int64], people: int, share: float) -> NDArray[np.int64]:
    """(s,) how many people may have each product on the shelf as hero. stock: (s,) units, −1 for unknown.

    The share is rounded down, but it is never less than an even split over all products, and no limit where not even
    one person is within it: 4 % of 20 people.
    """
    most = int(share * people)
    if most < 1:
        most = people
    most = max(most, -(-people // max(len(stock), 1)))
    return np.minimum(most, np.where(stock < 0, most, stock))


def share_out(
    places: NDArray[np.int64], scores: NDArray[np.float64], limit: NDArray[np.int64], more: More
) -> NDArray[np.int64]:
    """(n,) the hero of each person as a place on the shelf; NOBODY_LEFT for those whom every product is full.

    places, scores: (n, c) from `scoring.shortlists`, −1 where a list has ended. limit: (s,), from `limits`. Lists
    that are used up are made four times as long by `more`, until they hold the whole shelf.
    """
    people = len(places)
    hero = np.full(people, NOBODY_LEFT, dtype=np.int64)
    left = limit.copy()
    everyone = np.arange(people)
    while len(everyone):
        keeps, found = _propose(places, scores, left)
        hero[everyone[keeps]] = found[keeps]
        left -= np.bincount(found[keeps], minlength=len(left))
        out = everyone[~keeps]
        width = min(places.shape[1] * 4, len(limit))
        if not len(out) or width == places.shape[1] or not (left > 0).any():
            break
        everyone = out
        places, scores = more(everyone, width)
    return hero


def _propose(
    places: NDArray[np.int64], scores: NDArray[np.float64], limit: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """((n,) who got one, (n,) which place), within these lists."""
    people, width = places.shape
    at = np.zeros(people, dtype=np.int64)
    rows = np.arange(people)
    loss = _losses(scores)
    while True:
        listed = at < width
        wanted = np.where(listed, places[rows, np.minimum(at, width - 1)], NOBODY_LEFT)
        asking = np.flatnonzero(wanted >= 0)
        order = np.lexsort((asking, -loss[asking, at[asking]], wanted[asking]))
        queue = asking[order]
        products = wanted[queue]
        turn = np.arange(len(queue)) - np.searchsorted(products, products)
        refused = queue[turn >= limit[products]]
        if not len(refused):
            return wanted >= 0, wanted
        at[refused] += 1


def _losses(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, c) what it costs each person to move from a place of their list to the next."""
    after = np.full_like(scores, -np.inf)
    after[:, :-1] = scores[:, 1:]
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(scores), scores - after, 0.0)
