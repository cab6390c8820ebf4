"""Profiles: which few labels a person keeps coming back to."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.recommend.features import describe
from engine.recommend.profile import HALF_LIFE_DAYS, LABELS_A_PERSON, LEAST_SHARE, keep_strongest, profiles
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.shops import Row, busy_shop, catalog, history, ids, signals


def naive(matrix: NDArray[np.float32], count: int, least: float) -> NDArray[np.float32]:
    kept = np.zeros_like(matrix)
    for row, cells in enumerate(matrix):
        places = [place for place in np.flatnonzero(cells) if cells[place] >= least]
        for place in sorted(places, key=lambda place: (-cells[place], place))[:count]:
            kept[row, place] = cells[place]
    return kept


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(0, 5), st.integers(1, 12)),
        elements=st.sampled_from([0, 0.05, 0.1, 0.25, 0.5, 1]),
    ),
    st.integers(1, 8),
)
def test_the_strongest_cells_are_those_a_full_sort_gives(matrix: NDArray[np.float32], count: int) -> None:
    np.testing.assert_array_equal(
        keep_strongest(sp.csr_matrix(matrix), count, 0.1).toarray(), naive(matrix, count, 0.1)
    )


def test_a_history_fades_by_half_in_ninety_days_and_a_purchase_says_most() -> None:
    rows: list[Row] = [
        (1, 10, Kind.PURCHASE, 0),
        (1, 20, Kind.PURCHASE, HALF_LIFE_DAYS),
        (2, 10, Kind.VIEW, 0),
        (2, 20, Kind.CLICK, 0),
        (2, 30, Kind.CART, 0),
    ]
    interest = history(catalog(3), signals(rows)).interest.toarray()
    np.testing.assert_allclose(interest, [[1, 0.5, 0], [0.2, 0.4, 0.7]], rtol=1e-6)


def test_a_view_in_the_future_is_a_view_and_no_more() -> None:
    assert history(catalog(1), signals([(1, 10, Kind.VIEW, -500)])).interest.toarray() == pytest.approx(0.2)


def test_interest_in_one_product_is_never_more_than_one() -> None:
    assert history(catalog(2), signals([(1, 10, Kind.PURCHASE, 0)] * 50)).interest.toarray().tolist() == [[1, 0]]


def test_people_without_a_name_and_products_no_longer_sold_have_no_history() -> None:
    found = history(
        catalog(2), signals([(NOBODY, 10, Kind.PURCHASE, 0), (7, 99, Kind.PURCHASE, 0), (5, 10, Kind.VIEW, 0)])
    )
    assert found.people.tolist() == [5]
    assert found.rows_of(ids([5, 7, NOBODY, 4, 99])).tolist() == [0, -1, -1, -1, -1]
    assert not found.bought.nnz


def test_only_purchases_count_as_bought() -> None:
    rows: list[Row] = [(1, sku, kind, 0) for sku, kind in zip((10, 20, 30, 40), list(Kind)[:4], strict=True)]
    assert history(catalog(4), signals(rows)).bought.toarray().astype(bool).tolist() == [[False, False, False, True]]


def test_a_profile_has_six_labels_at_most_each_a_share_of_all_interest() -> None:
    shop, known = busy_shop(people=60, products=50, each=25)
    names = describe(shop).names
    profile = profiles(history(shop, known).interest, describe(shop))
    assert np.diff(profile.indptr).max() == LABELS_A_PERSON
    assert profile.data.min() >= LEAST_SHARE
    assert profile.data.max() <= 1 + 1e-6
    assert not any(names[column].startswith("word:") for column in profile.indices)


def test_the_shares_of_a_profile_are_those_of_the_interest() -> None:
    shop = catalog(4, labels=["dry skin", "dry skin", "oily skin", ""], brand=[""] * 4, product_type=[""] * 4)
    rows: list[Row] = [
        (1, 10, Kind.PURCHASE, 0),
        (1, 20, Kind.PURCHASE, 0),
        (1, 30, Kind.PURCHASE, 0),
        (1, 40, Kind.PURCHASE, 0),
    ]
    described = describe(shop)
    profile = profiles(history(shop, signals(rows)).interest, described)
    labels = {described.names[c]: v for c, v in zip(profile.indices.tolist(), profile.data.tolist(), strict=True)}
    assert {name: share for name, share in labels.items() if name.startswith("label")} == pytest.approx(
        {"label:dry skin": 0.5, "label:oily skin": 0.25}
    )


def test_without_people_or_products_there_are_no_profiles() -> None:
    assert profiles(sp.csr_matrix((0, 3), dtype=np.float32), describe(catalog(3))).shape[0] == 0
    assert profiles(sp.csr_matrix((2, 0), dtype=np.float32), describe(catalog(0))).shape == (2, 0)
