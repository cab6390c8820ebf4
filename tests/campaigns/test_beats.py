"""Signs of life."""

from datetime import UTC, datetime, timedelta

from campaigns import beats
from subscribers.database import reading, writing

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_who_has_said_so_within_30_seconds_is_alive(database):
    with reading(database) as session:
        assert beats.last_beat(session, beats.SCHEDULER) is None
        assert not beats.is_alive(session, beats.SCHEDULER, now=NOW)
    for seconds in (0, 5):
        with writing(database) as session:
            beats.beat(session, beats.SCHEDULER, now=NOW + timedelta(seconds=seconds))
    with reading(database) as session:
        assert beats.last_beat(session, beats.SCHEDULER) == NOW + timedelta(seconds=5)
        assert beats.is_alive(session, beats.SCHEDULER, now=NOW + timedelta(seconds=35))
        assert not beats.is_alive(session, beats.SCHEDULER, now=NOW + timedelta(seconds=36))
        assert not beats.is_alive(session, "another", now=NOW)
