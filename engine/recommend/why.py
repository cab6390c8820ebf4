"""All there is to say about one person's picks: what mattered most, what came close, and what a rule kept out."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.guardrails import off_the_shelf
from engine.recommend.history import strength
from engine.recommend.portrait import Portrait, Proof, portrait
from engine.recommend.recommender import BARRED, PersonPicks, Recommender
from engine.recommend.scoring import all_scores
from subscribers.models import Kind

SIGNALS_LEFT_OUT = 100  # the newest ones are tried, each by itself
SIGNALS_SHOWN = 5
FILTERED_SHOWN = 10


@dataclass(frozen=True)
class Matter:
    """A signal, and by how much a pick's score falls when it is left out."""

    signal: Proof
    drop: float


@dataclass(frozen=True)
class Filtered:
    """A product that a rule kept out. score: what it would have had, on the scale of the picks'."""

    sku_id: int
    rule: str
    score: float


@dataclass(frozen=True)
class FullAccount:
    """Why somebody gets what they get. matters: for each pick the signals that mattered most, strongest first.

    filtered: what would stand among the picks but for a rule, best first.
    """

    picks: PersonPicks
    matters: tuple[tuple[Matter, ...], ...]
    filtered: tuple[Filtered, ...]
    portrait: Portrait


def account(view: Recommender, picks: PersonPicks, *, personalised: bool) -> FullAccount:
    """Explain these picks in full.

    What training learnt of the person stays, whichever signal is left out, and so does how loudly their history speaks.
    """
    person = picks.subscriber_id
    return FullAccount(
        picks,
        _matters(view, picks, personalised),
        _filtered(view, picks, personalised),
        portrait(view.moment, person, personalised=personalised),
    )


def _matters(view: Recommender, picks: PersonPicks, personalised: bool) -> tuple[tuple[Matter, ...], ...]:
    moment = view.moment
    admitted = moment.admitted
    mine = np.flatnonzero((admitted.signals.subscriber == picks.subscriber_id) & (admitted.positions >= 0))
    if not personalised or not len(mine) or not picks.picks:
        return tuple(() for _ in picks.picks)
    tried = mine[::-1][:SIGNALS_LEFT_OUT]
    speaks = strength(admitted.signals.kind[mine], admitted.signals.at[mine], now=moment.newest)
    heard = np.bincount(admitted.positions[mine], speaks, minlength=len(moment.catalog))
    left: NDArray[np.float64] = np.tile(heard, (len(tried) + 1, 1))  # the first row leaves out nothing
    without = strength(admitted.signals.kind[tried], admitted.signals.at[tried], now=moment.newest)
    rows = np.arange(1, len(tried) + 1)
    left[rows, admitted.positions[tried]] -= without
    scores = _scores(view, picks.subscriber_id, np.where(left > 1e-9, np.minimum(left, 1.0), 0.0))
    columns = np.searchsorted(moment.shelf_sku, [pick.sku_id for pick in picks.picks])
    found = []
    for column in columns:
        drops = scores[0, column] - scores[1:, column]
        order = np.lexsort((np.arange(len(drops)), -drops))[:SIGNALS_SHOWN]
        found.append(
            tuple(
                Matter(_proof(view, int(tried[n]), float(without[n])), round(float(drops[n]), 4))
                for n in order
                if drops[n] > 1e-4
            )
        )
    return tuple(found)


def _proof(view: Recommender, signal: int, weight: float) -> Proof:
    signals = view.moment.admitted.signals
    return Proof(int(signals.sku[signal]), Kind(int(signals.kind[signal])), int(signals.at[signal]), round(weight, 3))


def _scores(view: Recommender, subscriber_id: int, interest: NDArray[np.float64]) -> NDArray[np.float32]:
    """(r, s) the scores of one person under several histories."""
    moment = view.moment
    people = np.full(len(interest), subscriber_id, dtype=np.int64)
    everyone = np.ones(len(interest), dtype=np.bool_)
    readers = moment.readers_with(people, everyone, sp.csr_matrix(interest.astype(np.float32)))
    return all_scores(readers, moment.shelf)


def _filtered(view: Recommender, picks: PersonPicks, personalised: bool) -> tuple[Filtered, ...]:
    """What the whole catalogue would offer above the last pick, and by which rule it is kept out."""
    moment = view.moment
    if not len(moment.catalog):
        return ()
    everyone = np.array([picks.subscriber_id]), np.array([personalised])
    every = np.arange(len(moment.catalog))
    scores = all_scores(moment.readers(*everyone), moment.whole_shelf)[0]
    rules = np.full(len(every), "", dtype=object)
    forbidden = moment.forbidden(*everyone)
    rules[moment.on_shelf[forbidden.indices]] = [BARRED[code] for code in forbidden.data]
    for rule, taken in reversed(off_the_shelf(moment.catalog, moment.rules).items()):
        rules[taken] = rule
    last = min((pick.score for pick in picks.picks if pick.propensity == 1.0), default=-np.inf)
    kept_out = np.flatnonzero((rules != "") & (scores > last))
    kept_out = kept_out[np.lexsort((kept_out, -scores[kept_out]))][:FILTERED_SHOWN]
    return tuple(
        Filtered(int(moment.catalog.sku[place]), str(rules[place]), round(float(scores[place]), 4))
        for place in kept_out
    )
