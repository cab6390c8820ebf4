"""The catalogue as columns: all of it, in the order of its numbers."""

import numpy as np
from sqlalchemy import select

from engine.assortment import read_catalog
from subscribers.database import reading
from subscribers.models import Sku


def test_the_catalogue_comes_as_columns_also_what_is_not_for_sale_now(feed, database):
    picture = {"image_link": "https://shop.example/a.jpg"}
    feed(
        {"id": "no picture", "stock": "7"},
        {"id": "here", **picture, "title": "Oat Cream", "brand": "Maren", "price": "3 EUR", "stock": "0"},
        {"id": "gone", **picture, "availability": "out_of_stock"},
        {"id": "soon", **picture, "availability": "preorder", "product_type": "", "labels": "vegan"},
    )
    with reading(database) as session:
        catalog = read_catalog(session)
        codes = {sku.id: sku.code for sku in session.scalars(select(Sku))}
    place = {code: at for at, code in enumerate(catalog.code)}
    assert [codes[sku] for sku in catalog.sku.tolist()] == catalog.code

    def column(values):
        return {code: values[at] for code, at in place.items()}

    assert column(catalog.pictured.tolist()) == {"no picture": False, "here": True, "gone": True, "soon": True}
    assert column(catalog.stock.tolist()) == {"no picture": 7, "here": 0, "gone": -1, "soon": -1}
    assert column(catalog.availability) == {
        "no picture": "in_stock",
        "here": "in_stock",
        "gone": "out_of_stock",
        "soon": "preorder",
    }
    here, soon = place["here"], place["soon"]
    assert (catalog.title[here], catalog.brand[here], catalog.price_minor[here]) == ("Oat Cream", "Maren", 300)
    assert (catalog.product_type[soon], catalog.labels[soon]) == ("", "vegan")
    assert sorted(catalog.sku) == list(catalog.sku)
    assert catalog.positions(catalog.sku[::-1]).tolist() == [3, 2, 1, 0]
    assert catalog.positions(catalog.sku + 1_000).tolist() == [-1] * 4


def test_a_part_of_the_catalogue_is_a_catalogue(feed, database):
    feed(*({"id": f"P{n}", "title": f"Cream {n}", "stock": str(n)} for n in range(4)))
    with reading(database) as session:
        whole = read_catalog(session)
    part = whole.where(np.array([1, 3]))
    assert (len(part), part.code, part.stock.tolist()) == (
        2,
        [whole.code[1], whole.code[3]],
        whole.stock[[1, 3]].tolist(),
    )
    assert part.positions(whole.sku).tolist() == [-1, 0, -1, 1]
    assert len(whole.where(np.array([], dtype=np.int64))) == 0


def test_an_empty_catalogue_has_no_positions(database):
    with reading(database) as session:
        catalog = read_catalog(session)
    assert len(catalog) == 0
    assert catalog.positions(catalog.sku).tolist() == []
