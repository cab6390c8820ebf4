"""Which products go with which: from what people buy, and from what products are."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend import neighbours
from engine.recommend.features import describe
from engine.recommend.recipe import Recipe
from engine.recommend.registry import to_bytes
from subscribers.models import Kind
from tests.engine.shops import QUICK, Row, busy_shop, catalog, history, ids, signals, trained

BEHAVIOUR = Recipe(content_weight=0.0, own=0.0, ridge=1.0)
CONTENT = Recipe(own=0.0, content_weight=1.0)


def plain(size: int, **columns: list[str]) -> NDArray[np.float64]:
    """By content alone: how alike products are whose other columns are empty."""
    columns = {name: [""] * size for name in ("title", "product_type", "labels", "brand")} | columns
    shop = catalog(size, **columns)
    return np.asarray(neighbours.by_content(describe(shop), np.arange(size), CONTENT).toarray())


def test_what_the_same_people_buy_goes_together() -> None:
    rows: list[Row] = [(person, sku, Kind.PURCHASE, 0) for person in range(10) for sku in (10, 20)]
    rows += [(person, sku, Kind.PURCHASE, 0) for person in range(10, 20) for sku in (30, 40)]
    shop = catalog(5)
    near = neighbours.learn(history(shop, signals(rows)).interest, describe(shop), BEHAVIOUR).toarray()
    assert near[0, 1] == near[1, 0] == near[2, 3] > 0.5
    assert np.abs(near[:2, 2:]).max() == 0
    assert not near[4].any()
    assert not near.diagonal().any()


def test_behaviour_is_the_linear_model_that_leaves_the_product_itself_out() -> None:
    """Against the closed form: B = I − P / diag(P), P the inverse of the Gram matrix with the ridge on its diagonal."""
    shop, known = busy_shop(people=30, products=8, each=4)
    interest = history(shop, known).interest
    near = neighbours.learn(interest, describe(shop), BEHAVIOUR).toarray()
    dense = interest.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + np.eye(8))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0)
    np.testing.assert_allclose(near, wanted, atol=1e-5)


def test_of_each_product_only_the_strongest_neighbours_are_kept() -> None:
    shop, known = busy_shop(people=60, products=30)
    interest = history(shop, known).interest
    few = Recipe(content_weight=0.0, own=0.0, by_behaviour=3)
    near = neighbours.learn(interest, describe(shop), few)
    near.eliminate_zeros()
    assert np.diff(near.indptr).max() == 3
    every = neighbours.learn(interest, describe(shop), Recipe(content_weight=0.0, own=0.0, by_behaviour=30)).toarray()
    for row, cells in zip(every, near.toarray(), strict=True):
        assert np.abs(cells[cells != 0]).min() >= np.sort(np.abs(row))[-3]


def test_products_are_alike_in_what_they_are_and_the_rarer_the_more() -> None:
    near = plain(6, labels=["dry skin, vegan", "dry skin", "vegan", "vegan", "vegan", ""])
    assert near[0, 1] > near[0, 2] > 0
    assert near[2, 3] == pytest.approx(1)
    assert not near[5].any()
    assert not near.diagonal().any()
    np.testing.assert_allclose(near, near.T, atol=1e-6)


def test_one_price_is_no_likeness() -> None:
    assert not plain(4).any()


def test_a_product_speaks_for_itself_as_much_as_the_recipe_says() -> None:
    shop = catalog(3)
    near = neighbours.learn(sp.csr_matrix((0, 3), dtype=np.float32), describe(shop), Recipe(own=0.25, content_weight=0))
    assert near.toarray().tolist() == (np.eye(3) * 0.25).tolist()


def test_the_same_catalogue_keeps_what_was_learnt() -> None:
    shop, known = busy_shop()
    model = trained(shop, known)
    assert model.neighbours_in(shop, model.describe(shop)) is model.neighbours


def test_a_new_product_gets_the_neighbours_its_content_gives_it_and_old_ones_keep_theirs() -> None:
    shop, known = busy_shop(products=30)
    model = trained(shop, known)
    larger = catalog(31)
    near = model.neighbours_in(larger, model.describe(larger)).toarray()
    np.testing.assert_array_equal(near[:30, :30], model.neighbours.toarray())
    assert near[30, 30] == np.float32(model.recipe.own)
    alike = np.flatnonzero(near[30, :30])
    assert len(alike)
    np.testing.assert_array_equal(near[:30, 30], near[30, :30])  # in both directions
    types = {larger.product_type[place] for place in alike} | {larger.brand[place] for place in alike}
    assert {larger.product_type[30]} <= types


def test_a_product_that_is_gone_takes_its_neighbours_with_it() -> None:
    shop, known = busy_shop(products=30)
    model = trained(shop, known)
    smaller = shop.where(ids(range(1, 30)))
    near = model.neighbours_in(smaller, model.describe(smaller)).toarray()
    np.testing.assert_array_equal(near, model.neighbours.toarray()[1:, 1:])


def test_likeness_is_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    described = describe(catalog(40))
    at_once = neighbours.by_content(described, np.arange(40), CONTENT)
    monkeypatch.setattr(neighbours, "ROWS_A_BLOCK", 7)
    np.testing.assert_array_equal(neighbours.by_content(described, np.arange(40), CONTENT).toarray(), at_once.toarray())


def test_only_the_behaviour_of_the_most_popular_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST_PRODUCTS", 3)
    rows: list[Row] = [(n, 10 * sku, Kind.PURCHASE, 0) for n in range(6) for sku in range(1, 7) if n < sku]
    shop = catalog(6)
    near = neighbours.learn(history(shop, signals(rows)).interest, describe(shop), BEHAVIOUR).toarray()
    assert np.flatnonzero(near.any(axis=1)).tolist() == [3, 4, 5]


def test_neighbours_come_out_the_same_each_time() -> None:
    shop, known = busy_shop()
    assert to_bytes(trained(shop, known, QUICK)) == to_bytes(trained(shop, known, QUICK))
