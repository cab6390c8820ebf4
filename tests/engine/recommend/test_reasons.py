"""Reasons of whole plans: true to the scores, and with no label that would single anybody out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.recommend.explain import Reason, sentence
from engine.recommend.filters import parse_boost
from engine.recommend.portrait import portrait
from engine.recommend.recommender import PersonPicks, Recommender
from engine.recommend.rules import Rules
from engine.recommend.scoring import parts_of, shortlists
from subscribers.models import Kind
from tests.engine.odd_shops import OddShop, odd_shops
from tests.engine.recommend.one_by_one import told
from tests.engine.recommend.test_explain import WATCHING
from tests.engine.shops import PLAIN, Row, busy_shop, catalog, picks, recommender, shown, signals, skus, trained

pytestmark = pytest.mark.slow  # quick one by one, but there are many


quickly = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def people_a_label(view: Recommender) -> dict[str, int]:
    """How many people have each label: a tenth of their interest or more."""
    moment = view.moment
    present = moment.attributes.matrix.toarray() > 0
    shares = [row @ present / max(row.sum(), 1e-9) for row in moment.histories.interest.toarray()]
    return {
        name: sum(bool(share[column] >= 0.1 * (1 - 1e-5)) for share in shares)
        for column, name in enumerate(moment.attributes.names)
    }


@settings(quickly, max_examples=80)
@given(odd_shops(), st.integers(1, 5))
def test_a_label_that_too_few_people_share_is_in_no_profile_reason_or_sentence(shop: OddShop, least: int) -> None:
    view = shop.view(replace(PLAIN, label_people=least))
    counts = people_a_label(view)
    themes = {name for name in counts if name.startswith(("label:", "brand:"))}
    harmless = {sentence(name) for name in themes if counts[name] >= least} | {sentence("")}
    told = {sentence(name) for name in themes if counts[name] < least} - harmless
    for found in shop.plan_of(view):
        picture = portrait(view.moment, found.subscriber_id, personalised=shop.people[found.subscriber_id])
        named = [label.name for label in picture.labels] + [pick.why.label for pick in found.picks if pick.why.label]
        named += [f"price:{picture.price_band}"] if picture.price_band else []
        assert all(counts[name] >= least for name in named)
        assert not {pick.why.sentence for pick in found.picks} & told


ODD_RULES = [
    PLAIN,
    replace(PLAIN, diversity=0.3, exploration=0.4, hero_share=0.2, replenish={"creams": 0, "tests": 5}),
    replace(PLAIN, boost=(parse_boost("price>0=0.5"), parse_boost("type:creams=2")), label_people=2),
]


@settings(quickly, max_examples=200)
@given(odd_shops(), st.sampled_from(ODD_RULES), st.integers(1, 20))
def test_a_crowd_is_told_what_each_would_be_told_one_by_one_and_pick_by_pick(
    shop: OddShop, rules: Rules, count: int
) -> None:
    view = shop.view(rules)
    for found in shop.plan_of(view, count):
        assert_same(found, told(view, found, personal=shop.people[found.subscriber_id], count=count))


def test_in_a_busy_shop_too_a_crowd_is_told_what_each_would_be_told() -> None:
    shop, known = catalog(125), busy_shop(people=150, products=120, each=30)[1]  # five are new
    view = recommender(shop, known, rules=replace(ODD_RULES[1], label_people=3), seen=shown((1, 10, 1.0), (2, 20, 1.0)))
    people = [*range(1, 151), 999]
    allowed = [person % 5 > 0 for person in people]
    plan = picks(view, people, personal=allowed, count=6)
    for found, personal in zip(plan, allowed, strict=True):
        assert_same(found, told(view, found, personal=personal, count=6))
    reasons = {pick.why.reason for found in plan for pick in found.picks}
    assert {Reason.BOUGHT, Reason.LOOKED_AT, Reason.PROFILE, Reason.NEW} <= reasons


def assert_same(found: PersonPicks, wanted: PersonPicks) -> None:
    """The same but for the last digit: numpy rounds 0.00005 otherwise than Python."""
    assert plain(found, numbers=False) == plain(wanted, numbers=False)
    assert plain(found, numbers=True) == pytest.approx(plain(wanted, numbers=True), abs=2.1e-4)


def plain(found: PersonPicks, *, numbers: bool) -> list[Any]:
    """Everything that is a rounded number, or everything else."""
    if numbers:
        scores = [pick.score for pick in found.picks] + [found.runner_up[1] if found.runner_up else 0.0]
        return scores + [proof.drop for pick in found.picks for proof in pick.why.evidence]
    said = [
        (pick.sku_id, pick.propensity, pick.why._replace(evidence=()), [proof[:2] for proof in pick.why.evidence])
        for pick in found.picks
    ]
    return [said, found.runner_up and found.runner_up[0], found.barred, found.moved_from, found.labels]


def test_the_label_of_one_person_among_many_is_told_only_where_one_is_enough() -> None:
    shop = catalog(12, labels=["secret"] * 2 + [""] * 10, brand=[""] * 12)
    rows: list[Row] = [(1, 10, Kind.VIEW, 1.0)] * 4
    rows += [(person, 30 + 10 * (person % 10), Kind.PURCHASE, 5.0) for person in range(2, 30)]
    model = trained(shop, signals(rows), least_people=1)
    heard = {}
    for least in (1, 2):
        view = recommender(shop, signals(rows), model, rules=replace(PLAIN, label_people=least))
        (found,) = picks(view, [1], count=12)
        heard[least] = {pick.why.label for pick in found.picks} | {pick.why.sentence for pick in found.picks}
    assert {"label:secret", "Secret"} <= heard[1]
    assert not any("secret" in word.lower() for word in heard[2])


@quickly
@given(odd_shops())
def test_no_sentence_of_any_plan_speaks_of_watching(shop: OddShop) -> None:
    rules = Rules(exploration=0.5, label_people=1, boost=(parse_boost("price>0=2"),), replenish={"creams": 0})
    for found in shop.plan(rules):
        for pick in found.picks:
            assert not WATCHING.search(pick.why.sentence)
            assert pick.why.sentence.strip()


@quickly
@given(odd_shops(any_stock=False))
def test_what_a_pick_scores_is_what_its_list_was_ordered_by(shop: OddShop) -> None:
    view = shop.view(PLAIN)
    for person, personal in shop.people.items():
        who, may = np.array([person]), np.array([personal])
        lists = shortlists(view.moment.readers(who, may), view.moment.shelf, 20)
        listed = zip(lists.places[0].tolist(), lists.scores[0].tolist(), strict=True)
        scores = {int(view.moment.shelf_sku[place]): score for place, score in listed if place >= 0}
        for pick in next(view.picks_for(who, may, 20)).picks:
            assert pick.score == pytest.approx(scores[pick.sku_id], abs=2e-4, rel=1e-5)


def test_a_product_looked_at_is_evidence_for_those_that_go_with_it() -> None:
    """10 and 40 are bought together by everybody else; 70 by others."""
    shop = catalog(30)
    rows: list[Row] = [(person, sku, Kind.PURCHASE, 100.0) for person in range(1, 30) for sku in (20, 50)]
    rows += [(person, sku, Kind.PURCHASE, 100.0) for person in range(30, 60) for sku in (80, 110)]
    model = trained(shop, signals(rows))
    view = recommender(shop, signals([*rows, (999, 20, Kind.VIEW, 1.0)]), model)
    (found,) = picks(view, [999], count=30)
    reason = {pick.sku_id: pick.why for pick in found.picks}[50]
    assert [(proof.sku_id, proof.bought) for proof in reason.evidence] == [(20, False)]
    assert reason.evidence[0].drop > 0
    (buyer,) = picks(recommender(shop, signals([*rows, (999, 20, Kind.PURCHASE, 1.0)]), model), [999], count=30)
    assert [proof.bought for proof in {pick.sku_id: pick.why for pick in buyer.picks}[50].evidence] == [True]


def test_there_are_three_pieces_of_evidence_at_most_and_the_strongest_comes_first() -> None:
    shop, known = busy_shop(each=15)
    for found in picks(recommender(shop, known), range(1, 41)):
        for pick in found.picks:
            drops = [proof.drop for proof in pick.why.evidence]
            assert len(drops) <= 3
            assert drops == sorted(drops, reverse=True)
            assert all(drop >= 0 for drop in drops)


def test_what_a_piece_of_evidence_weighs_is_its_interest_times_how_much_nearer_it_is_than_the_average() -> None:
    shop, known = busy_shop()
    view = recommender(shop, known)
    moment, people = view.moment, np.arange(1, 41)
    near, usual = moment.neighbours.toarray().astype(np.float64), moment.usual.astype(np.float64)
    plan = picks(view, range(1, 41))
    places = np.array([shop.positions(np.array(skus(found))) for found in plan])  # everything is on the shelf
    parts = parts_of(moment.readers(people, np.ones(40, dtype=np.bool_)), moment.shelf, places)
    checked = 0
    for row, found in enumerate(plan):
        interest = moment.histories.interest[[row]].toarray()[0].astype(np.float64)
        for place, pick in zip(places[row].tolist(), found.picks, strict=True):
            weighs = np.where(near[:, place] != 0, parts.scale[row] * interest * (near[:, place] - usual[place]), 0)
            wanted = sorted((drop for drop in weighs.tolist() if drop > 1e-6), reverse=True)[:3]
            assert [proof.drop for proof in pick.why.evidence] == pytest.approx(wanted, abs=1e-3)
            checked += len(wanted)
    assert checked > 100


def test_people_without_consent_have_no_evidence_held_against_them() -> None:
    shop, known = busy_shop()
    for found in picks(recommender(shop, known), range(1, 41), personal=False, count=30):
        assert all(pick.why.evidence == () and pick.why.label == "" for pick in found.picks)


def test_a_boost_that_decides_is_the_reason() -> None:
    shop, known = busy_shop()
    rules = replace(PLAIN, boost=(parse_boost("code:P7=9"),))
    found = picks(recommender(shop, known, rules=rules), [999])[0]
    assert (skus(found)[0], found.picks[0].why.reason) == (80, Reason.RULE)
