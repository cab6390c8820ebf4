"""Shops as no shopkeeper would have them, drawn at random, and what may be picked in them, said once more and slowly.

The rules here read one product and one row at a time, so that they can be checked by eye; the engine's work on arrays.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st

from engine.assortment import CatalogColumns
from engine.catalog import AVAILABILITIES, IN_STOCK, OUT_OF_STOCK, WITHDRAWN
from engine.recommend.factors import Factors
from engine.recommend.features import describe, price_limits
from engine.recommend.guardrails import (
    BOUGHT,
    EXCLUDED,
    GONE,
    NO_IMAGE,
    NOT_INCLUDED,
    OUT,
    PRICE,
    SENSITIVE,
    SHOWN,
    TOO_FRESH,
)
from engine.recommend.model import Model
from engine.recommend.recipe import Recipe
from engine.recommend.recommender import PersonPicks, Recommender
from engine.recommend.rules import Rules
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine import shops
from tests.engine.shops import DAY, KINDS, PLAIN, Row

ODD_TYPES = ("", "Skin care > Creams", "Creams", "skin care>OILS", "Health > Tests", " tests ", "Tests > Creams", ">")
ODD_LABELS = ("", "dry skin", "Dry Skin, vegan", ",,", "vegan,vegan", "viewed by you")
ODD_BRANDS = ("", "Maren", "MAREN ", "Ma ren")
HOUR = 1 / 24
ODD_AGES = (-400.0, -HOUR, 0.0, 0.5 * HOUR, HOUR, 2 * HOUR, 1.0, 6.9, 7.0, 30.0, 400.0, 20_000.0)
YOUNG_AGES = (-HOUR, 0.0, HOUR, 2 * HOUR, 1.0, 6.9, 7.0, 13.9)


@dataclass(frozen=True)
class OddProduct:
    """One product, as a feed has it."""

    sku: int
    title: str
    product_type: str
    labels: str
    brand: str
    price: int
    availability: str
    stock: int
    pictured: bool

    @property
    def levels(self) -> set[str]:
        return {level.strip().lower() for level in self.product_type.split(">")} - {""}


@dataclass(frozen=True)
class OddShop:
    """products: by sku. rows: what people did. seen: (person, sku, days ago) of what was shown. people: the audience,
    with whether each allows personal picks. seed: of the model, which is made by chance."""

    products: tuple[OddProduct, ...]
    rows: tuple[Row, ...]
    seen: tuple[tuple[int, int, float], ...]
    people: dict[int, bool]
    seed: int

    @property
    def catalog(self) -> CatalogColumns:
        columns: dict[str, Any] = {
            name: [getattr(product, name) for product in self.products]
            for name in ("title", "product_type", "labels", "brand", "availability")
        }
        return shops.catalog(
            len(self.products),
            sku=np.array([product.sku for product in self.products], dtype=np.int64),
            price_minor=np.array([product.price for product in self.products], dtype=np.int64),
            stock=np.array([product.stock for product in self.products], dtype=np.int64),
            pictured=np.array([product.pictured for product in self.products], dtype=np.bool_),
            **columns,
        )

    def with_rows(self, rows: list[Row]) -> "OddShop":
        return replace(self, rows=(*self.rows, *rows))

    def view(self, rules: Rules = PLAIN, model: Model | None = None) -> Recommender:
        known = shops.signals(self.rows)
        made = model or random_model(self.catalog, self.seed)
        return shops.recommender(self.catalog, known, made, rules=rules, seen=shops.shown(*self.seen), seed="odd")

    def plan(self, rules: Rules = PLAIN, count: int = 20) -> list[PersonPicks]:
        """Everybody's picks; as many as there are, unless fewer are asked for."""
        return self.plan_of(self.view(rules), count)

    def plan_of(self, view: Recommender, count: int = 20) -> list[PersonPicks]:
        return shops.picks(view, list(self.people), personal=list(self.people.values()), count=count)


