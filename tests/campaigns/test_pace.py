"""Moments are handed out one by one, whoever asks."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.pace import ALL, STEADY, Pace
from subscribers.database import writing

NOW = 1_780_000_000.0


def reserve(database, pace, count, *, now=NOW, domain="example.com"):
    with writing(database) as session:
        moments = pace.reserve(session, [domain] * count, now=now)
        session.commit()
    return moments


def test_without_a_limit_everybody_may_go_at_once(database):
    assert reserve(database, Pace(0, {}), 3) == [NOW] * 3


def test_moments_are_one_step_apart_and_go_on_where_the_last_ended(database):
    pace = Pace(10 / STEADY, {})
    first = reserve(database, pace, 5)
    assert first == pytest.approx([NOW + step / 10 for step in range(5)], abs=1e-5)
    assert reserve(database, pace, 1, now=NOW + 0.2) == pytest.approx([NOW + 0.5], abs=1e-5)
    assert reserve(database, pace, 1, now=NOW + 9) == pytest.approx([NOW + 9], abs=1e-5)  # unused moments are gone


def test_a_domain_has_a_pace_of_its_own_beside_that_of_all(database):
    pace = Pace(100 / STEADY, {"Slow.example": 2 / STEADY})
    with writing(database) as session:
        moments = pace.reserve(session, ["slow.example", "other.example"] * 3, now=NOW)
        assert pace.busy(session, now=NOW) == ["slow.example"]
        assert pace.busy(session, now=NOW + 3) == []
        session.commit()
    assert moments[::2] == pytest.approx([NOW, NOW + 0.5, NOW + 1], abs=1e-5)
    assert moments[1::2] == pytest.approx([NOW + 0.01, NOW + 0.03, NOW + 0.05], abs=1e-5)


@given(
    rate=st.floats(0.5, 500),
    asks=st.lists(st.tuples(st.integers(1, 40), st.floats(0, 3)), min_size=1, max_size=30),
)
def test_no_second_holds_more_than_the_rate(new_database, rate, asks):
    now, given_out = NOW, list[float]()
    with new_database() as database:
        for count, pause in asks:
            now += pause
            moments = reserve(database, Pace(rate, {}), count, now=now)
            assert min(moments) >= now - 1e-5
            given_out += moments
    assert given_out == sorted(given_out)
    most = max(Counter(int(moment - NOW) for moment in given_out).values())
    assert most <= rate + 1


def test_the_pace_is_kept_in_the_database(database):
    reserve(database, Pace(10 / STEADY, {}), 30)
    with database.connect() as connection:
        name, next_at = connection.exec_driver_sql("SELECT name, next_at FROM pace").one()
    assert (name, next_at) == (ALL, int((NOW + 3) * 1e6))
