"""The hot path: people's shortlists, in small batches that stay in the processor's cache.

score(person, product) = what the factors say + what the neighbours of the person's history say + the product's own
base: trend and boosts, another trend for people of whom nothing is known. Products that nobody may get are not scored
at all: see `engine.recommend.guardrails`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import FloatArray
from engine.recommend.nearness import Room, Table, add_up
from engine.recommend.rank import NEVER, Cells, first, padded_width, reaching
from engine.recommend.sparse import rows_of

CELLS_A_BATCH = 1_000_000  # scores at a time, 4 MB: 100 people at 10,000 products; twice as many take a tenth longer
PEOPLE_A_BATCH = 32  # at least: at 50,000 products 20 take a twelfth longer, because every product is packed each time
CELLS_A_LOOK = 20_000  # scored exactly at a time, 10 MB: those of 1,000 people, as calls into numpy cost by the call
ROUNDING = np.float32(1e-3)  # two hundred times what was seen to differ between matrix products
LEAST_SIZE = 1_000  # products: in a smaller shop everything is somebody's neighbour, and the mean square says little


@dataclass(frozen=True)
class Shelf:
    """The products that may be picked, ready to be scored. w: their number, padded for `rank.best`; d: components.

    vectors: (w, d + 3) float32: of each product its vector; what is added for people the factors know (bias, trend,
    boosts, less the last); how near it is to the average history; and what is added for everybody (newcomers' trend,
    boosts). table: of every product of the catalogue its neighbours on the shelf. size: how many of the w are
    products; the others are padding with a base of −inf.
    """

    vectors: FloatArray
    table: Table
    size: int
    neighbour_weight: float

    @classmethod
    def of(
        cls,
        vectors: FloatArray,
        bias: FloatArray,
        base: tuple[FloatArray, FloatArray],
        neighbours: sp.csr_matrix,
        weight: float,
        *,
        usual: FloatArray | None = None,
    ) -> "Shelf":
        """vectors: (s, d), bias: (s,), neighbours: (m, s), of the s products on the shelf. base: (s,) each, for people
        the factors know and for the others. usual: (s,) how near each is to the average history, for 1 of interest."""
        size, components = vectors.shape
        width = padded_width(size)
        padded = np.zeros((width, components + 3), dtype=np.float32)
        padded[:, -1] = NEVER
        padded[:size, :-3], padded[:size, -3], padded[:size, -1] = vectors, bias + base[0] - base[1], base[1]
        padded[:size, -2] = usual if weight and usual is not None else 0.0
        near = neighbours if weight else sp.csr_matrix(neighbours.shape, dtype=np.float32)
        return cls(padded, Table.of(near), size, weight)


@dataclass(frozen=True)
class Readers:
    """The people to be scored. n people, d components, m products of the catalogue, s on the shelf.

    vectors: (n, d) float32. interest: (n, m) float32 CSR. forbidden: (n, s) int8 CSR, its cells must not be picked;
    what stands in them says by which rule. attention: (n,) float32, how loudly each history speaks; None for 1.
    """

    vectors: FloatArray
    interest: sp.csr_matrix
    forbidden: sp.csr_matrix
    attention: FloatArray | None = None

    @cached_property
    def heard(self) -> FloatArray:
        """(n,) the sum of each person's interest."""
        return np.asarray(self.interest.sum(axis=1), dtype=np.float32).ravel()

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class Shortlists:
    """The best products of each person, best first, (n, c) each: places on the shelf (−1 where there are no more),
    and their scores. barred: (b, 3) row, place and rule of what was forbidden and would stand in the list otherwise.
    """

    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    barred: NDArray[np.int64]

    def small(self) -> "Shortlists":
        """The same in half the memory: scores to 7 digits."""
        return Shortlists(self.places.astype(np.int32), self.scores.astype(np.float32), self.barred.astype(np.int32))

    def of(self, rows: NDArray[np.int64]) -> "Shortlists":
        """The lists of these rows, in this order, without what was barred; a look at the same memory where they are
        all rows in their order."""
        if (rows == np.arange(len(self.places))).all():
            return self
        return Shortlists(self.places[rows], self.scores[rows], self.barred[:0])

    def part(self, rows: slice) -> "Shortlists":
        """The lists of some people."""
        start, end = np.searchsorted(self.barred[:, 0], [rows.start, rows.stop])
        barred = self.barred[start:end] - np.array([rows.start, 0, 0], dtype=self.barred.dtype)
        return Shortlists(self.places[rows], self.scores[rows], barred)

    @classmethod
    def joined(cls, parts: "Sequence[Shortlists]", width: int, *, empty: int = 0) -> "Shortlists":
        """Lists of some people after those of others, all of this width. empty: how many there are without any."""
        if not parts:
            none = np.empty((empty, width))
            return cls(none.astype(np.int64), none, np.empty((0, 3), dtype=np.int64))
        starts = np.cumsum([0, *(len(part.places) for part in parts[:-1])])
        barred = [
            part.barred + np.array([start, 0, 0], part.barred.dtype) for part, start in zip(parts, starts, strict=True)
        ]
        places, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in ("places", "scores"))
        return cls(places, scores, np.concatenate(barred))


