"""What did not get into the picks: who came next, and what a rule about the person kept out."""

import numpy as np
from numpy.typing import NDArray

from engine.recommend.scoring import Shortlists
from engine.recommend.sparse import cut, offsets

RunnerUp = tuple[int, float] | None
"""(sku_id, by how much the score is below that of the last pick), None where the list has nothing more."""


def runners_up(
    lists: Shortlists, chosen: NDArray[np.int64], last: NDArray[np.float64], sku: NDArray[np.int64]
) -> list[RunnerUp]:
    """The best product of each list that is not among the picks.

    chosen: (n, k) places on the shelf, −1 for none. last: (n,) the lowest score of each person's picks. sku: (s,) of
    the products on the shelf.
    """
    left = lists.places >= 0
    for slot in chosen.T:
        left &= lists.places != slot[:, None]
    people, first = np.arange(len(chosen)), left.argmax(axis=1)  # the lists stand best first
    behind = np.round(last - lists.scores[people, first].astype(np.float64), 4)
    found = zip(sku[lists.places[people, first]].tolist(), behind.tolist(), strict=True)
    return [each if more else None for each, more in zip(found, left[people, first].tolist(), strict=True)]


def barred(lists: Shortlists, sku: NDArray[np.int64], rules: tuple[str, ...]) -> list[tuple[tuple[int, str], ...]]:
    """Of each list (sku_id, rule) of what a rule kept out of it. sku: (s,) of the products on the shelf. rules: the
    name of each rule's number."""
    rows, places, numbers = lists.barred.T
    each = list(zip(sku[places].tolist(), [rules[number] for number in numbers.tolist()], strict=True))
    return cut(each, offsets(np.bincount(rows, minlength=len(lists.places))))
