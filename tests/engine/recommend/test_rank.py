"""The k best of each row are exactly those a full sort gives."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.recommend.rank import NEVER, STRIDE, best

few_values = st.sampled_from([0.0, -0.0, 1.0, 1.5, -2.0, float("inf"), float("-inf"), 3e-39, 1.0000001])


def sorted_fully(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Score falling, then column rising; −1 for what must not be picked."""
    order = [sorted(range(len(row)), key=lambda column: (-row[column], column))[:count] for row in scores.tolist()]
    wanted = [
        [-1 if row[column] == NEVER else column for column in columns]
        for row, columns in zip(scores, order, strict=True)
    ]
    return np.array(wanted, dtype=np.int64).reshape(len(scores), min(count, scores.shape[1]))


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(0, 4), st.integers(0, 30)),
        elements=few_values | st.floats(width=32, allow_nan=False),
    ),
    st.integers(0, 40),
)
def test_the_best_of_small_matrices(scores: NDArray[np.float32], count: int) -> None:
    np.testing.assert_array_equal(best(scores, count), sorted_fully(scores, count))


@given(
    people=st.integers(1, 3),
    products=st.integers(1, 5).map(lambda blocks: blocks * STRIDE) | st.integers(STRIDE - 2, 4 * STRIDE + 2),
    count=st.integers(1, 12),
    kinds=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
@example(people=2, products=3 * STRIDE, count=2, kinds=1, seed=0)
@example(people=2, products=4 * STRIDE + 1, count=3, kinds=2, seed=1)
def test_the_best_across_the_borders_of_blocks(people: int, products: int, count: int, kinds: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = np.concatenate([[NEVER], random.normal(size=kinds)]).astype(np.float32)
    scores = values[random.integers(0, len(values), (people, products))]
    np.testing.assert_array_equal(best(scores, count), sorted_fully(scores, count))


def test_of_equal_scores_in_one_block_the_first_are_taken() -> None:
    scores = np.zeros((1, 40 * STRIDE), dtype=np.float32)
    scores[0, STRIDE - 1 :: STRIDE] = [1, 2] * 20
    assert best(scores, 3).tolist() == [[row * STRIDE - 1 for row in (2, 4, 6)]]


@pytest.mark.parametrize("products", [3, STRIDE, 3 * STRIDE])
def test_where_nothing_may_be_picked_nothing_is(products: int) -> None:
    assert (best(np.full((2, products), NEVER, dtype=np.float32), 2) == -1).all()


def test_scores_are_left_as_they_were() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 2 * STRIDE + 7)).astype(np.float32)
    before = scores.copy()
    best(scores, 1)
    np.testing.assert_array_equal(scores, before)
