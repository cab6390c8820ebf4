"""Shortlists and heroes for more people than fit into memory any other way: a process of its own, and its peak.

Everything a plan keeps of everybody is there: vectors, histories of ten products, what they bought, and a dozen numbers
of each list until the heroes are shared out. The database and the building of histories are not.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent))  # `handpicked bench` does not start here
os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_NUM_THREADS="1")  # numpy reads them once

import numpy as np
import scipy.sparse as sp
from _crowd import lengths, neighbours, popular, vectors
from _harness import note, once
from numpy.typing import NDArray

from engine.recommend import exposure
from engine.recommend.recipe import Recipe
from engine.recommend.rules import Rules
from engine.recommend.scoring import Readers, Shelf, Shortlists, shortlists
from engine.recommend.trend import standardised

FACTORS, HISTORY, PICKS = 64, 10, 10
PEOPLE_A_BATCH = 1_000
MEGABYTE = 2**20
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1_024  # bytes of one unit of ru_maxrss: getrusage(2)

Row = tuple[str, float, str]


class Audience:
    """n people and a shelf, as arrays that are read a batch at a time."""

    def __init__(self, people: int, products: int) -> None:
        random = np.random.default_rng(20)
        self.vectors = vectors(people, FACTORS, random)
        self._ends = np.concatenate([[0], np.cumsum(lengths(people, HISTORY, random))])
        self._history = np.empty(self._ends[-1], dtype=np.int32)
        self._interest = np.empty(self._ends[-1], dtype=np.float32)
        for start in range(0, self._ends[-1], MEGABYTE):
            part = slice(start, min(start + MEGABYTE, self._ends[-1]))
            self._history[part] = popular(products, part.stop - part.start, random)
            self._interest[part] = random.random(part.stop - part.start, dtype=np.float32)
        sold = np.bincount(self._history, minlength=products).astype(np.float32)
        base = (np.float32(Recipe().trend_weight) * standardised(sold),) * 2
        bias = np.zeros(products, dtype=np.float32)
        near = neighbours(products, random)
        self.shelf = Shelf.of(vectors(products, FACTORS, random), bias, base, near, Recipe().neighbour_weight)

    def __len__(self) -> int:
        return len(self.vectors)

    def readers(self, rows: NDArray[np.int64]) -> Readers:
        """These people. Everything in their histories was bought."""
        size, starts, counts = self.shelf.size, self._ends[rows], np.diff(self._ends)[rows]
        ends = np.concatenate([[0], np.cumsum(counts)])
        cells = np.repeat(starts - ends[:-1], counts) + np.arange(ends[-1])
        shape = (len(rows), size)
        interest = sp.csr_matrix((self._interest[cells], self._history[cells], ends), shape=shape)
        interest.sum_duplicates()
        bought = (np.ones(interest.nnz, dtype=np.int8), interest.indices, interest.indptr)
        return Readers(self.vectors[rows], interest, sp.csr_matrix(bought, shape=shape))

    def lists(self, rows: NDArray[np.int64], width: int) -> Iterator[Shortlists]:
        """The shortlists of these people, a batch at a time."""
        for start in range(0, len(rows), PEOPLE_A_BATCH):
            yield shortlists(self.readers(rows[start : start + PEOPLE_A_BATCH]), self.shelf, width)


def plan(audience: Audience) -> tuple[NDArray[np.int64], int]:
    """((n,) the hero of each, how many people got one that is not their first)."""
    people, width = len(audience), min(PICKS + 2, audience.shelf.size)
    parts = [part.small() for part in audience.lists(np.arange(people), width)]
    listed = Shortlists.joined(parts, width)
    del parts
    note("sharing out the heroes")

    def more(rows: NDArray[np.int64], wider: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        found = Shortlists.joined(list(audience.lists(rows, wider)), wider)
        return found.places, found.scores

    stock = np.full(audience.shelf.size, -1, dtype=np.int64)
    limit = exposure.limits(stock, people, Rules().hero_share)
    hero = exposure.share_out(listed.places, listed.scores, limit, more)
    return hero, int((hero != listed.places[:, 0]).sum())


def measured_apart(people: int, products: int) -> tuple[list[Row], dict[str, float]]:
    """(rows, ratios), from a process that does nothing else."""
    command = [sys.executable, __file__, str(people), str(products)]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return [(name, value, unit) for name, value, unit in told], {}


def main() -> None:
    """Make an audience, plan for it, and tell how much memory that took at its most."""
    people, products = map(int, sys.argv[1:])
    note("making the audience")
    audience = Audience(people, products)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    moved: list[int] = []
    taken = once(lambda: moved.append(plan(audience)[1]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows: list[Row] = [
        ("people", float(people), "people"),
        ("products", float(products), "products"),
        ("lists and heroes", people / taken.cpu, "people/s"),
        ("lists and heroes, wall", people / taken.wall, "people/s"),
        ("lists and heroes, wall", taken.wall, "s"),
        ("heroes that are not the first of the list", float(moved[0]), "people"),
        ("memory before the plan, at its most", before * MAXRSS_UNIT / MEGABYTE, "MB"),
        ("memory at its most", peak * MAXRSS_UNIT / MEGABYTE, "MB"),
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
