"""Cells of sparse matrices by the thousand: the same as asked one by one."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engine.recommend.sparse import cut, has, offsets, side_by_side, stands_in

matrices = arrays(np.int8, st.tuples(st.integers(0, 5), st.integers(1, 6)), elements=st.integers(0, 1))
pieces = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=6)


@given(matrices, st.data())
def test_a_cell_is_there_or_not(matrix: NDArray[np.int8], data: st.DataObject) -> None:
    height, width = matrix.shape
    cells = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    asked = data.draw(st.lists(cells, max_size=8)) if height else []
    rows, columns = np.array(asked, dtype=np.int64).reshape(-1, 2).T
    assert has(sp.csr_matrix(matrix), rows, columns).tolist() == [bool(matrix[cell]) for cell in asked]


@given(matrices, st.integers(0, 4), st.data())
def test_of_every_row_the_columns_asked_for_are_there_or_not_and_none_never(
    matrix: NDArray[np.int8], count: int, data: st.DataObject
) -> None:
    columns = data.draw(arrays(np.int64, (len(matrix), count), elements=st.integers(-1, matrix.shape[1] - 1)))
    wanted = [[column >= 0 and bool(matrix[row, column]) for column in asked] for row, asked in enumerate(columns)]
    assert stands_in(sp.csr_matrix(matrix), columns).tolist() == wanted


@given(pieces)
def test_what_was_put_in_a_row_is_cut_up_again(each: list[list[int]]) -> None:
    lengths = np.array([len(piece) for piece in each], dtype=np.int64)
    assert cut([number for piece in each for number in piece], offsets(lengths)) == [tuple(piece) for piece in each]


@given(pieces)
def test_side_by_side_every_row_begins_with_its_values(each: list[list[int]]) -> None:
    rows = np.array([row for row, piece in enumerate(each) for _ in piece], dtype=np.int64)
    values = np.array([number for piece in each for number in piece], dtype=np.int64)
    width = max(map(len, each), default=0)
    wanted = [[*piece, *[-1] * (width - len(piece))] for piece in each]
    assert side_by_side(values, rows, len(each), empty=-1).tolist() == wanted
