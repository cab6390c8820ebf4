"""Hostile and odd shops: everybody gets a sensible list or there is one clear error, never another one.

Each shop goes through the whole life: training, a plan, the full account of a person, the evaluation.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from engine.assortment import CatalogColumns
from engine.errors import NothingToTrainOn
from engine.recommend.evaluate.evaluation import evaluate
from engine.recommend.evaluate.plot import plot
from engine.recommend.model import Model
from engine.recommend.portrait import portrait
from engine.recommend.recipe import Recipe
from engine.recommend.recommender import PersonPicks, Recommender
from engine.recommend.rules import Rules
from engine.recommend.why import account
from subscribers.models import Kind
from subscribers.signals import NOBODY, Signals
from tests.engine.odd_shops import OddShop, odd_shops, random_model
from tests.engine.shops import DAY, NOW, Row, busy_shop, catalog, picks, recommender, rows_of, signals, skus, trained

pytestmark = pytest.mark.slow  # quick one by one, but there are many


TINY = Recipe(components=4, epochs=1)
BUSY, KNOWN = busy_shop(people=20, products=12)
MODEL = trained(BUSY, KNOWN)
AUDIENCE = [1, 2, 3, 999]


def lives_through(view: Recommender, *, count: int = 5) -> list[PersonPicks]:
    """Everybody's picks, checked to be sensible, and explained in full."""
    plan = picks(view, AUDIENCE, personal=[True, True, False, True], count=count)
    for found, personal in zip(plan, [True, True, False, True], strict=True):
        assert len(set(skus(found))) == len(found.picks) <= count
        assert set(skus(found)) <= set(view.catalog.sku.tolist())
        assert all(np.isfinite(pick.score) and pick.why.sentence for pick in found.picks)
        told = account(view, found, personalised=personal)
        assert len(told.matters) == len(found.picks)
        assert all(np.isfinite(matter.drop) for each in told.matters for matter in each)
        assert all(np.isfinite(filtered.score) for filtered in told.filtered)
        assert told.portrait == portrait(view.moment, found.subscriber_id, personalised=personal)
    return plan


def evaluated(shop: CatalogColumns, known: Signals) -> None:
    """A whole evaluation, or the one error it may end in."""
    try:
        found = evaluate(known, shop, TINY, split_at=NOW - 30 * DAY, days=31, trends=(0, 1))
    except NothingToTrainOn:
        return
    assert all(0 <= result.measures.ndcg <= 1 for result in found.results)
    assert plot(found).startswith("<svg")


def one_product_sells(size: int) -> tuple[CatalogColumns, Signals]:
    return catalog(size), signals([(person, 10, Kind.PURCHASE, person * 3.0) for person in range(1, 21)])


def nameless(size: int) -> CatalogColumns:
    return catalog(size, title=[""] * size, product_type=[""] * size, labels=[""] * size, brand=[""] * size)


def in_future() -> Signals:
    return Signals(KNOWN.subscriber, KNOWN.sku, KNOWN.kind, KNOWN.at + 500 * DAY, KNOWN.quantity)


def at_once() -> Signals:
    return Signals(KNOWN.subscriber, KNOWN.sku, KNOWN.kind, np.zeros_like(KNOWN.at), KNOWN.quantity)


NO_SIGNALS = signals([])
SHOPS: dict[str, Callable[[], tuple[CatalogColumns, Signals]]] = {
    "an ordinary shop": lambda: (BUSY, KNOWN),
    "no products": lambda: (catalog(0), KNOWN),
    "nothing at all": lambda: (catalog(0), NO_SIGNALS),
    "one product": lambda: (catalog(1), KNOWN),
    "one product and no signals": lambda: (catalog(1), NO_SIGNALS),
    "no signals": lambda: (BUSY, NO_SIGNALS),
    "one person": lambda: (BUSY, KNOWN.where(KNOWN.subscriber == 1)),
    "one signal": lambda: (BUSY, signals([(1, 10, Kind.VIEW, 3)])),
    "one signal of long ago and one of now": lambda: (
        BUSY,
        signals([(1, 10, Kind.PURCHASE, 4000), (2, 20, Kind.VIEW, 1)]),
    ),
    "all signals on one product": lambda: one_product_sells(12),
    "all signals on products there are not": lambda: (
        BUSY,
        signals([(1, 990, Kind.PURCHASE, 40), (2, 990, Kind.VIEW, 3)]),
    ),
    "people without a name only": lambda: (BUSY, signals([(NOBODY, 10, Kind.PURCHASE, age) for age in (3, 50)])),
    "looks only": lambda: (BUSY, KNOWN.where(KNOWN.kind == int(Kind.VIEW))),
    "products without words, types and labels": lambda: (nameless(12), KNOWN),
    "products that are all the same": lambda: (
        catalog(12, title=["Cream"] * 12, labels=["vegan"] * 12, brand=["M"] * 12, product_type=["Creams"] * 12),
        KNOWN,
    ),
    "products of no price": lambda: (catalog(12, price_minor=np.zeros(12, dtype=np.int64)), KNOWN),
    "products beyond price": lambda: (catalog(12, price_minor=np.full(12, 10**15)), KNOWN),
    "everything is out of stock": lambda: (catalog(12, stock=np.zeros(12, dtype=np.int64)), KNOWN),
    "everything is of the future": lambda: (BUSY, in_future()),
    "everything happened in 1970": lambda: (BUSY, at_once()),
    "everybody has bought everything": lambda: (
        catalog(4),
        signals([(who, sku * 10, Kind.PURCHASE, sku) for who in (1, 2, 3, 999) for sku in range(1, 5)]),
    ),
}


