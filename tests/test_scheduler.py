"""The scheduler: each occurrence becomes one run, however many look and whenever one is killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import scheduler
from campaigns import approval, beats, calendar, execute, leases, runs
from campaigns.edit import Definition, find_campaign, save_campaign, schedule
from campaigns.errors import NotApproved
from campaigns.execute import World, open_world
from campaigns.models import Campaign, CampaignState, Message, RunState
from campaigns.training import train_model
from engine.catalog import save_products
from engine.recommend.recipe import Recipe
from subscribers.database import reading, writing
from subscribers.models import Kind, Purpose
from subscribers.roster import NewSubscriber, add_many
from subscribers.signals import NewSignal, record
from tests.smtp_sink import Options, Sink

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRODUCTS = [f"p{number}" for number in range(12)]
# with twelve products nothing would be left for a third mail if what was shown did not come back
SETTINGS = 'sender_name = "Shop"\nsender_address = "a@shop.example"\npostal_address = "1 Mill Lane"\nrepeat_mails = 0\n'


def make_world(folder: Path, clock, people: int = 20, where: str = "") -> World:
    """As small a shop as can be planned for, without pictures of its own. where: its database, if not here."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "handpicked.toml").write_text(SETTINGS + where)
    world = open_world(folder, clock)
    products = {
        code: {
            "title": f"Product {code}", "description": "", "link": f"https://shop.example/{code}",
            "image_link": "https://shop.example/a.png", "price_minor": 1_000, "currency": "EUR",
            "availability": "in_stock", "product_type": "A > B", "brand": "", "labels": "",
        }
        for code in PRODUCTS
    }  # fmt: skip
    roster = [
        NewSubscriber(
            address=f"person{number}@example.com",
            key=world.secrets.key_of(f"person{number}@example.com"),
            answers=dict.fromkeys(Purpose, True),
        )
        for number in range(people)
    ]
    with writing(world.database) as session:
        save_products(session, products, now=NOW)
        add_many(session, roster, now=NOW)
        seen = [
            NewSignal(
                1 + number % people, PRODUCTS[number * 7 % 12], Kind.PURCHASE, NOW - timedelta(days=1), str(number)
            )
            for number in range(people * 3)
        ]
        record(session, seen)
        train_model(session, world.settings, now=NOW, recipe=Recipe(components=4, epochs=1))
        save_campaign(session, Definition("weekly"), world.settings, now=NOW)
    return world


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path, clock, store):
    with store.workspace() as where:
        made = make_world(tmp_path / "workspace", clock, where=where)
        yield made
        made.close()


def query(world, sql):
    with reading(world.database) as session:
        return [tuple(row) for row in session.execute(text(sql))]


def due_now(world, clock, **options):
    with writing(world.database) as session:
        schedule(session, "weekly", now=clock.now, **(options or {"at": "2026-06-01 13:00"}))
    clock.now = NOW + timedelta(hours=1, minutes=1)


def outbox(world) -> list[Path]:
    folder = world.settings.outbox / "new"
    return sorted(folder.iterdir()) if folder.exists() else []


def test_what_is_not_due_is_left_alone(world, clock):
    with writing(world.database) as session:
        schedule(session, "weekly", now=NOW, at="2026-06-01 13:00")
    assert scheduler.work(world) == []
    assert outbox(world) == []


def test_a_campaign_that_is_due_once_runs_once_and_is_done(world, clock):
    due_now(world, clock)
    assert len(scheduler.work(world)) == 1
    assert scheduler.work(world) == []
    assert len(outbox(world)) == 20
    assert query(world, "SELECT state FROM run") == [("finished",)]
    assert query(world, "SELECT state, next_due FROM campaign") == [("done", None)]


def test_a_cron_campaign_runs_at_each_of_its_times(world, clock):
    due_now(world, clock, cron="0 * * * *")
    for hour in range(3):
        clock.now = NOW + timedelta(hours=1 + hour, minutes=1)
        scheduler.work(world)
        scheduler.work(world)
    occurrences = [row[0] for row in query(world, "SELECT occurrence FROM run ORDER BY id")]
    assert [str(occurrence)[11:16] for occurrence in occurrences] == ["13:00", "14:00", "15:00"]
    assert len(outbox(world)) == 60


