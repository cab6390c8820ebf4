"""Rows read straight into columns: the same on both stores, however many there are and wherever they are cut."""

import numpy as np
import pytest
from sqlalchemy import case, select, text
from sqlalchemy.exc import ProgrammingError
from sqlmodel import col

from subscribers import columns
from subscribers.columns import read_columns
from subscribers.database import insert_new, reading, writing
from subscribers.models import Sku

TYPES = np.dtype([("id", "i8"), ("small", "i1"), ("middle", "i4"), ("share", "f8")])
QUERY = select(col(Sku.id), col(Sku.id) % 100, col(Sku.id) * 2, col(Sku.id) * 0.5).order_by(col(Sku.id).desc())


@pytest.fixture
def thousand(database):
    with writing(database) as session:
        insert_new(session, Sku, [{"code": f"p{number}"} for number in range(1_000)])
        session.commit()
    return database


@pytest.mark.parametrize("read_ahead", [1, 50, 51, 4_096, 1 << 22])
def test_every_row_is_read_in_its_order_wherever_the_stream_is_cut(thousand, monkeypatch, read_ahead):
    monkeypatch.setattr(columns, "READ_AHEAD", read_ahead)
    with reading(thousand) as session:
        ids, small, middle, share = read_columns(session, QUERY, TYPES)
    assert ids.tolist() == list(range(1_000, 0, -1))
    assert [column.dtype for column in (ids, small, middle, share)] == [TYPES[name] for name in TYPES.names]
    assert (small == ids % 100).all()
    assert (middle == ids * 2).all()
    assert (share == ids / 2).all()
    assert all(column.flags.c_contiguous and column.flags.writeable for column in (ids, small, middle, share))


def test_without_rows_there_are_columns_of_length_0(thousand):
    with reading(thousand) as session:
        found = read_columns(session, QUERY.where(col(Sku.id).in_([])), TYPES)
    assert [(len(column), column.dtype) for column in found] == [(0, TYPES[name]) for name in TYPES.names]


# a gap is 8 bytes short of a row of 14, so that after seven of them the whole fits again
@pytest.mark.parametrize("where", [[1], [500], [1_000], range(1, 8), range(994, 1_001)])
def test_a_column_with_a_gap_is_refused_not_read_wrongly(thousand, where):
    gap = case((col(Sku.id).not_in(where), col(Sku.id)))
    with reading(thousand) as session, pytest.raises((TypeError, ValueError), match=r"NULL|NoneType"):
        read_columns(session, select(gap).order_by(col(Sku.id)), np.dtype([("id", "i8")]))


def test_the_session_can_be_used_afterwards_also_when_reading_went_wrong(thousand, store):
    with reading(thousand) as session:
        if store.name == "postgres":
            with pytest.raises(ProgrammingError, match="nowhere"):
                read_columns(
                    session, select(col(Sku.id)).where(col(Sku.id) == text("nowhere.id")), np.dtype([("id", "i8")])
                )
            session.rollback()
        assert len(read_columns(session, QUERY, TYPES)[0]) == 1_000
        assert session.scalars(select(Sku.code).where(col(Sku.id) == 1)).all() == ["p0"]
