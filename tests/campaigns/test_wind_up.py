"""A run is cancelled and its sender dies, in either order: everybody has an end all the same."""

import pytest

from campaigns import execute, runs, stopping
from campaigns.transports import Outbox
from subscribers.database import reading, writing
from tests.campaigns.test_deliver import DyingTransport, kill, states

DEAD = "elsewhere/1/1"


@pytest.fixture
def abandoned(shop, monkeypatch):
    """A run whose sender died with its hands full, and has been silent for three minutes."""
    run = shop.plan()
    kill(shop, run, DyingTransport("before data", 3), monkeypatch)
    shop.execute("UPDATE run SET owner = :dead", dead=DEAD)
    shop.execute("UPDATE message SET claimed_by = :dead WHERE claimed_by <> ''", dead=DEAD)
    return run


def cancel(shop, run):
    with writing(shop.world.database) as session:
        stopping.cancel(session, run, why="by hand")


def left(shop):
    with reading(shop.world.database) as session:
        return runs.unfinished(session, now=shop.now)


@pytest.mark.parametrize("unattended", [True, False])
def test_the_scheduler_gives_everybody_in_a_cancelled_run_an_end(shop, abandoned, unattended):
    shop.execute("UPDATE run SET unattended = :u", u=unattended)
    cancel(shop, abandoned)
    assert states(shop, abandoned)["claimed"] > 0
    assert left(shop) == [], "a sender on another machine may live: two minutes of silence are not over"
    shop.pass_time(minutes=3)
    assert left(shop) == [abandoned]
    execute.carry_on(shop.world, abandoned)
    assert set(states(shop, abandoned)) == {"skipped", "accepted"} - ({"accepted"} if not accepted(shop) else set())
    assert shop.query("SELECT state, owner FROM run") == [("cancelled", "")]
    assert left(shop) == []


def accepted(shop) -> bool:
    return bool(shop.query("SELECT 1 FROM message WHERE state = 'accepted'"))


def test_what_had_arrived_is_accepted(shop, abandoned):
    with Outbox(shop.world.settings.outbox):
        pass
    ((message_id,),) = shop.query("SELECT message_id FROM message WHERE state = 'handing_over' LIMIT 1")
    (shop.world.settings.outbox / "new" / Outbox.file_name(message_id)).write_bytes(b"")
    cancel(shop, abandoned)
    shop.pass_time(minutes=3)
    execute.wind_up(shop.world, abandoned)
    assert shop.query("SELECT state FROM message WHERE message_id = :m", m=message_id) == [("accepted",)]


def test_who_lives_is_left_alone(shop, abandoned):
    """Each sender gives up what it holds when it sees that its run is cancelled, within a second."""
    cancel(shop, abandoned)
    before = states(shop, abandoned)
    execute.wind_up(shop.world, abandoned)
    assert states(shop, abandoned) == before


def test_a_run_that_was_cancelled_in_peace_is_no_work(shop):
    run = shop.plan()
    cancel(shop, run)
    shop.pass_time(minutes=3)
    assert left(shop) == []
    execute.wind_up(shop.world, run)
    assert set(states(shop, run)) == {"skipped"}