def test_five_schedulers_at_once_start_one_run(world, clock):
    due_now(world, clock)
    with ThreadPoolExecutor(5) as pool:
        claimed = list(pool.map(lambda _: scheduler.claim_due(world), range(5)))
    assert sum(map(len, claimed)) == 1
    assert query(world, "SELECT count(*) FROM run") == [(1,)]


CLAIMER = """
import sys
from datetime import datetime
from pathlib import Path
import scheduler
from campaigns.execute import open_world

world = open_world(Path(sys.argv[1]), lambda: datetime.fromisoformat(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
print(len(scheduler.claim_due(world)), flush=True)
world.close()
"""


def five_claim_500(world, now) -> list[int]:
    """Five scheduler processes look at once at 500 campaigns that are due. Returns how many each of them got."""
    with writing(world.database) as session:
        for number in range(500):
            fresh = Campaign(name=f"campaign-{number}", template="picked-for-you", subject="", created_at=NOW)
            fresh.state, fresh.next_due = CampaignState.SCHEDULED, NOW - timedelta(minutes=number % 5)
            fresh.cron = "0 9 * * *" if number % 2 else ""
            session.add(fresh)
        session.commit()
    command = [sys.executable, "-c", CLAIMER, str(world.settings.workspace), now.isoformat()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    claimers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(5)]
    for claimer in claimers:
        assert claimer.stdout.readline() == "ready\n"
    for claimer in claimers:
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    found = [int(claimer.communicate(timeout=120)[0]) for claimer in claimers]
    assert [claimer.returncode for claimer in claimers] == [0] * 5
    return found


@pytest.mark.slow
def test_five_scheduler_processes_make_500_runs_of_500_due_campaigns(world):
    assert sum(five_claim_500(world, NOW)) == 500
    assert query(world, "SELECT count(*), count(DISTINCT campaign_id) FROM run") == [(500, 500)]
    assert query(world, "SELECT DISTINCT state, owner FROM run") == [("planning", "")]
    assert query(world, "SELECT count(*) FROM campaign WHERE next_due <= '2026-06-01 12:00'") == [(0,)]
    states = query(world, "SELECT state, count(*) FROM campaign GROUP BY state ORDER BY 1")
    assert states == [("done", 250), ("draft", 1), ("scheduled", 250)]
    with reading(world.database) as session:
        assert len(runs.unfinished(session, now=NOW)) == 500  # whoever has time takes them up at once


def test_killed_between_the_claim_and_moving_on_it_still_runs_once(world, clock):
    due_now(world, clock)
    with reading(world.database) as session:
        (campaign,) = calendar.due(session, now=clock.now)
    execute.start_run(world, "weekly", campaign.next_due)  # and killed here: the campaign has not moved on
    with writing(world.database) as session:
        session.execute(text("UPDATE run SET owner = 'elsewhere/1/1'"))
        session.commit()
    clock.now += timedelta(minutes=5)
    assert len(scheduler.work(world)) == 1
    assert scheduler.work(world) == []
    assert query(world, "SELECT count(*) FROM run") == [(1,)]
    assert len(outbox(world)) == 20


def test_a_run_of_a_living_process_is_not_taken_over(world, clock):
    due_now(world, clock)
    with reading(world.database) as session:
        (campaign,) = calendar.due(session, now=clock.now)
    execute.start_run(world, "weekly", campaign.next_due)
    with reading(world.database) as session:
        assert runs.unfinished(session, now=clock.now) == []


def test_a_plan_made_by_hand_is_not_sent_by_the_scheduler(world, clock):
    run = execute.start_run(world, "weekly")
    execute.plan_run(world.database, run.id, world.settings, world.secrets)
    clock.now += timedelta(days=1)
    assert scheduler.work(world) == []
    assert outbox(world) == []


def test_what_goes_wrong_with_one_run_does_not_stop_the_next(world, clock, caplog):
    with writing(world.database) as session:
        save_campaign(session, Definition("by-smtp", transport="smtp"), world.settings, now=NOW)
        schedule(session, "by-smtp", now=NOW, at="2026-06-01 12:30")
    due_now(world, clock)
    assert len(scheduler.work(world)) == 1
    assert "set smtp_host" in caplog.text
    assert len(outbox(world)) == 20


