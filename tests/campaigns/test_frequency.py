"""The frequency cap: who has heard from us often enough, over all campaigns, gets nothing more for a while."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, func, select

from campaigns.audience import OPTED_OUT, audience
from campaigns.frequency import Enough, had_enough
from campaigns.models import Campaign, Message, MessageState, Run, RunState
from campaigns.plan import plan_run
from campaigns.settings import Settings
from subscribers.database import reading, writing
from subscribers.models import Subscriber

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CAP = Settings(frequency_cap=2, frequency_days=7)
HAD = ("accepted", "in_doubt", "handing_over")
TO_COME = ("planned", "claimed", "deferred")


class Past:
    """Runs that were, with one message each for as many people as are told."""

    def __init__(self, database):
        self.database = database
        with writing(database) as session:
            session.add(Campaign(name="weekly", template="picked-for-you", subject="", created_at=NOW))
            for number in (1, 2, 3):
                session.add(Subscriber(address=f"{number}@example.com", key=f"key {number}", joined_at=NOW))
            session.commit()

    def run(self, *people, ago=timedelta(days=1), state="accepted", run_state="finished", **message):
        with writing(self.database) as session:
            at = NOW - ago
            count = session.scalar(select(func.count()).select_from(Run))
            run = Run(
                campaign_id=1,
                occurrence=at + timedelta(microseconds=count),
                planned_at=at,
                alive_at=at,
                state=run_state,
                errors=message.pop("errors", 0),
            )
            session.add(run)
            session.flush()
            for person in people:
                due = message.get("due_at", at)
                session.add(Message(run_id=run.id, subscriber_id=person, state=state, key=f"key {person}", due_at=due))
            session.commit()
            return run.id

    def forget(self, number):
        with writing(self.database) as session:
            session.execute(delete(Message))
            session.execute(delete(Run).where(Run.id == number))
            session.commit()

    def enough(self, settings=CAP, **options):
        with reading(self.database) as session:
            return had_enough(session, settings, now=NOW, **options)


@pytest.fixture
def past(database):
    return Past(database)


def test_without_a_cap_nobody_has_enough(past):
    for _ in range(5):
        past.run(1)
    assert past.enough(Settings()).people == frozenset()


def test_who_had_as_many_as_the_cap_has_enough_and_the_reason_says_how_many(past):
    past.run(1, 2)
    past.run(1)
    enough = past.enough()
    assert (enough.people, enough.reason) == ({1}, "had 2 mails in the last 7 days")
    once_a_day = past.enough(Settings(frequency_cap=1, frequency_days=1))
    assert once_a_day.reason == "had 1 mail in the last day"


@pytest.mark.parametrize("run_state", RunState)
def test_what_counts_is_what_was_had_and_what_is_still_to_come(past, run_state):
    for state in MessageState:
        counts = state in HAD or (state in TO_COME and run_state != "cancelled")
        number = past.run(1, state=state, run_state=run_state)
        assert past.enough(Settings(frequency_cap=1)).people == ({1} if counts else set()), state
        past.forget(number)


def test_a_plan_that_will_never_be_sent_does_not_count(past):
    past.run(1, state="planned", run_state="planned", errors=3)
    assert past.enough(Settings(frequency_cap=1)).people == set()


def test_mails_count_for_the_days_of_the_setting_from_the_moment_they_were_due(past):
    past.run(1, ago=timedelta(days=7))
    past.run(2, ago=timedelta(days=7) - timedelta(seconds=1))
    past.run(3, ago=timedelta(days=7, hours=20), due_at=NOW - timedelta(days=6, hours=20))  # planned for her own time
    assert past.enough(Settings(frequency_cap=1)).people == {2, 3}


def test_planning_again_does_not_count_the_first_try(past):
    past.run(1)
    again = past.run(1, state="planned", run_state="planning", ago=timedelta(0))
    assert past.enough().people == {1}
    assert past.enough(run_id=again).people == set()


def test_one_person_can_be_looked_at_alone(past):
    for _ in range(2):
        past.run(1, 2)
    assert past.enough(only=2).people == {2}
    assert past.enough(only=3).people == set()


def test_the_audience_names_the_reason_but_a_refusal_first(shop):
    first, second, *_ = shop.mailable()
    shop.opt_out(first)
    ids = dict(shop.query("SELECT address, id FROM subscriber"))
    enough = Enough(frozenset({ids[first], ids[second]}), "had 1 mail")
    with reading(shop.world.database) as session:
        skips = {person.address: person.skip for person in audience(session, enough=enough)}
    assert (skips[first], skips[second]) == (OPTED_OUT, "had 1 mail")


def test_a_third_mail_in_a_week_is_left_out_of_the_plan_with_its_reason(shop):
    settings = shop.world.settings.model_copy(update={"frequency_cap": 2, "frequency_days": 7})

    def plan() -> tuple[int, list[object]]:
        run = shop.begin()
        plan_run(shop.world.database, run, settings, shop.world.secrets)
        shop.execute("UPDATE message SET state = 'accepted' WHERE state = 'planned'")
        return run, [row[0] for row in shop.query("SELECT reason FROM message WHERE run_id = :run", run=run)]

    first, reasons = plan()
    assert "had 2 mails in the last 7 days" not in reasons
    plan()
    _, reasons = plan()
    mailed = shop.query("SELECT count(*) FROM message WHERE run_id = :run AND state = 'accepted'", run=first)
    assert reasons.count("had 2 mails in the last 7 days") == mailed[0][0] > 0
    shop.pass_time(days=8)
    _, reasons = plan()
    assert "had 2 mails in the last 7 days" not in reasons
