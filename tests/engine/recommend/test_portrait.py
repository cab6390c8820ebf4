"""The portrait of a person: labels with their proof, a price band, and how they come by."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.recommend.portrait import EVIDENCE_A_LABEL, Portrait, Rhythm, portrait, rhythm
from subscribers.models import Kind
from tests.engine.odd_shops import OddShop, odd_shops
from tests.engine.shops import DAY, NOW, PLAIN, Row, busy_shop, catalog, recommender, signals, trained

SHOP = catalog(
    6,
    product_type=["Creams", "Creams", "Oils", "", "", ""],
    labels=["dry skin", "dry skin, vegan", "", "", "", ""],
    brand=[""] * 6,
    price_minor=np.array([500, 600, 5000, 6000, 7000, 8000]),
)
MODEL = trained(SHOP, signals([(1, 10, Kind.PURCHASE, 1), (2, 20, Kind.PURCHASE, 1)]), least_people=1)


def portrait_of(rows: list[Row], person: int = 1, *, personalised: bool = True, least: int = 1) -> Portrait:
    view = recommender(SHOP, signals(rows), MODEL, rules=replace(PLAIN, label_people=least))
    return portrait(view.moment, person, personalised=personalised)


THEIRS: list[Row] = [
    (1, 10, Kind.VIEW, 30),
    (1, 10, Kind.PURCHASE, 20),
    (1, 20, Kind.CART, 10),
    (2, 30, Kind.VIEW, 4),
    (1, 30, Kind.VIEW, 3),
]


def test_a_label_comes_with_its_share_its_age_and_the_signals_that_speak_for_it() -> None:
    found = portrait_of(THEIRS)
    dry = {label.name: label for label in found.labels}["label:dry skin"]
    assert [(proof.sku_id, proof.kind, proof.at) for proof in dry.evidence] == [
        (10, Kind.PURCHASE, NOW - 20 * DAY),
        (20, Kind.CART, NOW - 10 * DAY),
        (10, Kind.VIEW, NOW - 30 * DAY),
    ]
    strengths = [proof.strength for proof in dry.evidence]
    assert strengths == pytest.approx([0.5 ** (17 / 90), 0.7 * 0.5 ** (7 / 90), 0.2 * 0.5 ** (27 / 90)], abs=1e-3)
    assert dry.age_days == 7  # since the cart, on the day of the newest signal of all
    cream = min(1.0, 0.5 ** (17 / 90) + 0.2 * 0.5 ** (27 / 90))
    cart = 0.7 * 0.5 ** (7 / 90)
    assert dry.share == pytest.approx((cream + cart) / (cream + cart + 0.2), abs=2e-3)
    assert [label.name for label in found.labels][:2] == ["label:dry skin", "type:creams"]
    assert found.price_band == "budget"
    assert not any(label.name.startswith(("price:", "word:")) for label in found.labels)


def test_nothing_is_said_of_people_who_do_not_allow_it_or_are_not_known() -> None:
    nothing = Portrait((), "", Rhythm.UNKNOWN)
    assert portrait_of(THEIRS, personalised=False) == nothing
    assert portrait_of(THEIRS, 999) == nothing
    assert portrait_of([]) == nothing


def test_a_label_that_too_few_people_share_is_left_out() -> None:
    others: list[Row] = [(person, 10, Kind.PURCHASE, 2.0) for person in range(2, 6)]
    names = {label.name for label in portrait_of([*THEIRS, *others], least=5).labels}
    assert {"label:dry skin", "type:creams"} <= names
    assert "label:vegan" in {label.name for label in portrait_of([*THEIRS, *others]).labels} - names


def test_there_are_five_proofs_at_most_and_the_strongest_come_first() -> None:
    rows: list[Row] = [(1, 10, Kind.VIEW, float(age)) for age in range(20)]
    for label in portrait_of(rows).labels:
        assert len(label.evidence) == EVIDENCE_A_LABEL
        assert [proof.at for proof in label.evidence] == [NOW - age * DAY for age in range(5)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(odd_shops(), st.integers(1, 3))
def test_every_proof_is_a_signal_of_this_person_about_a_product_with_the_label(shop: OddShop, least: int) -> None:
    view = shop.view(replace(PLAIN, label_people=least))
    described = view.moment.attributes
    theirs = {(who, sku, int(kind), NOW - round(age * DAY)) for who, sku, kind, age in shop.rows}
    for person in shop.people:
        for label in portrait(view.moment, person, personalised=True).labels:
            assert label.evidence
            assert label.age_days >= 0
            for proof in label.evidence:
                assert (person, proof.sku_id, int(proof.kind), proof.at) in theirs
                row = described.matrix[view.catalog.positions(np.array([proof.sku_id]))].toarray()[0]
                assert row[described.names.index(label.name)] > 0


def came(*days: float, kind: Kind = Kind.VIEW) -> list[Row]:
    return [(1, 10 * (1 + place % 6), kind, day) for place, day in enumerate(days)]


def burst(day: float, products: int = 3) -> list[Row]:
    return [(1, 10 * (1 + place), Kind.PURCHASE, day + place) for place in range(products)]


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([], Rhythm.UNKNOWN),
        (came(0), Rhythm.NEW),
        (came(29, 3), Rhythm.NEW),
        (came(30.6, 3), Rhythm.ACTIVE),
        (came(200, 89), Rhythm.ACTIVE),
        (came(120, 110, 91), Rhythm.LAPSED),
        (came(500, 400, 300, 200), Rhythm.ACTIVE),  # they come every hundred days
        (came(800, 700, 600, 500, 301), Rhythm.LAPSED),
        ([*burst(400), *burst(30)], Rhythm.GIFT_BUYER),
        ([*burst(400), *burst(200)], Rhythm.GIFT_BUYER),  # long ago, but so it was last time
        ([*burst(400), *burst(62, products=2)], Rhythm.ACTIVE),
        ([*burst(100), *burst(60)], Rhythm.ACTIVE),  # no two quiet months between
        (burst(40), Rhythm.ACTIVE),  # one burst is no rhythm
        ([*burst(400), *burst(40, products=5), *came(38, kind=Kind.PURCHASE)], Rhythm.GIFT_BUYER),
        ([*burst(400), *burst(40), *came(30.6, kind=Kind.PURCHASE)], Rhythm.ACTIVE),  # spread over more than a week
        ([*burst(400), *burst(40), *came(20)], Rhythm.GIFT_BUYER),  # looks do not count
    ],
)
def test_how_somebody_comes_by(rows: list[Row], found: Rhythm) -> None:
    assert rhythm(signals(rows), now=NOW) == found


def test_a_rhythm_goes_by_the_newest_signal_of_all() -> None:
    shop, known = busy_shop()
    assert portrait(recommender(shop, known, now=NOW + 900 * DAY).moment, 1, personalised=True).rhythm != Rhythm.LAPSED
