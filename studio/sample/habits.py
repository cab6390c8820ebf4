"""What really drives each person: the hidden truth that the signals show and a recommender should find.

One column per habit, one row per person, in the order of the people. Seconds are since 1970, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from studio.sample.people import Person
from studio.sample.words import BRANDS, BUDGET, CONCERNS, MIDDLE, PREMIUM, SUN_CARE

Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

DAY = 86_400
YEAR = 365 * DAY
NONE = -1
"""No brand, no new concern."""

NEVER = np.iinfo(np.int64).max

LONGEST_VISIT = 3_600
"""Seconds. A visit ends sooner: 11 steps of 140 s and 420 s for the checkout are 1,960 s (see behaviour.py)."""

_CONCERN_SHARES = (0.22, 0.15, 0.17, 0.14, 0.09, 0.12, 0.11)  # in the order of CONCERNS, without sun care
_BUDGET_SHARE, _PREMIUM_SHARE = 0.27, 0.18
_LOYAL_SHARE, _GIFT_SHARE, _SUN_SHARE, _TREND_SHARE, _REPLENISH_SHARE = 0.18, 0.14, 0.15, 0.12, 0.10
_LAPSED_SHARE, _CHANGED_SHARE = 0.12, 0.10


@dataclass(frozen=True)
class Habits:
    """The truth about everybody: what they want, how they buy, and when they are around."""

    concern: Whole
    changed_to: Whole
    """The concern that took over at `switched_at`, or NONE."""
    switched_at: Whole
    purse: Whole
    """BUDGET, MIDDLE or PREMIUM."""
    brand: Whole
    """The one brand a loyal buyer comes back to, or NONE."""
    gifts: Flags
    sun_season: Flags
    trends: Flags
    replenishes: Flags
    lapsed: Flags
    brand_new: Flags
    first: Whole
    last: Whole
    """The first and last second at which a visit may begin."""
    activity: npt.NDArray[np.float64]
    """How often somebody comes, relative to the others; 0 for the brand new."""

    def words(self, row: int) -> list[str]:
        """The habits of one person by name; whoever has none in particular shops for a concern."""
        named = {
            "new": self.brand_new[row],
            "lapsed": self.lapsed[row],
            "changed mind": self.changed_to[row] != NONE,
            "budget shopper": self.purse[row] == BUDGET,
            "premium buyer": self.purse[row] == PREMIUM,
            "brand loyal": self.brand[row] != NONE,
            "gift buyer": self.gifts[row],
            "replenisher": self.replenishes[row],
            "sun season": self.sun_season[row],
            "trend follower": self.trends[row],
        }
        return [word for word, true in named.items() if true] or ["concern only"]


def draw_habits(rng: np.random.Generator, people: list[Person], *, until: datetime) -> Habits:
    """Give everybody habits. The last visits begin early enough to be over at `until`."""
    count = len(people)
    latest = int(until.timestamp()) - LONGEST_VISIT
    brand_new = np.array([person.brand_new for person in people], dtype=np.bool_)
    consented = np.array([int(person.consented_at.timestamp()) for person in people], dtype=np.int64)
    first = np.maximum(consented, int(until.timestamp()) - YEAR)
    lapsed = _among(rng, ~brand_new & (first < latest - 320 * DAY), round(count * _LAPSED_SHARE))
    changed = _among(rng, ~brand_new & ~lapsed & (first < latest - 60 * DAY), round(count * _CHANGED_SHARE))
    concern = rng.choice(len(_CONCERN_SHARES), size=count, p=_CONCERN_SHARES).astype(np.int64)
    staying = ~brand_new & ~lapsed & ~changed
    last = np.where(lapsed, latest - rng.integers(151 * DAY, 300 * DAY, size=count), latest)
    return Habits(
        concern=concern,
        changed_to=np.where(changed, _another(rng, concern), NONE),
        switched_at=np.where(changed, latest - rng.integers(21 * DAY, 35 * DAY, size=count), NEVER),
        purse=_purses(rng, count),
        brand=np.where(rng.random(count) < _LOYAL_SHARE, rng.integers(len(BRANDS), size=count), NONE),
        gifts=staying & (rng.random(count) < _GIFT_SHARE),
        sun_season=staying & (rng.random(count) < _SUN_SHARE),
        trends=rng.random(count) < _TREND_SHARE,
        replenishes=staying & (rng.random(count) < _REPLENISH_SHARE),
        lapsed=lapsed,
        brand_new=brand_new,
        first=first,
        last=last,
        activity=_activity(rng, brand_new, changed),
    )


def _among(rng: np.random.Generator, eligible: Flags, count: int) -> Flags:
    """`count` random ones of the eligible, or all of them when there are fewer."""
    chosen = np.zeros(len(eligible), dtype=np.bool_)
    chosen[rng.permutation(np.flatnonzero(eligible))[:count]] = True
    return chosen


def _another(rng: np.random.Generator, concern: Whole) -> Whole:
    """A different concern for each; sun care for about one in three, as when a holiday comes up."""
    others = (concern + rng.integers(1, SUN_CARE, size=len(concern))) % SUN_CARE
    return np.where(rng.random(len(concern)) < 0.3, SUN_CARE, others)


def _purses(rng: np.random.Generator, count: int) -> Whole:
    shares = [_BUDGET_SHARE, 1 - _BUDGET_SHARE - _PREMIUM_SHARE, _PREMIUM_SHARE]
    return rng.choice([BUDGET, MIDDLE, PREMIUM], size=count, p=shares).astype(np.int64)


def _activity(rng: np.random.Generator, brand_new: Flags, changed: Flags) -> npt.NDArray[np.float64]:
    """A Lomax tail with exponent 1.2: most come a few times, a few come very often.

    Capped at 80 (the mean is about 3), so that one person does not become the shop. Somebody who changes
    their mind comes at least twice as often as most, or nobody could notice.
    """
    drawn = np.minimum(rng.pareto(1.2, size=len(brand_new)) + 0.05, 80.0)
    drawn = np.where(changed, np.maximum(drawn, 2.0), drawn)
    return np.where(brand_new, 0.0, drawn)


def truth(habits: Habits, row: int) -> tuple[str, str, str]:
    """One row of habits.csv without its address: habits, concern, and what it changed to, if it did."""
    changed_to = int(habits.changed_to[row])
    return (
        "; ".join(habits.words(row)),
        CONCERNS[int(habits.concern[row])],
        CONCERNS[changed_to] if changed_to != NONE else "",
    )
