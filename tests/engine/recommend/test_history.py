"""Histories: how loudly signals speak, and who has bought what when."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.recommend import history as module
from engine.recommend.history import HALF_LIFE_DAYS, Histories, keep_strongest, select_rows, strength
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.shops import DAY, NOW, Row, busy_shop, catalog, history, ids, signals

cells = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 5), st.integers(1, 12)),
    elements=st.sampled_from([0, 0.05, 0.1, 0.25, 0.5, 1]),
)


def naive(matrix: NDArray[np.float32], count: int, least: float) -> NDArray[np.float32]:
    kept = np.zeros_like(matrix)
    for row, values in enumerate(matrix):
        places = [place for place in np.flatnonzero(values) if values[place] >= least]
        for place in sorted(places, key=lambda place: (-values[place], place))[:count]:
            kept[row, place] = values[place]
    return kept


@given(cells, st.integers(1, 8))
def test_the_strongest_cells_are_those_a_full_sort_gives(matrix: NDArray[np.float32], count: int) -> None:
    np.testing.assert_array_equal(
        keep_strongest(sp.csr_matrix(matrix), count, 0.1).toarray(), naive(matrix, count, 0.1)
    )


@given(cells, st.data())
def test_selected_rows_are_those_of_the_matrix_and_empty_for_nobody(
    matrix: NDArray[np.float32], data: st.DataObject
) -> None:
    rows = data.draw(st.lists(st.integers(-1, len(matrix) - 1), max_size=8)) if len(matrix) else [-1, -1]
    found = select_rows(sp.csr_matrix(matrix), ids(rows))
    wanted = [matrix[row] if row >= 0 else np.zeros(matrix.shape[1]) for row in rows]
    np.testing.assert_array_equal(found.toarray(), np.array(wanted).reshape(len(rows), matrix.shape[1]))


def test_the_cells_of_a_selected_row_keep_their_order() -> None:
    matrix = sp.csr_matrix((np.array([1.0, 2.0, 3.0]), np.array([2, 0, 1]), np.array([0, 3, 3])), shape=(2, 3))
    assert select_rows(matrix, ids([-1, 0])).indices.tolist() == matrix[[0]].indices.tolist()


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


@given(kind=st.sampled_from([1, 2, 3, 4]), at=st.integers(-(10**10), 10**10), half_life=st.floats(1, 1000))
def test_a_signal_speaks_with_nought_to_one_and_never_louder_when_older(kind: int, at: int, half_life: float) -> None:
    kinds, times = np.array([kind, kind], dtype=np.int8), np.array([at, at - 10 * DAY])
    newer, older = strength(kinds, times, now=NOW, half_life_days=half_life)
    assert 0 <= older <= newer <= 1


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


def test_where_nobody_has_a_history_nobody_has_a_row() -> None:
    nobody = history(catalog(2), signals([]))
    assert nobody.rows_of(ids([1, NOBODY])).tolist() == [-1, -1]
    assert (nobody.interest.shape, nobody.bought.shape) == ((0, 2), (0, 2))


def test_only_purchases_count_as_bought_and_the_last_one_says_when() -> None:
    rows: list[Row] = [(1, sku, kind, 3) for sku, kind in zip((10, 20, 30, 40), list(Kind)[:4], strict=True)]
    rows += [(1, 40, Kind.PURCHASE, 9), (1, 40, Kind.VIEW, 1), (2, 10, Kind.PURCHASE, 7), (2, 10, Kind.PURCHASE, 5)]
    found = history(catalog(4), signals(rows)).bought
    assert found.toarray().tolist() == [[0, 0, 0, NOW - 3 * DAY], [NOW - 5 * DAY, 0, 0, 0]]
    assert found.dtype == np.int64


def test_what_was_bought_on_the_first_day_of_1970_was_bought() -> None:
    long_ago = signals([(1, 10, Kind.PURCHASE, NOW / DAY)])
    assert long_ago.at.tolist() == [0]
    found = history(catalog(2), long_ago).bought
    assert select_rows(found, ids([0])).indices.tolist() == [0]


def test_of_a_long_history_the_strongest_products_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PRODUCTS_A_PERSON", 5)
    shop, known = busy_shop(people=3, products=30, each=20)
    whole: Histories = history(shop, known)
    assert np.diff(whole.interest.indptr).tolist() == [5, 5, 5]
    assert whole.bought.nnz > 5  # what was bought is never forgotten
