"""The catalogue: what a product feed may say, and what becomes of what it does not say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from engine.catalog import WITHDRAWN, clean_text, save_products
from subscribers.database import reading, writing
from subscribers.models import Sku
from subscribers.signals import sku_ids


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
            "stock": None,
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


class TestStock:
    @pytest.mark.parametrize(("text", "units"), [("", None), ("0", 0), ("12", 12), ("999999999", 999_999_999)])
    def test_the_units_left_are_kept(self, feed, product, text, units):
        assert feed({"stock": text}) == ({"added": 1}, "")
        assert product().stock == units

    @pytest.mark.parametrize("text", ["-1", "many", "1.5", "1 000", "9999999999", "١٢", "0x1"])
    def test_what_is_no_number_of_units_is_rejected(self, feed, product, text):
        counts, reason = feed({"stock": text}, {"id": "SOAP"})
        assert counts == {"added": 1, "rejected": 1}
        assert reason.endswith("is no number of units, 0 or more")
        assert product() is None

    def test_a_feed_that_says_no_more_of_stock_forgets_it(self, feed, product):
        feed({"stock": "3"})
        feed({"stock": ""})
        assert product().stock is None


class TestCompleteFeeds:
    def test_what_a_complete_feed_leaves_out_is_withdrawn_and_comes_back_with_the_next(self, feed, product):
        feed({"id": "OIL"}, {"id": "SOAP"}, {"id": "BALM", "availability": "out_of_stock"})
        assert feed({"id": "OIL"}, complete=True)[0] == {"already there": 1, "withdrawn": 2}
        assert [product(code).availability for code in ("OIL", "SOAP", "BALM")] == ["in_stock", WITHDRAWN, WITHDRAWN]
        assert feed({"id": "OIL"}, complete=True)[0] == {"already there": 1}
        assert feed({"id": "OIL"}, {"id": "SOAP"}, complete=True)[0] == {"already there": 1, "updated": 1}
        assert product("SOAP").availability == "in_stock"

    def test_a_rejected_row_names_its_product_too(self, feed, product):
        feed({"id": "OIL"}, {"id": "SOAP"})
        assert feed({"id": "OIL"}, {"id": "SOAP", "price": "free"}, complete=True)[0] == {
            "already there": 1,
            "rejected": 1,
        }
        assert product("SOAP").availability == "in_stock"

    @pytest.mark.parametrize("rows", [[], [{"price": "free"}]])
    def test_a_feed_without_one_good_row_withdraws_nothing(self, feed, product, rows):
        feed({"id": "OIL"}, {"id": "SOAP"})
        feed(*rows, complete=True)
        assert [product(code).availability for code in ("OIL", "SOAP")] == ["in_stock", "in_stock"]

    def test_without_saying_so_a_feed_is_not_complete(self, feed, product):
        feed({"id": "OIL"}, {"id": "SOAP"})
        feed({"id": "OIL"})
        assert product("SOAP").availability == "in_stock"

    def test_no_feed_can_say_withdrawn_itself(self, feed):
        assert feed({"availability": "withdrawn"})[0] == {"rejected": 1}


def test_times_of_products_carry_utc(feed, product):
    feed({}, at=datetime.fromisoformat("2026-06-01T14:00:00+02:00"))
    assert product().added_at == datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_what_order_lines_tell_of_a_product_does_not_undo_what_a_feed_says(feed, product, database, now):
    feed({"id": "OIL"}, {"id": "SOAP", "availability": "out_of_stock"})
    guess = {"title": "OIL GUESSED", "description": "", "image_link": "", "price_minor": 1, "currency": "EUR"}
    guess |= {"availability": "in_stock", "product_type": "Gifts > Other", "brand": "", "labels": ""}
    own = {**guess, "title": "Soap", "link": product("SOAP").link}
    with writing(database) as session:
        guessed = {"OIL": {**guess, "link": "https://guess.example/p/oil"}, "SOAP": own}
        assert save_products(session, guessed, now=now, guessed=True) == (0, 1)
    assert product("OIL").title == "Rosehip Face Oil"
    assert (product("SOAP").title, product("SOAP").availability) == ("Soap", "out_of_stock")