def test_what_the_scheduler_finds_too_late_is_logged_and_listed(world, clock, caplog):
    with writing(world.database) as session:
        schedule(session, "weekly", now=NOW, cron="0 9 * * *", missed="skip")
    clock.now = NOW + timedelta(days=2)
    assert scheduler.work(world) == []
    assert "campaign weekly: 2 not sent, the newest: missed: due 2026-06-03 09:00 UTC, found" in caplog.text
    assert query(world, "SELECT state, count(*) FROM run GROUP BY state") == [("cancelled", 2)]


def test_what_asks_is_sent_once_somebody_has_said_so(world, clock, caplog):
    due_now(world, clock, cron="0 13 * * *", missed="ask")
    clock.now += timedelta(hours=2)
    assert scheduler.work(world) == []
    assert "waits for a decision: missed: due 2026-06-01 13:00 UTC" in caplog.text
    with writing(world.database) as session:
        runs.decide(session, 1, True, settings=world.settings, now=clock.now)
    assert scheduler.work(world) == [1]
    assert len(outbox(world)) == 20


def test_what_is_late_is_sent_and_the_log_says_how_late(world, clock, caplog):
    due_now(world, clock, cron="0 13 * * *")
    clock.now += timedelta(hours=2, minutes=4)
    assert scheduler.work(world) == [1]
    assert "campaign weekly is sent 2 h 5 min late" in caplog.text
    assert len(outbox(world)) == 20


def test_a_campaign_that_cannot_be_claimed_does_not_stop_the_next(world, clock, caplog):
    with writing(world.database) as session:
        save_campaign(session, Definition("broken"), world.settings, now=NOW)
        schedule(session, "broken", now=NOW, cron="30 12 * * *")
        session.execute(text("UPDATE campaign SET cron = 'soon' WHERE name = 'broken'"))
        session.commit()
    due_now(world, clock)
    assert len(scheduler.work(world)) == 1
    assert "campaign broken: cron 'soon' must have 5 parts" in caplog.text


def given_back(world, state: str, due_at: list[str]) -> int:
    """A run that somebody began and gave back at NOW, with open messages that are due at these times."""
    with writing(world.database) as session:
        run = runs.begin_run(session, find_campaign(session, "weekly"), NOW, now=NOW, unattended=True)
        assert run.id is not None
        session.execute(text("UPDATE run SET owner = '', state = :state"), {"state": state})
        for number, at in enumerate(due_at, 1):
            due = datetime.fromisoformat(at).replace(tzinfo=UTC)
            waits = "deferred" if number % 2 else "planned"
            session.add(Message(run_id=run.id, subscriber_id=number, state=waits, key=f"{number}", due_at=due))
        session.commit()
    return run.id


@pytest.mark.parametrize(("due_at", "minutes"), [
    (["2026-06-01 12:40", "2026-06-01 13:00"], 40),  # waits for the first of its times
    (["2026-06-01 12:03", "2026-06-01 13:00"], 3),
    (["2026-06-01 11:59", "2026-06-01 12:03"], 15),  # it was due and did not go: the mail server is away
    (["2026-06-01 12:00"], 15),
    ([], 15),  # it could not be planned
])  # fmt: skip
@pytest.mark.parametrize("state", ["planned", "sending"])
def test_a_run_that_was_given_back_is_taken_up_when_its_next_message_is_due(world, state, due_at, minutes):
    run = given_back(world, state, due_at)
    with reading(world.database) as session:
        ready = NOW + timedelta(minutes=minutes)
        assert runs.unfinished(session, now=ready - timedelta(seconds=1)) == []
        assert runs.unfinished(session, now=ready) == [run]


def test_half_a_plan_that_was_given_back_waits_15_minutes_whatever_its_rows_say(world):
    run = given_back(world, "planning", ["2026-06-02 09:00"])
    with reading(world.database) as session:
        assert runs.unfinished(session, now=NOW + timedelta(minutes=14)) == []
        assert runs.unfinished(session, now=NOW + timedelta(minutes=15)) == [run]


@pytest.mark.parametrize("state", ["asking", "paused", "cancelled", "finished"])
def test_a_run_that_is_over_or_waits_for_a_person_is_left_alone(world, state):
    given_back(world, state, ["2026-06-01 12:40"])
    with reading(world.database) as session:
        assert runs.unfinished(session, now=NOW + timedelta(days=3)) == []


