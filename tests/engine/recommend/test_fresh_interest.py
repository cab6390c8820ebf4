"""What somebody has looked at since the last training shows in their next mail: nothing is trained in between.

A skincare shop of 40 products and 60 customers, where one face mask sells far better than all the rest.
"""

from functools import cache

import numpy as np
import pytest

from engine.assortment import CatalogColumns
from engine.recommend.guardrails import Shown
from engine.recommend.model import Model
from engine.recommend.recipe import Recipe
from engine.recommend.recommender import PersonPicks, Recommender
from engine.recommend.registry import to_bytes
from engine.recommend.rules import Rules
from subscribers.models import Kind
from subscribers.signals import Signals
from tests.engine.shops import Row, catalog, picks, recommender, rows_of, shown, signals, skus, trained

SIZES = {"Moisturisers": 10, "Cleansers": 8, "Serums": 8, "Sun care": 6, "Shampoo": 4, "Masks": 4}
LABELS = ("dry skin", "oily skin", "redness", "dry skin, vegan", "blemish-prone")
WORDS = ("Rosehip", "Oat", "Clay", "Birch", "Calendula", "Linden", "Sage", "Honey", "Mallow", "Fennel")
PEOPLE = range(1, 61)
NEWCOMER = 1_000
AUDIENCE = (*PEOPLE, NEWCOMER)
BESTSELLER = "Clay Masks"
ASKED = [4, 6, 8, 10, 12, NEWCOMER]  # of each skin the first who has not bought the bestseller, and a newcomer


@cache
def shop() -> CatalogColumns:
    """10 moisturisers, 8 cleansers …, each for another skin: of the moisturisers four are for dry skin."""
    made = [(kind, n) for kind, size in SIZES.items() for n in range(size)]
    return catalog(
        len(made),
        title=[f"{WORDS[n]} {kind}" for kind, n in made],
        product_type=[f"Care > {kind}" for kind, _ in made],
        labels=[f"{LABELS[n % 5]}, sun care" if kind == "Sun care" else LABELS[n % 5] for kind, n in made],
        brand=[("Maren", "Soley", "Oat & Amber")[n % 3] for n in range(len(made))],
        price_minor=np.array([900 + 137 * (n * 7 % 23) for n in range(len(made))]),
    )


def number(title: str) -> int:
    return int(shop().sku[shop().title.index(title)])


@cache
def orders() -> Signals:
    """Everybody has bought five things in half a year, mostly for their own skin and of two types, and every other one
    the bestseller in the last three weeks."""
    random = np.random.default_rng(7)
    kinds, labels = np.array(shop().product_type), np.array(shop().labels)
    rows: list[Row] = []
    for person in PEOPLE:
        chosen = random.choice(sorted(SIZES), 2, replace=False)
        wanted = 1.0 + 6 * np.isin(kinds, [f"Care > {kind}" for kind in chosen])
        wanted *= 1 + 6 * np.char.startswith(labels, LABELS[person % 5])
        bought = random.choice(shop().sku, 5, replace=False, p=wanted / wanted.sum())
        rows += [(person, int(sku), Kind.PURCHASE, float(random.uniform(2, 180))) for sku in bought]
        rows += [(person, int(sku), Kind.VIEW, float(random.uniform(2, 180))) for sku in bought[:3]]
        if person % 2:
            rows.append((person, number(BESTSELLER), Kind.PURCHASE, float(random.uniform(1, 21))))
    return signals(rows)


@cache
def model() -> Model:
    """Trained once, on the orders alone: nothing here trains again."""
    return trained(shop(), orders(), Recipe())


def view_of(looks: list[Row], seen: Shown | None = None) -> Recommender:
    known = signals([*rows_of(orders()), *looks])
    return recommender(shop(), known, model(), rules=Rules(), seen=seen or shown(), seed="this week")


def mail_of(view: Recommender, person: int) -> PersonPicks:
    return picks(view, AUDIENCE, count=6)[AUDIENCE.index(person)]


def looks_at(person: int, titles: list[str], *, days: float) -> list[Row]:
    """Each of these looked at twice on two evenings, the second one `days` ago."""
    return [(person, number(title), Kind.VIEW, days + evening) for title in titles for evening in (0, 0.1, 1, 1.1)]


def keeps_looking(person: int, *, days: float) -> list[Row]:
    """At three moisturisers for dry skin again and again, and once at a cleanser and a serum for it."""
    return looks_at(person, DRY[:3], days=days) + [(person, number(title), Kind.VIEW, days) for title in DRY[3:]]


def kind_and_labels(sku: int) -> tuple[str, str]:
    place = shop().positions(np.array([sku]))[0]
    return shop().product_type[place].split(" > ")[1], shop().labels[place]


DRY = ["Rosehip Moisturisers", "Birch Moisturisers", "Linden Moisturisers", "Birch Cleansers", "Rosehip Serums"]
SUN = ["Rosehip Sun care", "Oat Sun care", "Clay Sun care", "Calendula Sun care"]


def test_without_a_word_from_them_a_newcomer_is_offered_the_bestseller() -> None:
    view = view_of([])
    assert skus(picks(view, [NEWCOMER], count=6)[0])[0] == number(BESTSELLER)


def test_nothing_is_trained_in_between() -> None:
    before = to_bytes(model())
    mail_of(view_of(keeps_looking(NEWCOMER, days=0.5)), NEWCOMER)
    assert to_bytes(model()) == before
    assert NEWCOMER not in model().factors.people


@pytest.mark.parametrize("person", ASKED)
def test_who_keeps_looking_at_dry_skin_products_gets_a_moisturiser_for_dry_skin_next(person: int) -> None:
    view = view_of(keeps_looking(person, days=0.5))
    for found in (mail_of(view, person), picks(view, [person], count=6)[0]):
        kind, labels = kind_and_labels(skus(found)[0])
        assert (kind, "dry skin" in labels) == ("Moisturisers", True)
        assert skus(found)[0] != number(BESTSELLER)


def test_whoever_looks_at_products_for_dry_skin_of_several_types_gets_one_for_dry_skin() -> None:
    """All who have not bought the bestseller, and a newcomer, each in a plan and alone, where no cap is in the way."""
    has_it = {who for who, sku, kind, _ in rows_of(orders()) if (sku, kind) == (number(BESTSELLER), Kind.PURCHASE)}
    asked = [person for person in AUDIENCE if person not in has_it]
    assert len(asked) == 28
    for person in asked:
        view = view_of(looks_at(person, DRY, days=0.5))
        for found in (mail_of(view, person), picks(view, [person], count=6)[0]):
            assert "dry skin" in kind_and_labels(skus(found)[0])[1]


@pytest.mark.parametrize("person", ASKED)
def test_when_their_looks_move_on_to_sun_care_the_next_hero_does_too(person: int) -> None:
    before = keeps_looking(person, days=7.5)
    first = mail_of(view_of(before), person)
    seen = shown(*((person, sku, 7.0) for sku in skus(first)))
    second = mail_of(view_of([*before, *looks_at(person, SUN, days=0.5)], seen), person)
    assert kind_and_labels(skus(first)[0])[0] == "Moisturisers"
    assert kind_and_labels(skus(second)[0])[0] == "Sun care"
    assert not set(skus(second)) & (set(skus(first)) - {number(title) for title in SUN})