def random_model(catalog: CatalogColumns, seed: int) -> Model:
    """A model of nothing: random vectors of people 0 to 5, of half the catalogue's products, and of some others'."""
    random = np.random.default_rng(seed)
    names = (*describe(catalog).names[::2], "type:of another time")
    sku = np.unique(np.concatenate([catalog.sku[::2], [5, 15, 100_000]]))
    people = np.arange(6, dtype=np.int64)

    def vectors(rows: int) -> Any:
        return random.normal(size=(rows, 4)).astype(np.float32)

    near = random.normal(size=(len(sku), len(sku))) * (random.random((len(sku), len(sku))) < 0.4)
    factors = Factors(
        people,
        sku,
        tuple(sorted(names)),
        vectors(len(people) + len(names)),
        vectors(len(sku) + len(names)),
        random.normal(size=len(sku) + len(names)).astype(np.float32),
    )
    return Model(factors, sp.csr_matrix(near.astype(np.float32)), price_limits(catalog), Recipe(components=4))


@st.composite
def odd_shops(draw: st.DrawFn, *, least_products: int = 0, any_stock: bool = True) -> OddShop:
    """Any shop of up to 12 products, 8 people and 60 signals, some of them of the future or about nothing there is.

    any_stock: whether units may be few; without, no hero is ever scarce. What is drawn are a seed and sizes: lists
    drawn cell by cell would be too short, and too slow, for people and products to meet in them.
    """
    return odd_shop(
        draw(st.integers(0, 2**32 - 1)),
        products=draw(st.integers(least_products, 12)),
        people=draw(st.integers(0, 8)),
        rows=draw(st.integers(0, 60)),
        seen=draw(st.integers(0, 8)),
        any_stock=any_stock,
    )


def odd_shop(seed: int, *, products: int, people: int, rows: int, seen: int, any_stock: bool = True) -> OddShop:
    """The shop of this seed. A smaller one of the same seed has the first products, people and rows of a larger."""
    chance = Random(f"{seed} products")
    numbers = chance.sample(range(10, 150, 10), 12)[:products]
    offered = [_product(chance, sku, any_stock) for sku in numbers]
    chance = Random(f"{seed} rows")
    asked: Sequence[int] = [*numbers, *numbers, 30, 990]  # 990 is never in the catalogue
    ages = chance.choice([ODD_AGES, ODD_AGES, YOUNG_AGES])  # in a third of the shops everything is new
    done: list[Row] = [
        (chance.choice(PEOPLE), chance.choice(asked), chance.choice(KINDS), _age(chance, ages)) for _ in range(rows)
    ]
    chance = Random(f"{seed} seen")
    mails = [_mail(chance, asked, done) for _ in range(seen)]
    chance = Random(f"{seed} people")
    audience = {person: chance.random() < 0.7 for person in chance.sample(range(8), people)}
    return OddShop(tuple(sorted(offered, key=lambda each: each.sku)), tuple(done), tuple(mails), audience, seed)


PEOPLE = (*[0, 1, 2, 3] * 2, 4, 5, 6, 7, NOBODY)


def _age(chance: Random, ages: Sequence[float]) -> float:
    """A fifth of all signals are of the last hour."""
    if chance.random() < 0.2:
        return chance.choice([0.0, 0.5 * HOUR])
    return chance.choice(ages) if chance.random() < 0.7 else chance.uniform(-5, 1) * max(ages) / 50


def _mail(chance: Random, asked: Sequence[int], done: Sequence[Row]) -> tuple[int, int, float]:
    """What stood in a mail: half the time something the person did something with, shortly before or after."""
    if done and chance.random() < 0.5:
        person, sku, _, age = chance.choice(done)
        return max(person, 0), sku, age + chance.choice([-1.0, 0.0, HOUR, 1.0, 7.0])
    return chance.choice(PEOPLE[:-1]), chance.choice(asked), chance.choice(ODD_AGES)


def _product(chance: Random, sku: int, any_stock: bool) -> OddProduct:
    return OddProduct(
        sku=sku,
        title=chance.choice(["", "Rose Cream", "Ω 12", "you viewed this", "Rose"]),
        product_type=chance.choice(ODD_TYPES),
        labels=chance.choice(ODD_LABELS),
        brand=chance.choice(ODD_BRANDS),
        price=chance.choice([0, 1, 500, 999, 1000, 1001, 2000, 10**11]),
        availability=chance.choice([IN_STOCK] * 16 + [*AVAILABILITIES, OUT_OF_STOCK, WITHDRAWN, WITHDRAWN]),
        stock=chance.choice([*[-1] * 9, 0, 1, 2, 50] if any_stock else [-1]),
        pictured=chance.random() < 0.92,
    )


