"""Filters and boosts: what their few words mean, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RuleInvalid
from engine.recommend.filters import parse_boost, parse_filter
from tests.engine.odd_shops import FILTERS, OddShop, odd_shops
from tests.engine.shops import catalog

SHOP = catalog(
    4,
    code=["A-1", "b2", "C3", ""],
    title=["Rosehip Face Oil", "Oat Cream", "ROSE WATER", ""],
    product_type=["Skin care > Oils", "Skin care > Creams", "skin care>oils > Face oils", ""],
    labels=["dry skin, vegan", "Dry Skin", ", ,vegan", ""],
    brand=["Maren", " maren ", "Oat & Amber", ""],
    price_minor=np.array([1999, 2000, 2001, 0]),
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("type:oils", [0, 2]),
        ("type:Skin care", [0, 1, 2]),
        ("type:skin care > oils", [0]),
        ("type:oil", []),
        ("label:dry skin", [0, 1]),
        ("label: VEGAN ", [0, 2]),
        ("label:dry", []),
        ("brand:MAREN", [0, 1]),
        ("title:rose", [0, 2]),
        ("code:a-1", [0]),
        ("price<20", [0, 3]),
        ("price<=20", [0, 1, 3]),
        ("price > 20.00", [2]),
        ("PRICE>=19.99", [0, 1, 2]),
        ("price<0", []),
    ],
)
def test_a_filter_is_about_these_products(text: str, found: list[int]) -> None:
    assert np.flatnonzero(parse_filter(text).matches(SHOP)).tolist() == found


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "type", "type:", "type: ", "colour:red", "price", "price:20", "price=20", "price<", "price<-1"),
        *("price<1.234", "price<abc", "label;vegan", "title:" + "x" * 200, "price<20 and brand:maren"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(RuleInvalid, match="is no filter; write type:…, brand:…, label:…, title:…, code:… or price<20"):
        parse_filter(text)


@given(st.sampled_from(["", "type:", "price<", "title: "]), st.text(max_size=300))
def test_any_text_is_a_filter_or_refused_in_one_short_line(start: str, text: str) -> None:
    try:
        found = parse_filter(start + text)
    except RuleInvalid as error:
        refused: RuleInvalid | None = error
    else:
        refused = None
        assert found.matches(SHOP).shape == (4,)
    assert refused is None or (len(str(refused)) < 2_100 and len(str(refused).splitlines()) == 1)


@given(odd_shops())
def test_filters_find_what_reading_product_by_product_finds(shop: OddShop) -> None:
    for text, wanted in FILTERS.items():
        assert parse_filter(text).matches(shop.catalog).tolist() == [wanted(product) for product in shop.products]


def test_a_filter_of_an_empty_catalogue_finds_nothing() -> None:
    assert parse_filter("title:rose").matches(catalog(0)).tolist() == []
    assert parse_filter("price<20").matches(catalog(0)).tolist() == []


@pytest.mark.parametrize(
    ("text", "condition", "weight"),
    [
        ("label:vegan=0.5", "label:vegan", 0.5),
        ("brand:maren=-1", "brand:maren", -1.0),
        ("price<=20=2", "price<=20", 2.0),
        ("title:a=b=1e1", "title:a=b", 10.0),
    ],
)
def test_a_boost_is_a_filter_and_a_weight(text: str, condition: str, weight: float) -> None:
    boost = parse_boost(text)
    assert (boost.filter.text, boost.weight) == (condition, weight)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "label:vegan",
        "label:vegan=",
        "label:vegan=lots",
        "label:vegan=11",
        "label:a=nan",
        "=1",
        "label:a=inf",
        "price<=20",
    ],
)
def test_what_is_no_boost_is_refused(text: str) -> None:
    with pytest.raises(RuleInvalid, match=r"is no (boost|filter)"):
        parse_boost(text)
