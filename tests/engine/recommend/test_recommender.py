"""Picks for people: never what must not be picked, never another list in another batch, whatever the shop is like."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select
from sqlmodel import Session, col

from engine.assortment import read_catalog
from engine.catalog import save_products
from engine.recommend import recommender as recommender_module
from engine.recommend.explain import Reason
from engine.recommend.guardrails import Guardrails
from engine.recommend.rank import NEVER
from subscribers import signals as recording
from subscribers.models import Kind, Signal, Subscriber
from subscribers.signals import NOBODY, NewSignal, Signals, read_signals
from tests.engine.shops import DAY, NOW, Row, busy_shop, catalog, ids, picks, recommender, signals, skus, trained

KINDS = (Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE)
MODEL = trained(*busy_shop(people=20, products=12))
rows = st.lists(
    st.tuples(st.integers(-1, 6), st.integers(1, 14).map(lambda n: n * 10), st.sampled_from(KINDS), st.floats(-5, 400)),
    max_size=40,
)


@settings(max_examples=60)
@given(rows=rows, sellable=st.lists(st.booleans(), min_size=12, max_size=12), count=st.integers(0, 14))
def test_nobody_ever_gets_what_is_not_on_sale_or_what_they_have_bought(
    rows: list[Row], sellable: list[bool], count: int
) -> None:
    shop = catalog(12, sellable=np.array(sellable))
    view = recommender(shop, signals(rows), MODEL)
    bought = {(person, sku) for person, sku, kind, _ in rows if kind == Kind.PURCHASE}
    for found in picks(view, range(7), count=count):
        chosen = skus(found)
        assert len(chosen) == len(set(chosen)) <= count
        assert all(sellable[sku // 10 - 1] and (found.subscriber_id, sku) not in bought for sku in chosen)
        left = sum(sellable) - len(
            {sku for who, sku in bought if who == found.subscriber_id and sku <= 120 and sellable[sku // 10 - 1]}
        )
        assert len(chosen) == min(count, left)
        assert [pick.score for pick in found.picks] == sorted((pick.score for pick in found.picks), reverse=True)


def test_out_of_stock_and_without_a_picture_is_not_on_sale(database: Engine) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    plain: dict[str, Any] = {"title": "Soap", "link": "https://x", "price_minor": 100, "image_link": "https://x/1.png"}
    with Session(database) as session:
        save_products(
            session,
            {
                "a": plain | {"availability": "in_stock"},
                "b": plain | {"availability": "out_of_stock"},
                "c": plain | {"availability": "preorder"},
                "d": plain | {"availability": "in_stock", "image_link": ""},
            },
            now=now,
        )
        assert read_catalog(session).sellable.tolist() == [True, False, True, False]


def test_guardrails_count_what_they_take_out() -> None:
    import scipy.sparse as sp

    scores = np.zeros((2, 3), dtype=np.float32)
    bought = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, 0]]))
    removed = Guardrails(np.array([True, True, False])).apply(scores, bought)
    assert removed == {"not on sale": 2, "already bought": 1}
    assert (scores == NEVER).tolist() == [[True, False, True], [False, False, True]]


def everything(view: Any, people: list[int], **how: Any) -> dict[int, Any]:
    return {found.subscriber_id: found for found in picks(view, people, **how)}


def test_one_by_one_in_another_order_or_all_at_once_people_get_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, known = busy_shop(people=120, products=900, each=6)
    view = recommender(shop, known)
    people = [*range(1, 121), 500, 501]
    allowed = [person % 3 > 0 for person in people]
    at_once = picks(view, people, personal=allowed, count=6)
    assert picks(view, people[::-1], personal=allowed[::-1], count=6) == at_once[::-1]
    assert [
        picks(view, [person], personal=[yes], count=6)[0] for person, yes in zip(people, allowed, strict=True)
    ] == at_once
    monkeypatch.setattr(recommender_module, "PEOPLE_A_BATCH", 7)
    assert picks(view, people, personal=allowed, count=6) == at_once


@pytest.mark.parametrize("products", [403, 1999])
def test_products_that_differ_in_nothing_come_in_the_same_order_in_any_batch(products: int) -> None:
    _, known = busy_shop(people=60, products=30)
    factors = trained(catalog(30), known)
    alike = {"title": ["Cream"] * products, "product_type": ["Creams"] * products, "brand": ["Maren"] * products}
    swapped = catalog(
        products,
        sku=np.arange(products, dtype=np.int64) + 5_000,
        labels=["dry skin"] * products,
        price_minor=np.full(products, 500),
        **alike,
    )
    view = recommender(swapped, known, factors)
    people = list(range(1, 61))
    at_once = picks(view, people, count=4)
    assert [picks(view, [person], count=4)[0] for person in people] == at_once
    assert {tuple(skus(found)) for found in at_once} == {(5_000, 5_001, 5_002, 5_003)}


def trend_list(view: Any, count: int) -> list[int]:
    order = np.lexsort((view.catalog.sku, -view.trend))
    return [
        int(sku) for sku in view.catalog.sku[order] if view.catalog.sellable[view.catalog.positions(ids([sku]))[0]]
    ][:count]


def test_without_consent_to_personalise_everybody_gets_exactly_the_trend() -> None:
    shop, known = busy_shop()
    shop = catalog(30, sellable=np.arange(30) % 7 > 0)
    view = recommender(shop, known)
    for found in picks(view, [1, 2, 3, 999], personal=False, count=8):
        assert skus(found) == trend_list(view, 8)
        assert {pick.why.reason for pick in found.picks} == {Reason.TREND}
        assert {pick.why.sentence for pick in found.picks} == {"A favourite of the last weeks"}


def test_what_sells_well_to_others_by_the_model_does_not_sway_the_trend_of_people_without_consent() -> None:
    shop, known = busy_shop()
    factors = trained(shop, known)
    loud = replace(factors, item_bias=np.linspace(90, -90, len(factors.item_bias), dtype=np.float32))
    view = recommender(shop, known, loud)
    assert skus(picks(view, [1], personal=False, count=2)[0]) == trend_list(view, 2)


@settings(max_examples=30)
@given(theirs=rows, others=rows)
def test_what_a_person_without_consent_looked_at_changes_nothing(theirs: list[Row], others: list[Row]) -> None:
    shop = catalog(12)
    others = [*others, (NOBODY, 30, Kind.PURCHASE, 1.0)]
    views: list[Row] = [(77, sku, kind, age) for _, sku, kind, age in theirs if kind != Kind.PURCHASE]
    before = picks(recommender(shop, signals(others), MODEL), [77], personal=False)
    assert picks(recommender(shop, signals([*others, *views]), MODEL), [77], personal=False) == before


def test_a_purchase_without_consent_counts_for_the_trend_and_for_nothing_else() -> None:
    shop, known = busy_shop()
    bought: list[Row] = [(NOBODY, 50, Kind.PURCHASE, 0.0)] * 200
    view = recommender(shop, signals([*rows_of(known), *bought]), trained(shop, known))
    assert skus(picks(view, [999], personal=False)[0])[0] == 50
    assert NOBODY not in view.histories.people


def rows_of(known: Signals) -> list[Row]:
    columns = zip(known.subscriber.tolist(), known.sku.tolist(), known.kind.tolist(), known.at.tolist(), strict=True)
    return [(who, sku, Kind(kind), (NOW - at) / DAY) for who, sku, kind, at in columns]


def test_the_histories_read_from_the_database_leave_out_what_a_person_did_not_allow(database: Engine) -> None:
    now = datetime.fromtimestamp(NOW, UTC)

    def people_and_products(session: Session) -> list[int]:
        for name, may in (("yes", True), ("no", False)):
            session.add(Subscriber(key=name, address=f"{name}@x.example", may_personalise=may, joined_at=now))
        session.commit()
        found = {person.key: person.id for person in session.scalars(select(Subscriber))}
        return [found["yes"] or 0, found["no"] or 0]

    with Session(database) as session:
        yes, no = people_and_products(session)
        done = [
            NewSignal(who, code, kind, now, f"{who} {code} {kind}")
            for who in (yes, no)
            for code in "ab"
            for kind in KINDS
        ]
        recording.record(session, done)
        known = read_signals(session, until=datetime(2030, 1, 1, tzinfo=UTC))
        assert sorted(zip(known.subscriber.tolist(), known.kind.tolist(), strict=True)) == sorted(
            [(yes, int(kind)) for kind in KINDS] * 2 + [(NOBODY, int(Kind.PURCHASE))] * 2
        )
        session.execute(delete(Signal).where(col(Signal.subscriber_id) == no, col(Signal.kind) != int(Kind.PURCHASE)))
        session.commit()
        without = read_signals(session, until=datetime(2030, 1, 1, tzinfo=UTC))
        assert [column.tolist() for column in without.columns()] == [column.tolist() for column in known.columns()]


def test_times_in_the_future_count_as_now() -> None:
    shop, known = busy_shop()
    late = Signals(known.subscriber, known.sku, known.kind, known.at + 500 * DAY, known.quantity)
    found = picks(recommender(shop, late, MODEL), [1, 2])
    assert all(len(person.picks) == 5 for person in found)
    assert all(np.isfinite(pick.score) for person in found for pick in person.picks)


def test_times_long_ago_are_no_trouble() -> None:
    shop, known = busy_shop()
    early = Signals(known.subscriber, known.sku, known.kind, np.zeros_like(known.at), known.quantity)
    assert all(len(person.picks) == 5 for person in picks(recommender(shop, early, MODEL), [1, 2]))


def test_a_hundred_thousand_signals_of_one_person_for_one_product_are_no_trouble() -> None:
    shop, known = busy_shop()
    many = 100_000
    one = Signals(
        np.full(many, 3),
        np.full(many, 10),
        np.full(many, int(Kind.VIEW), dtype=np.int8),
        np.full(many, NOW),
        np.ones(many, dtype=np.int32),
    )
    both = Signals(*(np.concatenate(pair) for pair in zip(known.columns(), one.columns(), strict=True)))
    started = time.process_time()
    (found,) = picks(recommender(shop, both, MODEL), [3])
    assert len(found.picks) == 5
    assert time.process_time() - started < 1


def test_a_catalogue_swapped_since_training_still_gets_picks_for_everybody() -> None:
    _, known = busy_shop()
    fresh = catalog(25, sku=np.arange(25, dtype=np.int64) + 9_000)
    found = picks(recommender(fresh, known, trained(catalog(30), known)), [1, 2, 999])
    assert [len(person.picks) for person in found] == [5, 5, 5]
    other_words = catalog(
        5, sku=np.arange(5, dtype=np.int64) + 9_000, product_type=["x"] * 5, labels=["y"] * 5, brand=["z"] * 5
    )
    assert [len(person.picks) for person in picks(recommender(other_words, known, MODEL), [1, 999])] == [5, 5]


def test_from_an_empty_catalogue_nobody_gets_anything() -> None:
    _, known = busy_shop()
    for found in picks(recommender(catalog(0), known, MODEL), [1, 999], personal=[True, False]):
        assert found.picks == ()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_from_a_tiny_catalogue_everybody_gets_what_there_is(size: int) -> None:
    view = recommender(catalog(size), signals([]), MODEL)
    assert [len(found.picks) for found in picks(view, [1, 999], count=9)] == [size, size]


def test_where_nothing_is_left_a_person_gets_nothing() -> None:
    shop = catalog(2)
    view = recommender(shop, signals([(1, 10, Kind.PURCHASE, 1), (1, 20, Kind.PURCHASE, 1)]), MODEL)
    assert [len(found.picks) for found in picks(view, [1, 2])] == [0, 2]


def test_nobody_in_the_audience_is_no_trouble() -> None:
    assert picks(recommender(*busy_shop()), []) == []


def test_products_without_words_are_picked_like_any_other() -> None:
    shop = catalog(12, title=[""] * 12, labels=[""] * 12, brand=[""] * 12, product_type=[""] * 12)
    assert [len(found.picks) for found in picks(recommender(shop, signals([]), MODEL), [1, 2])] == [5, 5]


def test_a_view_counts_what_its_guardrails_took_out() -> None:
    shop, known = busy_shop(people=20, products=12)
    view = recommender(catalog(12, sellable=np.arange(12) > 1), known, MODEL)
    picks(view, [1, 2, 3])
    assert view.removed["not on sale"] == 6
    assert view.removed["already bought"] >= 1
    assert len(shop) == 12


def test_tests_run_against_this_checkout() -> None:
    assert Path(recommender_module.__file__).is_relative_to(Path(__file__).parents[3])
