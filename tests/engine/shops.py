"""Small shops to test with: a catalogue, what people did, and a model trained in a blink."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.catalog import IN_STOCK
from engine.recommend.guardrails import NOTHING_SHOWN, Shown
from engine.recommend.history import Histories, histories
from engine.recommend.model import LEAST_PEOPLE, Model, learn
from engine.recommend.recipe import Recipe
from engine.recommend.recommender import PersonPicks, Recommender
from engine.recommend.rules import Rules
from subscribers.models import Kind
from subscribers.signals import Signals

NOW = 1_780_000_000  # seconds since 1970: May 2026
DAY = 86_400
QUICK = Recipe(components=8, epochs=3, max_sampled=5)
TYPES = ("Skin care > Creams", "Skin care > Oils", "Hair > Shampoo")
LABELS = ("dry skin", "oily skin, vegan", "", "fragrance free")
KINDS = (Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE)
# nothing but scores: no cap, no mixing, no chance, and looks count at once
PLAIN = Rules(hero_share=1, diversity=0, exploration=0, view_delay=0, label_people=1)

Row = tuple[int, int, Kind, float]
"""(subscriber, sku, kind, days before now)."""


def catalog(size: int, **columns: Any) -> CatalogColumns:
    """Products 10, 20, 30 … with types, labels and brands in turn; all of them to be had, none of them counted."""
    plain: dict[str, Any] = {
        "sku": np.arange(1, size + 1, dtype=np.int64) * 10,
        "code": [f"P{n}" for n in range(size)],
        "title": [f"Rose Cream number {n}" for n in range(size)],
        "product_type": [TYPES[n % len(TYPES)] for n in range(size)],
        "labels": [LABELS[n % len(LABELS)] for n in range(size)],
        "brand": [("Maren", "Soley", "")[n % 3] for n in range(size)],
        "price_minor": np.arange(size, dtype=np.int64) * 100 + 500,
        "availability": [IN_STOCK] * size,
        "stock": np.full(size, -1, dtype=np.int64),
        "pictured": np.ones(size, dtype=np.bool_),
    }
    return CatalogColumns(**plain | columns)


def signals(rows: Iterable[Row]) -> Signals:
    """Histories, oldest first."""
    ordered = sorted(rows, key=lambda row: -row[3])
    people, sku, kinds, ages = zip(*ordered, strict=True) if ordered else ((), (), (), ())
    return Signals(
        np.array(people, dtype=np.int64),
        np.array(sku, dtype=np.int64),
        np.array([int(kind) for kind in kinds], dtype=np.int8),
        np.array([NOW - round(age * DAY) for age in ages], dtype=np.int64),
        np.ones(len(ordered), dtype=np.int32),
    )


def rows_of(known: Signals) -> list[Row]:
    """The other way round: signals as rows."""
    columns = zip(known.subscriber.tolist(), known.sku.tolist(), known.kind.tolist(), known.at.tolist(), strict=True)
    return [(who, sku, Kind(kind), (NOW - at) / DAY) for who, sku, kind, at in columns]


def shown(*rows: tuple[int, int, float]) -> Shown:
    """What stood in mails: (subscriber, sku, days before now)."""
    return Shown(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([NOW - round(row[2] * DAY) for row in rows], dtype=np.int64),
    )


def busy_shop(people: int = 40, products: int = 30, *, seed: int = 3, each: int = 8) -> tuple[CatalogColumns, Signals]:
    """A shop in which everybody (1, 2, 3 …) did something with `each` products."""
    random = np.random.default_rng(seed)
    shop = catalog(products)
    rows = [
        (person, int(sku), KINDS[int(random.integers(4))], float(random.uniform(0, 200)))
        for person in range(1, people + 1)
        for sku in random.choice(shop.sku, min(each, products), replace=False)
    ]
    return shop, signals(rows)


def history(shop: CatalogColumns, known: Signals) -> Histories:
    return histories(known, shop.positions(known.sku), len(shop), now=NOW)


def trained(shop: CatalogColumns, known: Signals, recipe: Recipe = QUICK, *, least_people: int = LEAST_PEOPLE) -> Model:
    return learn(history(shop, known), shop, recipe, least_people=least_people)


def recommender(
    shop: CatalogColumns,
    known: Signals,
    model: Model | None = None,
    *,
    rules: Rules = PLAIN,
    seen: Shown = NOTHING_SHOWN,
    now: int = NOW,
    seed: str = "",
) -> Recommender:
    return Recommender(shop, known, model or trained(shop, known), now, rules, seen, seed)


def picks(
    view: Recommender, people: Sequence[int], *, personal: bool | Sequence[bool] = True, count: int = 5
) -> list[PersonPicks]:
    return list(view.picks_for(ids(people), consents(people, personal), count))


def consents(people: Sequence[int], personal: bool | Sequence[bool]) -> NDArray[np.bool_]:
    return (
        np.full(len(people), personal, dtype=np.bool_) if isinstance(personal, bool) else np.array(personal, np.bool_)
    )


def ids(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), dtype=np.int64)


def skus(found: PersonPicks) -> list[int]:
    return [pick.sku_id for pick in found.picks]
