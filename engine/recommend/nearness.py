"""What the neighbours of many histories add up to: a dense row a person, in memory that is made once."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import FloatArray
from engine.recommend.rank import blocks_in
from engine.recommend.sparse import rows_of


@dataclass(frozen=True)
class Table:
    """The neighbours of every product as rows of one length, which are found without looking up where they begin.

    places, weights: (m, k) int32 and float32, which products and how near; 0 fills the rest.
    """

    places: NDArray[np.int32]
    weights: FloatArray

    @classmethod
    def of(cls, neighbours: sp.csr_matrix) -> "Table":
        lengths = np.diff(neighbours.indptr)
        shape = (neighbours.shape[0], int(lengths.max(initial=0)))
        places, weights = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.float32)
        cells = rows_of(neighbours.indptr), np.arange(neighbours.nnz) - np.repeat(neighbours.indptr[:-1], lengths)
        places[cells], weights[cells] = neighbours.indices, neighbours.data
        return cls(places, weights)


@dataclass(frozen=True)
class Room:
    """Memory for a batch of n people and w products: what every batch would make afresh cost 4 µs a person.

    scores, near: (n, w). peaks: (n, b), for `rank.reaching`. places, weights: (q, k), for as many products as the
    histories of one batch have; stacked: (n, w), to add those up.
    """

    scores: FloatArray
    near: FloatArray
    peaks: FloatArray
    places: NDArray[np.int32]
    weights: FloatArray
    stacked: sp.csr_matrix

    @classmethod
    def of(cls, interest: sp.csr_matrix, table: Table, people: int, width: int) -> "Room":
        """Room for any batch of so many of the people in `interest`, (N, m), and `width` products."""
        size = interest.shape[0]
        starts = np.arange(0, size, max(people, 1))
        longest = (interest.indptr[np.minimum(starts + people, size)] - interest.indptr[starts]).max(initial=0)
        cells = (int(longest), table.places.shape[1])
        scores, near = np.empty((2, people, width), dtype=np.float32)
        peaks = np.empty((people, blocks_in(width)), dtype=np.float32)
        places, weights = np.empty(cells, dtype=np.int32), np.empty(cells, dtype=np.float32)
        return cls(scores, near, peaks, places, weights, sp.csr_matrix(near.shape, dtype=np.float32))

    def for_people(self, number: int) -> "Room":
        """The same for fewer people."""
        if number == len(self.near):
            return self
        stacked = sp.csr_matrix((number, self.near.shape[1]), dtype=np.float32)
        part = self.scores[:number], self.near[:number], self.peaks[:number]
        return Room(*part, self.places, self.weights, stacked)


def add_up(interest: sp.csr_matrix, people: slice, table: Table, room: Room) -> FloatArray:
    """Fill `room.near` with what the neighbours of each history say; returns it.

    Each row is summed by itself, in the order of its history: it does not depend on who else is in the batch. (A
    product of the two matrices takes three times as long: it sorts out what `toarray` adds up.)
    """
    ends = interest.indptr[people.start : people.stop + 1]
    cells = slice(ends[0], ends[-1])
    history = interest.indices[cells]  # looked up by `take`: a third of the time of [history]
    weights = table.weights.take(history, axis=0, mode="clip", out=room.weights[: len(history)])
    weights *= interest.data[cells, None]
    places = table.places.take(history, axis=0, mode="clip", out=room.places[: len(history)])
    stacked = room.stacked  # filled by hand: the constructor looks at every index
    stacked.data, stacked.indices = weights.ravel(), places.ravel()
    stacked.indptr = ((ends - ends[0]) * weights.shape[1]).astype(np.int32)
    stacked.toarray(out=room.near)
    return room.near
