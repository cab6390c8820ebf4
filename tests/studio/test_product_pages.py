"""The pages about products: what the feed says, and how often each was picked."""

import pytest
from sqlalchemy import update
from sqlmodel import col

from engine.catalog import Product
from subscribers.database import writing

pytestmark = pytest.mark.slow


def test_the_list_tells_of_the_feed(shop):
    with writing(shop.world.database) as session:
        session.execute(update(Product).where(col(Product.code) == "oil").values(availability="out_of_stock", stock=0))
        session.commit()
    words = shop.studio.get("/products").text
    assert "out of stock" in words
    assert "0 left" in words
    assert "£12.50" in words
    assert 'src="/media/' in words
    assert "<b>6</b> products, <b>5</b> in stock, <b>6</b> with a picture that we drew" in words


def test_the_pictures_are_there(shop):
    client = shop.studio
    address = client.get("/products").text.partition('<img src="/media')[2].partition('"')[0]
    assert client.get(f"/media{address}").headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("q=oat", ["Oat Balm"]),
        ("q=BRU", ["Dry Brush"]),
        ("q=%25", []),
        ("state=withdrawn", []),
        ("q=oat&state=in_stock", ["Oat Balm"]),
    ],
)
def test_search(shop, query, titles):
    words = shop.studio.get(f"/products?{query}").text
    assert [title for title in ("Oat Balm", "Dry Brush", "Bath Soap") if title in words] == titles


def test_how_often_each_was_picked(shop):
    client = shop.studio
    client.get("/products")
    client.app.state.figures._aside.submit(int).result()  # it is counted
    words = client.get("/products").text
    assert "in the 6 mails of the newest run" in words
    rows = words.split("<tr>")[2:]
    large = [int(row.split('<td class="count">')[2].partition("<")[0]) for row in rows]
    picked = [int(row.split('<td class="count">')[3].partition("<")[0]) for row in rows]
    assert sum(large) == 6
    assert sum(picked) == 18


def test_one_product_and_none(shop):
    client = shop.studio
    words = client.get("/products/4").text
    assert "Gel" in words
    assert "<b>&" not in words.partition("<main")[2].partition("How often")[0]
    assert client.get("/products/99").status_code == 404
    assert client.get("/products/2147483648").status_code == 422
    assert client.get("/products?at=rubbish").status_code == 400
