"""When a campaign is due: cron as cron means it, in the campaign's own zone, once a day whatever the clock does."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from campaigns.calendar import due_times, local_time, next_due
from campaigns.edit import find_campaign, move, schedule
from campaigns.errors import CampaignInvalid, WrongState
from subscribers.database import writing


def days_due(cron, zone, start, days):
    found, moment = [], start
    while (moment := next_due(cron, zone, after=moment)) < start + timedelta(days=days):
        found.append(moment)
    return found


def test_weekday_1_is_monday():
    due = next_due("0 9 * * 1", "Europe/Berlin", after=datetime(2026, 6, 3, tzinfo=UTC))
    assert due == datetime(2026, 6, 8, 7, tzinfo=UTC)
    assert due.strftime("%A") == "Monday"


@cache
def moved_clocks(zone: str) -> tuple[tuple[datetime, timedelta], ...]:
    """(when, by how much) of each time the clocks of a zone are moved in 2024 to 2035."""
    place = ZoneInfo(zone)
    weeks = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(weeks=week) for week in range(12 * 53)]
    changed = (pair for pair in pairwise(weeks) if offset_at(place, pair[0]) != offset_at(place, pair[1]))
    return tuple(move_between(place, *pair) for pair in changed)  # nobody moves clocks there and back within a week


def offset_at(place, moment):
    return moment.astimezone(place).utcoffset()


def move_between(place, early, late):
    old, new, second = offset_at(place, early), offset_at(place, late), timedelta(seconds=1)
    while late - early > second:
        middle = early + (late - early) // 2 // second * second
        early, late = (middle, late) if offset_at(place, middle) == old else (early, middle)
    return late, new - old


@cache
def kinds_of_zones() -> dict[object, list[str]]:
    """All time zones by what their clocks do in 2024 to 2035: a zone that does the same as another is tried with it."""
    kinds: dict[object, list[str]] = {}
    for zone in sorted(available_timezones()):
        offset = datetime(2024, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
        kinds.setdefault((offset, moved_clocks(zone)), []).append(zone)
    return kinds


def days_around(zone, moment, cron):
    """The local days on which a cron is due, of the five around this moment."""
    place = ZoneInfo(zone)
    day = moment.astimezone(place).date()
    first, last = day - timedelta(days=2), day + timedelta(days=2)
    start = datetime(first.year, first.month, first.day, tzinfo=place) - timedelta(hours=2)
    found = []
    for due in due_times(cron, zone, after=start):
        if (local := due.astimezone(place).date()) > last:
            break
        found.append(local)
    return [found_day for found_day in found if found_day >= first], [first + timedelta(days=n) for n in range(5)]


def times_near(zone, moment):
    """Daily times that a move of the clocks at this moment may touch, and some that it does not."""
    there = moment.astimezone(ZoneInfo(zone))
    near = {there + timedelta(minutes=minutes) for minutes in range(-180, 181, 15)}
    times = {(time.hour, time.minute) for time in near} | {(0, 0), (0, 30), (2, 30), (9, 0), (23, 30), (23, 59)}
    return sorted(times)


MOVED = ["Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe"]
# these move them at midnight, and in Nuuk the hour before midnight is skipped
MOVED += ["America/Nuuk", "America/Scoresbysund", "Africa/Cairo", "America/Havana", "America/Santiago", "Asia/Beirut"]


def check_every_day(zone, moments):
    for moment in moments:
        for hour, minute in times_near(zone, moment):
            days, wanted = days_around(zone, moment, f"{minute} {hour} * * *")
            assert days == wanted, f"{zone}, {moment}, daily at {hour}:{minute:02}"


@pytest.mark.parametrize("zone", MOVED)
def test_there_is_one_run_a_day_whatever_the_clock_does(zone):
    check_every_day(zone, [moment for moment, _ in moved_clocks(zone)][:4])


@pytest.mark.slow
def test_there_is_one_run_a_day_in_every_zone_at_every_move_of_its_clocks():
    kinds = kinds_of_zones()
    assert sum(map(len, kinds.values())) == len(available_timezones())
    assert sum(len(moved_clocks(zones[0])) for zones in kinds.values()) > 500  # or nothing would have been tried
    for zones in kinds.values():
        check_every_day(zones[0], [moment for moment, _ in moved_clocks(zones[0])])


@pytest.mark.parametrize("zone", MOVED)
def test_what_is_due_next_is_the_same_whenever_one_asks(zone):
    """The scheduler asks from whatever moment it has come to, also in the hour that comes twice."""
    for moment, _ in moved_clocks(zone)[:2]:
        start = moment - timedelta(days=1)
        for hour, minute in times_near(zone, moment):
            cron, due = f"{minute} {hour} * * *", [start]
            for at in due_times(cron, zone, after=start):
                due.append(at)
                if at > moment + timedelta(days=1):
                    break
            for asked in (moment + timedelta(minutes=minutes) for minutes in range(-200, 200, 7)):
                assert next_due(cron, zone, after=asked) == next(at for at in due if at > asked)


def test_a_time_that_is_skipped_is_due_right_after_the_gap_and_one_that_comes_twice_at_its_first():
    gap = next_due("30 2 * * *", "Europe/Berlin", after=datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert gap == datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00 there
    twice = next_due("30 2 * * *", "Europe/Berlin", after=datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert twice == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    before = next_due("30 23 * * *", "America/Nuuk", after=datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert before.astimezone(ZoneInfo("America/Nuuk")) == datetime(2026, 3, 28, 22, 59, tzinfo=ZoneInfo("America/Nuuk"))


def test_what_falls_into_one_gap_is_one_run_and_a_day_that_is_skipped_has_none():
    assert len(days_due("*/15 2 * * *", "Europe/Berlin", datetime(2026, 3, 28, 12, tzinfo=UTC), 1)) == 1
    dates = [
        moment.astimezone(ZoneInfo("Pacific/Apia")).day
        for moment in days_due("0 9 * * *", "Pacific/Apia", datetime(2011, 12, 28, tzinfo=UTC), 4)
    ]
    assert dates == [28, 29, 31, 1]


@pytest.mark.parametrize("cron", ["0 * * * *", "0 0-23 * * *", "0 */1 * * *"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Nuuk"])
def test_what_is_due_every_hour_goes_by_elapsed_time(zone, cron):
    for moment, _ in moved_clocks(zone)[:2]:
        due = days_due(cron, zone, moment - timedelta(hours=6), 0.5)
        assert len(due) in (11, 12, 13)  # the shift of Lord Howe is half an hour
        assert all(timedelta(minutes=30) <= later - at <= timedelta(minutes=90) for at, later in pairwise(due))


def test_in_each_persons_own_time_it_begins_where_the_day_begins():
    due = next_due("0 9 * * 1", "Europe/Berlin", after=datetime(2026, 6, 3, tzinfo=UTC), own_time=True)
    assert due == datetime(2026, 6, 7, 19, tzinfo=UTC)  # Monday 09:00 in Kiritimati
    assert local_time("2026-12-01 09:00", "Europe/Berlin", own_time=True) == datetime(2026, 11, 30, 19, tzinfo=UTC)
    with pytest.raises(CampaignInvalid, match="names a time zone"):
        local_time("2026-12-01T09:00+01:00", "Europe/Berlin", own_time=True)


@pytest.mark.parametrize("cron", ["", "soon", "61 * * * *", "0 9 * *", "0 0 9 * * 1", "0 9 31 2 *"])
def test_a_cron_that_means_nothing_is_refused_with_an_example_or_a_reason(cron):
    with pytest.raises(CampaignInvalid, match=r"cron"):
        next_due(cron, "UTC", after=datetime(2026, 6, 1, tzinfo=UTC))


def test_a_zone_that_is_none_is_refused():
    for zone in ("Berlin", "../etc/passwd", "", "Europe", "x" * 5_000, "a\0b"):
        with pytest.raises(CampaignInvalid, match="IANA"):
            next_due("0 9 * * *", zone, after=datetime(2026, 6, 1, tzinfo=UTC))


def test_a_local_time_is_the_campaigns_unless_it_names_a_zone():
    assert local_time("2026-12-01 09:00", "Europe/Berlin") == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert local_time("2026-12-01T09:00+00:00", "Europe/Berlin") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert local_time("2026-03-29 02:30", "Europe/Berlin") == datetime(2026, 3, 29, 1, tzinfo=UTC)  # after the gap
    with pytest.raises(CampaignInvalid, match="no time"):
        local_time("tomorrow", "UTC")


def test_a_time_in_the_past_neither_and_both_are_refused(shop):
    with writing(shop.world.database) as session:
        for words, options in (
            ("in the past", {"at": "2020-01-01 09:00"}),
            ("either when", {}),
            ("either when", {"at": "2027-01-01 09:00", "cron": "0 9 * * 1"}),
            ("has come already where the day begins", {"at": "2026-06-01 23:00", "own_time": True}),
            ("missed is late, skip, ask", {"cron": "0 9 * * 1", "missed": "perhaps"}),
            ("late hours must be 1 to 720", {"cron": "0 9 * * 1", "late_hours": 0}),
        ):
            with pytest.raises(CampaignInvalid, match=words):
                schedule(session, "weekly", now=shop.now, **options)


def test_what_came_due_in_a_pause_is_not_sent_afterwards(shop):
    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, cron="0 9 * * *")
        move(session, "weekly", "pause", now=shop.now)
        shop.pass_time(days=3)
        resumed = move(session, "weekly", "resume", now=shop.now)
        assert resumed.next_due > shop.now
        assert resumed.next_due < shop.now + timedelta(days=1)


def test_a_single_date_that_passed_in_a_pause_must_be_set_anew(shop):
    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, at="2026-06-02 09:00")
        move(session, "weekly", "pause", now=shop.now)
        shop.pass_time(days=3)
        with pytest.raises(WrongState, match="has passed"):
            move(session, "weekly", "resume", now=shop.now)


def test_a_cancelled_campaign_stays_cancelled(shop):
    with writing(shop.world.database) as session:
        move(session, "weekly", "cancel", now=shop.now)
        for action in ("pause", "resume", "cancel"):
            with pytest.raises(WrongState, match="is cancelled"):
                move(session, "weekly", action, now=shop.now)
        with pytest.raises(WrongState, match="is cancelled"):
            schedule(session, "weekly", now=shop.now, cron="0 9 * * 1")
        assert find_campaign(session, "weekly").state == "cancelled"