def test_a_plan_with_errors_is_not_tried_again_and_again(world):
    given_back(world, "planned", ["2026-06-01 12:40"])
    with writing(world.database) as session:
        session.execute(text("UPDATE run SET errors = 1"))
        session.commit()
        assert runs.unfinished(session, now=NOW + timedelta(days=3)) == []


def test_a_run_of_the_dead_is_taken_up_at_once_and_one_of_a_failed_database_by_its_own_process(world):
    run = given_back(world, "sending", ["2026-06-02 12:00"])
    with writing(world.database) as session:
        for owner, idle, found in (
            ("elsewhere/1/1", False, [run]),
            (leases.this_process(), False, []),
            (leases.this_process(), True, [run]),
        ):
            session.execute(text("UPDATE run SET owner = :owner"), {"owner": owner})
            session.commit()
            session.expire_all()
            assert runs.unfinished(session, now=NOW + timedelta(minutes=3), idle=idle) == found


def test_when_the_database_fails_the_next_tick_goes_on_and_other_errors_wait(world, clock, monkeypatch, caplog):
    due_now(world, clock)

    def fail(world, run_id):
        with writing(world.database) as session:
            leases.take(session, runs.find_run(session, run_id), RunState.PLANNING, now=world.clock())
            session.execute(text("SELECT * FROM nowhere"))

    with monkeypatch.context() as patched:
        patched.setattr(execute, "carry_on", fail)
        assert scheduler.work(world) == []
    assert "run 1: the database failed, tried again in 5 s: " in caplog.text

    def stumble(world, run_id):
        raise KeyError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(execute, "carry_on", stumble)
        assert scheduler.work(world) == []
    assert "KeyError: 'a bug'" in caplog.text
    assert scheduler.work(world) == []
    clock.now += timedelta(minutes=15)
    assert scheduler.work(world) == [1]
    assert len(outbox(world)) == 20


def test_training_at_night_makes_a_model_and_without_signals_only_says_so(world, tmp_path, caplog):
    world.settings.models.joinpath("current").unlink()
    scheduler.train(str(world.settings.workspace))
    assert (world.settings.models / "current").exists()
    scheduler.train(str(tmp_path / "empty"))
    assert "import products or orders first" in caplog.text


def test_a_weekday_in_train_at_is_crons_own(monkeypatch):
    trigger = scheduler._cron_trigger("0 3 * * 1")
    assert trigger.get_next_fire_time(None, NOW).strftime("%A") == "Monday"


@pytest.mark.slow
@pytest.mark.parametrize("kill_after", [0.15, *(pytest.param(n, marks=pytest.mark.sqlite) for n in (0.0, 0.4, 0.8))])
def test_a_scheduler_killed_while_a_campaign_is_due_runs_it_once(tmp_path, kill_after, store):
    """The real process, a real SIGKILL, at several moments after the work began, and then another process."""
    with store.workspace() as where:
        world = make_world(tmp_path / "workspace", lambda: datetime.now(UTC), people=400, where=where)
        kill_one_and_start_another(world, kill_after)
        world.close()


def make_due(world):
    with writing(world.database) as session:
        schedule(session, "weekly", now=datetime.now(UTC), cron="* * * * *")
        due = f"{datetime.now(UTC) - timedelta(minutes=1):%Y-%m-%d %H:%M:%S.%f}"
        session.execute(text("UPDATE campaign SET cron = '', next_due = :at"), {"at": due})
        session.commit()


