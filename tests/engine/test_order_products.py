"""Products known only from order lines: a title, a price and a type from messy rows."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import LONGEST_TITLE, clean_text, save_products
from engine.order_products import clean_title, median_price, products_from_orders, singular, types_from_titles
from subscribers.database import writing
from subscribers.orders import SeenProduct


@pytest.mark.parametrize(
    ("titles", "title"),
    [
        ({"RED RETROSPOT  MUG .": 9, "damages": 20}, "Red Retrospot Mug"),
        ({"RED MUG": 3, "BLUE MUG": 3}, "Blue Mug"),
        ({"RED MUG": 3, "GREY MUG": 3, "BLUE MUG": 3}, "Blue Mug"),
        ({"wrongly coded 20713": 5}, "Wrongly Coded 20713"),
        ({"SET OF 3 TINS 3D": 1}, "Set Of 3 Tins 3D"),
        ({"RED MUG X " * 40: 1}, " ".join(["Red Mug X"] * 15)),  # 149 characters: the 150th would be a space
        ({"?": 4, "": 2, "OK": 1}, ""),
        ({"????": 4}, ""),
        ({}, ""),
    ],
)
def test_the_commonest_proper_title_wins(titles, title):
    assert clean_title(titles) == title


@given(st.dictionaries(st.text(max_size=200), st.integers(1, 9), max_size=5))
def test_order_lines_always_make_products_that_fit(titles):
    seen = {"10001": SeenProduct(Counter(titles), Counter({250: 3}))}
    for product in products_from_orders(seen, currency="GBP", shop="https://shop.example").values():
        assert 1 <= len(product["title"]) <= LONGEST_TITLE
        assert product["title"] == clean_text(product["title"])


def test_a_product_of_which_only_notes_are_known_is_left_out():
    seen = {
        "10001": SeenProduct(Counter({"?": 3}), Counter({250: 3})),
        "10002": SeenProduct(Counter({"RED MUG": 3}), Counter({250: 3})),
    }
    assert list(products_from_orders(seen, currency="GBP", shop="")) == ["10002"]


@pytest.mark.parametrize(
    ("prices", "median"),
    [({255: 10, 210: 3, 9999: 1}, 255), ({100: 1}, 100), ({100: 1, 200: 1}, 100), ({1: 1, 2: 2}, 2)],
)
def test_the_median_price_is_one_that_was_paid(prices, median):
    assert median_price(prices) == median


def test_a_price_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no prices"):
        median_price({})


def test_a_type_is_the_word_many_titles_end_with():
    titles = {str(number): f"Design {number} Mug" for number in range(7)} | {"7": "Red Mugs", "8": "Odd Thing"}
    types = types_from_titles(titles)
    assert types["7"] == "Gifts > Mug"
    assert types["8"] == "Gifts > Other"
    assert set(types_from_titles(titles, at_least=9).values()) == {"Gifts > Other"}


def test_saving_them_twice_changes_nothing(database, now):
    seen = {"10001": SeenProduct(Counter({"RED MUG": 3}), Counter({250: 3}))}
    products = products_from_orders(seen, currency="GBP", shop="https://shop.example")
    with writing(database) as session:
        assert save_products(session, products, now=now) == (1, 0)
        assert save_products(session, products, now=now) == (0, 0)
        assert save_products(session, {}, now=now) == (0, 0)


@pytest.mark.parametrize(
    ("word", "one"),
    [
        ("Mugs", "mug"),
        ("Boxes", "box"),
        ("glasses", "glass"),
        ("dress", "dress"),
        ("canvas", "canvas"),
        ("tin.", "tin"),
    ],
)
def test_a_word_is_known_by_its_singular(word, one):
    assert singular(word) == one
