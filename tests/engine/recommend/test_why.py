"""The full account of somebody's picks: what mattered, by leaving it out; what a rule kept out, and which."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from engine.recommend import why as module
from engine.recommend.filters import parse_filter
from engine.recommend.guardrails import BOUGHT, EXCLUDED, OUT, SHOWN, TOO_FRESH
from engine.recommend.portrait import Rhythm
from engine.recommend.recommender import PersonPicks, Recommender
from engine.recommend.why import FullAccount, account
from subscribers.models import Kind
from tests.engine.odd_shops import OddShop, forbidden, odd_shops
from tests.engine.shops import (
    DAY,
    NOW,
    PLAIN,
    Row,
    busy_shop,
    catalog,
    picks,
    recommender,
    rows_of,
    shown,
    signals,
    skus,
    trained,
)

SHOP, KNOWN = busy_shop()
MODEL = trained(SHOP, KNOWN)


def told(view: Recommender, person: int = 1, *, personalised: bool = True, count: int = 5) -> FullAccount:
    (found,) = picks(view, [person], personal=personalised, count=count)
    return account(view, found, personalised=personalised)


def score(found: PersonPicks, sku: int) -> float:
    return {pick.sku_id: pick.score for pick in found.picks}[sku]


def test_what_mattered_is_by_how_much_the_score_falls_without_it() -> None:
    """Checked by really leaving each signal out. It is told with the attention and the average history held, so the
    first is switched off, and the second may move a little."""
    theirs: list[Row] = [(999, 20, Kind.VIEW, 3), (999, 50, Kind.CART, 2), (999, 80, Kind.VIEW, 1)]
    everybody = rows_of(KNOWN)
    newest: Row = (999, 110, Kind.VIEW, 0.0)
    calm = replace(MODEL, recipe=replace(MODEL.recipe, attention=0.0))
    full = told(recommender(SHOP, signals([*everybody, *theirs, newest]), calm), 999, count=30)
    checked = 0
    for pick, matters in zip(full.picks.picks, full.matters, strict=True):
        for matter in matters:
            left = [row for row in theirs if row[1] != matter.signal.sku_id]
            if len(left) == len(theirs):
                continue  # the newest of all is what ages count from
            (without,) = picks(recommender(SHOP, signals([*everybody, *left, newest]), calm), [999], count=30)
            assert matter.drop == pytest.approx(pick.score - score(without, pick.sku_id), abs=0.05, rel=0.05)
            checked += 1
    assert checked > 10


def test_the_signals_that_mattered_come_strongest_first_five_at_most() -> None:
    full = told(recommender(SHOP, KNOWN, MODEL))
    assert any(full.matters)
    for matters in full.matters:
        drops = [matter.drop for matter in matters]
        assert drops == sorted(drops, reverse=True)
        assert all(drop > 0 for drop in drops)
        assert len(drops) <= 5
    mine = {(sku, int(kind), NOW - round(age * DAY)) for who, sku, kind, age in rows_of(KNOWN) if who == 1}
    signals_told = [matter.signal for matters in full.matters for matter in matters]
    assert {(proof.sku_id, int(proof.kind), proof.at) for proof in signals_told} <= mine


def test_of_a_long_history_the_newest_signals_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIGNALS_LEFT_OUT", 3)
    newest = sorted(age for who, _, _, age in rows_of(KNOWN) if who == 1)[:3]
    found = {matter.signal.at for matters in told(recommender(SHOP, KNOWN, MODEL)).matters for matter in matters}
    assert found <= {NOW - round(age * DAY) for age in newest}


def test_what_a_rule_kept_out_is_named_with_the_rule_best_first() -> None:
    view = recommender(SHOP, KNOWN, MODEL)
    wanted = skus(picks(view, [999], count=6)[0])
    shop = catalog(30, stock=np.where(SHOP.sku == wanted[0], 0, -1))
    code = SHOP.code[int(SHOP.positions(np.array([wanted[1]]))[0])]
    ruled = recommender(
        shop,
        KNOWN,
        MODEL,
        rules=replace(PLAIN, exclude=(parse_filter(f"code:{code}"),)),
        seen=shown((999, wanted[2], 3.0)),
    )
    full = told(ruled, 999, count=3)
    assert skus(full.picks) == wanted[3:6]
    assert [(each.sku_id, each.rule) for each in full.filtered] == [
        (wanted[0], OUT),
        (wanted[1], EXCLUDED),
        (wanted[2], SHOWN),
    ]
    scores = [each.score for each in full.filtered]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > full.picks.picks[-1].score


def test_what_was_bought_or_looked_at_just_now_is_named_as_kept_out() -> None:
    rows: list[Row] = [(999, 20, Kind.PURCHASE, 2), (999, 50, Kind.CART, 1), (999, 80, Kind.VIEW, 0)]
    view = recommender(SHOP, signals([*rows_of(KNOWN), *rows]), MODEL, rules=replace(PLAIN, view_delay=60))
    named = {each.sku_id: each.rule for each in told(view, 999, count=30).filtered}
    assert {BOUGHT, TOO_FRESH} >= set(named.values())
    worst = min(pick.score for pick in told(view, 999, count=30).picks.picks)
    assert all(each.score > worst for each in told(view, 999, count=30).filtered)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(odd_shops())
def test_whatever_is_named_as_kept_out_is_forbidden_by_that_rule(shop: OddShop) -> None:
    rules = replace(PLAIN, view_delay=3600, sensitive=("tests",), highest_price=1000)
    view = shop.view(rules)
    for found in shop.plan_of(view, 3):
        person = found.subscriber_id
        full = account(view, found, personalised=shop.people[person])
        kept_out = forbidden(shop, rules, person)
        for each in full.filtered:
            assert each.sku_id in kept_out[each.rule]
        assert not {each.sku_id for each in full.filtered} & set(skus(found))


def test_of_people_without_consent_nothing_is_told() -> None:
    full = told(recommender(SHOP, KNOWN, MODEL), personalised=False)
    assert full.matters == ((),) * 5
    assert (full.portrait.labels, full.portrait.rhythm) == ((), Rhythm.UNKNOWN)
    assert not any(each.rule == BOUGHT for each in full.filtered)


def test_who_gets_nothing_is_told_why() -> None:
    shop = catalog(2)
    rows: list[Row] = [(1, 10, Kind.PURCHASE, 1), (1, 20, Kind.PURCHASE, 1)]
    full = told(recommender(shop, signals(rows), MODEL))
    assert (full.picks.picks, full.matters) == ((), ())
    assert {(each.sku_id, each.rule) for each in full.filtered} == {(10, BOUGHT), (20, BOUGHT)}
