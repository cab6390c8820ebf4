"""No plan ever contains what a rule forbids, whatever the shop is like; and a rule forbids no more than it says.

The lists asked for are longer than any shelf here, so that whoever gets a mail gets everything that is allowed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.recommend.filters import parse_filter
from engine.recommend.guardrails import (
    BOUGHT,
    EXCLUDED,
    GONE,
    NO_IMAGE,
    NOT_INCLUDED,
    OUT,
    PRICE,
    SENSITIVE,
    SHOWN,
    TOO_FRESH,
)
from engine.recommend.recommender import PersonPicks
from engine.recommend.rules import Rules
from subscribers.models import Kind
from tests.engine.odd_shops import FILTERS, OddShop, allowed, check_heroes_ran_out, forbidden, odd_shops
from tests.engine.shops import DAY, PLAIN, Row, skus

pytestmark = pytest.mark.slow  # quick one by one, but there are many


quickly = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
some_filters = st.lists(st.sampled_from(sorted(FILTERS)).map(parse_filter), max_size=2).map(tuple)
limits = st.none() | st.sampled_from([0, 500, 999, 1000, 1001])
types = st.lists(st.sampled_from(["Tests", "creams", "Skin Care", "oils", "nothing"]), max_size=2).map(tuple)
days_to_use_up: st.SearchStrategy[Mapping[str, int]] = st.dictionaries(
    st.sampled_from(["Creams", "skin care", "Tests"]), st.sampled_from([0, 1, 7, 400]), max_size=2
)
delays = st.sampled_from([0, 1, 1800, 3600, 7200, 30 * DAY])


@st.composite
def any_rules(draw: st.DrawFn) -> Rules:
    low, high = draw(limits), draw(limits)
    return Rules(
        lowest_price=None if low is not None and high is not None and low > high else low,
        highest_price=high,
        include=draw(some_filters),
        exclude=draw(some_filters),
        diversity=draw(st.sampled_from([0, 0.05, 1])),
        hero_share=draw(st.sampled_from([0.04, 0.3, 1])),
        exploration=draw(st.sampled_from([0, 0.02, 0.5])),
        repeat_mails=3,
        view_delay=draw(delays),
        label_people=draw(st.sampled_from([1, 2, 5])),
        sensitive=draw(types),
        replenish=draw(days_to_use_up),
    )


def obey(shop: OddShop, rules: Rules, rule: str = "") -> None:
    """Nobody gets what `rule` forbids, and everybody who gets anything gets all that no rule forbids."""
    plan = shop.plan(rules)
    for found in plan:
        chosen, person = skus(found), found.subscriber_id
        assert len(chosen) == len(set(chosen))
        if rule:
            assert not set(chosen) & forbidden(shop, rules, person)[rule]
        assert not chosen or set(chosen) == allowed(shop, rules, person)
    assert [found.subscriber_id for found in plan] == list(shop.people)
    check_heroes_ran_out(shop, rules, plan)


@settings(quickly, max_examples=80)
@given(odd_shops(), any_rules(), st.integers(0, 5))
def test_no_plan_contains_what_any_rule_forbids_nor_anything_twice(shop: OddShop, rules: Rules, count: int) -> None:
    obey(shop, rules)
    for found in shop.plan(rules, count):
        chosen = skus(found)
        assert len(chosen) == len(set(chosen)) <= count
        assert set(chosen) <= allowed(shop, rules, found.subscriber_id)


@quickly
@given(odd_shops())
def test_what_is_out_of_stock_or_has_no_unit_left_is_never_picked(shop: OddShop) -> None:
    obey(shop, PLAIN, OUT)


@quickly
@given(odd_shops())
def test_what_has_no_picture_is_never_picked(shop: OddShop) -> None:
    obey(shop, PLAIN, NO_IMAGE)


@quickly
@given(odd_shops())
def test_what_was_withdrawn_is_never_picked(shop: OddShop) -> None:
    obey(shop, PLAIN, GONE)


@quickly
@given(odd_shops(), types)
def test_what_is_of_a_sensitive_type_is_never_picked(shop: OddShop, names: tuple[str, ...]) -> None:
    obey(shop, replace(PLAIN, sensitive=names), SENSITIVE)


@quickly
@given(odd_shops(), limits)
def test_what_costs_too_little_is_never_picked(shop: OddShop, lowest: int | None) -> None:
    obey(shop, replace(PLAIN, lowest_price=lowest), PRICE)


@quickly
@given(odd_shops(), limits)
def test_what_costs_too_much_is_never_picked(shop: OddShop, highest: int | None) -> None:
    obey(shop, replace(PLAIN, highest_price=highest), PRICE)


@quickly
@given(odd_shops(), some_filters)
def test_only_what_is_included_is_picked(shop: OddShop, wishes: tuple[Any, ...]) -> None:
    obey(shop, replace(PLAIN, include=wishes), NOT_INCLUDED)


@quickly
@given(odd_shops(), some_filters)
def test_what_is_excluded_is_never_picked(shop: OddShop, wishes: tuple[Any, ...]) -> None:
    obey(shop, replace(PLAIN, exclude=wishes), EXCLUDED)


@quickly
@given(odd_shops(any_stock=False), days_to_use_up)
def test_what_was_bought_never_comes_back_before_it_is_used_up(shop: OddShop, days: Mapping[str, int]) -> None:
    obey(shop, replace(PLAIN, replenish=days), BOUGHT)


@settings(quickly, max_examples=120)
@given(odd_shops(any_stock=False))
def test_what_was_shown_lately_is_not_shown_again_without_new_interest(shop: OddShop) -> None:
    obey(shop, PLAIN, SHOWN)


@quickly
@given(odd_shops(), delays)
def test_what_was_looked_at_just_now_is_not_picked(shop: OddShop, delay: int) -> None:
    obey(shop, replace(PLAIN, view_delay=delay), TOO_FRESH)


def by_score(plan: list[PersonPicks]) -> dict[int, list[Any]]:
    return {found.subscriber_id: list(found.picks) for found in plan}


recent = st.lists(
    st.tuples(
        st.integers(-1, 3),
        st.integers(1, 6).map(lambda n: n * 10),
        st.sampled_from([Kind.VIEW, Kind.CLICK]),
        st.sampled_from([0.0, 0.01, 0.04]),
    ),
    max_size=8,
)


@quickly
@given(odd_shops(any_stock=False), recent)
def test_looks_of_the_last_hour_change_nothing_but_that_the_product_is_left_out(
    shop: OddShop, looks: list[Row]
) -> None:
    rules = replace(PLAIN, view_delay=3600)
    before, after = by_score(shop.plan(rules)), by_score(shop.with_rows(looks).plan(rules))
    for person in shop.people:
        barred = forbidden(shop.with_rows(looks), rules, person)[TOO_FRESH]
        assert after[person] == [pick for pick in before[person] if pick.sku_id not in barred]


@quickly
@given(odd_shops(), st.lists(st.tuples(st.integers(-1, 9), st.integers(1, 14), st.sampled_from(list(Kind)[:4]))))
def test_what_is_of_the_future_changes_nothing(shop: OddShop, rows: list[tuple[int, int, Kind]]) -> None:
    late: list[Row] = [(who, sku * 10, kind, -1.0) for who, sku, kind in rows]
    rules = Rules(exploration=0.5)
    assert shop.with_rows(late).plan(rules) == shop.plan(rules)


@quickly
@given(odd_shops(least_products=3), st.lists(st.tuples(st.integers(-1, 9), st.integers(0, 20)), max_size=12), st.data())
def test_signals_about_sensitive_types_change_no_pick(
    shop: OddShop, pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    rules = Rules(sensitive=("tests", "oils"), exploration=0.5)
    secret = [product.sku for product in shop.products if product.levels & {"tests", "oils"}]
    kinds = data.draw(st.lists(st.sampled_from(list(Kind)[:4]), min_size=len(pairs), max_size=len(pairs)))
    told: list[Row] = [
        (who, secret[at % len(secret)], kind, float(at)) for (who, at), kind in zip(pairs, kinds, strict=True) if secret
    ]
    assert shop.with_rows(told).plan(rules) == shop.plan(rules)