def shortlists(readers: Readers, shelf: Shelf, count: int) -> Shortlists:
    """The `count` best products of each person, exactly: the same for a person alone as among a million."""
    people, count = len(readers), min(count, shelf.size)
    if not people or not count:
        return Shortlists.joined([], count, empty=people)
    batches = -(-people // max(CELLS_A_BATCH // len(shelf.vectors), PEOPLE_A_BATCH))
    step = -(-people // batches)  # all alike: a last batch of 28 people takes as long as one of 50
    room = Room.of(readers.interest, shelf.table, step, len(shelf.vectors))
    parts: list[Shortlists] = []
    waiting: list[_Rough] = []
    for start in range(0, people, step):
        waiting.append(_rough(readers, slice(start, min(start + step, people)), shelf, count, room))
        if start + step >= people or sum(len(each.near) for each in waiting) >= CELLS_A_LOOK:
            parts.append(_exactly(waiting, shelf, count))
            waiting = []
    return Shortlists.joined(parts, count)


def all_scores(readers: Readers, shelf: Shelf) -> FloatArray:
    """(n, s) float32: every score, what is forbidden included. For a look at a few people, not for a plan."""
    near, scale = _nearness_of_all(readers, shelf)
    users = _extended(readers, slice(0, len(readers)), scale)
    scores = users @ shelf.vectors.T + near * scale[:, None]
    return np.asarray(scores[:, : shelf.size])


@dataclass(frozen=True)
class ScoreParts:
    """What the scores of some products are made of, (n, c) float32 each: what the factors say, trend and all; what the
    neighbours say; what stands for everybody. known: (n,) whether the factors know the person. scale: (n,) what the
    nearness of each history is multiplied with."""

    factors: FloatArray
    neighbours: FloatArray
    everybody: FloatArray
    known: NDArray[np.bool_]
    scale: FloatArray


def parts_of(readers: Readers, shelf: Shelf, places: NDArray[np.int64]) -> ScoreParts:
    """The parts of the scores of these products of each person. places: (n, c), −1 for none."""
    near, scale = _nearness_of_all(readers, shelf)
    users, columns = _extended(readers, slice(0, len(readers)), scale), np.maximum(places, 0)
    said, base = _by_factors(users, (np.repeat(np.arange(len(users)), places.shape[1]), columns.ravel()), shelf)
    usual = users[:, -2, None] * shelf.vectors[:, -2][columns]
    close = np.take_along_axis(near, columns, axis=1) * scale[:, None] + usual
    return ScoreParts(said.reshape(places.shape) - usual, close, base.reshape(places.shape), users[:, -3] > 0, scale)


@dataclass(frozen=True)
class _Rough:
    """What is left of a batch of n people: q cells that may be among the best, and f forbidden ones. users: (n, d + 3).
    near, barred_near: (q,), (f,), and lost, the scores of what is forbidden, (f,): to be multiplied with scale, (n,).
    barred: (f, 3) row, place, rule."""

    users: FloatArray
    scale: FloatArray
    cells: Cells
    near: FloatArray
    barred: NDArray[np.int64]
    barred_near: FloatArray
    lost: FloatArray


def _rough(readers: Readers, people: slice, shelf: Shelf, count: int, room: Room) -> _Rough:
    """Score everything, and keep what is within rounding of the `count` best."""
    room = room.for_people(people.stop - people.start)
    scores, scale = room.scores, _nearness(readers, people, shelf, room)
    users = _extended(readers, people, scale)
    # the order of a row is the same for scores / scale: dividing 67 numbers is cheaper than multiplying 10,000
    np.matmul(users / scale[:, None], shelf.vectors.T, out=scores)
    scores += room.near
    ends = readers.forbidden.indptr[people.start : people.stop + 1]
    rows, places = rows_of(ends), readers.forbidden.indices[ends[0] : ends[-1]]
    lost = scores[rows, places]
    scores[rows, places] = NEVER
    cells = reaching(scores, count, ROUNDING / scale, room.peaks)
    barred = np.column_stack([rows, places, readers.forbidden.data[ends[0] : ends[-1]]]).astype(np.int64)
    return _Rough(users, scale, cells, room.near[cells], barred, room.near[rows, places], lost)


def _nearness(readers: Readers, people: slice, shelf: Shelf, room: Room) -> FloatArray:
    """Fill `room.near`, (n, w), with what the neighbours of each history say; returns (n,) what to multiply it with.

    The factor brings every person's row to the same mean square a product, so that a history of 200 products is no
    louder than one of two.
    """
    near = add_up(readers.interest, people, shelf.table, room)
    squares = np.vecdot(near, near)
    scale = np.ones(len(near), dtype=np.float32)
    loudness = np.full(len(near), shelf.neighbour_weight * np.sqrt(max(shelf.size, LEAST_SIZE)), dtype=np.float32)
    if readers.attention is not None:
        loudness *= readers.attention[people]
    np.divide(loudness, np.sqrt(squares), out=scale, where=(squares > 0) & (loudness > 0))
    return scale


def _nearness_of_all(readers: Readers, shelf: Shelf) -> tuple[FloatArray, FloatArray]:
    room = Room.of(readers.interest, shelf.table, len(readers), len(shelf.vectors))
    return room.near, _nearness(readers, slice(0, len(readers)), shelf, room)


def _exactly(batches: Sequence[_Rough], shelf: Shelf, count: int) -> Shortlists:
    """The best `count` of the cells of some batches, and what would be among them but is forbidden."""

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(each, name) for each in batches])

    users, scale, lost = joined("users"), joined("scale"), joined("lost")
    starts = np.cumsum([0, *(len(each.users) for each in batches)])
    rows = np.concatenate([each.cells[0] + start for each, start in zip(batches, starts, strict=False)])
    cells = rows, np.concatenate([each.cells[1] for each in batches])
    places, scores = first(cells, _summed(users, scale, cells, joined("near"), shelf), len(users), count)
    barred = np.concatenate([each.barred for each in batches])
    barred[:, 0] += np.repeat(starts[:-1], [len(each.barred) for each in batches])
    last = scores[barred[:, 0], -1]
    close = lost * scale[barred[:, 0]] >= last - ROUNDING
    barred, last = barred[close], last[close]
    exact = _summed(users, scale, (barred[:, 0], barred[:, 1]), joined("barred_near")[close], shelf)
    return Shortlists(places, scores, barred[exact >= last])


