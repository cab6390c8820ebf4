"""Picks for people: never another list in another batch, and nothing of people who did not allow it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select
from sqlmodel import Session, col

from engine.recommend import recommender as recommender_module
from engine.recommend.explain import Reason
from engine.recommend.recommender import Heroes, PersonPicks, Recommender
from engine.recommend.rules import Rules
from subscribers import signals as recording
from subscribers.models import Kind, Signal, Subscriber
from subscribers.signals import NOBODY, NewSignal, read_signals
from tests.engine.odd_shops import OddShop, odd_shops
from tests.engine.shops import (
    KINDS,
    NOW,
    PLAIN,
    Row,
    busy_shop,
    catalog,
    ids,
    picks,
    recommender,
    rows_of,
    shown,
    signals,
    skus,
    trained,
)

quickly = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
RULES = [PLAIN, replace(PLAIN, diversity=0.3, exploration=0.3, label_people=5)]


@pytest.mark.parametrize("rules", RULES)
def test_one_by_one_in_another_order_or_all_at_once_people_get_the_same(
    monkeypatch: pytest.MonkeyPatch, rules: Rules
) -> None:
    shop, known = busy_shop(people=120, products=900, each=6)
    view = recommender(shop, known, rules=rules, seen=shown(*((person, 10, 1.0) for person in range(1, 40))))
    people = [*range(1, 121), 500, 501]
    allowed = [person % 3 > 0 for person in people]
    at_once = picks(view, people, personal=allowed, count=6)
    assert picks(view, people[::-1], personal=allowed[::-1], count=6) == at_once[::-1]
    assert [
        picks(view, [person], personal=[yes], count=6)[0] for person, yes in zip(people, allowed, strict=True)
    ] == at_once
    monkeypatch.setattr(recommender_module, "PEOPLE_A_BATCH", 7)
    assert picks(view, people, personal=allowed, count=6) == at_once


def test_with_shared_heroes_too_everybody_gets_the_same_in_any_order_and_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, known = busy_shop(people=120, products=60, each=6)
    shop = catalog(60, stock=np.array([-1, 3, 9] * 20))
    view = recommender(shop, known, rules=Rules())
    people = list(range(1, 121))
    allowed = [person % 3 > 0 for person in people]  # those who said no all wish for the same
    at_once = picks(view, people, personal=allowed, count=6)
    assert any(found.moved_from for found in at_once)
    assert picks(view, people[::-1], personal=allowed[::-1], count=6) == at_once[::-1]
    monkeypatch.setattr(recommender_module, "PEOPLE_A_BATCH", 7)
    assert picks(view, people, personal=allowed, count=6) == at_once


@quickly
@given(odd_shops(any_stock=False), st.integers(1, 6))
def test_in_any_shop_a_person_alone_gets_what_they_get_in_a_crowd(shop: OddShop, count: int) -> None:
    view = shop.view(replace(RULES[1], hero_share=1))
    for found in shop.plan_of(view, count):
        person = found.subscriber_id
        assert picks(view, [person], personal=shop.people[person], count=count) == [found]


@pytest.mark.parametrize("products", [403, 1999])
def test_products_that_differ_in_nothing_come_in_the_same_order_in_any_batch(products: int) -> None:
    _, known = busy_shop(people=60, products=30)
    model = trained(catalog(30), known)
    alike = {"title": ["Cream"] * products, "product_type": ["Creams"] * products, "brand": ["Maren"] * products}
    swapped = catalog(
        products,
        sku=np.arange(products, dtype=np.int64) + 5_000,
        labels=["dry skin"] * products,
        price_minor=np.full(products, 500),
        **alike,
    )
    view = recommender(swapped, known, model)
    people = list(range(1, 61))
    at_once = picks(view, people, count=4)
    assert [picks(view, [person], count=4)[0] for person in people] == at_once
    assert {tuple(skus(found)) for found in at_once} == {(5_000, 5_001, 5_002, 5_003)}


def trend_list(view: Recommender, count: int) -> list[int]:
    shelf = view.moment.on_shelf
    order = np.lexsort((shelf, -view.moment.newcomers_trend[shelf]))
    return [int(sku) for sku in view.moment.shelf_sku[order]][:count]


def test_without_consent_to_personalise_everybody_gets_exactly_the_trend() -> None:
    shop, known = busy_shop()
    shop = catalog(30, pictured=np.arange(30) % 7 > 0)
    view = recommender(shop, known)
    for found in picks(view, [1, 2, 3, 999], personal=False, count=8):
        assert skus(found) == trend_list(view, 8)
        assert {pick.why.reason for pick in found.picks} == {Reason.TREND}
        assert {pick.why.sentence for pick in found.picks} == {"A favourite of the last weeks"}


def test_what_the_model_makes_of_others_does_not_sway_the_trend_of_people_without_consent() -> None:
    shop, known = busy_shop()
    model = trained(shop, known)
    bias = np.linspace(90, -90, len(model.factors.item_bias), dtype=np.float32)
    view = recommender(shop, known, replace(model, factors=replace(model.factors, item_bias=bias)))
    assert skus(picks(view, [1], personal=False, count=2)[0]) == trend_list(view, 2)


@quickly
@given(odd_shops(), st.integers(0, 3))
def test_people_without_consent_get_the_same_whatever_of_it_all_was_theirs(shop: OddShop, person: int) -> None:
    """The same signals and mails, but a stranger's: what everybody does may move the trend, who did it must not."""
    refused = replace(shop, people={person: False})
    rows: list[Row] = [(777 if who == person else who, *rest) for who, *rest in shop.rows]  # type: ignore[misc]
    for rules in (Rules(exploration=0.5), replace(PLAIN, view_delay=3600)):
        assert refused.plan(rules) == replace(refused, rows=tuple(rows)).plan(rules)


