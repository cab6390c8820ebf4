"""How much each person is drawn to each product, as numbers that multiply.

Only products of plain factors, no logarithm or exponential, so that the same seed gives the same bytes on every
processor: vectorised transcendental functions differ in their last digit between processors.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from studio.sample.catalogue import FADING, RISING, Product
from studio.sample.habits import NONE, YEAR, Habits
from studio.sample.kinds import KINDS
from studio.sample.words import BRANDS, CONCERNS, SUN_CARE

Weights = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

_CONCERN_PULL = 12.0
_BRAND_PULL = 10.0
_TREND_PULL = 6.0
_FAVOURITE_PULL = 8.0
_FAVOURITES = 4
_GIFT_PULL = 60.0
_BAND_PULL = np.array(((4.0, 1.0, 0.12), (0.9, 1.6, 0.7), (0.15, 1.0, 5.0)), dtype=np.float32)  # [purse, band]
_EVERYDAY_GIFTS = 0.4  # nobody browses gift sets in an ordinary week


@dataclass(frozen=True)
class Tastes:
    """One row of `weights` per mind. A person has one mind most of the time, and others on some days."""

    weights: Weights
    """(minds, products)"""
    changed: Whole
    """(people,) the row after a change of mind, or NONE"""
    summer: Whole
    """(people,) the row in the sun season, or NONE"""
    gift: Whole
    """(people,) the row when looking for a present"""


def form_tastes(rng: np.random.Generator, products: list[Product], habits: Habits) -> Tastes:
    """Rows 0 … people-1 are the ordinary minds; changed, summer and gift minds follow."""
    everybody = np.arange(len(habits.concern))
    changers = np.flatnonzero(habits.changed_to != NONE)
    sunny = np.flatnonzero(habits.sun_season)
    base = _without_concern(rng, products, habits)
    eases = _eases(products)
    ordinary = base * _pull(eases, habits.concern)
    ordinary *= _favourites(rng, ordinary)
    changed = base[changers] * _pull(eases, habits.changed_to[changers])
    summer = ordinary[sunny] * _pull(eases, np.full(len(sunny), SUN_CARE))
    return Tastes(
        weights=np.concatenate([ordinary, changed, summer, _gift_minds(products)]),
        changed=_rows(len(everybody), changers, start=len(everybody)),
        summer=_rows(len(everybody), sunny, start=len(everybody) + len(changers)),
        gift=len(everybody) + len(changers) + len(sunny) + habits.purse,
    )


def race(rng: np.random.Generator, weights: Weights) -> Weights:
    """Arrival times of an exponential race: the k smallest of a row are k draws in proportion, without repeats.

    The draws come from a table (ziggurat) and the rest is one division. A weight of 0 never arrives, not even
    when the draw is 0 as well, which happens about once in ten million.
    """
    draws = rng.standard_exponential(weights.shape, dtype=np.float32)
    return np.divide(draws, weights, out=np.full_like(weights, np.inf), where=weights > 0)


def calendar(products: list[Product], until: datetime) -> Weights:
    """(days, products) what the day does to each product: launches, trends, the sun. 0 before a launch.

    Row 0 is the UTC day of `until` minus a year.
    """
    days = [(until.astimezone(UTC) - timedelta(seconds=YEAR) + timedelta(days=n)).date() for n in range(366)]
    sun = np.array([_sunshine(day) for day in days])
    columns = []
    for product in products:
        age = np.array([(day - product.launched.date()).days for day in days])
        column = _course(product.course, age)
        columns.append(column * sun if "sun care" in product.labels else column)
    return np.array(columns, dtype=np.float32).T.copy()


def _course(course: str, age: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Appeal against days since launch: a rising product takes three weeks up, and half of it wears off."""
    if course == RISING:
        return np.where(age < 0, 0.0, np.interp(age, [0, 21, 70, 150], [1.0, 4.5, 4.5, 2.0]))
    if course == FADING:
        return np.linspace(3.5, 0.15, len(age))
    return np.ones(len(age))


def _sunshine(day: date) -> float:
    """2.5 at the beginning of July, 0.5 in winter."""
    distance = abs(day.timetuple().tm_yday - 182)
    return float(np.interp(distance, [0, 30, 110], [2.5, 2.2, 0.5]))


def _without_concern(rng: np.random.Generator, products: list[Product], habits: Habits) -> Weights:
    """(people, products) everything that stays when a concern changes: purse, brand, kinds of product, trends."""
    brands = np.array([product.brand for product in products])
    bands = np.array([BRANDS[brand].band for brand in brands])
    kinds = np.array([KINDS.index(product.kind) for product in products])
    rising = np.array([product.course == RISING for product in products])
    appeal = np.array([product.appeal for product in products], dtype=np.float32)
    gift_sets = np.array([product.kind.family == "Gift sets" for product in products])
    count = len(habits.purse)
    weights = appeal * np.where(gift_sets, _EVERYDAY_GIFTS, 1.0).astype(np.float32) * _BAND_PULL[habits.purse][:, bands]
    weights *= (rng.standard_gamma(0.6, (count, len(KINDS))).astype(np.float32) + np.float32(0.05))[:, kinds]
    weights *= _factor(habits.brand[:, None] == brands, _BRAND_PULL)
    weights *= _factor(habits.trends[:, None] & rising, _TREND_PULL)
    return weights


def _eases(products: list[Product]) -> npt.NDArray[np.bool_]:
    """(concerns, products) which product is for which concern."""
    return np.array([[concern in product.labels for product in products] for concern in CONCERNS])


def _pull(eases: npt.NDArray[np.bool_], concerns: Whole) -> Weights:
    """(len(concerns), products) the products for a concern pull, all others do not."""
    return _factor(eases[concerns], _CONCERN_PULL)


def _factor(condition: npt.NDArray[np.bool_], factor: float) -> Weights:
    return np.where(condition, np.float32(factor), np.float32(1.0))


def _favourites(rng: np.random.Generator, weights: Weights) -> Weights:
    """Everybody has a few products that they keep coming back to, drawn from what suits them."""
    chosen = np.argsort(race(rng, weights), axis=1, kind="stable")[:, :_FAVOURITES]
    factors = np.ones_like(weights)
    np.put_along_axis(factors, chosen, np.float32(_FAVOURITE_PULL), axis=1)
    return factors


def _gift_minds(products: list[Product]) -> Weights:
    """(purses, products) a present is for somebody else: gift sets of every kind, whatever one's own skin wants."""
    bands = np.array([BRANDS[product.brand].band for product in products])
    gift_sets = np.array([product.kind.family == "Gift sets" for product in products])
    return _BAND_PULL[:, bands] * _factor(gift_sets, _GIFT_PULL)


def _rows(count: int, members: Whole, *, start: int) -> Whole:
    """(count,) start, start+1, … for the members, NONE for everybody else."""
    rows = np.full(count, NONE, dtype=np.int64)
    rows[members] = start + np.arange(len(members))
    return rows
