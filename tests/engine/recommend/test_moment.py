"""A moment: whose clock counts, what a boost adds, and how today's shelf comes out of the catalogue."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.recommend.filters import Boost, parse_boost, parse_filter
from engine.recommend.recommender import Recommender
from engine.recommend.rules import Rules
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.odd_shops import FILTERS, OddShop, odd_shops
from tests.engine.shops import (
    DAY,
    NOW,
    PLAIN,
    Row,
    busy_shop,
    catalog,
    ids,
    picks,
    recommender,
    shown,
    signals,
    skus,
    trained,
)

quickly = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
SHOP, KNOWN = busy_shop()
MODEL = trained(SHOP, KNOWN)


def test_ages_count_from_the_newest_signal_that_may_be_used() -> None:
    assert recommender(SHOP, KNOWN, MODEL).moment.newest == int(KNOWN.at.max())
    later = recommender(SHOP, KNOWN, MODEL, now=NOW + 1_000 * DAY)
    plan, at_once = picks(later, [1, 2, 999]), picks(recommender(SHOP, KNOWN, MODEL), [1, 2, 999])
    assert plan == at_once  # a shop that imports once a week does not look as if everybody had left
    fresh: Row = (1, 10, Kind.VIEW, 0.0)
    rules = replace(PLAIN, view_delay=DAY)
    assert recommender(SHOP, signals([fresh, (1, 20, Kind.VIEW, 3)]), MODEL, rules=rules).moment.newest == NOW - 3 * DAY
    assert recommender(SHOP, signals([fresh]), MODEL, rules=rules).moment.newest == NOW
    assert recommender(SHOP, signals([]), MODEL).moment.newest == NOW


def scores_of(view: Recommender, person: int, personal: bool) -> dict[int, float]:
    return {
        pick.sku_id: pick.score for found in picks(view, [person], personal=personal, count=50) for pick in found.picks
    }


@quickly
@given(odd_shops(any_stock=False), st.sampled_from(sorted(FILTERS)), st.sampled_from([0.3, 2.0, -1.0]))
def test_a_boost_moves_exactly_its_products_and_by_its_weight(shop: OddShop, text: str, weight: float) -> None:
    boosted = shop.view(replace(PLAIN, boost=(Boost(parse_filter(text), weight),)))
    plain = shop.view(PLAIN)
    named = {product.sku for product in shop.products if FILTERS[text](product)}
    for person, personal in shop.people.items():
        before, after = scores_of(plain, person, personal), scores_of(boosted, person, personal)
        assert before.keys() == after.keys()
        for sku, score in after.items():
            assert score - before[sku] == pytest.approx(weight if sku in named else 0, abs=3e-4)


@quickly
@given(odd_shops(any_stock=False), st.sampled_from(sorted(FILTERS)), st.sampled_from([0.1, 1.0, 10.0]))
def test_a_boost_never_moves_its_products_down(shop: OddShop, text: str, weight: float) -> None:
    boosted = shop.plan(replace(PLAIN, boost=(Boost(parse_filter(text), weight),)))
    named = {product.sku for product in shop.products if FILTERS[text](product)}
    for before, after in zip(shop.plan(PLAIN), boosted, strict=True):
        old, new = skus(before), skus(after)
        for sku in named & set(old):
            assert sum(other not in named for other in new[: new.index(sku)]) <= sum(
                other not in named for other in old[: old.index(sku)]
            )


def test_boosts_add_up() -> None:
    rules = replace(PLAIN, boost=(parse_boost("type:creams=1"), parse_boost("price<6=0.5"), parse_boost("code:p1=-2")))
    assert recommender(catalog(4), KNOWN, MODEL, rules=rules).moment.boosts.tolist() == [1.5, -2, 0, 1]


def test_a_strong_boost_puts_its_product_first_for_everybody() -> None:
    rules = replace(PLAIN, boost=(parse_boost("code:P7=10"),))
    plan = picks(recommender(SHOP, KNOWN, MODEL, rules=rules), [1, 2, 3, 999], personal=[True, False, True, True])
    owners = {int(who) for who in KNOWN.subscriber[(KNOWN.sku == 80) & (KNOWN.kind == Kind.PURCHASE)]}
    assert [skus(found)[0] for found in plan if found.subscriber_id not in owners] == [80] * len(plan)


def test_the_shelf_holds_what_may_be_picked_in_the_order_of_the_catalogue() -> None:
    shop = catalog(6, stock=np.array([-1, 0, 4, -1, 9, -1]), pictured=np.array([True] * 5 + [False]))
    moment = recommender(shop, KNOWN, MODEL).moment
    assert moment.shelf_sku.tolist() == [10, 30, 40, 50]
    assert moment.stock.tolist() == [-1, 4, -1, 9]
    assert moment.shelf.size == 4
    assert moment.tally.products == {
        "out of stock": 1,
        "no image": 1,
        **dict.fromkeys(("withdrawn", "sensitive type", "price rule", "not included", "excluded"), 0),
    }
    same = moment.kinds[:, None] == moment.kinds
    types = np.array(shop.product_type)[moment.on_shelf]
    np.testing.assert_array_equal(same, types[:, None] == types)


def test_people_come_with_their_newest_signals_whatever_the_model_was_trained_on() -> None:
    stranger: list[Row] = [(999, 10, Kind.PURCHASE, 1), (999, 40, Kind.VIEW, 2)]
    moment = recommender(SHOP, signals(stranger), MODEL, rules=replace(PLAIN, label_people=1)).moment
    readers = moment.readers(ids([999, 1, 999]), np.array([True, True, False]))
    assert np.diff(readers.interest.indptr).tolist() == [2, 0, 0]
    assert [bool(vector.any()) for vector in readers.vectors] == [True, True, False]  # 1 was there at training


def test_who_may_not_be_known_has_no_row_no_profile_and_no_identity() -> None:
    moment = recommender(SHOP, KNOWN, MODEL).moment
    people, no = np.arange(1, 41), np.zeros(40, dtype=np.bool_)
    assert (moment.rows_of(people, no) == -1).all()
    readers = moment.readers(people, no)
    assert (readers.interest.nnz, readers.forbidden.nnz, bool(readers.vectors.any())) == (0, 0, False)
    assert moment.profiles(moment.rows_of(people, no)).nnz == 0


def test_what_was_shown_is_kept_even_from_those_of_whom_nothing_may_be_known() -> None:
    rows: list[Row] = [(1, 10, Kind.VIEW, 1.0)]
    view = recommender(catalog(3), signals(rows), MODEL, rules=PLAIN, seen=shown((1, 10, 5), (1, 20, 5)))
    with_consent, without = (picks(view, [1], personal=personal)[0] for personal in (True, False))
    assert 10 in skus(with_consent)  # newer interest brings it back
    assert skus(without) == [30]  # which, of this person, must not be known


def test_new_on_the_shelf_is_what_nobody_knew_a_fortnight_before_the_newest_signal() -> None:
    rows: list[Row] = [(1, 10, Kind.VIEW, 30), (1, 20, Kind.VIEW, 20), (2, 20, Kind.VIEW, 6.5), (1, 30, Kind.VIEW, 18)]
    rows += [(1, 40, Kind.PURCHASE, 6)]
    moment = recommender(catalog(6), signals(rows), MODEL, rules=Rules()).moment
    assert moment.shelf_sku[moment.new_on_shelf].tolist() == [30, 40, 50, 60]  # 30: 12 days before the newest


def test_who_did_much_lately_is_heard_twice_as_loud_and_who_did_little_softly() -> None:
    """Of interest in the last 30 days: none, a look (a tenth of what is enough), more than enough. Of interest in all:
    enough to be trusted, a look (two fifths of that), more than enough."""
    rows: list[Row] = [(1, 10, Kind.PURCHASE, 31.0), (2, 10, Kind.VIEW, 0.0), (NOBODY, 10, Kind.PURCHASE, 0.0)]
    rows += [(3, sku, Kind.PURCHASE, 0.0) for sku in (10, 20, 30)]
    moment = recommender(SHOP, signals(rows), MODEL).moment
    assert moment.histories.people.tolist() == [1, 2, 3]
    assert moment.attention.tolist() == pytest.approx([1.0, 0.4 + 0.1, 2.0])
    heard = moment.readers(ids([3, 999, 3]), np.array([True, True, False])).attention
    assert heard is not None
    assert heard.tolist() == pytest.approx([2.0, 1.0, 1.0])


def test_the_average_history_is_everybodys_each_counting_alike() -> None:
    rows: list[Row] = [(1, 10, Kind.PURCHASE, 0.0), (2, 20, Kind.VIEW, 0.0), (2, 30, Kind.VIEW, 0.0)]
    moment = recommender(SHOP, signals(rows), MODEL).moment
    near = moment.neighbours.toarray()
    np.testing.assert_allclose(moment.usual, near[0] / 2 + near[1] / 4 + near[2] / 4, rtol=1e-4, atol=1e-6)
    assert not recommender(SHOP, signals([]), MODEL).moment.usual.any()
