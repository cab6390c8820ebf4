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
from campaigns import calendar, execute, runs
from campaigns.edit import Definition, find_campaign, save_campaign, schedule
from campaigns.execute import World, open_world
from campaigns.training import train_model
from engine.catalog import save_products
from engine.recommend.recipe import Recipe
from subscribers.database import reading, writing
from subscribers.models import Kind, Purpose
from subscribers.roster import NewSubscriber, add_many
from subscribers.signals import NewSignal, record

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PRODUCTS = [f"p{number}" for number in range(12)]
# with twelve products nothing would be left for a third mail if what was shown did not come back
SETTINGS = 'sender_name = "Shop"\nsender_address = "a@shop.example"\npostal_address = "1 Mill Lane"\nrepeat_mails = 0\n'


def make_world(folder: Path, clock, people: int = 20) -> World:
    """As small a shop as can be planned for, without pictures of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "handpicked.toml").write_text(SETTINGS)
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
def world(tmp_path, clock):
    made = make_world(tmp_path / "workspace", clock)
    yield made
    made.database.dispose()


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
@pytest.mark.parametrize("kill_after", [0.0, 0.15, 0.4, 0.8])
def test_a_scheduler_killed_while_a_campaign_is_due_runs_it_once(tmp_path, kill_after):
    """The real process, a real SIGKILL, at several moments after the work began, and then another process."""
    workspace = tmp_path / "workspace"
    world = make_world(workspace, lambda: datetime.now(UTC), people=400)
    with writing(world.database) as session:
        schedule(session, "weekly", now=datetime.now(UTC), cron="* * * * *")
        session.execute(text("UPDATE campaign SET cron = '', next_due = :at"), {"at": "2026-06-01 12:00:00.000000"})
        session.commit()
    command = [sys.executable, "-c", "import sys; from studio.cli.main import main; main()"]
    command += ["scheduler", "--workspace", str(workspace)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    first = start()
    wait_until(lambda: query(world, "SELECT count(*) FROM run") == [(1,)])
    time.sleep(kill_after)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = start()
    try:
        wait_until(lambda: query(world, "SELECT state FROM run") == [("finished",)])
    finally:
        second.terminate()
        assert second.wait(timeout=30) in (0, -signal.SIGTERM)  # the latter while it was still starting
    assert len(outbox(world)) == 400
    assert query(world, "SELECT state, count(*) FROM message GROUP BY state") == [("accepted", 400)]
    with reading(world.database) as session:
        assert find_campaign(session, "weekly").state == "done"
    world.database.dispose()


def wait_until(true, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