FILTERS: dict[str, Callable[[OddProduct], bool]] = {
    "type:creams": lambda product: "creams" in product.levels,
    "type: Skin  care": lambda product: "skin care" in product.levels,
    "label:DRY SKIN": lambda product: "dry skin" in product.labels.lower(),
    "brand:maren": lambda product: product.brand.strip().lower() == "maren",
    "title:rose": lambda product: "rose" in product.title.lower(),
    "code:none": lambda product: False,
    "price<10": lambda product: product.price < 1000,
    "price <= 10.00": lambda product: product.price <= 1000,
    "price>10": lambda product: product.price > 1000,
    "price>=20": lambda product: product.price >= 2000,
}


def forbidden(shop: OddShop, rules: Rules, person: int) -> dict[str, set[int]]:
    """What this person must not get, by rule."""
    of = {product.sku: product for product in shop.products}
    secret = {name.strip().lower() for name in rules.sensitive}

    def those(wrong: Callable[[OddProduct], bool]) -> set[int]:
        return {sku for sku, product in of.items() if wrong(product)}

    def hidden(sku: int) -> bool:
        return sku in of and bool(of[sku].levels & secret)

    low, high = rules.lowest_price, rules.highest_price
    rows = [(sku, kind, round(age * DAY)) for who, sku, kind, age in shop.rows if who == person and not hidden(sku)]
    rows = [row for row in rows if row[2] >= 0]
    fresh = {sku for sku, kind, age in rows if kind in (Kind.VIEW, Kind.CLICK) and age < rules.view_delay}
    heard = [row for row in rows if not (row[1] in (Kind.VIEW, Kind.CLICK) and row[2] < rules.view_delay)]
    newest = {sku: min(age for other, _, age in heard if other == sku) for sku, _, _ in heard}
    bought = {sku: min(age for other, kind, age in heard if (other, kind) == (sku, Kind.PURCHASE))
              for sku, kind, _ in heard if kind == Kind.PURCHASE}  # fmt: skip
    personal = shop.people[person]
    seen = [(sku, round(age * DAY)) for who, sku, age in shop.seen if who == person]
    return {
        OUT: those(lambda product: product.availability == OUT_OF_STOCK or product.stock == 0),
        NO_IMAGE: those(lambda product: not product.pictured),
        GONE: those(lambda product: product.availability == WITHDRAWN),
        SENSITIVE: those(lambda product: bool(product.levels & secret)),
        PRICE: those(lambda product: (low or 0) > product.price or (high is not None and product.price > high)),
        NOT_INCLUDED: those(lambda p: bool(rules.include) and not any(FILTERS[f.text](p) for f in rules.include)),
        EXCLUDED: those(lambda product: any(FILTERS[each.text](product) for each in rules.exclude)),
        BOUGHT: {sku for sku, age in bought.items() if sku in of and not _used_up(of[sku], rules, age)}
        if personal
        else set(),
        SHOWN: {sku for sku, age in seen if not (personal and sku in newest and newest[sku] < age)},
        TOO_FRESH: fresh - set(newest) if personal else set(),
    }


def allowed(shop: OddShop, rules: Rules, person: int) -> set[int]:
    """What is left for this person when every rule has had its say."""
    return {product.sku for product in shop.products} - set().union(*forbidden(shop, rules, person).values())


def _used_up(product: OddProduct, rules: Rules, age: int) -> bool:
    """Whether what was bought `age` seconds ago is used up; the narrowest level that is listed says when."""
    days = {name.lower(): number for name, number in rules.replenish.items()}
    levels = [level.strip().lower() for level in product.product_type.split(">")]
    listed = [days[level] for level in reversed(levels) if level in days]
    return bool(listed) and age >= listed[0] * DAY


def check_heroes_ran_out(shop: OddShop, rules: Rules, plan: list[PersonPicks]) -> None:
    """Whoever gets nothing although something is allowed: of every such product each unit is somebody's hero."""
    given = Counter(found.picks[0].sku_id for found in plan if found.picks)
    units = {product.sku: product.stock for product in shop.products}
    for found in plan:
        if not found.picks:
            assert all(given[sku] == units[sku] for sku in allowed(shop, rules, found.subscriber_id))
