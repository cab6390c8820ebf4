"""The scoring benchmark at a tiny size: it measures what it says, and sees a wrong list."""

import pytest

from engine.recommend.scoring import shortlists

ROUNDING = 1e-4


@pytest.mark.slow
def test_it_prints_its_figures_and_the_lists_agree(run):
    found = run("scoring", "--people", "120", "--products", "300", "--rounds", "1")
    assert set(found["ratios"]) == {"of_gemm", "vs_predict", "vs_predict_of_identities"}
    values = {row["name"]: row["value"] for row in found["rows"]}
    assert values["lists compared with predict"] == 120
    assert values["lists that differ by more than rounding"] == 0
    assert 0 < values["products on the shelf"] < 300
    assert values["products forbidden a person"] > 3
    assert all(row["value"] > 0 for row in found["rows"] if row["unit"] == "µs/person" and "wall" in row["name"])


@pytest.mark.slow
def test_streaming_is_measured_in_a_process_of_its_own(run):
    found = run("scoring", "--stream", "--people", "1500", "--products", "200")
    values = {row["name"]: row["value"] for row in found["rows"]}
    assert values["people"] == 1500
    assert 20 < values["memory before the plan, at its most"] <= values["memory at its most"] < 1500
    assert values["heroes that are not the first of the list"] > 0  # 4 % of 1,500 people want the same product


@pytest.fixture
def shop(load):
    return load("_crowd").crowd(40, 250, factors=8, history=5)


@pytest.fixture
def lists(shop):
    """(n, 10) our lists, as positions in the catalogue."""
    readers = shop.moment.readers(shop.people, shop.everyone)
    return shop.moment.on_shelf[shortlists(readers, shop.moment.shelf, 10).places]


@pytest.mark.parametrize("hybrid", [True, False])
def test_predict_and_the_same_additions_give_our_lists(load, shop, lists, hybrid):
    naive = load("_naive_scoring")
    assert naive.lists_that_differ(naive.Predictor(shop, hybrid=hybrid), lists, ROUNDING)[1] == 0


def test_two_picks_turned_around_are_seen(load, shop, lists):
    naive = load("_naive_scoring")
    lists[3, [4, 5]] = lists[3, [5, 4]]
    assert naive.lists_that_differ(naive.Predictor(shop), lists, ROUNDING)[1] == 1


def test_a_product_that_was_bought_is_seen(load, shop, lists):
    naive = load("_naive_scoring")
    lists[7, 9] = shop.moment.histories.bought[[7]].indices[0]
    assert naive.lists_that_differ(naive.Predictor(shop), lists, ROUNDING)[1] == 1


def test_lists_that_differ_by_rounding_are_told_apart(load, shop, lists):
    naive = load("_naive_scoring")
    lists[3, [4, 5]] = lists[3, [5, 4]]
    assert naive.lists_that_differ(naive.Predictor(shop), lists, rounding=1_000.0) == (1, 0)


def test_the_same_numbers_make_the_same_crowd(load, shop):
    again = load("_crowd").crowd(40, 250, factors=8, history=5)
    assert (again.moment.signals.sku == shop.moment.signals.sku).all()
    assert (again.moment.model.factors.item_vectors == shop.moment.model.factors.item_vectors).all()
