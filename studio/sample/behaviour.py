"""What people do in the shop: every view, and how far it went towards a purchase."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from studio.sample.catalogue import STEADY, Product
from studio.sample.habits import DAY, NONE, YEAR, Habits
from studio.sample.people import Person
from studio.sample.tastes import Tastes, Weights, calendar, form_tastes, race
from studio.sample.visits import MOST_VIEWS, Visits, draw_visits

Whole = npt.NDArray[np.int64]

VIEW, CLICK, CART, PURCHASE = 0, 1, 2, 3
KIND_NAMES = ("view", "click", "cart", "purchase")

_DEEPER_SHARES = (0.15, 0.08, 0.07)  # clicks, carts, purchases among all signals; views are the rest
_SALE_SHARE, _SALE_FACTOR = 0.10, 0.8
_QUANTITIES = np.array([1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3])
_CERTAIN = np.float32(1e9)
_VISITS_AT_ONCE = 4_096  # 4,096 visits x 300 products x 4 bytes: 5 MB, which stays near the processor


@dataclass(frozen=True)
class Signals:
    """One row per signal, oldest first. `person` and `product` are places in the lists that they were drawn from."""

    person: Whole
    product: Whole
    kind: Whole
    at: Whole
    """Seconds since 1970, UTC"""
    quantity: Whole
    """0 where nothing was put into a cart"""
    cents: Whole
    """What one piece cost, 0 where nothing was put into a cart"""


@dataclass(frozen=True)
class _Looks:
    """One row per product looked at, in the order of the visits."""

    visit: Whole
    product: Whole
    eagerness: Weights
    """How much likelier than another one this look is to lead to a purchase"""


def draw_signals(
    rng: np.random.Generator,
    products: list[Product],
    people: list[Person],
    habits: Habits,
    *,
    count: int,
    until: datetime,
) -> Signals:
    """Exactly `count` signals of the 365 days before `until`.

    The number of each kind is fixed first (70 % views, then clicks, carts, purchases). Chance decides who looks at what
    and which looks go deeper.
    """
    clicks, carts, purchases = (round(count * share) for share in _DEEPER_SHARES)
    tastes = form_tastes(rng, products, habits)
    visits = draw_visits(
        rng,
        habits,
        hours=np.array([person.place.hours for person in people], dtype=np.int64),
        staples=_staples(rng, products, tastes, len(people)),
        views=count - clicks - carts - purchases,
        most=min(MOST_VIEWS, sum(product.course == STEADY for product in products)),
        until=until,
    )
    minds = _minds(visits, tastes, habits)
    looks = _look_around(rng, visits, tastes.weights, minds, _calendar(products, visits, until))
    depth = _depths(rng, looks.eagerness, (clicks, carts, purchases))
    prices = np.array([product.cents for product in products], dtype=np.int64)
    return _write_down(rng, visits, looks, depth, prices)


def _staples(rng: np.random.Generator, products: list[Product], tastes: Tastes, people: int) -> Whole:
    """(people,) the cleanser or sunscreen that each would buy again and again; NONE in a shop without any."""
    staples: Whole = np.flatnonzero([product.kind.staple and product.course == STEADY for product in products])
    if not len(staples):
        return np.full(people, NONE, dtype=np.int64)
    chosen: Whole = staples[np.argmin(race(rng, tastes.weights[:people, staples]), axis=1)]
    return chosen


def _minds(visits: Visits, tastes: Tastes, habits: Habits) -> Whole:
    """(visits,) the row of tastes that is in charge: a present first, then a change of mind, then the summer."""
    summer = visits.summer & (tastes.summer[visits.person] != NONE)
    changed = visits.start >= habits.switched_at[visits.person]
    return np.select(
        [visits.gift, changed, summer],
        [tastes.gift[visits.person], tastes.changed[visits.person], tastes.summer[visits.person]],
        visits.person,
    )


@dataclass(frozen=True)
class _Calendar:
    """What the day does to each product, and which day each visit is on."""

    weights: Weights
    """(days, products)"""
    day: Whole
    """(visits,)"""


def _calendar(products: list[Product], visits: Visits, until: datetime) -> _Calendar:
    first_day = (int(until.timestamp()) - YEAR) // DAY
    return _Calendar(calendar(products, until), visits.start // DAY - first_day)


def _look_around(rng: np.random.Generator, visits: Visits, tastes: Weights, minds: Whole, days: _Calendar) -> _Looks:
    """Let every visit look at as many different products as it has views, drawn by taste and by the day."""
    most = int(visits.views.max())
    products, eagerness = [], []
    for begin in range(0, len(minds), _VISITS_AT_ONCE):
        rows = slice(begin, begin + _VISITS_AT_ONCE)
        weights = tastes[minds[rows]] * days.weights[days.day[rows]]
        arrivals = race(rng, weights)
        planned = np.flatnonzero(visits.staple[rows] != NONE)
        arrivals[planned, visits.staple[rows][planned]] = -1.0  # what one came for is first
        order = _first_to_arrive(arrivals, most)
        eager = np.take_along_axis(weights, order, axis=1) / weights.mean(axis=1, keepdims=True)
        eager = np.clip(eager, 0.5, 6.0)
        eager[planned, 0] = _CERTAIN
        looked = np.arange(most) < visits.views[rows, None]
        products.append(order[looked])
        eagerness.append(eager[looked])
    visit = np.repeat(np.arange(len(minds)), visits.views)
    return _Looks(visit, np.concatenate(products), np.concatenate(eagerness))


def _first_to_arrive(arrivals: Weights, most: int) -> Whole:
    """(rows, most) the places of the smallest values of each row, smallest first."""
    first = np.argpartition(arrivals, most - 1, axis=1)[:, :most]
    return np.take_along_axis(first, np.argsort(np.take_along_axis(arrivals, first, axis=1), axis=1), axis=1)


def _depths(rng: np.random.Generator, eagerness: Weights, counts: tuple[int, int, int]) -> Whole:
    """(looks,) VIEW to PURCHASE. Each step keeps eager ones of the step before, exactly as many as `counts` says."""
    depth = np.zeros(len(eagerness), dtype=np.int64)
    reached = np.arange(len(eagerness))
    for step, count in zip((CLICK, CART, PURCHASE), counts, strict=True):
        reached = reached[np.argsort(race(rng, eagerness[reached]), kind="stable")[:count]]
        depth[reached] = step
    return depth


def _write_down(rng: np.random.Generator, visits: Visits, looks: _Looks, depth: Whole, prices: Whole) -> Signals:
    """One signal for every step that every look took, in order of time."""
    steps = _step_times(rng, visits, looks.visit)
    on_sale = rng.random(len(depth)) < _SALE_SHARE
    paid = np.where(on_sale, np.rint(prices[looks.product] * _SALE_FACTOR), prices[looks.product]).astype(np.int64)
    quantity = _QUANTITIES[rng.integers(len(_QUANTITIES), size=len(depth))]
    reached = [np.flatnonzero(depth >= step) for step in range(len(KIND_NAMES))]
    look = np.concatenate(reached)
    kind = np.repeat(np.arange(len(KIND_NAMES)), [len(rows) for rows in reached])
    at = steps[kind, look]
    person = visits.person[looks.visit[look]]
    order = np.lexsort((kind, person, at))
    look, kind = look[order], kind[order]
    return Signals(
        person=person[order],
        product=looks.product[look],
        kind=kind,
        at=at[order],
        quantity=np.where(kind >= CART, quantity[look], 0),
        cents=np.where(kind >= CART, paid[look], 0),
    )


def _step_times(rng: np.random.Generator, visits: Visits, visit: Whole) -> Whole:
    """(4, looks) when each look would be a view, a click, a cart, a purchase. One checkout pays the whole cart."""
    begins = np.concatenate([[0], np.cumsum(visits.views)[:-1]])
    waited = np.cumsum(rng.integers(15, 141, size=len(visit)))
    view = visits.start[visit] + waited - waited[begins][visit]
    click = view + rng.integers(4, 31, size=len(visit))
    cart = click + rng.integers(5, 61, size=len(visit))
    last_view = view[begins + visits.views - 1]
    checkout = (last_view + rng.integers(120, 421, size=len(last_view)))[visit]
    return np.stack([view, click, cart, checkout])
