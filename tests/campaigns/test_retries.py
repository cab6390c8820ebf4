"""When a mail that was put off is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.retries import next_try

FIRST = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (5, 240), (9, 240)])
def test_each_wait_is_twice_the_one_before_up_to_four_hours(attempts, minutes):
    waits = [
        (next_try(attempts, f"{n}@x", now=FIRST, first=FIRST, days=9) - FIRST) / timedelta(minutes=minutes)
        for n in range(200)
    ]
    assert 0.8 <= min(waits) < 0.85
    assert 1.15 < max(waits) <= 1.2


def test_it_ends_after_the_days_of_the_setting():
    late = FIRST + timedelta(days=2) - timedelta(minutes=5)
    assert next_try(1, "1@x", now=late, first=FIRST, days=2) is None
    assert next_try(1, "1@x", now=late, first=FIRST, days=3) is not None


@given(st.integers(1, 10_000), st.text(max_size=30), st.floats(0.01, 14))
def test_a_mail_is_never_tried_without_end(attempts, message_id, days):
    now, tries = FIRST, 0
    while (due := next_try(attempts + tries, message_id, now=now, first=FIRST, days=days)) is not None:
        assert due > now
        now, tries = due, tries + 1
    assert now <= FIRST + timedelta(days=days)
    assert tries <= days * 24 * 60 / 12


def test_the_same_try_of_the_same_mail_has_the_same_wait():
    assert next_try(2, "1@x", now=FIRST, first=FIRST, days=2) == next_try(2, "1@x", now=FIRST, first=FIRST, days=2)
