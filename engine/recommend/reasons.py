"""Why each pick of each person, a batch at a time: from the parts of the scores to words."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend import explain
from engine.recommend.explain import Evidence, Why
from engine.recommend.history import keep_strongest, select_rows
from engine.recommend.moment import Moment
from engine.recommend.scoring import Readers, ScoreParts, parts_of
from engine.recommend.sparse import stands_in

EVIDENCE_A_PICK = 3


class Reasons:
    """Says why, for picks made at one moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def of(
        self,
        readers: Readers,
        people: NDArray[np.int64],
        personalised: NDArray[np.bool_],
        chosen: NDArray[np.int64],
        drawn: NDArray[np.bool_],
    ) -> Iterator[tuple[list[tuple[float, Why]], tuple[str, ...]]]:
        """Person by person: the score and the reason of each pick, and the labels of the profile, strongest first.

        chosen: (n, k) places on the shelf, −1 for none. drawn: (n, k) which were left to chance.
        """
        moment = self._moment
        parts = parts_of(readers, moment.shelf, chosen)
        rows = moment.rows_of(people, personalised)
        bought = select_rows(moment.histories.bought, rows)
        evidence = self._evidence(readers, chosen, parts, bought)
        profile = moment.profiles(rows)
        columns = moment.on_shelf[np.maximum(chosen, 0)]
        known = parts.known[:, None]
        trend, boost = np.where(known, moment.trend[columns], moment.newcomers_trend[columns]), moment.boosts[columns]
        liking = parts.factors - known * (moment.trend - moment.newcomers_trend)[columns]
        due = stands_in(bought, columns).tolist()
        buyer = (np.diff(bought.indptr) > 0).tolist()
        # as lists: a look into an array takes 100 ns, and there are some 40 a person
        cells = np.stack([trend, boost, liking, parts.neighbours], axis=2).astype(float).tolist()
        places, by_chance = columns.tolist(), drawn.tolist()
        names = moment.attributes.names
        for row in range(len(people)):
            labels = _cells(profile, row)
            found = []
            for slot in range(chosen.shape[1]):
                each = explain.Parts(*cells[row][slot])
                score = each.trend + each.boost + each.factors + each.neighbours
                if by_chance[row][slot]:
                    found.append((score, explain.NEW))
                    continue
                described = self._described[places[row][slot]]
                proof = evidence.get((row, slot), ())
                why = explain.why(each, labels, described, names, proof, buyer=buyer[row], due=due[row][slot])
                found.append((score, why))
            yield found, tuple(names[column] for column in sorted(labels, key=lambda column: -labels[column]))

    def _evidence(
        self, readers: Readers, chosen: NDArray[np.int64], parts: ScoreParts, bought: sp.csr_matrix
    ) -> dict[tuple[int, int], tuple[Evidence, ...]]:
        """What of each history spoke most for each pick, by (row, slot): all else held as it is."""
        people, slots = chosen.shape
        rows = np.repeat(np.arange(people), slots)
        said = readers.interest[rows].multiply(self._towards[np.maximum(chosen, 0).ravel()]).tocsr()
        spoke = keep_strongest(said, EVIDENCE_A_PICK, 1e-9)
        scale = np.repeat(parts.scale, slots)
        found: dict[tuple[int, int], tuple[Evidence, ...]] = {}
        drops = (-spoke.data * np.repeat(scale, np.diff(spoke.indptr))).tolist()
        ends, spoken, listed = spoke.indptr.tolist(), spoke.indices.tolist(), chosen.tolist()
        owned, owner = set[int](), -1
        for cell in np.flatnonzero(np.diff(spoke.indptr)).tolist():
            row, slot = divmod(cell, slots)
            if listed[row][slot] < 0:
                continue
            if row != owner:
                owned, owner = set(bought.indices[bought.indptr[row] : bought.indptr[row + 1]].tolist()), row
            span = slice(ends[cell], ends[cell + 1])
            found[row, slot] = tuple(
                [
                    Evidence(self._sku[column], column in owned, round(-drop, 4))
                    for drop, column in sorted(zip(drops[span], spoken[span], strict=True))
                ]
            )
        return found

    @cached_property
    def _sku(self) -> list[int]:
        return [int(sku_id) for sku_id in self._moment.catalog.sku]

    @cached_property
    def _towards(self) -> sp.csr_matrix:
        """(s, m): the neighbours turned around: from each product on the shelf to what speaks for it, and by how much
        more than the average history does."""
        moment = self._moment
        towards = moment.neighbours[:, moment.on_shelf].T.tocsr()
        towards.data -= np.repeat(moment.usual[moment.on_shelf], np.diff(towards.indptr))
        return towards

    @cached_property
    def _described(self) -> list[dict[int, float]]:
        matrix = self._moment.attributes.matrix
        return [_cells(matrix, row) for row in range(matrix.shape[0])]


def _cells(matrix: sp.csr_matrix, row: int) -> dict[int, float]:
    start, end = matrix.indptr[row], matrix.indptr[row + 1]
    return dict(zip(matrix.indices[start:end].tolist(), matrix.data[start:end].tolist(), strict=True))