@pytest.mark.parametrize("name", SHOPS)
def test_an_odd_shop_lives_through_training_a_plan_its_account_and_an_evaluation(name: str) -> None:
    shop, known = SHOPS[name]()
    try:
        model = trained(shop, known, TINY)
    except NothingToTrainOn:
        model = MODEL  # of another day
    for rules in (Rules(), Rules(exploration=0.5, hero_share=1, label_people=1, diversity=1)):
        lives_through(recommender(shop, known, model, rules=rules))
    evaluated(shop, known)


@pytest.mark.parametrize("name", SHOPS)
def test_with_the_model_of_another_shop_it_does_too(name: str) -> None:
    shop, known = SHOPS[name]()
    lives_through(recommender(shop, known, MODEL, rules=Rules()), count=50)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(odd_shops())
def test_any_shop_can_be_planned_explained_and_told(shop: OddShop) -> None:
    view = shop.view(Rules(label_people=2, exploration=0.5, view_delay=0))
    for found in shop.plan_of(view, 4):
        told = account(view, found, personalised=shop.people[found.subscriber_id])
        assert all(np.isfinite(pick.score) for pick in found.picks)
        assert len(told.matters) == len(found.picks)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(odd_shops())
def test_any_shop_can_be_trained_and_evaluated_or_says_why_not(shop: OddShop) -> None:
    known = signals([row for row in shop.rows if row[3] >= 0])
    try:
        model = trained(shop.catalog, known, TINY, least_people=1)
    except NothingToTrainOn:
        model = random_model(shop.catalog, 1)
    shop.plan_of(shop.view(Rules(), model))
    evaluated(shop.catalog, known)


def test_a_person_with_a_hundred_thousand_signals_is_a_person_like_any_other() -> None:
    shop, known = busy_shop(people=30, products=300)
    many = 100_000
    random = np.random.default_rng(1)
    theirs = Signals(
        np.full(many, 1),
        random.choice(shop.sku, many),
        random.choice([1, 2, 3], many).astype(np.int8),
        np.sort(NOW - random.integers(3600, 200 * DAY, many)),
        np.ones(many, dtype=np.int32),
    )
    both = Signals(*(np.concatenate(pair) for pair in zip(known.columns(), theirs.columns(), strict=True)))
    both = both.where(np.argsort(both.at, kind="stable"))
    started = time.process_time()
    plan = lives_through(recommender(shop, both, trained(shop, both, TINY), rules=Rules()))
    assert len(plan[0].picks) == 5
    assert time.process_time() - started < 5
    evaluated(shop, both)


@pytest.mark.parametrize("words", [True, False])
def test_a_catalogue_swapped_since_training_still_gets_picks_for_everybody(words: bool) -> None:
    sku = np.arange(25, dtype=np.int64) + 9_000
    fresh = catalog(25, sku=sku)
    if not words:
        other = {"product_type": ["x"] * 25, "labels": ["y"] * 25, "brand": ["z"] * 25, "title": ["Ω"] * 25}
        fresh = catalog(25, sku=sku, **other)
    plan = lives_through(recommender(fresh, KNOWN, MODEL, rules=Rules()))
    assert [len(found.picks) for found in plan] == [5, 5, 5, 5]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_from_a_tiny_catalogue_everybody_gets_what_there_is(size: int) -> None:
    plan = lives_through(recommender(catalog(size), NO_SIGNALS, MODEL, rules=Rules()), count=9)
    assert [len(found.picks) for found in plan] == [size] * 4


@pytest.mark.parametrize("count", [0, -1])
def test_who_asks_for_nothing_gets_nothing(count: int) -> None:
    view = recommender(BUSY, KNOWN, MODEL)
    assert [found.picks for found in picks(view, AUDIENCE, count=count)] == [()] * 4
    assert len(view.heroes(np.array(AUDIENCE), np.ones(4, dtype=np.bool_), count).people) == 0


def test_nobody_in_the_audience_is_no_trouble() -> None:
    view = recommender(BUSY, KNOWN, MODEL, rules=Rules())
    nobody = np.empty(0, dtype=np.int64)
    assert picks(view, []) == []
    heroes = view.heroes(nobody, nobody.astype(np.bool_), 5)
    assert len(heroes.people) == 0
    assert heroes.of(np.array([1])).tolist() == [-2]


def test_where_nothing_is_left_a_person_gets_nothing() -> None:
    rows: list[Row] = [(1, 10, Kind.PURCHASE, 1), (1, 20, Kind.PURCHASE, 1)]
    plan = lives_through(recommender(catalog(2), signals(rows), MODEL, rules=Rules()))
    assert [len(found.picks) for found in plan] == [0, 2, 2, 2]


def test_a_model_of_nobody_gives_everybody_the_trend() -> None:
    factors = MODEL.factors
    empty = Model(
        type(factors)(
            factors.people[:0], factors.sku[:0], (), *(np.zeros((0, 4), dtype=np.float32),) * 2, np.zeros(0, np.float32)
        ),
        MODEL.neighbours[:0, :0],
        MODEL.limits,
        TINY,
    )
    lives_through(recommender(BUSY, signals(rows_of(KNOWN)), empty, rules=Rules()))
