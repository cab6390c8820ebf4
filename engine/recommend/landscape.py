"""What everybody's signals say together, kept small: so that one person can be looked at without reading millions.

A million people's signals take half a minute to read; what picks need of them besides the person's own is a handful of
numbers for each product. They are made from a Moment, and given to a later one that knows few people's signals.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.assortment import positions_in
from engine.recommend.arrange import new_places
from engine.recommend.features import FloatArray
from engine.recommend.guardrails import Shown
from engine.recommend.moment import Moment
from engine.recommend.rules import Tally
from engine.recommend.trend import NEVER_SEEN, first_seen
from subscribers.signals import Signals

_OF_EVERYBODY = (
    *("newest", "attributes", "shared", "trend", "newcomers_trend", "boosts", "on_shelf", "shelf", "whole_shelf"),
    *("neighbours", "usual", "shelf_sku", "stock", "kinds", "new_on_shelf", "_shelf_place", "replenish"),
)


@dataclass(frozen=True)
class Landscape:
    """Of the m products there were, by `sku`, ascending: trend, newcomers, usual: (m,) float32, as a Moment has them.
    first: (m,) int64, when each was first seen.

    newest: when the newest usable signal happened, in seconds since 1970. labels: those that enough people share. seed:
    what a Recommender of that moment leaves to chance hangs on.
    """

    newest: int
    sku: NDArray[np.int64]
    trend: FloatArray
    newcomers: FloatArray
    usual: FloatArray
    first: NDArray[np.int64]
    labels: frozenset[str]
    seed: str

    @classmethod
    def of(cls, moment: Moment, seed: str) -> "Landscape":
        """What a Moment that knows everybody's signals makes of them."""
        admitted = moment.admitted
        return cls(
            newest=moment.newest,
            sku=moment.catalog.sku,
            trend=moment.trend,
            newcomers=moment.newcomers_trend,
            usual=moment.usual,
            first=first_seen(admitted.signals, admitted.positions, len(moment.catalog)),
            labels=frozenset(np.array(moment.attributes.names, dtype=object)[moment.shared]),
            seed=seed,
        )

    def spread(self, moment: Moment) -> None:
        """Let a Moment that has not been asked anything yet go by this, instead of by the signals it has itself.

        Products that came into the catalogue since are in no demand, and new.
        """
        place = positions_in(self.sku, moment.catalog.sku)

        def today(column: FloatArray) -> FloatArray:
            found = np.zeros(len(place), dtype=np.float32)
            found[place >= 0] = column[place[place >= 0]]
            return found

        first = np.full(len(place), NEVER_SEEN, dtype=np.int64)
        first[place >= 0] = self.first[place[place >= 0]]
        names = moment.attributes.names
        moment.newest = self.newest
        moment.trend, moment.newcomers_trend, moment.usual = map(today, (self.trend, self.newcomers, self.usual))
        moment.shared = np.fromiter((name in self.labels for name in names), dtype=np.bool_, count=len(names))
        moment.new_on_shelf = np.flatnonzero(new_places(first, self.newest)[moment.on_shelf])


def about(moment: Moment, signals: Signals, shown: Shown, now: int) -> Moment:
    """The same moment for a few people, of whom these are all signals and mails; what everybody did stays as it is."""
    few = replace(moment, signals=signals, shown=shown, now=now, tally=Tally())
    vars(few).update({name: getattr(moment, name) for name in _OF_EVERYBODY})
    return few
