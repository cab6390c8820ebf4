"""Why a pick was made, said once more and slowly: one person and one pick at a time, in plain Python.

The engine's work on the arrays of a thousand people must come to the same.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from engine.recommend import explain
from engine.recommend.arrange import CANDIDATES
from engine.recommend.explain import Evidence, Part, Why
from engine.recommend.recommender import BARRED, PersonPicks, Recommender
from engine.recommend.scoring import parts_of, shortlists
from tests.engine.shops import ids


class Parts(NamedTuple):
    """What the score of one pick is made of."""

    trend: float
    boost: float
    factors: float
    neighbours: float

    def strongest(self) -> Part:
        """The largest part, the first of equal ones; the trend where none is above 0."""
        name, largest = Part.TREND, max(self.trend, 0.0)
        if self.neighbours > largest:
            name, largest = Part.NEIGHBOURS, self.neighbours
        if self.factors > largest:
            name, largest = Part.FACTORS, self.factors
        return Part.BOOST if self.boost > largest else name


def why(
    parts: Parts,
    profile: Mapping[int, float],
    attributes: Mapping[int, float],
    names: tuple[str, ...],
    evidence: tuple[Evidence, ...],
    *,
    buyer: bool,
    due: bool,
) -> Why:
    """The reason for one pick. profile, attributes: the person's and the product's cells by column of `names`."""
    part = parts.strongest()
    bought = evidence[0].bought if part == Part.NEIGHBOURS and evidence else buyer
    shared, own_type = shared_label(profile, attributes, names), type_label(attributes, names)
    return explain.why(part, shared, own_type, bought=bought, due=due)._replace(evidence=evidence)


def type_label(attributes: Mapping[int, float], names: tuple[str, ...]) -> str:
    return min((names[column] for column in attributes if names[column].startswith("type:")), default="")


def shared_label(profile: Mapping[int, float], attributes: Mapping[int, float], names: tuple[str, ...]) -> str:
    """The strongest label that person and product share, the first in the alphabet of equal ones; never a price."""
    shared = [
        (weight, names[column])
        for column, weight in profile.items()
        if column in attributes and not names[column].startswith("price:")
    ]
    return min(shared, key=lambda item: (-item[0], item[1]))[1] if shared else ""


def evidence_for(
    speaks: Mapping[int, np.float32], scale: np.float32, sku: Mapping[int, int], owned: Collection[int]
) -> tuple[Evidence, ...]:
    """The three products of a history that speak loudest for one pick. speaks: by product, how loudly."""
    heard = [(loud, product) for product, loud in speaks.items() if loud >= np.float32(1e-9)]
    loudest = sorted(heard, key=lambda each: (-each[0], each[1]))[:3]
    drops = sorted(((loud * scale, product) for loud, product in loudest), key=lambda each: (-each[0], each[1]))
    return tuple(Evidence(sku[product], product in owned, round(float(drop), 4)) for drop, product in drops)


def told(view: Recommender, found: PersonPicks, *, personal: bool, count: int) -> PersonPicks:
    """All that is to be said of these picks of one person. count: how many were asked for."""
    if not found.picks:
        return PersonPicks(found.subscriber_id, ())
    moment, who, may = view.moment, ids([found.subscriber_id]), np.array([personal])
    readers, history = moment.readers(who, may), moment.rows_of(who, may)
    place = {sku: number for number, sku in enumerate(moment.shelf_sku.tolist())}
    chosen = [place[pick.sku_id] for pick in found.picks]
    parts = parts_of(readers, moment.shelf, np.array([chosen]))
    owned = cells(moment.histories.bought, int(history[0])).keys() if history[0] >= 0 else set[int]()
    profile, interest = cells(moment.profiles(history), 0), cells(readers.interest, 0)
    names, sku = moment.attributes.names, dict(enumerate(moment.catalog.sku.tolist()))
    picks = []
    for slot, pick in enumerate(found.picks):
        product = int(moment.on_shelf[chosen[slot]])
        of_all = moment.trend[product] - moment.newcomers_trend[product] if parts.known[0] else np.float32(0)
        made_of = Parts(
            trend=float((moment.trend if parts.known[0] else moment.newcomers_trend)[product]),
            boost=float(moment.boosts[product]),
            factors=float(parts.factors[0, slot] - of_all),
            neighbours=float(parts.neighbours[0, slot]),
        )
        near = cells(moment.neighbours.T.tocsr(), product)
        speaks = {
            other: interest[other] * (near[other] - moment.usual[product]) for other in interest.keys() & near.keys()
        }
        evidence = evidence_for(speaks, parts.scale[0], sku, owned)
        described = cells(moment.attributes.matrix, product)
        reason = why(made_of, profile, described, names, evidence, buyer=bool(owned), due=product in owned)
        score = made_of.trend + made_of.boost + made_of.factors + made_of.neighbours
        picks.append(pick._replace(score=round(score, 4), why=explain.NEW if pick.propensity < 1 else reason))
    width = min(count + (CANDIDATES if view.rules.diversity else 2), moment.shelf.size)
    lists = shortlists(readers, moment.shelf, width).small()
    rest = [at for at, place in enumerate(lists.places[0].tolist()) if place >= 0 and place not in chosen]
    last = min(pick.score for pick in picks if pick.propensity == 1)
    best = int(lists.places[0, 0])
    shelf = moment.shelf_sku.tolist()
    return PersonPicks(
        found.subscriber_id,
        tuple(picks),
        (shelf[lists.places[0, rest[0]]], round(last - float(lists.scores[0, rest[0]]), 4)) if rest else None,
        tuple((shelf[place], BARRED[rule]) for _, place, rule in lists.barred.tolist()),
        shelf[best] if 0 <= best != chosen[0] else 0,
        tuple(names[column] for column in sorted(profile, key=lambda column: -profile[column])),
    )


def cells(matrix: sp.csr_matrix, row: int) -> dict[int, Any]:
    """The cells of one row, by column."""
    start, end = matrix.indptr[row], matrix.indptr[row + 1]
    return dict(zip(matrix.indices[start:end].tolist(), matrix.data[start:end], strict=True))
