"""When a campaign is due: cron as cron means it, in the campaign's own zone, once a day whatever the clock does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campaigns.calendar import local_time, next_due
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


@pytest.mark.parametrize(("zone", "night"), [
    ("Europe/Berlin", datetime(2026, 10, 23, tzinfo=UTC)),  # 02:30 comes twice on the 25th
    ("Europe/Berlin", datetime(2026, 3, 27, tzinfo=UTC)),  # and not at all on 29 March
    ("America/New_York", datetime(2026, 10, 30, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 3, tzinfo=UTC)),  # half an hour
])  # fmt: skip
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 9 * * *", "45 1 * * *"])
def test_there_is_one_run_a_day_whatever_the_clock_does(zone, night, cron):
    dates = [moment.astimezone(ZoneInfo(zone)).date() for moment in days_due(cron, zone, night, 6)]
    assert len(dates) >= 5
    assert dates == [dates[0] + timedelta(days=day) for day in range(len(dates))]


@pytest.mark.parametrize("cron", ["", "soon", "61 * * * *", "0 9 * *", "0 9 31 2 *"])
def test_a_cron_that_means_nothing_is_refused_with_an_example_or_a_reason(cron):
    with pytest.raises(CampaignInvalid, match=r"cron"):
        next_due(cron, "UTC", after=datetime(2026, 6, 1, tzinfo=UTC))


def test_a_zone_that_is_none_is_refused():
    for zone in ("Berlin", "../etc/passwd", ""):
        with pytest.raises(CampaignInvalid, match="IANA"):
            next_due("0 9 * * *", zone, after=datetime(2026, 6, 1, tzinfo=UTC))


def test_a_local_time_is_the_campaigns_unless_it_names_a_zone():
    assert local_time("2026-12-01 09:00", "Europe/Berlin") == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert local_time("2026-12-01T09:00+00:00", "Europe/Berlin") == datetime(2026, 12, 1, 9, tzinfo=UTC)
    with pytest.raises(CampaignInvalid, match="no time"):
        local_time("tomorrow", "UTC")


def test_a_time_in_the_past_neither_and_both_are_refused(shop):
    with writing(shop.world.database) as session:
        for words, options in (
            ("in the past", {"at": "2020-01-01 09:00"}),
            ("either when", {}),
            ("either when", {"at": "2027-01-01 09:00", "cron": "0 9 * * 1"}),
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
