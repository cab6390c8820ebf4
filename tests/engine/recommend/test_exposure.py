"""Heroes shared out: nobody's too often, none more than there are, and the same whoever comes first."""

from collections import Counter
from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.recommend.exposure import NOBODY_LEFT, limits, share_out
from engine.recommend.rank import best
from engine.recommend.recommender import CAP_GAVE_WAY, HERO_CAP, STOCK
from engine.recommend.rules import Rules
from subscribers.models import Kind
from tests.engine.odd_shops import OddShop, allowed, odd_shops
from tests.engine.shops import PLAIN, Row, busy_shop, catalog, picks, recommender, signals, skus, trained

quickly = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("stock", "people", "share", "found"),
    [
        ([-1, 3, 50, 0], 1_000, 0.04, [250, 3, 50, 0]),  # an even split over four products is a quarter each
        ([-1] * 100, 1_000, 0.04, [40] * 100),
        ([-1] * 100, 1_000, 0.0405, [40] * 100),
        ([-1] * 100, 999, 0.04, [39] * 100),
        ([-1] * 10, 20, 0.04, [20] * 10),  # 4 % of 20 people is nobody: no limit
        ([-1] * 10, 25, 0.04, [3] * 10),
        ([-1, 2], 1, 0.5, [1, 1]),
        ([], 5, 0.04, []),
        ([-1, 5], 0, 0.04, [0, 0]),
    ],
)
def test_how_many_may_have_each_product(stock: list[int], people: int, share: float, found: list[int]) -> None:
    assert limits(np.array(stock, dtype=np.int64), people, share).tolist() == found


@st.composite
def wishes(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.int64], int]:
    """(scores of people and products, a limit each, how many places the lists have at first)"""
    people, products = draw(st.integers(0, 12)), draw(st.integers(1, 8))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    scores = random.choice([0.0, 1.0, 2.0, 3.5, -np.inf], (people, products)).astype(np.float32)
    scores += random.choice([0.0, 1e-3], scores.shape).astype(np.float32)
    limit = random.integers(0, 4, products)
    return scores, limit, draw(st.integers(1, products))


