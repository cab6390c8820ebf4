"""The measuring stick, against numbers worked out by hand."""

from math import log2

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from engine.recommend.evaluate.measures import CUT, NOTHING, Measures, measure, ndcg_of
from engine.recommend.sparse import stands_in


def measured(
    lists: list[list[int]], truth: list[list[int]], *, products: int = 20, popularity: list[float] | None = None
) -> Measures:
    """lists: of products. truth: the true products of each person."""
    cells = np.zeros((len(truth), products), dtype=np.bool_)
    for row, true in enumerate(truth):
        cells[row, true] = True
    bought = np.array(popularity or [0.0] * products)
    return measure(np.array(lists, dtype=np.int64), sp.csr_matrix(cells), bought)


def test_ndcg_recall_and_hit_rate_of_three_people_worked_out_by_hand() -> None:
    """Places 1 and 3 of two truths; place 2 of one; nothing of four."""
    found = measured([[5, 1, 7, 0], [3, 2, 9, 8], [1, 2, 3, 4]], [[5, 7], [2], [10, 11, 12, 13]])
    first = (1 + 1 / log2(4)) / (1 + 1 / log2(3))
    second = 1 / log2(3)
    assert found.ndcg == pytest.approx((first + second + 0) / 3, abs=5e-5)
    assert found.recall == pytest.approx((1 + 1 + 0) / 3, abs=5e-5)
    assert found.hit_rate == pytest.approx(2 / 3, abs=5e-5)


@pytest.mark.parametrize(
    ("places", "truths", "ndcg"),
    [
        ([1], 1, 1.0),
        ([10], 1, 1 / log2(11)),
        ([2, 4], 2, (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3))),
        ([1], 12, 1 / sum(1 / log2(place + 1) for place in range(1, 11))),
        (list(range(1, 11)), 12, 1.0),  # the ideal is cut at ten
        ([], 3, 0.0),
    ],
)
def test_the_ndcg_of_hits_at_these_places(places: list[int], truths: int, ndcg: float) -> None:
    hits = np.array([[place in places for place in range(1, CUT + 1)]])
    assert ndcg_of(hits, np.array([truths])).tolist() == pytest.approx([ndcg])


def test_recall_is_of_ten_truths_at_most() -> None:
    assert measured([list(range(10))], [list(range(12))]).recall == 1.0
    assert measured([list(range(10))], [list(range(5, 20))]).recall == 0.5


def test_coverage_full_lists_and_the_commonest_hero_worked_out_by_hand() -> None:
    ten = list(range(10))
    found = measured([ten, [0, *range(10, 19)], [3, 0, *[-1] * 8], [-1] * 10], [[0]] * 4)
    assert found.coverage == 19 / 20
    assert found.full_lists == 0.5
    assert found.top_hero == 0.5  # product 0 for two of four; who gets nothing counts too


def test_novelty_is_in_bits_of_the_share_of_purchases() -> None:
    """Ten products, bought 6 times and never: as if each had been bought once more, 7/16 and 1/16."""
    found = measured([[0, 1]], [[0]], products=10, popularity=[6.0] + [0.0] * 9)
    assert found.novelty == pytest.approx((-log2(7 / 16) - log2(1 / 16)) / 2, abs=5e-5)
    assert measured([[-1, -1]], [[0]]).novelty == 0.0


def test_only_the_first_ten_count() -> None:
    assert measured([[*range(10), 15]], [[15]]).ndcg == 0.0


def test_an_end_of_a_list_is_no_hit_of_the_person_before() -> None:
    truth = sp.csr_matrix(np.array([[False, True], [True, False]]))
    assert stands_in(truth, np.array([[0, -1], [-1, -1]])).any() == np.False_


def test_of_nobody_nothing_is_measured() -> None:
    assert measure(np.empty((0, 10), dtype=np.int64), sp.csr_matrix((0, 5), dtype=np.bool_), np.zeros(5)) == NOTHING
    assert measured([[], []], [[0], [1]]).summary() == dict.fromkeys(NOTHING.summary(), 0.0)


def test_the_names_are_those_of_the_field() -> None:
    assert list(NOTHING.summary()) == [
        *("ndcg@10", "recall@10", "hit_rate@10", "coverage", "novelty", "full_lists", "top_hero")
    ]


@given(st.integers(1, 6), st.integers(1, 30), st.integers(0, 12), st.integers(0, 10**6))
def test_measures_are_shares_and_the_better_list_is_never_worse(
    people: int, products: int, length: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    lists = [random.permutation(products)[:length].tolist() + [-1] * max(length - products, 0) for _ in range(people)]
    truth = [random.permutation(products)[: random.integers(1, products + 1)].tolist() for _ in range(people)]
    found = measured(lists, truth, products=products)
    for name, value in vars(found).items():
        assert 0 <= value <= (1 if name != "novelty" else 10)
    front = []
    for row, true in zip(lists, truth, strict=True):
        hits, misses = [each for each in row if each in true], [each for each in row if each not in true]
        front.append(hits + sorted(misses, key=lambda each: each < 0))
    better = measured(front, truth, products=products)
    assert better.ndcg >= found.ndcg - 1e-4
    assert (better.ndcg == 0) == (better.hit_rate == 0)
