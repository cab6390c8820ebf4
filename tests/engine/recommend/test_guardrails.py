"""Guardrails, one by one: what each takes away, what it leaves, and what the tally says of it."""

from dataclasses import replace

import numpy as np
import pytest

from engine.recommend.filters import parse_filter
from engine.recommend.guardrails import (
    BOUGHT,
    SHOWN,
    TOO_FRESH,
    admit,
    levels,
    replenish_after,
    sensitive,
    shelf_places,
    shown_lately,
)
from engine.recommend.rules import Rules, Tally
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.shops import DAY, NOW, PLAIN, Row, catalog, ids, picks, recommender, shown, signals, skus, trained


def test_each_product_off_the_shelf_counts_for_the_first_rule_that_took_it() -> None:
    shop = catalog(
        8,
        availability=["out_of_stock", "in_stock", "withdrawn", *["in_stock"] * 5],
        stock=np.array([-1, 0, 5, 5, 5, -1, -1, -1]),
        pictured=np.array([False, True, True, False, True, True, True, True]),
        price_minor=np.array([1, 1, 1, 1, 1, 500, 900, 901]),
    )
    tally = Tally()
    rules = Rules(lowest_price=500, highest_price=900, exclude=(parse_filter("code:p6"),))
    assert shelf_places(shop, rules, tally).tolist() == [5]
    assert tally.summary() == {
        "out of stock": {"products": 2},
        "no image": {"products": 1},
        "withdrawn": {"products": 1},
        "price rule": {"products": 2},
        "excluded": {"products": 1},
    }


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Skin care > Creams", ["skin care", "creams"]),
        ("", []),
        (" > ", []),
        ("A>>B", ["a", "b"]),
        ("ÄTHER", ["äther"]),
    ],
)
def test_the_levels_of_a_type(path: str, found: list[str]) -> None:
    assert levels(path) == found


def test_a_sensitive_type_is_meant_at_any_level_and_in_any_case() -> None:
    shop = catalog(4, product_type=["Health > Tests", "HEALTH", "Healthy", "tests > health "])
    assert sensitive(shop, Rules(sensitive=(" Health ",))).tolist() == [True, True, False, True]


def test_the_narrowest_level_says_when_a_product_is_used_up() -> None:
    shop = catalog(4, product_type=["Skin care > Creams", "Skin care > Oils", "Hair", ""])
    rules = Rules(replenish={"skin CARE": 90, "Creams": 30})
    assert replenish_after(shop, rules).tolist() == [30 * DAY, 90 * DAY, -1, -1]


@pytest.mark.parametrize(("age", "back"), [(29.9, False), (30.0, True), (400.0, True)])
def test_a_cream_comes_back_when_it_is_due_by_the_last_one_bought(age: float, back: bool) -> None:
    shop = catalog(6)  # 10 and 40 are creams
    known = signals([(1, 10, Kind.PURCHASE, age), (1, 10, Kind.PURCHASE, 500), (1, 20, Kind.PURCHASE, 400)])
    rules = replace(PLAIN, replenish={"creams": 30})
    model = trained(shop, known)
    (found,) = picks(recommender(shop, known, model, rules=rules), [1], count=6)
    assert (10 in skus(found)) == back
    assert 20 not in skus(found)
    sentence = {pick.sku_id: pick.why.sentence for pick in found.picks}.get(10, "")
    assert sentence == ("Good to have at hand" if back else "")


def test_when_a_cream_is_due_goes_by_the_clock_and_not_by_the_newest_signal() -> None:
    shop = catalog(3)
    known = signals([(1, 10, Kind.PURCHASE, 10), (1, 20, Kind.VIEW, 9)])
    rules = replace(PLAIN, replenish={"creams": 30})
    (found,) = picks(recommender(shop, known, rules=rules, now=NOW + 20 * DAY), [1])
    assert 10 in skus(found)


def test_a_look_is_too_fresh_until_the_delay_is_over_and_a_cart_never_is() -> None:
    shop = catalog(4)
    rows: list[Row] = [(1, 10, Kind.VIEW, 3600 / DAY), (1, 20, Kind.CLICK, 3599 / DAY), (1, 30, Kind.CART, 0)]
    found = admit(signals(rows), shop, Rules(), now=NOW)
    assert found.signals.sku.tolist() == [10, 30]
    assert found.positions.tolist() == [0, 2]
    assert (found.fresh_people.tolist(), found.fresh_places.tolist()) == ([1], [1])


def test_an_older_signal_of_somebody_else_or_about_something_else_does_not_excuse_a_fresh_look() -> None:
    shop = catalog(3)
    look = (1, 30, Kind.VIEW, 0.0)
    others: list[Row] = [(2, 30, Kind.VIEW, 5), (2, 990, Kind.VIEW, 5), (NOBODY, 30, Kind.PURCHASE, 5)]
    for other in others:  # (2, 990) is about no product of the catalogue
        assert admit(signals([look, other]), shop, Rules(), now=NOW).fresh_places.tolist() == [2]
    assert admit(signals([look, (1, 30, Kind.VIEW, 5)]), shop, Rules(), now=NOW).fresh_places.tolist() == []


def test_fresh_looks_of_people_without_a_name_are_nobodys() -> None:
    found = admit(signals([(NOBODY, 10, Kind.VIEW, 0)]), catalog(2), Rules(), now=NOW)
    assert (len(found.signals), found.fresh_people.tolist()) == (0, [])


def test_what_was_shown_stays_away_until_the_person_comes_back_to_it() -> None:
    shop = catalog(4)
    seen = shown((1, 10, 7), (1, 20, 7), (1, 30, 7), (2, 10, 7), (1, 990, 7))
    known = signals([(1, 10, Kind.VIEW, 6), (1, 20, Kind.VIEW, 8), (1, 30, Kind.VIEW, 7)])
    people, places = shown_lately(seen, shop, known)
    assert sorted(zip(people.tolist(), places.tolist(), strict=True)) == [(1, 1), (1, 2), (2, 0)]
    people, places = shown_lately(seen, shop, signals([]))
    assert len(people) == len(places) == 4
    assert [column.tolist() for column in shown_lately(seen, catalog(0), known)] == [[], []]


def test_what_is_kept_from_one_person_is_counted_and_named() -> None:
    shop = catalog(5)
    rows: list[Row] = [(1, 10, Kind.PURCHASE, 5), (1, 20, Kind.VIEW, 0), (2, 50, Kind.PURCHASE, 5)]
    rules = replace(PLAIN, view_delay=60)
    view = recommender(shop, signals(rows), rules=rules, seen=shown((1, 30, 3)))
    first, second = picks(view, [1, 2])
    assert dict(first.barred) == {10: BOUGHT, 20: TOO_FRESH, 30: SHOWN}
    assert dict(second.barred) == {50: BOUGHT}
    assert view.tally.pairs == {BOUGHT: 2, SHOWN: 1, TOO_FRESH: 1}


def test_of_two_rules_that_say_the_same_the_first_counts() -> None:
    shop = catalog(3)
    view = recommender(shop, signals([(1, 10, Kind.PURCHASE, 5), (1, 20, Kind.VIEW, 5)]), seen=shown((1, 10, 3)))
    (found,) = picks(view, [1])
    assert dict(found.barred) == {10: BOUGHT}
    assert view.moment.forbidden(ids([1, 9]), np.array([True, True])).toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