def shared_out(scores: NDArray[np.float32], limit: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    def listed(rows: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        places = best(scores[rows], count)
        values = np.take_along_axis(scores[rows], np.maximum(places, 0), axis=1).astype(np.float64)
        return places, np.where(places >= 0, values, -np.inf)

    return share_out(*listed(np.arange(len(scores)), width), limit, listed)


@settings(max_examples=300)
@given(wishes())
def test_no_product_goes_to_more_than_its_limit_and_nobody_goes_without_while_one_they_may_have_is_left(
    wish: tuple[NDArray[np.float32], NDArray[np.int64], int],
) -> None:
    scores, limit, width = wish
    hero = shared_out(scores, limit, width)
    given_away = np.bincount(hero[hero >= 0], minlength=len(limit))
    assert (given_away <= limit).all()
    for person, product in enumerate(hero.tolist()):
        if product == NOBODY_LEFT:
            assert all(given_away[each] == limit[each] for each in np.flatnonzero(np.isfinite(scores[person])))
        else:
            assert np.isfinite(scores[person, product])


@settings(max_examples=300)
@given(wishes())
def test_whoever_likes_another_product_more_finds_it_full(
    wish: tuple[NDArray[np.float32], NDArray[np.int64], int],
) -> None:
    scores, limit, width = wish
    hero = shared_out(scores, limit, width)
    given_away = np.bincount(hero[hero >= 0], minlength=len(limit))
    for person, product in enumerate(hero.tolist()):
        if product >= 0:
            better = np.flatnonzero(scores[person] > scores[person, product])
            assert all(given_away[each] == limit[each] for each in better)


def test_those_keep_a_product_who_would_lose_most_without_it() -> None:
    scores = np.array([[5, 4, 0], [5, 1, 0], [5, 3, 0]], dtype=np.float32)
    assert shared_out(scores, np.array([1, 1, 1]), 3).tolist() == [1, 0, 2]
    assert shared_out(scores[::-1], np.array([1, 1, 1]), 3).tolist() == [2, 0, 1]


def test_of_those_who_would_lose_the_same_the_first_keep_it() -> None:
    scores = np.tile(np.array([3, 2, 1], dtype=np.float32), (6, 1))
    assert shared_out(scores, np.array([2, 2, 2]), 3).tolist() == [0, 0, 1, 1, 2, 2]


def test_lists_that_are_used_up_are_made_longer() -> None:
    scores = np.tile(np.arange(40, 0, -1, dtype=np.float32), (40, 1))
    assert sorted(shared_out(scores, np.ones(40, dtype=np.int64), 1).tolist()) == list(range(40))


# --- in whole plans


@quickly
@given(odd_shops(), st.sampled_from([0.01, 0.13, 0.26, 0.5, 1]))
def test_no_product_is_hero_more_often_than_the_cap_allows_but_where_the_tally_says_so(
    shop: OddShop, share: float
) -> None:
    view = shop.view(replace(PLAIN, hero_share=share))
    plan = [found for found in shop.plan_of(view, 3) if found.picks]
    asking = sum(1 for person in shop.people if allowed(shop, PLAIN, person))
    most = max(int(share * asking) or asking, ceil(asking / max(len(view.moment.on_shelf), 1)))
    heroes = Counter(skus(found)[0] for found in plan)
    above = sum(max(number - most, 0) for number in heroes.values())
    assert above <= view.tally.people.get(CAP_GAVE_WAY, 0)
    moved = sum(1 for found in plan if found.moved_from)
    assert moved <= view.tally.people.get(HERO_CAP, 0) + view.tally.people.get(STOCK, 0)


@quickly
@given(odd_shops(any_stock=False), st.sampled_from([0.13, 0.26]))
def test_the_cap_gives_way_only_to_those_who_would_get_no_mail(shop: OddShop, share: float) -> None:
    rules = replace(PLAIN, hero_share=share)
    view = shop.view(rules)
    heroes = Counter(skus(found)[0] for found in shop.plan_of(view, 3) if found.picks)
    asking = sum(1 for person in shop.people if allowed(shop, rules, person))
    assert sum(heroes.values()) == asking  # everybody gets a mail
    if view.tally.people.get(CAP_GAVE_WAY, 0):
        most = max(int(share * asking) or asking, ceil(asking / len(view.moment.on_shelf)))
        assert max(heroes.values()) > most


@quickly
@given(odd_shops(), st.sampled_from([0.01, 0.3, 1]))
def test_never_more_heroes_than_units(shop: OddShop, share: float) -> None:
    heroes = Counter(skus(found)[0] for found in shop.plan(replace(PLAIN, hero_share=share), 3) if found.picks)
    units = {product.sku: product.stock for product in shop.products}
    assert all(units[sku] < 0 or number <= units[sku] for sku, number in heroes.items())


def crowd(size: int = 50) -> list[Row]:
    return [(person, 10, Kind.PURCHASE, 1.0) for person in range(1_000, 1_000 + size)]


def test_a_bestseller_is_hero_for_four_per_cent_and_the_tally_tells_who_was_moved() -> None:
    shop, known = busy_shop(people=5)
    view = recommender(shop, signals(crowd()), trained(shop, known), rules=Rules())
    people = range(100, 200)  # nothing is known of them: all want the bestseller
    plan = picks(view, people)
    heroes = Counter(skus(found)[0] for found in plan)
    assert heroes[10] == 4 == max(heroes.values())
    moved = [found for found in plan if found.moved_from]
    assert len(moved) == 96 == view.tally.people[HERO_CAP]
    assert {found.moved_from for found in moved} == {10}
    assert CAP_GAVE_WAY not in view.tally.people
    assert all(10 in skus(found) for found in plan)  # it still stands in everybody's list


def test_of_what_is_scarce_there_are_as_many_heroes_as_units() -> None:
    shop, known = busy_shop(people=5)
    shop = catalog(30, stock=np.array([3] + [-1] * 29))
    view = recommender(shop, signals(crowd()), trained(shop, known), rules=PLAIN)
    plan = picks(view, range(100, 200))
    assert sum(skus(found)[0] == 10 for found in plan) == 3
    assert view.tally.people == {STOCK: 97, **{rule: 0 for rule in view.tally.people if rule != STOCK}}


def test_where_every_hero_is_at_its_cap_the_cap_gives_way_but_the_stock_does_not() -> None:
    shop = catalog(2, stock=np.array([-1, 1]))
    rows: list[Row] = [(person, 20, Kind.PURCHASE, 1.0) for person in range(1, 11)]  # they have the second one
    view = recommender(shop, signals(rows), trained(*busy_shop()), rules=replace(PLAIN, hero_share=0.1))
    plan = picks(view, range(1, 11))
    assert [skus(found) for found in plan] == [[10]] * 10
    assert view.tally.people[CAP_GAVE_WAY] == 5  # an even split allows five of the ten
    sold_out = recommender(catalog(1, stock=np.array([2])), signals([]), trained(*busy_shop()), rules=Rules())
    assert sum(len(found.picks) for found in picks(sold_out, range(1, 11))) == 2


def test_the_heroes_of_an_audience_hold_for_any_part_of_it() -> None:
    shop, known = busy_shop(people=60)
    shop = catalog(30, stock=np.array([-1, 2, 5] * 10))
    view = recommender(shop, known, trained(shop, known), rules=Rules())
    people, consents = np.arange(60, 0, -1), np.arange(60) % 3 > 0
    whole = list(view.picks_for(people, consents, 4))
    heroes = view.heroes(people, consents, 4)
    for part in (slice(0, 1), slice(5, 40), slice(59, 60)):
        assert list(view.picks_for(people[part], consents[part], 4, heroes=heroes)) == whole[part]
    stranger = np.array([777]), np.array([True])
    (alone,) = view.picks_for(*stranger, 4, heroes=heroes)
    assert alone == next(view.picks_for(*stranger, 4))
