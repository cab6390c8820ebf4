"""Schedules on the command line and in campaign files: own time, what becomes of missed times, and the decision."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from campaigns.execute import open_world
from scheduler import claim_due
from subscribers.database import writing

pytestmark = pytest.mark.slow  # quick one by one, but there are many


LONG_AGO = datetime(2026, 6, 1, 7, tzinfo=UTC)


@pytest.fixture
def handpicked(command, monkeypatch, tmp_path):
    """Run a command in a workspace of its own with a campaign `weekly`; gives (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    assert command("campaign", "new", "weekly")[0] == 0
    return command


def shown(handpicked, campaign="weekly"):
    return json.loads(handpicked("campaign", "show", campaign, "--json")[1])


def test_a_schedule_says_how_it_goes_out_and_what_becomes_of_missed_times(handpicked):
    words = (
        "--cron",
        "0 9 * * 1",
        "--own-time",
        "--time-zone",
        "Europe/Berlin",
        "--missed",
        "ask",
        "--late-hours",
        "6",
    )
    code, out, _ = handpicked("campaign", "schedule", "weekly", *words)
    assert code == 0
    assert "scheduled, next Mon" in out
    assert "09:00 in each one's own time" in out
    told = shown(handpicked)
    assert (told["own_time"], told["missed"], told["late_hours"]) == (True, "ask", 6)
    _, out, _ = handpicked("campaign", "show", "weekly")
    assert "missed: ask" in out
    handpicked("campaign", "schedule", "weekly", "--cron", "0 9 * * 1")  # what is not said goes back to its default
    told = shown(handpicked)
    assert (told["own_time"], told["missed"], told["late_hours"]) == (False, "late", 24)


@pytest.mark.parametrize(("words", "sentence"), [
    (("--cron", "0 9 * * 1", "--missed", "perhaps"), "missed is late, skip, ask: one of these, not 'perhaps'"),
    (("--cron", "0 9 * * 1", "--late-hours", "0"), "late hours must be 1 to 720, not 0"),
    (("--at", "2020-01-01 09:00", "--own-time"), "has come already where the day begins"),
    (("--at", "2099-01-01T09:00Z", "--own-time"), "names a time zone"),
    (("--cron", "0 9 * * 1", "--own-time", "--time-zone", "Mars"), "'Mars' is no IANA time zone"),
])  # fmt: skip
def test_a_schedule_that_cannot_be_is_refused_in_one_sentence(handpicked, words, sentence):
    code, _, err = handpicked("campaign", "schedule", "weekly", *words)
    assert (code, err.count("\n")) == (2, 1)
    assert sentence in err
    assert shown(handpicked)["state"] == "draft"


def test_a_file_takes_the_same_fields(handpicked, tmp_path):
    lines = 'cron = "0 9 * * 1"\nown_time = true\nmissed = "skip"\nlate_hours = 6\n'
    (tmp_path / "spring.toml").write_text(f'name = "spring"\n[schedule]\n{lines}')
    assert handpicked("campaign", "apply", "spring.toml")[0] == 0
    told = shown(handpicked, "spring")
    assert (told["own_time"], told["missed"], told["late_hours"]) == (True, "skip", 6)


@pytest.mark.parametrize("line", ["own_time = 1", "late_hours = true", 'late_hours = "6"', "missed = 3"])
def test_a_file_with_a_field_of_another_type_changes_nothing(handpicked, tmp_path, line):
    (tmp_path / "spring.toml").write_text(f'name = "spring"\n[schedule]\ncron = "0 9 * * 1"\n{line}\n')
    code, _, err = handpicked("campaign", "apply", "spring.toml")
    assert code == 2
    assert f"{line.split()[0]} = " in err
    assert [campaign["name"] for campaign in json.loads(handpicked("campaign", "list", "--json")[1])] == ["weekly"]


@pytest.fixture
def asking(handpicked, tmp_path):
    """Run 1 of `weekly` asks whether to go out, because its time was missed."""
    handpicked("campaign", "schedule", "weekly", "--cron", "0 7 * * *", "--missed", "ask")
    world = open_world(tmp_path / "workspace", lambda: LONG_AGO.replace(hour=9))
    with writing(world.database) as session:
        session.execute(text("UPDATE campaign SET next_due = :at"), {"at": f"{LONG_AGO:%Y-%m-%d %H:%M:%S.%f}"})
        session.commit()
    assert claim_due(world) == []
    world.close()
    return handpicked


def test_a_run_that_asks_is_shown_with_the_reason_and_what_to_do(asking):
    _, out, _ = asking("campaign", "show", "weekly")
    assert "because" in out
    assert "missed: due 2026-06-01 07:00 UTC" in " ".join(out.split())
    assert "run 1 waits for you: handpicked campaign decide 1 --send, or --skip" in out
    assert shown(asking)["runs"][0]["state"] == "asking"


def test_one_decides_on_it_once(asking):
    code, _, err = asking("campaign", "decide", "1")
    assert (code, "--send or --skip" in err) == (2, True)
    code, out, _ = asking("campaign", "decide", "1", "--skip")
    assert (code, "not to send it" in out) == (0, True)
    assert shown(asking)["runs"][0]["state"] == "cancelled"
    code, _, err = asking("campaign", "decide", "1", "--send")
    assert (code, "run 1 is cancelled" in err) == (2, True)


def test_told_to_send_it_the_scheduler_takes_it_up(asking):
    code, out, _ = asking("campaign", "decide", "1", "--send")
    assert (code, out) == (0, "run 1: the scheduler sends it now\n")
    assert shown(asking)["runs"][0]["state"] == "planning"
