"""Quiet hours: who is asleep now, and when the first of them wakes up."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import SettingsInvalid
from campaigns.quiet_hours import QuietHours, quiet_hours

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLACES = ["Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles", "Mars/Olympus", ""]


def test_a_zone_is_quiet_from_the_first_hour_until_the_second():
    quiet = QuietHours(21, 8)
    assert quiet.quiet_zones(PLACES, now=NOON) == {"Asia/Tokyo", "America/Los_Angeles"}  # 21:00 and 05:00 there
    berlin = {
        hour: bool(quiet.quiet_zones(["Europe/Berlin"], now=NOON.replace(hour=hour) - timedelta(hours=2)))
        for hour in range(2, 24)
    }
    assert [hour for hour, is_quiet in berlin.items() if is_quiet] == [2, 3, 4, 5, 6, 7, 21, 22, 23]
    assert QuietHours(0, 8).quiet_zones(["UTC"], now=NOON.replace(hour=7, minute=59)) == {"UTC"}


def test_names_that_are_no_zones_count_as_utc():
    assert QuietHours(12, 13).quiet_zones(PLACES, now=NOON) == {"Mars/Olympus", ""}


def test_the_first_to_wake_up_is_told():
    quiet = QuietHours(21, 8)
    assert quiet.next_awake(PLACES, now=NOON) == datetime(2026, 6, 1, 15, tzinfo=UTC)  # 08:00 in Los Angeles
    assert quiet.next_awake(["Asia/Tokyo"], now=NOON) == datetime(2026, 6, 1, 23, tzinfo=UTC)
    assert quiet.next_awake(["UTC"], now=NOON) is None
    assert quiet.next_awake([], now=NOON) is None


@given(
    now=st.datetimes(datetime(2024, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    zone=st.sampled_from(sorted(available_timezones())),
    start=st.integers(0, 23),
    end=st.integers(0, 23),
)
def test_quiet_never_ends_too_early_nor_lasts_beyond_its_end(now, zone, start, end):
    if start == end:
        return
    check(QuietHours(start, end), zone, now)


@pytest.mark.parametrize("hours", [(21, 8), (21, 23), (23, 0), (0, 2), (1, 2), (2, 3), (22, 1)])
@pytest.mark.parametrize(("zone", "night"), [
    ("Europe/Berlin", datetime(2026, 3, 29, tzinfo=UTC)), ("Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
    ("America/Nuuk", datetime(2026, 3, 29, tzinfo=UTC)), ("America/Nuuk", datetime(2026, 10, 25, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 14, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 11, 1, tzinfo=UTC)),
    ("Antarctica/Troll", datetime(2026, 3, 29, tzinfo=UTC)), ("Antarctica/Troll", datetime(2026, 10, 25, tzinfo=UTC)),
])  # fmt: skip
def test_a_night_on_which_the_clocks_are_moved_ends_too(hours, zone, night):
    for minutes in range(-180, 600, 15):
        check(QuietHours(*hours), zone, night + timedelta(minutes=minutes))


def check(quiet: QuietHours, zone: str, now: datetime) -> None:
    """When it is quiet, it is so until the moment we are told, and not a minute longer."""
    if not quiet.quiet_zones([zone], now=now):
        assert quiet.next_awake([zone], now=now) is None
        return
    awake = quiet.next_awake([zone], now=now)
    assert awake > now
    assert not quiet.quiet_zones([zone], now=awake)
    moment = now
    while moment < awake:
        assert quiet.quiet_zones([zone], now=moment), (moment.astimezone(ZoneInfo(zone)), awake)
        moment += timedelta(minutes=15)


def test_the_setting_is_two_hours_or_nothing():
    assert quiet_hours("21-8") == QuietHours(21, 8)
    assert quiet_hours("") is None
    for wrong in ("8-8", "21", "21-24", "evening", "-1-8"):
        with pytest.raises(SettingsInvalid, match="quiet_hours"):
            quiet_hours(wrong)
