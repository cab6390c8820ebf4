"""Small shops to test with: a catalogue, what people did, and a model trained in a blink."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.recommend.factors import Factors, Recipe, train
from engine.recommend.features import describe
from engine.recommend.profile import Histories, histories
from engine.recommend.recommender import PersonPicks, Recommender
from subscribers.models import Kind
from subscribers.signals import Signals

NOW = 1_780_000_000  # seconds since 1970: May 2026
DAY = 86_400
QUICK = Recipe(components=8, epochs=3, max_sampled=5)
TYPES = ("Skin care > Creams", "Skin care > Oils", "Hair > Shampoo")
LABELS = ("dry skin", "oily skin, vegan", "", "fragrance free")

Row = tuple[int, int, Kind, float]
"""(subscriber, sku, kind, days before now)."""


def catalog(size: int, **columns: Any) -> CatalogColumns:
    """Products 10, 20, 30 … with types, labels and brands in turn."""
    plain: dict[str, Any] = {
        "sku": np.arange(1, size + 1, dtype=np.int64) * 10,
        "title": [f"Rose Cream number {n}" for n in range(size)],
        "product_type": [TYPES[n % len(TYPES)] for n in range(size)],
        "labels": [LABELS[n % len(LABELS)] for n in range(size)],
        "brand": [("Maren", "Soley", "")[n % 3] for n in range(size)],
        "price_minor": np.arange(size, dtype=np.int64) * 100 + 500,
        "sellable": np.ones(size, dtype=np.bool_),
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


def busy_shop(people: int = 40, products: int = 30, *, seed: int = 3, each: int = 8) -> tuple[CatalogColumns, Signals]:
    """A shop in which everybody (1, 2, 3 …) did something with `each` products."""
    random = np.random.default_rng(seed)
    shop = catalog(products)
    kinds = (Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE)
    rows = [
        (person, int(sku), kinds[int(random.integers(4))], float(random.uniform(0, 200)))
        for person in range(1, people + 1)
        for sku in random.choice(shop.sku, min(each, products), replace=False)
    ]
    return shop, signals(rows)


def history(shop: CatalogColumns, known: Signals) -> Histories:
    return histories(known, shop.positions(known.sku), len(shop), now=NOW)


def trained(shop: CatalogColumns, known: Signals, recipe: Recipe = QUICK) -> Factors:
    return train(history(shop, known), shop.sku, describe(shop), recipe)


def recommender(shop: CatalogColumns, known: Signals, factors: Factors | None = None) -> Recommender:
    return Recommender(shop, known, factors or trained(shop, known), now=NOW)


def picks(
    view: Recommender, people: Sequence[int], *, personal: bool | Sequence[bool] = True, count: int = 5
) -> list[PersonPicks]:
    allowed = np.full(len(people), personal, dtype=np.bool_) if isinstance(personal, bool) else np.array(personal)
    return list(view.picks_for(ids(people), allowed, count))


def ids(numbers: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(numbers), dtype=np.int64)


def skus(found: PersonPicks) -> list[int]:
    return [pick.sku_id for pick in found.picks]
