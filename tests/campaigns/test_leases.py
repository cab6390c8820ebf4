"""Who is at work, and who is dead: at once on this machine, after two minutes of silence elsewhere."""

import os
import socket
import subprocess
from datetime import timedelta

import pytest

from campaigns import leases
from campaigns.leases import SILENT_AFTER, is_gone, this_process
from campaigns.models import RunState
from campaigns.runs import find_run
from subscribers.database import reading, writing


def test_this_process_is_alive_however_long_it_is_silent(now):
    assert not is_gone(this_process(), now - timedelta(days=9), now=now)


def test_a_dead_process_of_this_machine_is_known_at_once(now):
    process = subprocess.Popen(["true"])
    process.wait()
    assert is_gone(f"{socket.gethostname()}/{process.pid}/12345", now, now=now)


def test_a_later_process_with_the_same_number_is_another_one(now):
    assert is_gone(f"{socket.gethostname()}/{os.getpid()}/1", now, now=now)


def test_elsewhere_silence_counts(now):
    assert not is_gone("elsewhere/1/1", now - SILENT_AFTER, now=now)
    assert is_gone("elsewhere/1/1", now - SILENT_AFTER - timedelta(microseconds=1), now=now)
    assert is_gone("", now, now=now)


def test_of_senders_only_the_silent_and_the_unknown_are_gone(shop):
    with writing(shop.world.database) as session:
        leases.still_here(session, now=shop.now)
        session.commit()
        shop_sender = this_process()
        names = ["elsewhere/1/1", "elsewhere/2/2", shop_sender]
    old = (shop.now - timedelta(minutes=3)).strftime("%Y-%m-%d %H:%M:%S.%f")
    new = shop.now.strftime("%Y-%m-%d %H:%M:%S.%f")
    shop.execute("INSERT INTO sender (owner, alive_at) VALUES ('elsewhere/1/1', :old), ('elsewhere/2/2', :new)",
                 old=old, new=new)  # fmt: skip
    with reading(shop.world.database) as session:
        assert leases.gone(session, [*names, "elsewhere/3/3"], now=shop.now) == ["elsewhere/1/1", "elsewhere/3/3"]


@pytest.mark.parametrize("owner", ["", "elsewhere/1/1"])
def test_of_two_that_take_a_run_at_once_one_gets_it(shop, owner, monkeypatch):
    run = shop.plan()
    shop.execute("UPDATE run SET owner = :owner", owner=owner)
    shop.pass_time(minutes=3)
    with reading(shop.world.database) as one:
        seen = find_run(one, run)
    with writing(shop.world.database) as session:
        assert leases.take(session, find_run(session, run), RunState.SENDING, now=shop.now)
    monkeypatch.setattr(leases, "this_process", lambda: "another/9/9")
    with writing(shop.world.database) as session:
        assert not leases.take(session, seen, RunState.SENDING, now=shop.now)
    assert shop.query("SELECT owner FROM run") != [("another/9/9",)]
