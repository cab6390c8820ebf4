"""A due time that was missed follows the campaign's policy, and is never passed over in silence."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import select

from campaigns import calendar, missed, runs
from campaigns.edit import move, schedule
from campaigns.errors import RunUnknown, WrongState
from campaigns.models import Campaign, Run
from campaigns.settings import Settings
from campaigns.waves import waves_of
from subscribers.database import reading, writing
from subscribers.models import Subscriber

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DUE = datetime(2026, 6, 2, 7, tzinfo=UTC)  # 09:00 in Berlin


class Desk:
    """A campaign and what a scheduler makes of it, without a shop around."""

    def __init__(self, database):
        self.database = database
        with writing(database) as session:
            session.add(Campaign(name="weekly", template="picked-for-you", subject="", created_at=NOW))
            session.commit()

    def schedule(self, **options):
        with writing(self.database) as session:
            schedule(session, "weekly", now=NOW, **{"time_zone": "Europe/Berlin"} | options)

    def claim(self, now, **options):
        """What one look of the scheduler does, as `scheduler.claim_due`; None when nothing is due."""
        with writing(self.database) as session:
            due = calendar.due(session, now=now)
            if not due:
                return None
            passed = calendar.passed(due[0], now=now)
            came = missed.came_at(session, due[0], passed.newest)
            return missed.settle(session, due[0], passed, came=came, now=now, **options)

    def rows(self):
        with reading(self.database) as session:
            return list(session.exec(select(Run).order_by(Run.occurrence)))

    def campaign(self):
        with reading(self.database) as session:
            return session.exec(select(Campaign)).one()

    def decide(self, run_id, go, now):
        with writing(self.database) as session:
            return runs.decide(session, run_id, go, settings=Settings(), now=now)

    def left(self, now):
        with reading(self.database) as session:
            return runs.unfinished(session, now=now)


@pytest.fixture
def desk(database):
    return Desk(database)


@pytest.mark.parametrize("policy", ["late", "skip", "ask"])
@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=4), missed.GRACE])
def test_what_is_found_within_the_grace_is_in_time_whatever_the_policy(desk, policy, late):
    desk.schedule(at="2026-06-02 09:00", missed=policy)
    settled = desk.claim(DUE + late)
    assert settled.run.state == "planning"
    assert (settled.late, settled.skipped) == (None, ())
    assert (settled.run.occurrence, settled.run.planned_at, settled.run.unattended) == (DUE, DUE + late, True)
    assert desk.campaign().state == "done"
    assert desk.claim(DUE + late) is None


def test_late_is_sent_up_to_its_hours_and_skipped_after_them(desk):
    desk.schedule(cron="0 9 * * *", missed="late", late_hours=3)
    settled = desk.claim(DUE + timedelta(hours=3))
    assert (settled.run.state, settled.late) == ("planning", timedelta(hours=3))
    later = DUE + timedelta(days=1, hours=3, minutes=1)
    settled = desk.claim(later)
    assert settled.run is None
    (row,) = desk.rows()[1:]
    assert (row.state, row.occurrence) == ("cancelled", DUE + timedelta(days=1))
    assert row.stopped_because == (
        "missed: due 2026-06-03 07:00 UTC, found 2026-06-03 10:01 UTC; the campaign sends at most 3 hours late"
    )
    assert settled.skipped == (row.stopped_because,)
    assert desk.campaign().next_due == DUE + timedelta(days=2)


def test_skip_leaves_a_row_that_says_so(desk):
    desk.schedule(at="2026-06-02 09:00", missed="skip")
    assert desk.claim(DUE + timedelta(minutes=11)).run is None
    (row,) = desk.rows()
    assert (row.state, row.owner) == ("cancelled", "")
    assert row.stopped_because == (
        "missed: due 2026-06-02 07:00 UTC, found 2026-06-02 07:11 UTC; the campaign skips what is missed"
    )
    assert desk.left(DUE + timedelta(days=1)) == []


def test_what_nobody_approved_asks_and_what_is_skipped_anyway_stays_so(desk):
    desk.schedule(cron="0 9 * * *", missed="skip")
    settled = desk.claim(DUE, unapproved="campaign weekly is not approved; approve it")
    assert (settled.run.state, settled.run.stopped_because) == (
        "asking",
        "campaign weekly is not approved; approve it",
    )
    assert desk.left(DUE + timedelta(hours=1)) == []
    assert desk.claim(DUE + timedelta(days=1, hours=1), unapproved="not approved").run is None
    assert [row.state for row in desk.rows()] == ["asking", "cancelled"]


def asking(desk):
    desk.schedule(at="2026-06-02 09:00", missed="ask")
    found = DUE + timedelta(days=1, hours=2)
    run = desk.claim(found).run
    assert run.state == "asking"
    assert run.stopped_because.startswith("missed: due 2026-06-02 07:00 UTC, found 2026-06-03 09:00 UTC")
    return run.id, found


def test_what_asks_waits_until_somebody_says_go(desk):
    run_id, found = asking(desk)
    decided = found + timedelta(days=2)
    assert desk.left(decided) == []
    run = desk.decide(run_id, True, decided)
    assert (run.state, run.planned_at, run.unattended, run.stopped_because) == ("planning", decided, True, "")
    assert desk.left(decided) == [run_id]  # at once


def test_what_asks_and_is_told_no_is_cancelled_and_says_why(desk):
    run_id, found = asking(desk)
    run = desk.decide(run_id, False, found)
    assert run.state == "cancelled"
    assert run.stopped_because == (
        "missed: due 2026-06-02 07:00 UTC, found 2026-06-03 09:00 UTC; "
        "it was decided on 2026-06-03 09:00 UTC not to send it"
    )
    for go in (True, False):
        with pytest.raises(WrongState, match="is cancelled"):
            desk.decide(run_id, go, found)
    assert desk.left(found + timedelta(days=1)) == []
    with pytest.raises(RunUnknown):
        desk.decide(99, True, found)


def test_nothing_of_a_cancelled_campaign_is_sent_whoever_says_go(desk):
    run_id, found = asking(desk)
    desk.schedule(at="2026-06-09 09:00")
    with writing(desk.database) as session:
        move(session, "weekly", "pause", now=NOW)
    with pytest.raises(WrongState, match="is paused; resume it first"):
        desk.decide(run_id, True, found)
    with writing(desk.database) as session:
        move(session, "weekly", "cancel", now=NOW)
    with pytest.raises(WrongState, match="is cancelled"):
        desk.decide(run_id, True, found)
    assert desk.decide(run_id, False, found).state == "cancelled"


@pytest.mark.parametrize(("policy", "state"), [("late", "planning"), ("skip", "cancelled"), ("ask", "asking")])
def test_of_a_week_of_missed_days_only_the_newest_can_go(desk, policy, state):
    desk.schedule(cron="0 9 * * *", missed=policy)
    found = DUE + timedelta(days=6, hours=2)
    settled = desk.claim(found)
    rows = desk.rows()
    assert [row.occurrence for row in rows] == [DUE + timedelta(days=day) for day in range(7)]
    assert [row.state for row in rows] == ["cancelled"] * 6 + [state]
    assert rows[0].stopped_because == (
        "missed: due 2026-06-02 07:00 UTC, found 2026-06-08 09:00 UTC; a newer one has come"
    )
    assert len(settled.skipped) == 6 + (state == "cancelled")
    assert desk.campaign().next_due == DUE + timedelta(days=7)
    assert desk.claim(found) is None


def test_a_newest_that_is_in_time_goes_out_though_older_ones_were_missed(desk):
    desk.schedule(cron="0 9 * * *", missed="skip")
    settled = desk.claim(DUE + timedelta(days=2, seconds=3))
    assert (settled.run.state, settled.run.occurrence) == ("planning", DUE + timedelta(days=2))
    assert len(settled.skipped) == 2


def test_of_very_many_the_last_hundred_have_rows_and_one_more_counts_the_others(desk):
    desk.schedule(cron="0 * * * *", missed="skip")
    desk.claim(NOW + timedelta(hours=500, minutes=30))
    rows = desk.rows()
    assert len(rows) == 102
    assert rows[0].stopped_because.startswith("missed: 399 occurrences, the last due 2026-06-18 03:00 UTC, found ")
    assert rows[0].occurrence == datetime(2026, 6, 18, 3, tzinfo=UTC)
    assert rows[1].occurrence == datetime(2026, 6, 18, 4, tzinfo=UTC)
    assert rows[-1].occurrence == NOW + timedelta(hours=500)


def test_a_campaign_that_was_changed_or_taken_in_between_is_left_alone(desk):
    desk.schedule(cron="0 9 * * *")
    with reading(desk.database) as session:
        (seen,) = calendar.due(session, now=DUE)
    passed = calendar.passed(seen, now=DUE)
    assert desk.claim(DUE).run is not None  # another scheduler
    with writing(desk.database) as session:
        assert missed.settle(session, seen, passed, came=DUE, now=DUE) is None
        at = f"{seen.next_due:%Y-%m-%d %H:%M:%S.%f}"
        session.execute(text("UPDATE campaign SET state = 'paused', next_due = :at"), {"at": at})
        session.commit()
    with writing(desk.database) as session:
        assert missed.settle(session, seen, passed, came=DUE, now=DUE) is None
    assert len(desk.rows()) == 1


def people_in(desk, *zones):
    with writing(desk.database) as session:
        for number, zone in enumerate(zones):
            address = f"{number}@example.com"
            session.add(Subscriber(address=address, key=address, time_zone=zone, joined_at=NOW))
        session.commit()


def test_in_own_time_it_is_missed_when_its_time_has_come_for_the_first_person(desk):
    desk.schedule(cron="0 9 * * *", own_time=True, missed="skip")
    people_in(desk, "Europe/Berlin", "America/New_York")
    occurrence = desk.campaign().next_due
    assert waves_of(desk.campaign(), occurrence).due_at("Europe/Berlin") == DUE
    settled = desk.claim(DUE - timedelta(minutes=1))  # 12 hours after the day began in Kiritimati
    assert (settled.run.state, settled.late) == ("planning", None)
    assert desk.claim(DUE + timedelta(days=1, minutes=11)).run is None
    assert "missed: due 2026-06-03 07:00 UTC" in desk.rows()[-1].stopped_because
