"""Picks for people: everything of this room put together.

A Recommender is one consistent view of a moment: the catalogue, everybody's newest signals, the rules and a model.
It holds arrays only; whoever builds it reads the database (`campaigns.view`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.assortment import CatalogColumns, positions_in
from engine.recommend import exposure
from engine.recommend.arrange import CANDIDATES, Novelties, diversified
from engine.recommend.explain import Why
from engine.recommend.guardrails import BOUGHT, NOTHING_SHOWN, SHOWN, TOO_FRESH, Shown
from engine.recommend.landscape import about
from engine.recommend.left_out import barred, runners_up
from engine.recommend.model import Model
from engine.recommend.moment import Moment
from engine.recommend.reasons import Reasons, Told
from engine.recommend.rules import Rules, Tally, count
from engine.recommend.scoring import Shortlists, shortlists
from engine.recommend.sparse import cut, offsets
from subscribers.signals import Signals

PEOPLE_A_BATCH = 1_000
HERO_CAP, STOCK, CAP_GAVE_WAY, DIVERSITY, EXPLORATION = (
    "hero cap",
    "stock",
    "hero cap gave way",
    "diversity",
    "exploration",
)
BARRED = ("", BOUGHT, SHOWN, TOO_FRESH)


class Pick(NamedTuple):
    """One product chosen for one person. score is comparable within one person's list only.

    propensity: the chance with which it was drawn; 1 for what was not left to chance.
    """

    sku_id: int
    score: float
    why: Why
    propensity: float = 1.0


class PersonPicks(NamedTuple):
    """The picks of one person, best first; the first is the hero. May be empty: nothing is left to recommend.

    runner_up: the best product that did not get in, and by how much its score is below the last pick's (below 0 where
    a rule preferred another). barred: (sku, rule) of what would stand in the list but for a rule about this person.
    moved_from: what the hero would be but for the cap, 0 where it was not moved. labels: of the person's profile, such
    as "label:dry skin", strongest first.
    """

    subscriber_id: int
    picks: tuple[Pick, ...]
    runner_up: tuple[int, float] | None = None
    barred: tuple[tuple[int, str], ...] = ()
    moved_from: int = 0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Heroes:
    """Who gets which hero, decided over a whole audience. people: (n,) ascending. place: (n,) on the shelf, −1 none."""

    people: NDArray[np.int64]
    place: NDArray[np.int64]

    def of(self, people: NDArray[np.int64]) -> NDArray[np.int64]:
        """The hero of each; −2 for those who were not in the audience."""
        if not len(self.people):
            return np.full(len(people), -2, dtype=np.int64)
        at = positions_in(self.people, people)
        return np.where(at >= 0, self.place[at], -2)


@dataclass
class Recommender:
    """Picks for anyone at the moment `now` (seconds since 1970), by the rules of one plan.

    seed: what chance is drawn from; the same seed gives the same picks.
    """

    catalog: CatalogColumns
    signals: Signals
    model: Model
    now: int
    rules: Rules = field(default_factory=Rules)
    shown: Shown = NOTHING_SHOWN
    seed: str = ""

    def __post_init__(self) -> None:
        self.tally = Tally()
        self.moment = Moment(self.catalog, self.signals, self.model, self.now, self.rules, self.shown, self.tally)
        self._reasons = Reasons(self.moment)

    def about(self, signals: Signals, shown: Shown, now: int) -> "Recommender":
        """The same for a few people, of whom these are all signals and mails. The picks of one take 2 ms so."""
        few = replace(self, signals=signals, shown=shown, now=now)
        few.moment = about(self.moment, signals, shown, now)
        few._reasons = self._reasons.about(few.moment)
        return few

    def picks_for(
        self,
        people: NDArray[np.int64],
        personalised: NDArray[np.bool_],
        picks: int,
        *,
        heroes: Heroes | None = None,
    ) -> Iterator[PersonPicks]:
        """The picks of each person, in the order given.

        people: (n,) subscriber ids, each once. personalised: (n,) whether each allows it; the others get the trend
        alone. heroes: those of the whole audience, where these people are only some of it; otherwise these people are
        the audience that heroes are shared out among. All people are scored before the first picks come out; what is
        kept of each are a dozen numbers.
        """
        if not self.moment.shelf.size or picks < 1:
            yield from (PersonPicks(int(subscriber_id), ()) for subscriber_id in people)
            return
        lists = self._lists(people, personalised, picks)
        if heroes is None:
            order = np.argsort(people, kind="stable")  # of equal wishes the lowest number's counts, whoever comes first
            hero = np.empty(len(people), dtype=np.int64)
            hero[order] = self._share_out(people[order], personalised[order], lists.of(order))
        else:
            hero = np.where((found := heroes.of(people)) == -2, lists.places[:, 0], found)
        for rows in _batches(len(people)):
            yield from self._finished(people[rows], personalised[rows], lists.part(rows), hero[rows], picks)

    def heroes(self, people: NDArray[np.int64], personalised: NDArray[np.bool_], picks: int) -> Heroes:
        """Only the heroes, for `picks_for` to go by when it is asked for some of these people later."""
        if not self.moment.shelf.size or picks < 1:
            return Heroes(people[:0], people[:0])
        order = np.argsort(people, kind="stable")
        people, personalised = people[order], personalised[order]
        return Heroes(people, self._share_out(people, personalised, self._lists(people, personalised, picks)))

    def _lists(self, people: NDArray[np.int64], personalised: NDArray[np.bool_], picks: int) -> Shortlists:
        """Everybody's shortlist: as many as are asked for, some more for diversity, and the runner-up."""
        width = min(picks + (CANDIDATES if self.rules.diversity else 2), self.moment.shelf.size)
        return Shortlists.joined(
            [
                shortlists(self.moment.readers(people[rows], personalised[rows]), self.moment.shelf, width).small()
                for rows in _batches(len(people))
            ],
            width,
        )

    def _share_out(
        self, people: NDArray[np.int64], personalised: NDArray[np.bool_], lists: Shortlists
    ) -> NDArray[np.int64]:
        def more(rows: NDArray[np.int64], width: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
            parts = [
                shortlists(self.moment.readers(people[some], personalised[some]), self.moment.shelf, width)
                for some in (rows[part] for part in _batches(len(rows)))
            ]
            return np.concatenate([part.places for part in parts]), np.concatenate([part.scores for part in parts])

        def served(rows: NDArray[np.int64], limit: NDArray[np.int64]) -> NDArray[np.int64]:
            places, scores = lists.places[rows], lists.scores[rows]
            return exposure.share_out(places, scores, limit, lambda some, width: more(rows[some], width))

        best = lists.places[:, 0].astype(np.int64)
        asking = np.flatnonzero(best >= 0)
        stock = self.moment.stock
        limit = exposure.limits(stock, len(asking), self.rules.hero_share)
        hero = np.full(len(people), exposure.NOBODY_LEFT, dtype=np.int64)
        hero[asking] = served(asking, limit)
        unserved = asking[hero[asking] < 0]
        if len(unserved):  # better one hero too often than no mail; but what is not there cannot be sold
            given = np.bincount(hero[hero >= 0], minlength=len(stock))
            left = np.where(stock < 0, len(people), stock - given)
            hero[unserved] = served(unserved, left)
            count(self.tally.people, CAP_GAVE_WAY, int((hero[unserved] >= 0).sum()))
        moved = hero[asking] != best[asking]
        scarce = stock[best[asking]] >= 0
        scarce &= stock[best[asking]] <= limit[best[asking]]
        count(self.tally.people, HERO_CAP, int((moved & ~scarce).sum()))
        count(self.tally.people, STOCK, int((moved & scarce).sum()))
        return hero

    def _finished(
        self,
        people: NDArray[np.int64],
        personalised: NDArray[np.bool_],
        lists: Shortlists,
        hero: NDArray[np.int64],
        picks: int,
    ) -> Iterator[PersonPicks]:
        """Arrange the rows of some people, and say why."""
        places = lists.places.astype(np.int64)
        chosen = diversified(
            places,
            lists.scores.astype(np.float64),
            self.moment.kinds,
            hero,
            count=picks,
            diversity=self.rules.diversity,
        )
        plain = diversified(places, lists.scores, self.moment.kinds, hero, count=picks, diversity=0.0)
        count(self.tally.people, DIVERSITY, int((chosen != plain).any(axis=1).sum()))
        for rule, number in zip(*np.unique(lists.barred[:, 2], return_counts=True), strict=True):
            count(self.tally.pairs, BARRED[rule], int(number))
        propensity = self._explore(people, personalised, chosen)
        told = self._reasons.of(people, personalised, chosen, propensity < 1)
        yield from self._as_picks(people, lists, chosen, propensity, told)

    def _explore(
        self, people: NDArray[np.int64], personalised: NDArray[np.bool_], chosen: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Put a new product in the last place of a few, in place; returns (n, picks) the chance of each pick."""
        propensity = np.ones(chosen.shape)
        novelties = Novelties(self.moment.new_on_shelf, self.rules.exploration, self.seed)
        if chosen.shape[1] < 2:
            return propensity  # the hero is never left to chance
        rows = np.flatnonzero([novelties.turn_of(subscriber_id) for subscriber_id in people.tolist()])
        forbidden = self.moment.forbidden(people[rows], personalised[rows])
        for turn, row in enumerate(rows.tolist()):
            last = int((chosen[row] >= 0).sum()) - 1
            if last < 1:
                continue
            barred = forbidden.indices[forbidden.indptr[turn] : forbidden.indptr[turn + 1]]
            if drawn := novelties.draw(int(people[row]), np.concatenate([chosen[row], barred])):
                chosen[row, last], propensity[row, last] = drawn
                count(self.tally.people, EXPLORATION, 1)
        return propensity

    def _as_picks(
        self,
        people: NDArray[np.int64],
        lists: Shortlists,
        chosen: NDArray[np.int64],
        propensity: NDArray[np.float64],
        told: Told,
    ) -> Iterator[PersonPicks]:
        """From the columns of a batch to its people."""
        there, sku = chosen >= 0, self.moment.shelf_sku
        scores, chances = np.round(told.scores, 4), np.round(propensity, 6)
        each = map(Pick, sku[chosen[there]].tolist(), scores.tolist(), told.whys, chances[there].tolist())
        picks = cut(list(each), offsets(there.sum(axis=1)))
        certain = np.full(chosen.shape, np.inf)
        certain[there] = np.where(chances[there] == 1, scores, np.inf)
        best = lists.places[:, 0]
        moved_from = np.where((best >= 0) & (best != chosen[:, 0]), sku[best], 0)
        beside = zip(
            runners_up(lists, chosen, certain.min(axis=1), sku),
            barred(lists, sku, BARRED),
            moved_from.tolist(),
            told.labels,
            strict=True,
        )
        for subscriber_id, mine, more in zip(people.tolist(), picks, beside, strict=True):
            yield PersonPicks(subscriber_id, mine, *more) if mine else PersonPicks(subscriber_id, ())


def _batches(size: int) -> Iterator[slice]:
    for start in range(0, size, PEOPLE_A_BATCH):
        yield slice(start, min(start + PEOPLE_A_BATCH, size))
