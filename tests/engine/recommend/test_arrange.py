"""A row of picks: the hero first, a mix of types, and now and then something new."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.recommend.arrange import NEW_DAYS, Novelties, diversified, new_places
from engine.recommend.explain import Reason
from engine.recommend.recommender import DIVERSITY, EXPLORATION
from engine.recommend.rules import Rules
from engine.recommend.trend import NEVER_SEEN
from subscribers.models import Kind
from tests.engine.odd_shops import OddShop, allowed, odd_shops
from tests.engine.shops import DAY, NOW, PLAIN, Row, busy_shop, catalog, ids, picks, recommender, signals, skus, trained

quickly = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
SCORES = np.array([[9.0, 8.0, 7.0, 6.0, 1.0]])
PLACES = np.array([[4, 3, 2, 1, 0]])
KINDS = np.array([7, 8, 9, 9, 9])  # by place: 4, 3 and 2 are of one type


def arranged(diversity: float, *, hero: int = 4, count: int = 4) -> list[int]:
    (found,) = diversified(PLACES, SCORES, KINDS, ids([hero]), count=count, diversity=diversity)
    return [int(place) for place in found]


def test_without_diversity_the_best_scores_come_first() -> None:
    assert arranged(0) == [4, 3, 2, 1]
    assert arranged(0, hero=2) == [2, 4, 3, 1]
    assert arranged(0, count=9) == [4, 3, 2, 1, 0, -1, -1, -1, -1]


def test_with_all_the_diversity_there_is_every_type_comes_before_a_second_of_one() -> None:
    assert arranged(1) == [4, 1, 0, 3]


def test_with_some_diversity_a_type_is_worth_a_part_of_the_score() -> None:
    """Worth: 1, 0.875, 0.75, 0.625, 0. With 0.2 place 3 has 0.7 − 0.2 = 0.5, as much as place 1 has: 0.5."""
    assert arranged(0.19) == [4, 3, 1, 2]
    assert arranged(0.21) == [4, 1, 3, 2]


def test_whoever_has_no_hero_gets_nothing() -> None:
    assert arranged(0, hero=-1) == [-1] * 4
    empty = np.empty((0, 3), dtype=np.int64)
    assert diversified(empty, empty.astype(float), KINDS, ids([]), count=2, diversity=0.5).shape == (0, 2)


def test_a_hero_from_beyond_the_list_stands_first_all_the_same() -> None:
    (found,) = diversified(PLACES[:, :2], SCORES[:, :2], KINDS, ids([0]), count=3, diversity=0.5)
    assert found.tolist() == [0, 4, 3]


@given(st.integers(1, 6), st.integers(0, 9), st.floats(0, 1), st.integers(0, 10**6))
def test_a_row_never_has_a_product_twice_nor_a_gap(width: int, count: int, diversity: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = -np.sort(-random.normal(size=(4, width)))
    places = np.array([random.permutation(width) for _ in range(4)])
    ended = random.integers(0, width + 1, 4)[:, None] <= np.arange(width)
    places, scores = np.where(ended, -1, places), np.where(ended, -np.inf, scores)
    found = diversified(places, scores, random.integers(0, 3, width), places[:, 0], count=count, diversity=diversity)
    for row, listed in zip(found.tolist(), places.tolist(), strict=True):
        there = [place for place in row if place >= 0]
        assert row == there + [-1] * (count - len(there))
        assert len(set(there)) == len(there) == min(count, sum(place >= 0 for place in listed))


@quickly
@given(odd_shops(any_stock=False), st.integers(1, 8))
def test_diversity_nought_gives_the_best_scores_first(shop: OddShop, count: int) -> None:
    longer = {found.subscriber_id: skus(found) for found in shop.plan(PLAIN, 20)}
    for found in shop.plan(PLAIN, count):
        scores = [pick.score for pick in found.picks]
        assert scores == sorted(scores, reverse=True)
        assert skus(found) == longer[found.subscriber_id][:count]


@quickly
@given(odd_shops(any_stock=False))
def test_diversity_changes_the_order_and_never_what_there_is(shop: OddShop) -> None:
    view = shop.view(replace(PLAIN, diversity=1))
    plan, plain = shop.plan_of(view), shop.plan(PLAIN)
    changed = 0
    types = {product.sku: product.product_type for product in shop.products}
    for found, straight in zip(plan, plain, strict=True):
        assert set(skus(found)) == set(skus(straight))
        assert skus(found)[:1] == skus(straight)[:1]
        changed += skus(found) != skus(straight)
        listed = [types[sku] for sku in skus(found)]
        assert len(set(listed[: len(set(listed))])) == len(set(listed))  # every type before a second of one
    assert view.tally.people.get(DIVERSITY, 0) == changed


# --- exploration


def test_a_draw_is_the_same_each_time_and_another_with_another_seed() -> None:
    novelties = Novelties(np.arange(50), 0.5, "monday")
    people = range(2_000)
    drawn = [novelties.draw(person, ids([])) for person in people]
    assert drawn == [novelties.draw(person, ids([])) for person in people]
    assert drawn != [Novelties(np.arange(50), 0.5, "tuesday").draw(person, ids([])) for person in people]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.2, 0.5])
def test_as_many_draw_as_the_share_says_and_each_new_product_as_often(share: float) -> None:
    novelties = Novelties(np.arange(5), share, "seed")
    drawn = [found for person in range(20_000) if (found := novelties.draw(person, ids([2, -1])))]
    spread = 4 * (20_000 * share * (1 - share)) ** 0.5  # four deviations: once in 16,000 seeds beyond
    assert abs(len(drawn) - 20_000 * share) <= spread
    assert {chance for _, chance in drawn} <= {share / 4}
    counts = Counter(place for place, _ in drawn)
    assert set(counts) == ({0, 1, 3, 4} if share else set())
    assert not counts or max(counts.values()) < 1.35 * min(counts.values())


def test_where_nothing_new_is_left_nothing_is_drawn() -> None:
    assert all(Novelties(ids([3]), 0.5, "x").draw(person, ids([3])) is None for person in range(100))
    assert all(Novelties(ids([]), 0.5, "x").draw(person, ids([])) is None for person in range(100))


def test_a_product_is_new_for_fourteen_days_after_its_first_signal() -> None:
    first = np.array([NEVER_SEEN, NOW, NOW - NEW_DAYS * DAY + 1, NOW - NEW_DAYS * DAY, 0])
    assert new_places(first, NOW).tolist() == [True, True, True, False, False]


@settings(quickly, max_examples=80)
@given(odd_shops(), st.integers(1, 5))
def test_chance_only_ever_puts_an_allowed_new_product_last(shop: OddShop, count: int) -> None:
    rules = replace(PLAIN, exploration=0.5)
    view = shop.view(rules)
    used = [row for row in shop.rows if row[3] >= 0]
    newest = min((row[3] for row in used), default=0.0)
    drawn = 0
    for found, plain in zip(shop.plan_of(view, count), shop.plan(PLAIN, count), strict=True):
        chances = [pick.propensity for pick in found.picks]
        assert all(chance == 1 for chance in chances[:-1])
        if not chances or chances[-1] == 1:
            assert skus(found) == skus(plain)
            continue
        drawn += 1
        last = found.picks[-1]
        assert len(chances) > 1
        assert skus(found)[:-1] == skus(plain)[:-1]
        assert last.sku_id in allowed(shop, rules, found.subscriber_id) - set(skus(plain))
        assert (last.why.reason, 0 < last.propensity <= 0.5) == (Reason.NEW, True)
        ages = [row[3] for row in used if row[1] == last.sku_id]
        assert not ages or max(ages) - newest < NEW_DAYS + 1e-4
    assert view.tally.people.get(EXPLORATION, 0) == drawn


def test_over_many_people_chance_has_the_share_that_was_set_and_says_with_which_chance() -> None:
    shop, known = busy_shop(people=30, products=30)
    larger = catalog(40)  # ten more, of which nothing has been seen
    rules = Rules(exploration=0.1)
    view = recommender(larger, known, trained(shop, known), rules=rules, seed="run 7")
    drawn = [
        (pick.sku_id, pick.propensity)
        for found in picks(view, range(1_000, 5_000), count=4)
        for pick in found.picks
        if pick.propensity < 1
    ]
    assert abs(len(drawn) - 400) < 80
    new = set(range(310, 410, 10))
    assert {sku for sku, _ in drawn} == new  # every one of them, sooner or later
    assert {round(0.1 / chance) for _, chance in drawn} <= set(range(6, 11))
    assert {found.picks for found in picks(view, [1_001], count=4)} == {
        found.picks for found in picks(view, range(1_000, 1_010), count=4) if found.subscriber_id == 1_001
    }


def test_a_list_of_one_is_never_left_to_chance() -> None:
    rows: list[Row] = [(1, 10, Kind.VIEW, 100)]
    view = recommender(catalog(5), signals(rows), trained(*busy_shop()), rules=replace(PLAIN, exploration=0.5))
    for found in picks(view, range(50), count=1):
        assert [pick.propensity for pick in found.picks] == [1.0]


def heroes_of(view_rules: Rules, shop: OddShop) -> NDArray[np.int64]:
    return ids(skus(found)[0] if found.picks else -1 for found in shop.plan(view_rules, 4))


@quickly
@given(odd_shops())
def test_the_hero_is_never_left_to_chance(shop: OddShop) -> None:
    np.testing.assert_array_equal(
        heroes_of(replace(PLAIN, exploration=0.5), shop), heroes_of(replace(PLAIN, exploration=0), shop)
    )
