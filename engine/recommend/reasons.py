"""Why each pick of each person, a batch at a time: from the parts of the scores to words."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend import explain
from engine.recommend.evidence import Proofs
from engine.recommend.explain import Part, Why
from engine.recommend.features import FloatArray
from engine.recommend.history import keep_strongest, select_rows
from engine.recommend.moment import Moment
from engine.recommend.rank import Cells
from engine.recommend.scoring import Readers, ScoreParts, parts_of
from engine.recommend.sparse import has
from engine.recommend.themes import Themes

EVIDENCE_A_PICK = 3
LEAST_EVIDENCE = 1e-9


@dataclass(frozen=True)
class Told:
    """What is said of the q picks of n people: (q,) float64 scores, q reasons; and n tuples of the labels of the
    profiles, strongest first."""

    scores: NDArray[np.float64]
    whys: list[Why]
    labels: list[tuple[str, ...]]


class Reasons:
    """Says why, for picks made at one moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def about(self, moment: Moment) -> "Reasons":
        """The same for a moment that `landscape.about` made of this one's."""
        few = Reasons(moment)
        few._themes, few._towards = self._themes, self._towards
        return few

    def of(
        self,
        people: NDArray[np.int64],
        personalised: NDArray[np.bool_],
        chosen: NDArray[np.int64],
        drawn: NDArray[np.bool_],
    ) -> Told:
        """The score and the reason of each pick, person by person, and everybody's labels.

        chosen: (n, k) places on the shelf, −1 for none. drawn: (n, k) which were left to chance.
        """
        moment = self._moment
        rows, slots = np.nonzero(chosen >= 0)
        cells = rows, slots
        places = chosen[cells]
        products = moment.on_shelf[places]
        readers, profile = moment.readers_once_more(people, personalised)
        bought = select_rows(moment.histories.bought, moment.rows_of(people, personalised))
        parts = parts_of(readers, moment.shelf, chosen)
        made_of = self._made_of(parts, cells, products)
        proofs = self._proofs(readers, bought, parts.scale[rows], rows, places)
        part, buyer = explain.strongest(made_of), (np.diff(bought.indptr) > 0)[rows]
        whys = self._worded(
            part=part,
            shared=self._themes.shared(profile, rows, products),
            own_type=self._themes.own_type[products],
            bought=np.where(part == Part.NEIGHBOURS, proofs.first_bought(buyer), buyer),
            due=has(bought, rows, products),
        )
        found = [
            explain.NEW if by_chance else Why(why.reason, why.label, why.phrase, evidence, why.value)
            for why, evidence, by_chance in zip(
                whys, proofs.as_tuples(moment.catalog.sku), drawn[cells].tolist(), strict=True
            )
        ]
        scores = made_of[Part.TREND] + made_of[Part.BOOST] + made_of[Part.FACTORS] + made_of[Part.NEIGHBOURS]
        return Told(scores, found, self._themes.labels(profile))

    def _made_of(self, parts: ScoreParts, cells: Cells, products: NDArray[np.int64]) -> NDArray[np.float64]:
        """(4, q) the parts of each pick's score, in the order of Part. cells: where they stand in `parts`."""
        moment, known = self._moment, parts.known[cells[0]]
        made_of = np.empty((len(Part), len(products)))
        made_of[Part.TREND] = np.where(known, moment.trend[products], moment.newcomers_trend[products])
        made_of[Part.NEIGHBOURS] = parts.neighbours[cells]
        made_of[Part.FACTORS] = parts.factors[cells] - known * (moment.trend - moment.newcomers_trend)[products]
        made_of[Part.BOOST] = moment.boosts[products]
        return made_of

    def _proofs(
        self,
        readers: Readers,
        bought: sp.csr_matrix,
        scale: FloatArray,
        rows: NDArray[np.int64],
        places: NDArray[np.int64],
    ) -> Proofs:
        """What of each history spoke most for each pick: all else held as it is."""
        said = readers.interest[rows].multiply(self._towards[places]).tocsr()
        spoke = keep_strongest(said, EVIDENCE_A_PICK, LEAST_EVIDENCE)
        return Proofs.of(spoke, scale, bought, rows)

    def _worded(
        self,
        *,
        part: NDArray[np.int64],
        shared: NDArray[np.int64],
        own_type: NDArray[np.int64],
        bought: NDArray[np.bool_],
        due: NDArray[np.bool_],
    ) -> list[Why]:
        """The reason for each of q picks, without its evidence: worded once for all that have the same.

        shared, own_type: columns of the attributes, `themes.NONE` for none.
        """
        names = (*self._themes.names, "")  # NONE is −1: the last
        cases = (len(Part), len(names), len(names), 2, 2)
        columns = part, shared + 1, own_type + 1, bought.astype(np.int64), due.astype(np.int64)
        alike, which = np.unique(np.ravel_multi_index(columns, cases), return_inverse=True)
        whys = [
            explain.why(Part(part), names[shared - 1], names[own_type - 1], bought=bool(bought), due=bool(due))
            for part, shared, own_type, bought, due in np.stack(np.unravel_index(alike, cases), axis=1).tolist()
        ]
        return [whys[number] for number in which.tolist()]

    @cached_property
    def _themes(self) -> Themes:
        return Themes(self._moment.attributes)

    @cached_property
    def _towards(self) -> sp.csr_matrix:
        """(s, m): the neighbours turned around: from each product on the shelf to what speaks for it, and by how much
        more than the average history does."""
        moment = self._moment
        towards = moment.neighbours[:, moment.on_shelf].T.tocsr()
        towards.data -= np.repeat(moment.usual[moment.on_shelf], np.diff(towards.indptr))
        return towards
