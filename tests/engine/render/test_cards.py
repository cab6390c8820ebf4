"""Products as a template sees them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import Product
from engine.render.cards import card, money, shortened, web_address
from engine.render.inline import inline_html
from tests.engine.mails import elements


def product(**changes: Any) -> Product:
    added_at = datetime(2026, 6, 1, tzinfo=UTC)
    return Product(**{"sku_id": 1, "code": "A1", "title": "Soap", "price_minor": 450, "added_at": added_at} | changes)


@pytest.mark.parametrize(
    ("image", "address"),
    [
        ("media/a b.png", "https://shop.example/x/media/a%20b.png"),
        ("https://cdn.example/é.png", "https://cdn.example/%C3%A9.png"),
        ("//cdn.example/1.png", "https://cdn.example/1.png"),
    ],
)
def test_a_picture_we_drew_gets_its_public_address_and_any_other_keeps_its_own(image: str, address: str) -> None:
    assert card(product(image_link=image), public_url="https://shop.example/x")["image"] == address


def test_a_product_without_a_link_leads_to_the_shop() -> None:
    assert card(product(), public_url="https://shop.example")["link"] == "https://shop.example"


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).map(
        lambda tail: f"https://x/{tail}"
    )
)
def test_an_address_is_written_as_premailer_writes_it_and_twice_is_once(address: str) -> None:
    written = web_address(address)
    assert written.isascii()
    assert web_address(written) == written
    html = inline_html(
        "<a>x</a>".replace("<a>", f'<a href="{written.replace("&", "&amp;").replace(chr(34), "&#34;")}">')
    )
    assert elements(html, "a")[0].get("href") == written


@given(st.integers(0, 10**9))
def test_an_amount_always_has_two_decimals(minor: int) -> None:
    words = money(minor, "EUR")
    assert words.startswith("€")
    assert int(words[1:].replace(",", "").replace(".", "")) == minor
    assert words[-3] == "."


@given(st.text(max_size=600))
def test_a_description_is_never_longer_than_a_paragraph(text: str) -> None:
    short = shortened(text)
    assert len(short) <= 221
    assert text.startswith(short.removesuffix("…"))


def test_a_description_ends_with_a_sentence_or_a_word() -> None:
    assert shortened("One. " * 60).endswith("One.")
    assert shortened("word " * 60).endswith("word…")
