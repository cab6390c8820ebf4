"""What people and products share, of thousands at once: what one by one would be found."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engine.recommend.features import Attributes
from engine.recommend.themes import NONE, Themes
from tests.engine.recommend.one_by_one import cells, shared_label, type_label

NAMES = ("brand:maren", "brand:soley", "label:dry skin", "price:low", "type:creams", "type:oils", "word:rose")
TELLING = len(NAMES) - 1  # words are in nobody's profile
weights = st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])


def shop(matrix: NDArray[np.float32]) -> Themes:
    return Themes(Attributes(NAMES, sp.csr_matrix(matrix)))


@given(
    arrays(np.float32, st.tuples(st.integers(1, 5), st.just(len(NAMES))), elements=weights),
    arrays(np.float32, st.tuples(st.integers(1, 5), st.just(TELLING)), elements=weights),
)
def test_what_each_person_shares_with_each_product_is_their_strongest_label_and_never_a_price(
    products: NDArray[np.float32], people: NDArray[np.float32]
) -> None:
    themes, profile = shop(products), sp.csr_matrix(np.pad(people, ((0, 0), (0, 1))))
    rows, places = (axis.ravel() for axis in np.indices((len(people), len(products))))
    names, described = (*NAMES, ""), sp.csr_matrix(products)
    found = [names[column] for column in themes.shared(profile, rows, places).tolist()]
    assert found == [
        shared_label(cells(profile, row), cells(described, place), NAMES)
        for row, place in zip(rows.tolist(), places.tolist(), strict=True)
    ]
    assert [names[column] for column in themes.own_type.tolist()] == [
        type_label(cells(described, place), NAMES) for place in range(len(products))
    ]


def test_labels_stand_strongest_first_and_equal_ones_in_the_order_of_the_alphabet() -> None:
    profile = sp.csr_matrix(np.array([[0.2, 0, 0.5, 0.5, 0.2, 0, 0], [0] * 7], dtype=np.float32))
    themes = shop(np.ones((1, len(NAMES)), dtype=np.float32))
    assert themes.labels(profile) == [("label:dry skin", "price:low", "brand:maren", "type:creams"), ()]


@pytest.mark.parametrize("size", [0, 2])
def test_a_shop_of_which_nothing_is_known_shares_nothing(size: int) -> None:
    themes = Themes(Attributes((), sp.csr_matrix((size, 0), dtype=np.float32)))
    asked = np.zeros(min(size, 1), dtype=np.int64)
    assert themes.shared(sp.csr_matrix((1, 0), dtype=np.float32), asked, asked).tolist() == [NONE] * len(asked)
    assert themes.own_type.tolist() == [NONE] * size
