"""The split in time: what is known, who is asked, and what counts as true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.recommend.evaluate.split import Question, Split, split
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.odd_shops import OddShop, odd_shops
from tests.engine.shops import DAY, NOW, Row, catalog, signals

BOUGHT, VIEWED = Kind.PURCHASE, Kind.VIEW
AT = NOW - 30 * DAY
SOLD: list[Row] = [(9, sku, BOUGHT, 100) for sku in (10, 20, 30, 40)]


def cut(rows: list[Row], *, size: int = 6, days: int = 30) -> Split:
    return split(signals(rows), catalog(size), at=AT, days=days)


def answers(asked: Split, question: Question) -> dict[int, set[int]]:
    return {
        int(person): set(asked.catalog.sku[question.truth[[row]].indices].tolist())
        for row, person in enumerate(question.people)
    }


def new(rows: list[Row], *, days: int = 30) -> dict[int, set[int]]:
    asked = cut(rows, days=days)
    return answers(asked, asked.new)


def test_the_truth_is_what_was_bought_in_the_window_and_never_before() -> None:
    asked = cut(
        [
            *SOLD,
            *[(1, 10, BOUGHT, 90), (1, 10, BOUGHT, 20), (1, 20, BOUGHT, 20)],
            *[(1, 30, VIEWED, 20), (1, 40, BOUGHT, 30)],
        ]
    )
    assert answers(asked, asked.new) == {1: {20, 40}}
    assert answers(asked, asked.again) == {1: {10}}


@pytest.mark.parametrize("times", [1, 2, 3, 255, 256, 257])
def test_a_thing_bought_often_before_is_never_a_new_truth(times: int) -> None:
    rows: list[Row] = [*SOLD, *[(1, 10, BOUGHT, 90.0)] * times, (1, 10, BOUGHT, 20), (1, 20, BOUGHT, 20)]
    assert new(rows) == {1: {20}}


@pytest.mark.parametrize("times", [1, 2, 130, 256])
def test_a_thing_bought_often_afterwards_is_one_truth(times: int) -> None:
    asked = cut([*SOLD, (1, 10, VIEWED, 90), *[(1, 20, BOUGHT, 20.0)] * times])
    assert answers(asked, asked.new) == {1: {20}}
    assert asked.new.truth.nnz == 1


def test_a_thing_nobody_had_before_the_split_is_no_candidate_and_no_truth() -> None:
    asked = cut([*SOLD, (1, 50, VIEWED, 90), (1, 50, BOUGHT, 20), (1, 999, BOUGHT, 20), (1, 20, BOUGHT, 20)])
    assert asked.catalog.sku.tolist() == [10, 20, 30, 40]
    assert not asked.new.people.size  # what they looked at is not for sale yet: they have no history
    assert answers(asked, asked.cold) == {1: {20}}


def test_the_window_ends_and_begins_with_the_split() -> None:
    rows: list[Row] = [*SOLD, (1, 10, VIEWED, 90), (1, 20, BOUGHT, 20), (1, 30, BOUGHT, 10), (1, 40, BOUGHT, 30)]
    assert new(rows, days=20) == {1: {20, 40}}
    asked = cut(rows, days=20)
    assert (asked.known.at < AT).all()
    assert len(asked.known) == 5


def test_people_without_a_history_are_asked_by_themselves_and_those_without_a_name_never() -> None:
    asked = cut([*SOLD, (NOBODY, 20, BOUGHT, 20), (3, 20, BOUGHT, 20), (4, 10, BOUGHT, 40), (4, 30, BOUGHT, 20)])
    assert answers(asked, asked.cold) == {3: {20}}
    assert answers(asked, asked.new) == {4: {30}}


def test_fresh_are_products_first_sold_in_the_last_fortnight_for_people_with_a_history() -> None:
    rows: list[Row] = [
        *[(9, 10, BOUGHT, 100), (9, 20, BOUGHT, 45), (9, 30, BOUGHT, 44), (9, 40, BOUGHT, 31)],
        *[(1, 10, BOUGHT, 90), (1, 20, BOUGHT, 20), (1, 30, BOUGHT, 20), (1, 40, BOUGHT, 20)],
        *[(2, 30, BOUGHT, 20), (3, 10, BOUGHT, 60), (3, 20, BOUGHT, 10)],
    ]
    asked = cut(rows)
    assert asked.catalog.sku[asked.is_fresh].tolist() == [30, 40]
    assert answers(asked, asked.fresh) == {1: {30, 40}}
    assert answers(asked, asked.new) == {1: {20, 30, 40}, 3: {20}}


def test_in_a_shop_that_knows_only_looks_what_was_looked_at_is_for_sale() -> None:
    asked = cut([(1, 10, VIEWED, 90), (2, 30, Kind.CART, 80), (1, 30, BOUGHT, 10)])
    assert asked.catalog.sku.tolist() == [10, 30]
    assert answers(asked, asked.new) == {1: {30}}


@pytest.mark.parametrize("size", [0, 3])
def test_without_signals_nobody_is_asked_anything(size: int) -> None:
    asked = cut([], size=size)
    assert [len(question) for question in (asked.new, asked.again, asked.cold, asked.fresh)] == [0] * 4
    assert len(asked.catalog) == 0


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(odd_shops(), st.sampled_from([1, 7, 30, 60]))
def test_every_question_is_what_reading_row_by_row_finds(shop: OddShop, days: int) -> None:
    asked = split(signals(shop.rows), shop.catalog, at=AT, days=days)
    rows = [(who, sku, kind, NOW - round(age * DAY)) for who, sku, kind, age in shop.rows]
    before = [row for row in rows if row[3] < AT]
    there = {product.sku for product in shop.products}
    sold = {sku for _, sku, kind, _ in before if kind == BOUGHT} & there or {sku for _, sku, _, _ in before} & there
    assert set(asked.catalog.sku.tolist()) == sold
    warm = {who for who, sku, _, _ in before if sku in sold and who != NOBODY}
    owned = {(who, sku) for who, sku, kind, _ in before if kind == BOUGHT}
    first = {sku: min(at for _, other, _, at in before if other == sku) for sku in sold}
    later = {
        (who, sku)
        for who, sku, kind, at in rows
        if AT <= at < AT + days * DAY and kind == BOUGHT and sku in sold and who != NOBODY
    }
    wanted = {
        "new": {pair for pair in later if pair[0] in warm and pair not in owned},
        "again": {pair for pair in later if pair[0] in warm and pair in owned},
        "cold": {pair for pair in later if pair[0] not in warm},
    }
    wanted["fresh"] = {pair for pair in wanted["new"] if first[pair[1]] >= AT - 14 * DAY}
    for name, pairs in wanted.items():
        found = answers(asked, getattr(asked, name))
        assert {(who, sku) for who, skus in found.items() for sku in skus} == pairs
        assert getattr(asked, name).people.tolist() == sorted(found)


def test_what_happened_after_the_split_is_not_known() -> None:
    asked = cut([*SOLD, (1, 10, BOUGHT, 90), (1, 20, BOUGHT, 20), (2, 30, VIEWED, 1)])
    assert asked.history.people.tolist() == [1, 9]
    assert np.asarray(asked.history.interest.sum(axis=0)).ravel()[1] == pytest.approx(0.5 ** (70 / 90), rel=1e-5)


def test_what_is_out_of_stock_today_could_be_had_then() -> None:
    shop = catalog(4, stock=np.zeros(4, dtype=np.int64), pictured=np.zeros(4, dtype=np.bool_))
    shop = replace(shop, availability=["out_of_stock", "withdrawn", "in_stock", "in_stock"])
    sold = signals([(1, sku, Kind.PURCHASE, 50) for sku in (10, 20, 30, 40)])
    candidates = split(sold, shop, at=NOW - 30 * DAY, days=30).catalog
    assert candidates.availability == ["in_stock"] * 4
    assert (candidates.stock == -1).all()
    assert candidates.pictured.all()