def test_what_chance_draws_for_people_without_consent_does_not_tell_what_they_have() -> None:
    """Half of them are drawn for among five new products, one of which each has bought; or strangers have, instead."""
    shop, people = catalog(25), range(1, 61)
    rows: list[Row] = [(77, 10 * n, Kind.PURCHASE, 90.0) for n in range(1, 21)]
    theirs: list[Row] = [(who, 210 + 10 * (who % 5), Kind.PURCHASE, 1.0) for who in people]
    strangers: list[Row] = [(who + 1_000, sku, kind, age) for who, sku, kind, age in theirs]
    model, rules = trained(*busy_shop(people=5)), replace(PLAIN, exploration=0.5)
    plans = [
        picks(recommender(shop, signals([*rows, *bought]), model, rules=rules), people, personal=False, count=4)
        for bought in (theirs, strangers)
    ]
    assert plans[0] == plans[1]
    assert sum(pick.propensity < 1 for found in plans[0] for pick in found.picks) > 15


def test_a_purchase_without_a_name_counts_for_the_trend_and_for_nothing_else() -> None:
    shop, known = busy_shop()
    bought: list[Row] = [(NOBODY, 50, Kind.PURCHASE, 0.0)] * 2_000
    model = trained(shop, known)
    view, before = recommender(shop, signals([*rows_of(known), *bought]), model), recommender(shop, known, model)
    assert shop.sku[view.moment.trend.argmax()] == 50
    assert view.moment.newcomers_trend[4] > before.moment.newcomers_trend[4]
    assert NOBODY not in view.moment.histories.people


def test_the_histories_read_from_the_database_hold_nothing_of_people_who_did_not_allow_it(database: Engine) -> None:
    now = datetime.fromtimestamp(NOW, UTC)
    with Session(database) as session:
        for name, may in (("yes", True), ("no", False)):
            session.add(Subscriber(key=name, address=f"{name}@x.example", may_personalise=may, joined_at=now))
        session.commit()
        found = {person.key: person.id or 0 for person in session.scalars(select(Subscriber))}
        yes, no = found["yes"], found["no"]
        done = [
            NewSignal(who, code, kind, now, f"{who} {code} {kind}")
            for who in (yes, no, None)
            for code in "ab"
            for kind in KINDS
        ]
        recording.record(session, done)
        until = datetime(2030, 1, 1, tzinfo=UTC)
        known = read_signals(session, until=until)
        assert sorted(zip(known.subscriber.tolist(), known.kind.tolist(), strict=True)) == sorted(
            [(yes, int(kind)) for kind in KINDS] * 2 + [(NOBODY, int(Kind.PURCHASE))] * 2
        )
        session.execute(delete(Signal).where(col(Signal.subscriber_id) == no))
        session.commit()
        without = read_signals(session, until=until)
        assert [column.tolist() for column in without.columns()] == [column.tolist() for column in known.columns()]


def test_the_same_seed_gives_the_same_picks_and_another_one_others() -> None:
    shop, known = busy_shop()
    model, rules = trained(shop, known), replace(PLAIN, exploration=0.5)
    larger = catalog(40)

    def plan(seed: str) -> list[PersonPicks]:
        return picks(recommender(larger, known, model, rules=rules, seed=seed), range(1, 60))

    assert plan("run 1") == plan("run 1") != plan("run 2")


def test_the_runner_up_is_the_best_that_did_not_get_in() -> None:
    shop, known = busy_shop()
    view = recommender(shop, known)
    longer = picks(view, [1, 2, 999], count=6)
    for found, more in zip(picks(view, [1, 2, 999], count=5), longer, strict=True):
        assert found.runner_up is not None
        sku, gap = found.runner_up
        assert sku == more.picks[5].sku_id
        assert gap == pytest.approx(more.picks[4].score - more.picks[5].score, abs=2e-4)
        assert gap >= 0


def test_where_everything_is_picked_there_is_no_runner_up() -> None:
    (found,) = picks(recommender(catalog(4), *busy_shop()[1:]), [999], count=4)
    assert found.runner_up is None


def test_heroes_say_who_was_not_in_the_audience() -> None:
    heroes = Heroes(ids([2, 5]), ids([7, -1]))
    assert heroes.of(ids([5, 1, 2, 9])).tolist() == [-1, -2, 7, -2]


def test_tests_run_against_this_checkout() -> None:
    assert Path(recommender_module.__file__).is_relative_to(Path(__file__).parents[3])
