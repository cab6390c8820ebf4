"""Which products a rule is about, in a few words: "type:moisturiser", "brand:maren", "price<20"."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.errors import RuleInvalid
from engine.recommend.features import split_labels

FIELDS = ("type", "brand", "label", "title", "code")
_PRICE = re.compile(r"price\s*(<=|>=|<|>)\s*(\d+(?:\.\d{1,2})?)", re.IGNORECASE)
LONGEST = 200


@dataclass(frozen=True)
class Filter:
    """One condition on a product. text: as written."""

    text: str
    field: str
    value: str

    def matches(self, catalog: CatalogColumns) -> NDArray[np.bool_]:
        """(m,) which products it is about. Case does not matter; a type matches any level of its path."""
        if self.field == "price":
            sign, amount = self.value.split()
            return _COMPARISONS[sign](catalog.price_minor, round(float(amount) * 100))
        wanted = self.value.casefold()
        found: list[bool] = [wanted in _parts(self.field, catalog, place) for place in range(len(catalog))]
        if self.field == "title":
            found = [wanted in title.casefold() for title in catalog.title]
        return np.array(found, dtype=np.bool_)


@dataclass(frozen=True)
class Boost:
    """Products that should come up more (or, below 0, less) often. weight: 1 is as much as one standard deviation of
    the trend; 0.3 is felt, 3 is nearly always first."""

    filter: Filter
    weight: float


_COMPARISONS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


def parse_filter(text: str) -> Filter:
    """The filter in a text such as "label:dry skin" or "price<20". Raises RuleInvalid.

    >>> parse_filter("brand: Maren").value
    'Maren'
    """
    shown = text.strip()[:LONGEST]
    if found := _PRICE.fullmatch(text.strip()):
        return Filter(shown, "price", f"{found[1]} {found[2]}")
    field, colon, value = text.partition(":")
    field, value = field.strip().lower(), " ".join(value.split())
    if not colon or field not in FIELDS or not value or len(text) > LONGEST:
        raise RuleInvalid(f"{shown!r} is no filter; write {', '.join(f'{name}:…' for name in FIELDS)} or price<20")
    return Filter(shown, field, value)


def parse_boost(text: str) -> Boost:
    """The boost in a text such as "label:vegan=0.5" or "brand:maren=-1". Raises RuleInvalid."""
    condition, sign, weight = text.rpartition("=")
    try:
        strength = float(weight)
    except ValueError:
        strength = float("nan")
    if not sign or not -10 <= strength <= 10:
        raise RuleInvalid(f"{text[:LONGEST]!r} is no boost; write a filter, = and −10 to 10: label:vegan=0.5")
    return Boost(parse_filter(condition), strength)


def _parts(field: str, catalog: CatalogColumns, place: int) -> list[str]:
    if field == "type":
        whole = catalog.product_type[place].casefold()
        return [whole.strip(), *(level.strip() for level in whole.split(">"))]
    if field == "label":
        return [label.casefold() for label in split_labels(catalog.labels[place])]
    column = catalog.brand if field == "brand" else catalog.code
    return [column[place].strip().casefold()]
