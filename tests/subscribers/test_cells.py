"""One cell at a time: what it may say, and what it is told when it may not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import cells
from subscribers.csv_files import Row
from subscribers.errors import RowRejected

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def row(cell: str) -> Row:
    return Row(7, {"cell": cell}, (cell,))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-31T09:30:00Z", datetime(2026, 3, 31, 9, 30, tzinfo=UTC)),
        ("2026-03-31 09:30", datetime(2026, 3, 31, 9, 30, tzinfo=UTC)),
        ("2026-03-31", datetime(2026, 3, 31, tzinfo=UTC)),
        ("2026-03-31T09:30:00+02:00", datetime(2026, 3, 31, 7, 30, tzinfo=UTC)),
        ("2026-01-01T00:30:00+05:30", datetime(2025, 12, 31, 19, tzinfo=UTC)),
        ("2026-06-01T12:00:00Z", NOW),
        ("1995-01-01", datetime(1995, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_as_utc_unless_it_names_a_zone(text, at):
    read = cells.time_in(row(text), "cell", now=NOW)
    assert read == at
    assert read.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("31/03/2026", "is no ISO 8601 time such as 2026-03-31T09:30:00Z"),
        ("", "is no ISO 8601 time such as 2026-03-31T09:30:00Z"),
        ("2026-02-30", "is no ISO 8601 time such as 2026-03-31T09:30:00Z"),
        ("1900-01-01", "lies before 1995; is it a spreadsheet's empty date?"),
        ("1994-12-31T23:59:59Z", "lies before 1995; is it a spreadsheet's empty date?"),
        ("2026-06-01T12:00:01Z", "lies in the future"),
        ("2026-06-01T11:00:00-02:00", "lies in the future"),
        ("0001-01-01T00:00:00+14:00", "is no ISO 8601 time such as 2026-03-31T09:30:00Z"),
        ("9999-12-31T23:59:59-14:00", "is no ISO 8601 time such as 2026-03-31T09:30:00Z"),
    ],
)
def test_a_time_that_cannot_be_is_rejected(text, reason):
    with pytest.raises(RowRejected) as rejected:
        cells.time_in(row(text), "cell", now=NOW)
    assert (rejected.value.line, rejected.value.reason) == (7, reason)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        *[("24.50", 2450), ("24,50", 2450), ("24", 2400), ("0", 0), (".5", 50), ("0.125", 12), ("0.135", 14)],
        *[("1,234.50", 123450), ("1.234,50", 123450), ("1,234,567.89", 123456789), ("1.234.567,89", 123456789)],
        *[("-3.10", -310), ("0,836", 84), ("1.234", 123), ("10000000.00", 1_000_000_000), ("1e2", 10000)],
    ],
)
def test_an_amount_is_read_the_way_it_is_written_anywhere(text, cents):
    assert cells.minor_units(text) == cents


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-inf", "1e400", "1e999999", "-9e999999", "10000000.01"])
def test_an_amount_that_is_no_money_is_a_value_error(text):
    with pytest.raises(ValueError, match=text):
        cells.minor_units(text)


@pytest.mark.parametrize("text", ["", "€24.50", "twelve", "1,234,567", "1 234", "--1", "..", ",."])
def test_text_that_is_no_amount_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011 - its text is the amount, that is all
        cells.minor_units(text)


@pytest.mark.parametrize("text", ["1,234", "-12,345", "+999,999"])
def test_an_amount_that_may_be_a_thousand_times_another_is_not_guessed(text):
    with pytest.raises(ValueError, match=text[-3:]):
        cells.minor_units(text)


@given(st.text(max_size=30) | st.from_regex(r"[-+]?[0-9.,]{1,12}([eE][-+]?[0-9]{1,9})?", fullmatch=True))
def test_an_amount_is_always_within_bounds_or_a_value_error(text):
    try:
        cents = cells.minor_units(text)
    except ValueError:
        return
    assert abs(cents) <= cells.MOST


def test_a_price_may_be_missing_but_never_negative():
    assert cells.price_in(row(""), "cell") is None
    assert cells.price_in(row("24.50"), "cell") == 2450
    assert cells.price_in(Row(7, {}, ()), "cell") is None
    for text, reason in [("-0.01", "is negative"), ("free", "is no amount such as 24.50")]:
        with pytest.raises(RowRejected, match=reason):
            cells.price_in(row(text), "cell")


def test_a_quantity_is_a_whole_number_of_at_least_one():
    assert [cells.quantity_in(row(text), "cell") for text in ("", "1", "12", "1000000000")] == [1, 1, 12, 1_000_000_000]
    for text, reason in [
        ("0", "must be at least 1"),
        ("-2", "must be at least 1"),
        ("1000000001", "is larger than any order"),
        ("1.5", "is no whole number"),
        ("a dozen", "is no whole number"),
        ("9" * 5_000, "is no whole number"),  # more digits than Python reads
    ]:
        with pytest.raises(RowRejected, match=reason):
            cells.quantity_in(row(text), "cell")


def test_yes_and_no_are_known_in_the_usual_spellings():
    for text in ("yes", "Y", "TRUE", "1", "on", "Ja"):
        assert cells.yes_or_no_in(row(text), "cell", default=False)
    for text in ("no", "N", "False", "0", "OFF", "nein"):
        assert not cells.yes_or_no_in(row(text), "cell", default=True)
    for default in (True, False):
        assert cells.yes_or_no_in(row(""), "cell", default=default) is default
        assert cells.yes_or_no_in(Row(7, {}, ()), "cell", default=default) is default
    for text in ("maybe", "2", "yes please", "nope"):
        with pytest.raises(RowRejected, match="is neither yes nor no"):
            cells.yes_or_no_in(row(text), "cell", default=True)
