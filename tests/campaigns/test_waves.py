"""Each person's own time zone: planned where the day begins, and due when their own clocks show the time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import calendar
from campaigns.edit import find_campaign, schedule
from campaigns.plan import plan_run
from campaigns.runs import begin_run
from campaigns.wall_clock import moment_of
from campaigns.waves import Waves, waves_of
from subscribers.database import reading, writing

ZONES = sorted(available_timezones())
NINE = datetime(2026, 6, 8, 9)  # noqa: DTZ001 - what a clock on a wall shows


@pytest.mark.parametrize(("zone", "hour"), [
    ("Pacific/Kiritimati", 19), ("Asia/Tokyo", 0), ("Europe/Berlin", 7), ("UTC", 9), ("America/Los_Angeles", 16),
    ("Asia/Kathmandu", 3),
])  # fmt: skip
def test_nine_in_the_morning_comes_to_each_zone_in_its_own_time(zone, hour):
    assert Waves(NINE, "UTC").due_at(zone).hour == hour


def test_a_zone_that_is_empty_or_unknown_is_that_of_the_campaign():
    waves = Waves(NINE, "Europe/Berlin")
    assert waves.due_at("") == waves.due_at("Mars/Olympus") == waves.due_at("Europe/Berlin")
    assert Waves(NINE, "nowhere").due_at("") == NINE.replace(tzinfo=UTC)


def test_a_time_in_a_gap_is_right_after_it_and_one_that_comes_twice_its_first():
    half_past_two = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001
    assert Waves(half_past_two, "UTC").due_at("Europe/Berlin") == datetime(2026, 3, 29, 1, tzinfo=UTC)
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001
    assert Waves(twice, "UTC").due_at("Europe/Berlin") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    saturday = datetime(2026, 3, 28, 23, 30)  # noqa: DTZ001 - Nuuk goes from 23:00 to Sunday: still on Saturday
    assert Waves(saturday, "UTC").due_at("America/Nuuk") == datetime(2026, 3, 29, 0, 59, tzinfo=UTC)
    skipped_day = datetime(2011, 12, 30, 9)  # noqa: DTZ001
    assert Waves(skipped_day, "UTC").due_at("Pacific/Apia") == datetime(2011, 12, 30, 10, tzinfo=UTC)  # the 31st begins


@given(
    wall=st.datetimes(datetime(2024, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.replace(second=0, microsecond=0)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
)
def test_nobody_is_due_before_the_run_begins_nor_26_hours_later_and_all_on_their_own_day(wall, zone):
    begins = moment_of(wall, calendar.FIRST_ON_EARTH)
    due = Waves(wall, "UTC").due_at(zone)
    assert begins <= due <= begins + timedelta(hours=27)  # 26, and an hour of a gap
    assert due.astimezone(ZoneInfo(zone)).date() == wall.date()


def own_time_run(shop):
    """A run of the campaign at nine in everybody's own time, planned where the day begins; and its wall time."""
    with writing(shop.world.database) as session:
        campaign = schedule(session, "weekly", now=shop.now, cron="0 9 * * 1", own_time=True)
        occurrence = campaign.next_due
        run = begin_run(session, campaign, occurrence, now=occurrence, unattended=True)
    plan_run(shop.world.database, run.id, shop.world.settings, shop.world.secrets)
    return run, waves_of(campaign, occurrence)


def test_each_message_of_a_run_in_own_time_is_due_in_its_persons_zone(shop):
    run, waves = own_time_run(shop)
    rows = shop.query("SELECT time_zone, due_at, state FROM message WHERE run_id = :run", run=run.id)
    mailed = {zone: due for zone, due, state in rows if state == "planned"}
    assert len(set(mailed.values())) > 2
    for zone, due in mailed.items():
        assert datetime.fromisoformat(str(due)).replace(tzinfo=UTC) == waves.due_at(str(zone))
    assert all(due is None for _, due, state in rows if state == "skipped")


def test_a_run_that_is_for_everybody_at_once_or_by_hand_is_due_when_it_is_planned(shop):
    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, cron="0 9 * * 1", own_time=True)
    run = shop.plan()  # by hand: for now
    due = shop.query("SELECT DISTINCT due_at FROM message WHERE run_id = :run AND state = 'planned'", run=run)
    assert [datetime.fromisoformat(str(row[0])).replace(tzinfo=UTC) for row in due] == [shop.now]


def test_resuming_goes_on_where_the_day_begins(shop):
    from campaigns.edit import move

    with writing(shop.world.database) as session:
        schedule(session, "weekly", now=shop.now, cron="0 9 * * 1", own_time=True)
        move(session, "weekly", "pause", now=shop.now)
        move(session, "weekly", "resume", now=shop.now)
    with reading(shop.world.database) as session:
        assert find_campaign(session, "weekly").next_due == datetime(2026, 6, 7, 19, tzinfo=UTC)