def _summed(users: FloatArray, scale: FloatArray, cells: Cells, near: FloatArray, shelf: Shelf) -> NDArray[np.float64]:
    """(q,) the scores of these cells, each summed by itself.

    A matrix product rounds differently for one person than for a thousand (5e-6 in the score), which in 4,000 mails
    would once turn two picks around between a preview and its plan. This sum is the same for any batch.
    """
    rows, columns = cells
    scores = (near * scale[rows]).astype(np.float64)
    for start in range(0, len(rows), CELLS_A_LOOK):
        some = slice(start, start + CELLS_A_LOOK)
        for part in _by_factors(users, (rows[some], columns[some]), shelf):
            scores[some] += part
    return scores


def _by_factors(users: FloatArray, cells: Cells, shelf: Shelf) -> tuple[FloatArray, FloatArray]:
    """(q,) each: what the factors say of these cells, trend and all, and what stands for everybody."""
    rows, columns = cells
    chosen = shelf.vectors.take(columns, axis=0, mode="clip")
    return np.einsum("qd,qd->q", users.take(rows, axis=0, mode="clip")[:, :-1], chosen[:, :-1]), chosen[:, -1]


def _extended(readers: Readers, people: slice, scale: FloatArray) -> FloatArray:
    """(n, d + 3): the vector, 1 if the factors know the person at all, what is to be taken off of the average history,
    and 1 for what stands for everybody."""
    vectors = readers.vectors[people]
    extended = np.ones((len(vectors), vectors.shape[1] + 3), dtype=np.float32)
    extended[:, :-3] = vectors
    extended[:, -3] = vectors.any(axis=1)
    np.multiply(readers.heard[people], -scale, out=extended[:, -2])
    return extended
