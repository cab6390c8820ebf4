"""The catalogue: what a product feed may say, and what comes of order lines."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from engine.assortment import read_catalog
from engine.catalog import (
    LONGEST_TITLE,
    PRODUCT_COLUMNS,
    Product,
    clean_text,
    clean_title,
    import_products,
    median_price,
    products_from_orders,
    save_products,
    types_from_titles,
)
from subscribers.csv_files import CsvFile
from subscribers.database import reading, writing
from subscribers.import_report import ImportReport
from subscribers.models import Sku
from subscribers.orders import SeenProduct
from subscribers.signals import sku_ids

OIL = {
    "id": "OIL",
    "title": "Rosehip Face Oil",
    "link": "https://shop.example/oil",
    "price": "24.50 EUR",
    "availability": "in stock",
    "description": "For dry skin.",
    "image_link": "",
    "product_type": "Skin care > Oils > Face oils",
    "brand": "Oat & Amber",
    "labels": "dry skin, vegan",
    "color": "",
}


@pytest.fixture
def feed(database, write_csv, tmp_path, now):
    """Imports products given as differences from the oil; answers (counts, first reason)."""

    def feed(*products, at=now):
        lines = ["\t".join(OIL)]
        lines += ["\t".join((OIL | product).values()) for product in products]
        source = CsvFile(write_csv("\n".join(lines)), PRODUCT_COLUMNS)
        with writing(database) as session, ImportReport(source, tmp_path / "rejects.csv") as report:
            import_products(session, source, report, now=at)
        return dict(report.counts), report.examples[0] if report.examples else ""

    return feed


@pytest.fixture
def product(database):
    def product(code="OIL") -> Product | None:
        with reading(database) as session:
            return session.scalars(select(Product).where(Product.code == code)).first()

    return product


class TestFeeds:
    def test_the_colours_of_a_product_are_labels_too(self, feed, product):
        feed({"labels": "vegan, soft red", "color": "soft red/berry"})
        assert product().labels == "vegan, soft red, berry"

    def test_a_row_becomes_a_product_with_everything_it_says(self, feed, product, now):
        assert feed({}) == ({"added": 1}, "")
        assert product().model_dump(exclude={"sku_id"}) == {
            "code": "OIL",
            "title": "Rosehip Face Oil",
            "description": "For dry skin.",
            "brand": "Oat & Amber",
            "link": "https://shop.example/oil",
            "image_link": "",
            "price_minor": 2450,
            "currency": "EUR",
            "availability": "in_stock",
            "product_type": "Skin care > Oils > Face oils",
            "labels": "dry skin, vegan",
            "added_at": now,
        }
        assert product().family == "Oils"

    def test_importing_twice_changes_nothing(self, feed, product, now):
        feed({}, {"id": "SOAP"})
        before = product(), product("SOAP")
        assert feed({}, {"id": "SOAP"}, at=now + timedelta(days=1)) == ({"already there": 2}, "")
        assert (product(), product("SOAP")) == before

    def test_a_changed_row_brings_its_product_up_to_date_and_no_other(self, feed, product, now):
        feed({}, {"id": "SOAP"})
        changed = {"price": "19.90 EUR", "availability": "out of stock"}
        assert feed(changed, {"id": "SOAP"}, at=now + timedelta(days=1)) == ({"updated": 1, "already there": 1}, "")
        oil = product()
        assert (oil.price_minor, oil.availability, oil.added_at) == (1990, "out_of_stock", now)
        assert product("SOAP").price_minor == 2450

    def test_an_update_keeps_the_picture_we_drew_until_the_feed_has_one(self, feed, product, database):
        feed({})
        with writing(database) as session:
            session.connection().exec_driver_sql("UPDATE product SET image_link = 'media/oil.png'")
            session.commit()
        assert feed({})[0] == {"already there": 1}
        assert feed({"title": "Rosehip Oil"})[0] == {"updated": 1}
        assert (product().title, product().image_link) == ("Rosehip Oil", "media/oil.png")
        feed({"image_link": "https://shop.example/oil.jpg"})
        assert product().image_link == "https://shop.example/oil.jpg"

    def test_a_product_keeps_the_number_its_signals_have(self, feed, product, database):
        with writing(database) as session:
            ids = sku_ids(session, ["BRUSH", "OIL"])
            session.commit()
        feed({})
        assert product().sku_id == ids["OIL"]
        with reading(database) as session:
            assert sorted(session.scalars(select(Sku.code))) == ["BRUSH", "OIL"]

    def test_a_product_twice_in_one_feed_is_rejected_the_second_time(self, feed, product):
        counts, reason = feed({}, {"title": "Another"})
        assert counts == {"added": 1, "rejected": 1}
        assert reason == "line 3: id 'OIL' stands in this file twice; the first row counts"
        assert product().title == "Rosehip Face Oil"

    def test_a_rejected_row_does_not_stand_in_the_way_of_a_good_one(self, feed):
        assert feed({"price": "-1 EUR"}, {})[0] == {"added": 1, "rejected": 1}

    @pytest.mark.parametrize(
        ("text", "price", "currency"),
        [
            *[("24.50 EUR", 2450, "EUR"), ("24,50 eur", 2450, "EUR"), ("GBP 3", 300, "GBP"), ("24.50", 2450, "EUR")],
            *[("1,234.50 USD", 123450, "USD"), ("1.234,50EUR", 123450, "EUR"), ("0 EUR", 0, "EUR")],
        ],
    )
    def test_a_price_is_read_with_its_currency(self, feed, product, text, price, currency):
        assert feed({"price": text}) == ({"added": 1}, "")
        assert (product().price_minor, product().currency) == (price, currency)

    @pytest.mark.parametrize("availability", ["in_stock", "In Stock", "out of stock", "preorder", "BACKORDER"])
    def test_availability_is_known_in_the_usual_spellings(self, feed, product, availability):
        feed({"availability": availability})
        assert product().availability == availability.lower().replace(" ", "_")


class TestHostileFeeds:
    def test_markup_in_a_title_stays_text(self, feed, product):
        title = '<script>alert(1)</script> {{ 7 * 7 }} & "Oil"'
        feed({"title": title.replace('"', "'")})
        assert product().title == title.replace('"', "'")

    def test_control_bidirectional_and_invisible_characters_are_taken_out(self, feed, product):
        nasty = "Face\x1b[31m\u202eliO\u2066 \u200bDe\x07ep\u061c\ufeff \U000e0041Clean\x85"
        feed({"title": nasty, "description": nasty, "brand": nasty, "product_type": nasty, "labels": f"{nasty},vegan"})
        found = product()
        clean = "Face [31m liO De ep Clean"
        assert (found.title, found.description, found.brand, found.product_type) == (clean,) * 4
        assert found.labels == f"{clean}, vegan"

    @pytest.mark.parametrize(
        "link",
        [
            *[
                "javascript:alert(1)",
                " JavaScript:alert(1)",
                "data:text/html,x",
                "//shop.example/oil",
                "/oil",
                "oil",
                "",
            ],
            *[
                "https://",
                "https:///oil",
                "http:oil",
                "ftp://shop.example/oil",
                "https://ana:pw@shop.example/",
                "mailto:a@b.c",
            ],
            *[
                "https://shop.example/<b>",
                "https://shop.example/a b",
                "https://shop.example/'",
                "https://shop.example/`",
            ],
            *["https://shop.example\\@evil.example/", "https://shop.example/\u202e", "https://shop.example/\x01"],
            *["https://shop.example/" + "x" * 2_000],
        ],
    )
    def test_a_link_that_is_no_web_address_is_rejected(self, feed, product, link):
        counts, reason = feed({"link": link})
        assert counts == {"rejected": 1}
        assert reason.endswith("is no web address that starts with https://")
        assert product() is None
        if link:
            assert feed({"image_link": link})[0] == {"rejected": 1}

    @pytest.mark.parametrize(
        "link",
        [
            "https://shop.example",
            "HTTP://shop.example/oil?a=1&b=2#top",
            "https://shop.example:8443/öl",
            "https://x?y@z",
        ],
    )
    def test_a_web_address_is_kept_as_it_is(self, feed, product, link):
        assert feed({"link": link, "image_link": link}) == ({"added": 1}, "")
        assert (product().link, product().image_link) == (link, link)

    @pytest.mark.parametrize(
        ("wrong", "reason"),
        [
            ({"title": "x" * 1_000_000}, "line 2: title 'xxx"),
            ({"title": "x" * 151}, "must have 1 to 150 characters"),
            ({"title": ""}, "must have 1 to 150 characters"),
            ({"title": "\u200b \u202e"}, "must have 1 to 150 characters"),
            ({"id": ""}, "must have 1 to 100 characters, all of them visible"),
            ({"id": "x" * 101}, "must have 1 to 100 characters"),
            ({"id": "OIL\x1b[2J"}, "must have 1 to 100 characters, all of them visible"),
            ({"price": "-24.50 EUR"}, "price '-24.50 EUR' is negative"),
            ({"price": ""}, "is no price such as 24.50 EUR"),
            ({"price": "free"}, "is no price such as 24.50 EUR"),
            ({"price": "NaN EUR"}, "is no price such as 24.50 EUR"),
            ({"price": "..,EUR"}, "is no price such as 24.50 EUR"),
            ({"price": "1,234 EUR"}, "is no price such as 24.50 EUR"),
            ({"price": "99999999999 EUR"}, "is no price such as 24.50 EUR"),
            ({"price": "9" * 5_000}, "is no price such as 24.50 EUR"),
            ({"availability": "perhaps"}, "is none of in_stock, out_of_stock, preorder, backorder"),
            ({"availability": ""}, "is none of in_stock, out_of_stock, preorder, backorder"),
        ],
    )
    def test_a_row_that_is_no_product_says_why_and_the_next_one_gets_in(self, feed, wrong, reason):
        counts, said = feed(wrong, {"id": "SOAP"})
        assert counts == {"added": 1, "rejected": 1}
        assert reason in said

    def test_long_texts_fit_the_columns_they_go_to(self, feed, product):
        labels = ",".join(f"label {number}" for number in range(1_000))
        feed({"description": "x" * 6_000, "product_type": "x" * 800, "brand": "x" * 200, "labels": labels})
        found = product()
        assert (len(found.description), len(found.product_type), len(found.brand)) == (5_000, 750, 150)
        assert 980 < len(found.labels) <= 1_000
        assert found.labels.split(", ")[-1] in labels.split(",")

    def test_labels_are_kept_once_each(self, feed, product):
        feed({"labels": " vegan ,dry skin,, vegan,"})
        assert product().labels == "vegan, dry skin"


@given(st.text(st.characters(), max_size=60))
def test_clean_text_is_always_one_visible_line(text):
    cleaned = clean_text(text)
    assert cleaned == " ".join(cleaned.split())
    assert clean_text(cleaned) == cleaned
    assert not set(cleaned) & set("\x00\x1b\x7f\n\r\u2028\u200b\u200e\u202e\u2066\ufeff")


class TestProductsFromOrders:
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
    def test_the_commonest_proper_title_wins(self, titles, title):
        assert clean_title(titles) == title

    @given(st.dictionaries(st.text(max_size=200), st.integers(1, 9), max_size=5))
    def test_order_lines_always_make_products_that_fit(self, titles):
        seen = {"10001": SeenProduct(Counter(titles), Counter({250: 3}))}
        for product in products_from_orders(seen, currency="GBP", shop="https://shop.example").values():
            assert 1 <= len(product["title"]) <= LONGEST_TITLE
            assert product["title"] == clean_text(product["title"])

    def test_a_product_of_which_only_notes_are_known_is_left_out(self):
        seen = {
            "10001": SeenProduct(Counter({"?": 3}), Counter({250: 3})),
            "10002": SeenProduct(Counter({"RED MUG": 3}), Counter({250: 3})),
        }
        assert list(products_from_orders(seen, currency="GBP", shop="")) == ["10002"]

    @pytest.mark.parametrize(
        ("prices", "median"),
        [({255: 10, 210: 3, 9999: 1}, 255), ({100: 1}, 100), ({100: 1, 200: 1}, 100), ({1: 1, 2: 2}, 2)],
    )
    def test_the_median_price_is_one_that_was_paid(self, prices, median):
        assert median_price(prices) == median

    def test_a_price_of_nothing_is_an_error(self):
        with pytest.raises(ValueError, match="no prices"):
            median_price({})

    def test_a_type_is_the_word_many_titles_end_with(self):
        titles = {str(number): f"Design {number} Mug" for number in range(7)} | {"7": "Red Mugs", "8": "Odd Thing"}
        types = types_from_titles(titles)
        assert types["7"] == "Gifts > Mug"
        assert types["8"] == "Gifts > Other"
        assert set(types_from_titles(titles, at_least=9).values()) == {"Gifts > Other"}

    def test_saving_them_twice_changes_nothing(self, database, now):
        seen = {"10001": SeenProduct(Counter({"RED MUG": 3}), Counter({250: 3}))}
        products = products_from_orders(seen, currency="GBP", shop="https://shop.example")
        with writing(database) as session:
            assert save_products(session, products, now=now) == (1, 0)
            assert save_products(session, products, now=now) == (0, 0)
            assert save_products(session, {}, now=now) == (0, 0)


def test_what_may_be_picked_has_a_picture_and_can_be_had(feed, database):
    picture = {"image_link": "https://shop.example/a.jpg"}
    feed(
        {"id": "no picture"},
        {"id": "here", **picture},
        {"id": "gone", **picture, "availability": "out_of_stock"},
        {"id": "soon", **picture, "availability": "preorder"},
    )
    with reading(database) as session:
        catalog = read_catalog(session)
        codes = {sku.id: sku.code for sku in session.scalars(select(Sku))}
    assert {codes[sku]: bool(sellable) for sku, sellable in zip(catalog.sku, catalog.sellable, strict=True)} == {
        "no picture": False,
        "here": True,
        "gone": False,
        "soon": True,
    }
    assert sorted(catalog.sku) == list(catalog.sku)
    assert catalog.positions(catalog.sku[::-1]).tolist() == [3, 2, 1, 0]
    assert catalog.positions(catalog.sku + 1_000).tolist() == [-1] * 4


def test_an_empty_catalogue_has_no_positions(database):
    with reading(database) as session:
        catalog = read_catalog(session)
    assert len(catalog) == 0
    assert catalog.positions(catalog.sku).tolist() == []


def test_times_of_products_carry_utc(feed, product):
    feed({}, at=datetime.fromisoformat("2026-06-01T14:00:00+02:00"))
    assert product().added_at == datetime(2026, 6, 1, 12, tzinfo=UTC)