def start_scheduler(world) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "import sys; from studio.cli.main import main; main()"]
    command += ["scheduler", "--workspace", str(world.settings.workspace)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_scheduler_that_is_stopped_leaves_nobody_in_doubt_and_the_next_goes_on_at_once(tmp_path):
    folder = tmp_path / "workspace"
    world = make_world(folder, lambda: datetime.now(UTC), people=400)
    with Sink(Options(record=tmp_path / "record", delay=0.05)) as sink:
        with (folder / "handpicked.toml").open("a") as file:
            file.write(f'\nsmtp_host = "127.0.0.1"\nsmtp_port = {sink.port}\nsmtp_security = "none"\n')
        with writing(world.database) as session:
            session.execute(text("UPDATE campaign SET transport = 'smtp'"))
            session.commit()
        make_due(world)
        first = start_scheduler(world)
        wait_until(lambda: len(sink.accepted()) > 10)
        first.terminate()
        assert first.wait(timeout=10) in (0, -signal.SIGTERM)
        counts = dict(query(world, "SELECT state, count(*) FROM message GROUP BY state"))
        assert set(counts) == {"accepted", "planned"}
        assert counts["accepted"] == len(sink.accepted())
        second = start_scheduler(world)
        try:
            wait_until(lambda: query(world, "SELECT state FROM run") == [("finished",)])
        finally:
            second.terminate()
            second.wait(timeout=10)
        assert len({event["message_id"] for event in sink.accepted()}) == len(sink.accepted()) == 400
    world.close()


def kill_one_and_start_another(world, kill_after):
    make_due(world)
    first = start_scheduler(world)
    wait_until(lambda: query(world, "SELECT count(*) FROM run") == [(1,)])
    time.sleep(kill_after)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = start_scheduler(world)
    try:
        wait_until(lambda: query(world, "SELECT state FROM run") == [("finished",)])
    finally:
        second.terminate()
        assert second.wait(timeout=30) in (0, -signal.SIGTERM)  # the latter while it was still starting
    assert len(outbox(world)) == 400
    assert query(world, "SELECT state, count(*) FROM message GROUP BY state") == [("accepted", 400)]
    with reading(world.database) as session:
        assert find_campaign(session, "weekly").state == "done"


def wait_until(true, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def demand_approval(world, clock):
    """The same workspace, in which nothing goes out without."""
    with (world.settings.workspace / "handpicked.toml").open("a") as file:
        file.write("\nrequire_approval = true\n")
    return open_world(world.settings.workspace, clock)


@pytest.fixture
def strict(world, clock):
    made = demand_approval(world, clock)
    yield made
    made.close()


def approve(world, clock):
    with writing(world.database) as session:
        approval.approve(session, "weekly", "ana", world.settings, now=clock.now)


def test_what_nobody_approved_is_not_sent_and_asks(strict, clock, caplog):
    due_now(strict, clock)
    assert scheduler.work(strict) == []
    assert "run 1 waits for a decision: campaign weekly is not approved" in caplog.text
    assert query(strict, "SELECT state FROM run") == [("asking",)]
    assert scheduler.work(strict) == []
    with writing(strict.database) as session, pytest.raises(NotApproved):
        runs.decide(session, 1, True, settings=strict.settings, now=clock.now)
    approve(strict, clock)
    with writing(strict.database) as session:
        runs.decide(session, 1, True, settings=strict.settings, now=clock.now)
    assert scheduler.work(strict) == [1]
    assert len(outbox(strict)) == 20


def test_what_is_approved_goes_out_at_its_time(strict, clock):
    approve(strict, clock)
    due_now(strict, clock)
    assert scheduler.work(strict) == [1]
    assert len(outbox(strict)) == 20


def test_what_is_missed_and_skipped_stays_so_without_an_approval(strict, clock):
    due_now(strict, clock, cron="0 13 * * *", missed="skip")
    clock.now += timedelta(hours=2)
    scheduler.work(strict)
    assert query(strict, "SELECT state FROM run") == [("cancelled",)]


@pytest.mark.parametrize("planned", [False, True])
def test_what_was_changed_after_it_was_claimed_or_planned_is_held(strict, clock, caplog, planned):
    approve(strict, clock)
    due_now(strict, clock)
    assert scheduler.claim_due(strict) == [1]
    if planned:
        execute.plan_run(strict.database, 1, strict.settings, strict.secrets)
    with writing(strict.database) as session:
        save_campaign(session, Definition("weekly", picks=3), strict.settings, now=clock.now)
    assert scheduler.work(strict) == []
    assert "run 1 waits for a decision: " in caplog.text
    assert query(strict, "SELECT state FROM run") == [("asking",)]
    assert outbox(strict) == []


def test_every_look_of_a_scheduler_leaves_a_sign_of_life(world, clock):
    for _ in range(2):
        clock.now += timedelta(seconds=5)
        scheduler.work(world)
        with reading(world.database) as session:
            assert beats.last_beat(session, beats.SCHEDULER) == clock.now
