"""The first page: what waits, what is sent, what is due, and what to do first."""

from datetime import timedelta

import pytest

from campaigns import beats
from campaigns.models import Message, MessageState, Run, RunState
from studio.roles import Role
from subscribers.database import writing

from .conftest import Shop

pytestmark = pytest.mark.slow

PART = {"X-Part": "1"}


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Pages wait until a figure is counted, however busy this machine is."""
    monkeypatch.setattr("studio.figures.PATIENCE", 30)


def add_run(shop, state, hours=1, **columns):
    with writing(shop.world.database) as session:
        at = shop.now - timedelta(hours=hours)
        run = Run(campaign_id=1, occurrence=at, state=state, planned_at=at, alive_at=shop.now, **columns)
        session.add(run)
        session.commit()
        return run.id


def test_an_empty_workspace_says_what_to_do_first(empty_world):
    words = Shop(empty_world).studio.get("/").text
    assert "Welcome" in words
    for step in (
        "sender_name",
        "Bring in your products",
        "Bring in your subscribers",
        "Train the model",
        "/campaigns/new",
    ):
        assert step in words
    assert "to do" in words
    assert "/campaigns/new" not in Shop(empty_world).studio_of(Role.VIEWER).get("/").text


def test_steps_that_are_done_are_gone(shop):
    assert "First steps" not in shop.studio.get("/").text
    (shop.world.settings.models / "current").unlink()
    words = shop.studio.get("/").text
    assert "handpicked train" in words
    assert words.count(">done<") == 4


def test_whether_a_scheduler_is_alive(shop):
    assert "handpicked scheduler" in shop.studio.get("/").text
    with writing(shop.world.database) as session:
        beats.beat(session, beats.SCHEDULER, now=shop.now)
    assert "handpicked scheduler" not in shop.studio.get("/").text
    shop.now += timedelta(minutes=5)
    words = shop.studio.get("/").text
    assert "handpicked scheduler" in words
    assert "One was seen last" in words


def test_what_waits_for_a_decision(shop):
    assert "All is quiet" in shop.studio.get("/").text
    add_run(shop, RunState.ASKING, 1, stopped_because="missed by <3> hours")
    add_run(shop, RunState.PAUSED, 2, stopped_because="12 of 100 were refused")
    add_run(shop, RunState.PLANNED, 3, errors=2, worst="no unsubscribe link")
    add_run(shop, RunState.PLANNED, 4)
    words = shop.studio.get("/").text
    assert "3 things wait for you" in words
    assert "Missed by &lt;3&gt; hours." in words
    assert "12 of 100 were refused." in words
    assert "2 mistakes in its mails keep it from being sent: no unsubscribe link." in words


def test_what_is_being_sent_with_its_progress(shop):
    client = shop.studio
    assert "data-poll" not in client.get("/").text
    run = add_run(shop, RunState.SENDING)
    with writing(shop.world.database) as session:
        for person, state in enumerate((MessageState.ACCEPTED, MessageState.PLANNED, MessageState.SKIPPED), start=1):
            session.add(Message(run_id=run, subscriber_id=person, state=state, key=f"{person}"))
        session.commit()
    assert 'data-poll="/home/running"' in client.get("/").text
    part = client.get("/home/running", headers=PART).text
    assert '<progress max="2" value="1"' in part
    assert "<html" not in part
    assert client.get("/home/running").headers["location"] == "/"


def test_what_is_due_next(shop):
    words = shop.studio.get("/").text
    assert "Mon 8 Jun 2026, 07:00" in words
    assert "every Monday at 09:00" in words
    shop.studio.post("/campaigns/weekly/pause")
    assert "Nothing is scheduled" in shop.studio.get("/").text
