"""The k best products of each person, exactly, without sorting everything.

Scores are cut into blocks; the k best of a row lie in the k blocks with the best maxima, so only those are searched.
100,000 people × 10,000 products, 64 factors: 26 µs a person against 110 µs with a partition of the whole row.
"""

import numpy as np
from numpy.typing import NDArray

from engine.recommend.features import FloatArray

BLOCK = 400  # columns; measured best between 200 and 800 at 10,000 products
NEVER = np.float32(-np.inf)


def best(scores: FloatArray, count: int) -> NDArray[np.int64]:
    """(n, min(count, m)) column numbers of the largest scores of each row, best first.

    scores: (n, m) float32; −inf marks what must not be picked, and −1 stands in the result where too few are left.
    Among equal scores the lower column wins, so that the same scores always give the same list.
    """
    people, products = scores.shape
    count = min(count, products)
    if not people or not count:
        return np.empty((people, count), dtype=np.int64)
    blocks = -(-products // BLOCK)
    if blocks > count:
        padded = _padded(scores, blocks * BLOCK)
        columns = _columns_of_best_blocks(padded, blocks, count)
        values = np.take_along_axis(padded, columns, axis=1)
    else:
        columns, values = np.broadcast_to(np.arange(products), scores.shape), scores
    places = _places(values, count)
    columns, values = np.take_along_axis(columns, places, axis=1), np.take_along_axis(values, places, axis=1)
    order = np.lexsort((columns, -values), axis=1)
    chosen = np.take_along_axis(columns, order, axis=1)
    picks: NDArray[np.int64] = np.where(np.take_along_axis(values, order, axis=1) == NEVER, -1, chosen)
    return picks


def _padded(scores: FloatArray, width: int) -> FloatArray:
    if scores.shape[1] == width:
        return scores
    padded = np.full((scores.shape[0], width), NEVER, dtype=np.float32)
    padded[:, : scores.shape[1]] = scores
    return padded


def _columns_of_best_blocks(padded: FloatArray, blocks: int, count: int) -> NDArray[np.int64]:
    """(n, count × BLOCK) columns of the `count` blocks with the best maxima, ascending.

    Where maxima are equal the earlier block is taken (stable sort): it holds the lower columns.
    """
    maxima = padded.reshape(len(padded), blocks, BLOCK).max(axis=2)
    chosen = np.sort(np.argsort(-maxima, axis=1, kind="stable")[:, :count], axis=1)
    columns: NDArray[np.int64] = (chosen[:, :, None] * BLOCK + np.arange(BLOCK)).reshape(len(padded), -1)
    return columns


def _places(values: FloatArray, count: int) -> NDArray[np.int64]:
    """(n, count) places of the largest values of each row; of equal ones at the border the leftmost."""
    border = -np.partition(-values, count - 1, axis=1)[:, count - 1 : count]
    above, equal = values > border, values == border
    wanted = count - above.sum(axis=1, keepdims=True)
    taken = above | (equal & (np.cumsum(equal, axis=1) <= wanted))
    return np.nonzero(taken)[1].reshape(len(values), count)
