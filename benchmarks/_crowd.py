"""A made-up shop of any size for the scoring benchmark: only arrays, shaped like those of a real one.

Popularity falls with the rank, as in the real orders, so that the neighbours of two histories meet; a history has 15
products on average, a few people have two hundred. All of it was bought and must not be picked again; three products
were shown lately. A twentieth of the products is out of stock, and a price rule takes about as many. Products have a
type, a brand, a price band and words, as many as in the real orders.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.recommend.factors import Factors
from engine.recommend.features import FloatArray, describe, price_limits
from engine.recommend.guardrails import Shown
from engine.recommend.model import Model
from engine.recommend.moment import Moment
from engine.recommend.recipe import Recipe
from engine.recommend.rules import Rules, Tally
from subscribers.models import Kind
from subscribers.signals import Signals

NOW, DAY = 1_780_000_000, 86_400
LONGEST_HISTORY = 200
NEIGHBOURS = 30  # of each product besides itself: 20 by behaviour and 10 by content, as the recipe has it
SHOWN = 3
WORDS = 4
OUT_OF_STOCK = 0.05
CHEAPEST, DEAREST, LOWEST_PRICE = 100, 5_000, 300  # in cents; the rule takes (300 − 100) / 4,900 = 4 % of the products


@dataclass(frozen=True)
class Crowd:
    """n people, by id, each asking for picks at one moment of a shop with m products."""

    people: NDArray[np.int64]
    moment: Moment

    @property
    def everyone(self) -> NDArray[np.bool_]:
        """(n,) who allows picks from their history: all."""
        return np.ones(len(self.people), dtype=np.bool_)


def crowd(people: int, products: int, *, factors: int = 64, history: int = 15, seed: int = 20) -> Crowd:
    """The same numbers give the same shop. history: products a person, on average."""
    random = np.random.default_rng(seed)
    who = np.arange(1, people + 1)
    catalog = _catalog(products, random)
    signals = _signals(who, catalog.sku, history, random)
    shown = np.repeat(who, SHOWN)
    lately = Shown(shown, catalog.sku[popular(products, len(shown), random)], np.full(len(shown), NOW - DAY))
    names = describe(catalog).names
    trained = Factors(
        who,
        catalog.sku,
        names,
        vectors(people + len(names), factors, random),
        vectors(products + len(names), factors, random),
        (random.normal(size=products + len(names)) * 0.2).astype(np.float32),
    )
    model = Model(trained, neighbours(products, random), price_limits(catalog), Recipe())
    rules = Rules(lowest_price=LOWEST_PRICE)
    return Crowd(who, Moment(catalog, signals, model, NOW, rules, lately, Tally()))


def neighbours(products: int, random: np.random.Generator) -> sp.csr_matrix:
    """(m, m) float32 CSR: popular products are neighbours of many."""
    near = min(NEIGHBOURS, products)
    columns = popular(products, products * near, random)
    values = random.gamma(2.0, 0.02, products * near)
    rows = np.repeat(np.arange(products), near)
    found = sp.csr_matrix((values, (rows, columns)), shape=(products, products))
    found = (found + sp.diags_array(np.full(products, Recipe().own))).tocsr().astype(np.float32)
    found.sort_indices()
    return found


def lengths(people: int, history: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(n,) how many products each history has, at least one."""
    return np.minimum(random.geometric(1 / history, people), LONGEST_HISTORY)


def popular(products: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """(count,) products drawn by popularity: which falls with the rank, and not too steeply at its top."""
    chance = 1 / np.arange(20, products + 20)
    steps = np.cumsum(chance / chance.sum())
    order = np.random.default_rng(products).permutation(
        products
    )  # the same products are popular wherever this is asked
    return order[np.minimum(np.searchsorted(steps, random.random(count)), products - 1)]


def vectors(count: int, factors: int, random: np.random.Generator) -> FloatArray:
    """(count, factors) float32."""
    found = random.standard_normal((count, factors), dtype=np.float32)
    found *= np.float32(0.3)
    return found


def _catalog(products: int, random: np.random.Generator) -> CatalogColumns:
    words = random.integers(0, 800, (products, WORDS))
    return CatalogColumns(
        sku=np.arange(1, products + 1),
        code=[f"P{number}" for number in range(products)],
        title=[" ".join(f"word{_letters(number)}" for number in some) for some in words.tolist()],
        product_type=[f"Type {number % 100}" for number in range(products)],
        labels=[""] * products,
        brand=[f"Brand {number % 70}" for number in range(products)],
        price_minor=random.integers(CHEAPEST, DEAREST, products),
        availability=["in_stock"] * products,
        stock=np.where(random.random(products) < OUT_OF_STOCK, 0, -1),
        pictured=np.ones(products, dtype=np.bool_),
    )


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def _signals(people: NDArray[np.int64], sku: NDArray[np.int64], history: int, random: np.random.Generator) -> Signals:
    who = np.repeat(people, lengths(len(people), history, random))
    at = np.sort(NOW - random.integers(DAY, 180 * DAY, len(who)))
    return Signals(
        subscriber=random.permutation(who),
        sku=sku[popular(len(sku), len(who), random)],
        kind=np.full(len(who), Kind.PURCHASE, dtype=np.int8),
        at=at,
        quantity=np.ones(len(who), dtype=np.int32),
    )
