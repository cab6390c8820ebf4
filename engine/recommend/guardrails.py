"""What must not be picked, whatever the scores say: for everybody (off the shelf), and for one person (forbidden)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.catalog import OUT_OF_STOCK, WITHDRAWN
from engine.recommend.rules import Rules, Tally, count
from engine.recommend.sparse import pair_keys
from engine.recommend.trend import SECONDS_A_DAY
from subscribers.models import Kind
from subscribers.signals import Signals

OUT, NO_IMAGE, GONE, SENSITIVE = "out of stock", "no image", "withdrawn", "sensitive type"
PRICE, NOT_INCLUDED, EXCLUDED = "price rule", "not included", "excluded"
BOUGHT, SHOWN, TOO_FRESH = "already bought", "shown lately", "looked at too recently"


@dataclass(frozen=True)
class Shown:
    """What people saw in their last mails: parallel columns. at: seconds since 1970 of the mail."""

    subscriber: NDArray[np.int64]
    sku: NDArray[np.int64]
    at: NDArray[np.int64]


NOTHING_SHOWN = Shown(*(np.empty(0, dtype=np.int64) for _ in range(3)))


def off_the_shelf(catalog: CatalogColumns, rules: Rules) -> dict[str, NDArray[np.bool_]]:
    """(m,) which products each rule keeps from everybody."""
    price = catalog.price_minor
    lowest = -1 if rules.lowest_price is None else rules.lowest_price
    highest = np.iinfo(np.int64).max if rules.highest_price is None else rules.highest_price
    nothing = np.zeros(len(catalog), dtype=np.bool_)
    included = np.logical_or.reduce([nothing, *(wish.matches(catalog) for wish in rules.include)])
    return {
        OUT: np.array([state == OUT_OF_STOCK for state in catalog.availability], dtype=np.bool_) | (catalog.stock == 0),
        NO_IMAGE: ~catalog.pictured,
        GONE: np.array([state == WITHDRAWN for state in catalog.availability], dtype=np.bool_),
        SENSITIVE: sensitive(catalog, rules),
        PRICE: (price < lowest) | (price > highest),
        NOT_INCLUDED: ~included if rules.include else nothing,
        EXCLUDED: np.logical_or.reduce([nothing, *(wish.matches(catalog) for wish in rules.exclude)]),
    }


def shelf_places(catalog: CatalogColumns, rules: Rules, tally: Tally) -> NDArray[np.int64]:
    """Which products may be picked at all, ascending. Each product taken away counts for the first rule that did."""
    left = np.ones(len(catalog), dtype=np.bool_)
    for rule, taken in off_the_shelf(catalog, rules).items():
        count(tally.products, rule, int((left & taken).sum()))
        left &= ~taken
    return np.flatnonzero(left)


def sensitive(catalog: CatalogColumns, rules: Rules) -> NDArray[np.bool_]:
    """(m,) which products are of a sensitive type, at any level of its path."""
    wanted = {name.strip().casefold() for name in rules.sensitive}
    return np.array([bool(wanted & set(levels(path))) for path in catalog.product_type], dtype=np.bool_)


def levels(product_type: str) -> list[str]:
    """The levels of a product type's path, folded: "Skin care > Creams" is skin care and creams."""
    return [level.strip().casefold() for level in product_type.split(">") if level.strip()]


def replenish_after(catalog: CatalogColumns, rules: Rules) -> NDArray[np.int64]:
    """(m,) seconds after which a bought product is used up; −1 for those that are bought once. The narrowest level of
    the type that is listed counts."""
    days = {name.strip().casefold(): number for name, number in rules.replenish.items()}
    after = [
        next((days[level] * SECONDS_A_DAY for level in reversed(levels(path)) if level in days), -1)
        for path in catalog.product_type
    ]
    return np.array(after, dtype=np.int64)


@dataclass(frozen=True)
class Admitted:
    """The signals that may be used, and what follows from the others. positions: of each signal's product.

    fresh_people, fresh_places: pairs of a person and a product they looked at too recently, and never before.
    """

    signals: Signals
    positions: NDArray[np.int64]
    fresh_people: NDArray[np.int64]
    fresh_places: NDArray[np.int64]


def admit(signals: Signals, catalog: CatalogColumns, rules: Rules, *, now: int) -> Admitted:
    """Leave out what nothing may follow from: products of sensitive types, looks of the last `view_delay` seconds,
    and times in the future."""
    positions = catalog.positions(signals.sku)
    usable = signals.at <= now
    usable &= ~(sensitive(catalog, rules)[positions] & (positions >= 0)) if len(catalog) else True
    looks = (signals.kind == Kind.VIEW) | (signals.kind == Kind.CLICK)
    fresh = usable & looks & (signals.at > now - rules.view_delay)
    kept = usable & ~fresh
    named = (signals.subscriber >= 0) & (positions >= 0)
    fresh, known = fresh & named, kept & named
    pairs = pair_keys(signals.subscriber[fresh], positions[fresh], len(catalog))
    older = pair_keys(signals.subscriber[known], positions[known], len(catalog))
    alone = ~np.isin(pairs, older)
    return Admitted(signals.where(kept), positions[kept], signals.subscriber[fresh][alone], positions[fresh][alone])


def shown_lately(
    shown: Shown, catalog: CatalogColumns, signals: Signals
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(people, places) of what was shown and in which the person has shown no interest since."""
    places = catalog.positions(shown.sku)
    there = places >= 0
    people, places, at = shown.subscriber[there], places[there], shown.at[there]
    if not len(people):
        return people, places
    signals = signals.where(signals.at > at.min())  # sorting is what costs, and what is older speaks of no mail
    positions = catalog.positions(signals.sku)
    named = (signals.subscriber >= 0) & (positions >= 0)
    if not named.any():
        return people, places
    keys = pair_keys(signals.subscriber[named], positions[named], len(catalog))
    order = np.lexsort((signals.at[named], keys))
    keys, times = keys[order], signals.at[named][order]
    wanted = pair_keys(people, places, len(catalog))
    last = np.searchsorted(keys, wanted, side="right") - 1
    interested = (last >= 0) & (keys[last] == wanted) & (times[last] > at)
    return people[~interested], places[~interested]
