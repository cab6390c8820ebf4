"""Signals: recorded once, read as columns, and by name only of people who allow it."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from subscribers.database import reading, writing
from subscribers.models import Kind, Signal, Sku
from subscribers.roster import BATCH
from subscribers.signals import NOBODY, NewSignal, fingerprint, newest_signal_at, read_signals, record, sku_ids

HEADER = "address,product,kind,at,quantity,price,id\n"
MAY = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def people(desk):
    """Ana allows personalisation, Bob does not."""
    desk.people("address,personalise\nana@example.com,yes\nbob@example.com,no\n")
    roster = desk.roster()
    return {"ana": roster["ana@example.com"].id, "bob": roster["bob@example.com"].id}


def at(hours: float) -> datetime:
    return MAY + timedelta(hours=hours)


def put(database, *signals):
    """Records (person, product, kind, time, quantity)."""
    with writing(database) as session:
        record(session, [NewSignal(*signal[:4], f"test {signal}", *signal[4:]) for signal in signals])


def rows_of(signals, database):
    with reading(database) as session:
        codes = {sku.id: sku.code for sku in session.scalars(select(Sku))}
    return [
        (int(who), codes[sku], Kind(kind).name.lower(), (int(when) - int(MAY.timestamp())) // 3600, int(quantity))
        for who, sku, kind, when, quantity in zip(*signals.columns(), strict=True)
    ]


class TestImporting:
    def test_every_kind_and_spelling_is_known(self, desk, people):
        desk.signals(
            "Email,item_id,event_type,timestamp,unit_price\n"
            "ANA@example.com,OIL,View,2026-05-01T10:00:00+02:00,\n"
            "ana@example.com,OIL,click,2026-05-01 09:00,\n"
            "ana@example.com,OIL,add_to_cart,2026-05-01 10:00,24.50\n"
            "ana@example.com,SOAP,buy,2026-05-01 11:00,\n"
        )
        start = int(MAY.timestamp())
        assert desk.signal_rows() == [
            ("ana@example.com", "OIL", "cart", start + 10 * 3600, 1, 0),
            ("ana@example.com", "OIL", "click", start + 9 * 3600, 1, 0),
            ("ana@example.com", "OIL", "view", start + 8 * 3600, 1, 0),
            ("ana@example.com", "SOAP", "purchase", start + 11 * 3600, 1, 0),
        ]

    def test_importing_twice_changes_nothing(self, desk, people):
        file = HEADER + "ana@example.com,OIL,view,2026-05-01,,,17\nana@example.com,OIL,purchase,2026-05-02,2,9.99,\n"
        assert desk.signals(file) == {"added": 2}
        before = desk.signal_rows()
        assert desk.signals(file) == {"already there": 2}
        assert desk.signal_rows() == before

    def test_equal_rows_without_id_are_two_signals_and_importing_again_adds_none(self, desk, people):
        file = HEADER + "ana@example.com,OIL,view,2026-05-01,,,\n" * 2
        assert desk.signals(file) == {"added": 2}
        assert desk.signals(file) == {"already there": 2}
        assert desk.signals(file + "ana@example.com,OIL,view,2026-05-01,,,\n") == {"added": 1, "already there": 2}

    def test_rows_with_one_id_are_one_signal_whatever_else_they_say(self, desk, people):
        assert desk.signals(
            HEADER + "ana@example.com,OIL,view,2026-05-01,,,17\nbob@example.com,SOAP,cart,2026-05-02,,,17\n"
        ) == {"added": 1, "already there": 1}

    def test_the_order_of_rows_does_not_matter(self, desk, people):
        lines = [
            f"ana@example.com,OIL,view,2026-05-0{day},{quantity},,\n" for day in (1, 1, 2, 3) for quantity in (1, 2)
        ]
        assert desk.signals(HEADER + "".join(lines)) == {"added": 8}
        assert desk.signals(HEADER + "".join(reversed(lines))) == {"already there": 8}

    def test_a_signal_of_somebody_unknown_is_rejected_and_nothing_about_them_kept(self, desk, people):
        counts = desk.signals(
            HEADER + "ana@example.com,OIL,view,2026-05-01,,,\nzoe@example.com,SECRET,view,2026-05-01,,,\n"
        )
        assert counts == {"added": 1, "rejected": 1}
        assert desk.rejects[0]["line"] == "3"
        assert desk.rejects[0]["reason"] == "address is nobody on the roster; import subscribers first"
        with reading(desk.database) as session:
            assert session.scalars(select(Sku.code)).all() == ["OIL"]

    def test_rejected_for_being_unknown_gets_in_once_the_person_is_there(self, desk, people):
        file = HEADER + "zoe@example.com,OIL,view,2026-05-01,,,\n"
        desk.signals(file)
        desk.people("address\nzoe@example.com\n")
        assert desk.signals(desk.rejects_file or file) == {"added": 1}

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ("nobody,OIL,view,2026-05-01,,,", "address is no usable address"),
            ("ana@example.com,,view,2026-05-01,,,", "product must be a product id of 1 to 100 characters"),
            ("ana@example.com," + "x" * 101 + ",view,2026-05-01,,,", "product must be a product id of 1 to 100"),
            ("ana@example.com,OIL,stare,2026-05-01,,,", "kind is none of view, click, cart, purchase"),
            ("ana@example.com,OIL,cancellation,2026-05-01,,,", "kind is none of view, click, cart, purchase"),
            ("ana@example.com,OIL,view,yesterday,,,", "at is no ISO 8601 time"),
            ("ana@example.com,OIL,view,2026-06-02,,,", "at lies in the future"),
            ("ana@example.com,OIL,view,2026-05-01,0,,", "quantity must be at least 1"),
            ("ana@example.com,OIL,view,2026-05-01,,-1,", "price is negative"),
        ],
    )
    def test_a_row_that_is_no_signal_says_why(self, desk, people, row, reason):
        assert desk.signals(HEADER + row + "\nana@example.com,OIL,view,2026-05-01,,,\n") == {"added": 1, "rejected": 1}
        assert desk.rejects[0]["reason"].startswith(reason)

    def test_a_batch_is_one_transaction(self, desk, people):
        commits = []
        event.listen(desk.database, "commit", commits.append)
        rows = (f"ana@example.com,P{number % 7},view,2026-05-01,,,{number}\n" for number in range(BATCH + 1))
        assert desk.signals(HEADER + "".join(rows)) == {"added": BATCH + 1}
        assert len(commits) == 2


class TestRecording:
    def test_nothing_is_recorded_of_nothing(self, database):
        with writing(database) as session:
            assert record(session, []) == 0
            assert sku_ids(session, []) == {}

    def test_product_ids_are_given_once(self, database):
        with writing(database) as session:
            first = sku_ids(session, ["OIL", "SOAP", "OIL"])
            session.commit()
        with writing(database) as session:
            again = sku_ids(session, ["BRUSH", "SOAP", "OIL"])
            assert {code: again[code] for code in first} == first
            assert len(set(again.values())) == 3
            assert sku_ids(session, (f"P{number}" for number in range(2 * BATCH + 3))).keys() >= {"P0", "P10002"}

    def test_a_fingerprint_fits_a_signed_64_bit_column_and_never_changes(self):
        prints = [fingerprint(f"signal {number}") for number in range(1_000)]
        assert len(set(prints)) == 1_000
        assert all(-(2**63) <= value < 2**63 for value in prints)
        assert min(prints) < 0 < max(prints)
        assert fingerprint("signal 1") == 4218627847753636949

    def test_the_newest_signal_is_known(self, database, people):
        put(database, (people["ana"], "OIL", Kind.VIEW, at(5)), (people["bob"], "OIL", Kind.VIEW, at(7)))
        with reading(database) as session:
            assert newest_signal_at(session) == int(at(7).timestamp())

    def test_without_signals_none_is_newest(self, database):
        with reading(database) as session:
            assert newest_signal_at(session) is None


class TestReading:
    def test_only_people_who_allow_it_are_read_by_name(self, database, people, now):
        put(
            database,
            *[(people["ana"], "OIL", kind, at(kind)) for kind in Kind if kind is not Kind.CANCELLATION],
            *[(people["bob"], "SOAP", kind, at(10 + kind)) for kind in Kind if kind is not Kind.CANCELLATION],
            (None, "BRUSH", Kind.PURCHASE, at(20), 3),
        )
        with reading(database) as session:
            signals = read_signals(session, until=now)
        ana = people["ana"]
        assert rows_of(signals, database) == [
            (ana, "OIL", "view", 1, 1),
            (ana, "OIL", "click", 2, 1),
            (ana, "OIL", "cart", 3, 1),
            (ana, "OIL", "purchase", 4, 1),
            (NOBODY, "BRUSH", "purchase", 20, 3),
        ]

    def test_of_a_person_who_does_not_allow_it_nothing_is_read(self, database, people, now):
        put(database, (people["bob"], "SOAP", Kind.VIEW, at(1)), (people["bob"], "SOAP", Kind.PURCHASE, at(2)))
        put(database, (people["ana"], "OIL", Kind.VIEW, at(3)))
        with reading(database) as session:
            assert rows_of(read_signals(session, until=now, subscriber_ids=[people["bob"]]), database) == []
            assert len(read_signals(session, until=now, subscriber_ids=[])) == 0
            assert len(read_signals(session, until=now, subscriber_ids=[people["ana"]])) == 1

    def test_since_is_in_and_until_is_not(self, database, people):
        put(database, *[(people["ana"], "OIL", Kind.VIEW, at(hour)) for hour in range(5)])
        with reading(database) as session:
            read = read_signals(session, since=at(1), until=at(3))
            assert [row[3] for row in rows_of(read, database)] == [1, 2]
            assert len(read_signals(session, until=at(0))) == 0
            assert len(read_signals(session, until=at(4) + timedelta(seconds=1))) == 5

    def test_cancelled_units_are_taken_out(self, database, people, now):
        put(
            database,
            (people["ana"], "OIL", Kind.PURCHASE, at(1), 5),
            (people["ana"], "SOAP", Kind.PURCHASE, at(2), 2),
            (people["ana"], "OIL", Kind.CANCELLATION, at(3), 4),
        )
        with writing(database) as session:
            session.connection().exec_driver_sql("UPDATE signal SET settled = 4 WHERE quantity = 5")
            session.connection().exec_driver_sql("UPDATE signal SET settled = 2 WHERE quantity = 2")
            session.commit()
            assert rows_of(read_signals(session, until=now), database) == [(people["ana"], "OIL", "purchase", 1, 1)]

    def test_columns_have_the_promised_types_also_without_a_row(self, database, people, now):
        promised = [np.dtype(name) for name in ("i8", "i8", "i1", "i8", "i4")]
        with reading(database) as session:
            empty = read_signals(session, until=now)
        assert len(empty) == 0
        assert [column.dtype for column in empty.columns()] == promised
        put(database, (people["ana"], "OIL", Kind.PURCHASE, at(1), 1_000_000_000))
        with reading(database) as session:
            signals = read_signals(session, until=now)
        assert [column.dtype for column in signals.columns()] == promised
        assert all(column.flags.c_contiguous for column in signals.columns())
        assert signals.quantity.tolist() == [1_000_000_000]

    def test_rows_are_oldest_first_and_can_be_chosen(self, database, people, now):
        put(database, *[(people["ana"], f"P{hour}", Kind.VIEW, at(hour)) for hour in (3, 1, 2)])
        with reading(database) as session:
            signals = read_signals(session, until=now)
        assert np.all(np.diff(signals.at) > 0)
        assert signals.where(signals.at > signals.at[0]).at.tolist() == signals.at[1:].tolist()
        assert signals.where(np.array([2, 0])).sku.tolist() == signals.sku[[2, 0]].tolist()


rows = st.tuples(
    st.sampled_from(["ana", "bob", "zoe"]),
    st.sampled_from(["OIL", "SOAP"]),
    st.sampled_from(["view", "purchase"]),
    st.integers(1, 3),
    st.sampled_from(["", "", "id-1", "id-2"]),
)


@settings(max_examples=30)
@given(file=st.lists(rows, max_size=12), again=st.randoms(use_true_random=False))
def test_a_file_in_any_order_and_any_number_of_times_records_each_signal_once(new_database, desk_at, file, again):
    lines = [f"{who}@example.com,{what},{kind},2026-05-0{day},,,{name}\n" for who, what, kind, day, name in file]
    shuffled = list(lines)
    again.shuffle(shuffled)
    known = [row for row in file if row[0] != "zoe"]
    expected = len([row for row in known if not row[4]]) + len({row[4] for row in known if row[4]})
    with new_database() as database:
        desk = desk_at(database)
        desk.people("address\nana@example.com\nbob@example.com\n")
        first = Counter(desk.signals(HEADER + "".join(lines)))
        assert first["added"] == expected
        assert sum(first.values()) == len(file)
        second = Counter(desk.signals(HEADER + "".join(shuffled)))
        assert second["added"] == 0
        assert sum(second.values()) == len(file)
        with reading(database) as session:
            assert session.execute(select(func.count(Signal.id))).scalar_one() == expected
