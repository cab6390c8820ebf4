"""Shards of a run, through whatever executor: each mail once, with the bytes of its plan."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from campaigns import execute
from campaigns.errors import TransportUnavailable
from campaigns.execute import World, open_world
from scheduler import utc_now
from tests.smtp_sink import Options, Sink

pytestmark = pytest.mark.slow


class AtOnce(Executor):
    """Runs each shard when it is submitted, in this process."""

    def submit(self, work, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        future: Future[object] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class Mailing:
    """A planned run of the shop by SMTP, and the sink it goes to."""

    world: World
    run: int
    sink: Sink

    def planned(self) -> dict[str, str]:
        """SHA-256 by Message-ID, as the plan froze them."""
        with self.world.database.connect() as connection:
            rows = connection.exec_driver_sql("SELECT message_id, sha256 FROM message WHERE state <> 'skipped'")
            return dict(tuple(row) for row in rows)

    def arrived(self) -> dict[str, str]:
        return {event["message_id"]: event["sha256"] for event in self.sink.accepted()}

    def owners(self) -> int:
        return len({event["connection"] for event in self.sink.accepted()})


@pytest.fixture
def mailing(shop, tmp_path) -> Iterator[Mailing]:
    shop.execute("UPDATE campaign SET transport = 'smtp'")
    run = shop.plan()
    with Sink(Options(record=tmp_path / "record")) as sink:
        settings = shop.world.settings.workspace / "handpicked.toml"
        with settings.open("a") as file:
            file.write(f'\nsmtp_host = "127.0.0.1"\nsmtp_port = {sink.port}\nsmtp_security = "none"\n')
        world = open_world(shop.world.settings.workspace, utc_now)
        yield Mailing(world, run, sink)
        world.close()


def check(mailing: Mailing, totals: dict[str, int]) -> None:
    planned = mailing.planned()
    assert len(mailing.sink.accepted()) == totals["accepted"] == len(planned)
    assert mailing.arrived() == planned
    assert mailing.sink.violations() == []
    with mailing.world.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT state, owner FROM run").one() == ("finished", "")
        assert connection.exec_driver_sql("SELECT count(*) FROM message WHERE claimed_by <> ''").scalar() == 0


def test_shards_in_this_process(mailing):
    check(mailing, execute.send(mailing.world, mailing.run, executor=AtOnce(), senders=3))


def test_a_large_run_goes_through_processes_of_its_own(mailing, monkeypatch):
    monkeypatch.setattr(execute, "ALONE", 0)
    check(mailing, execute.send(mailing.world, mailing.run, senders=2))
    with mailing.world.database.connect() as connection:
        owners = {row[0] for row in connection.exec_driver_sql("SELECT owner FROM sender")}
    assert len(owners) == 2
    assert not any(f"/{os.getpid()}/" in owner for owner in owners)


def test_a_process_that_is_killed_is_replaced_and_nobody_gets_it_twice(mailing, monkeypatch):
    monkeypatch.setattr(execute, "ALONE", 0)
    mailing.sink.options.delay = 0.02  # so that there is time to kill one
    killed = []

    def kill_one():
        while not killed:
            with mailing.world.database.connect() as connection:
                rows = connection.exec_driver_sql("SELECT owner FROM sender").fetchall()
            if rows and len(mailing.sink.accepted()) > 3:
                number = int(rows[0][0].split("/")[1])
                os.kill(number, signal.SIGKILL)
                killed.append(number)
            time.sleep(0.02)

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    totals = execute.send(mailing.world, mailing.run, senders=2)
    assert killed
    accepted, doubted = totals["accepted"], totals.get("in_doubt", 0)
    assert accepted + doubted == len(mailing.planned())
    assert doubted <= 8
    assert len(mailing.arrived()) == len(mailing.sink.accepted())
    assert accepted <= len(mailing.arrived()) <= accepted + doubted


def test_a_server_that_is_gone_is_told_and_the_run_stays_open(mailing, monkeypatch):
    monkeypatch.setattr(execute, "ALONE", 0)
    mailing.sink.die()
    with pytest.raises(TransportUnavailable, match="cannot be used now"):
        execute.send(mailing.world, mailing.run, senders=2)
    with mailing.world.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT state, owner FROM run").one() == ("sending", "")
    mailing.sink.revive()
    check(mailing, execute.send(mailing.world, mailing.run, executor=AtOnce(), senders=1))


@pytest.fixture
def dask(tmp_path) -> Iterator[object]:
    """A cluster of two worker processes on this machine."""
    import dask as settings
    from distributed import Client, LocalCluster

    settings.config.set({"temporary_directory": str(tmp_path)})
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(**options, silence_logs=50) as cluster, Client(cluster) as client:
        yield client


@pytest.mark.filterwarnings("default")  # Dask's own
def test_two_dask_workers_send_the_same_mails(mailing, dask):
    check(mailing, execute.send(mailing.world, mailing.run, executor=dask.get_executor(pure=False), senders=2))


@pytest.mark.filterwarnings("default")
def test_a_dask_worker_that_is_killed_is_replaced(mailing, dask):
    mailing.sink.options.delay = 0.02
    workers = {
        info["name"]: pid
        for info, pid in zip(dask.scheduler_info()["workers"].values(), dask.run(os.getpid).values(), strict=True)
    }
    victim = next(iter(workers.values()))

    def kill():
        while len(mailing.sink.accepted()) <= 3:
            time.sleep(0.02)
        os.kill(victim, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    totals = execute.send(mailing.world, mailing.run, executor=dask.get_executor(pure=False, retries=3), senders=2)
    thread.join(10)
    accepted, doubted = totals["accepted"], totals.get("in_doubt", 0)
    assert accepted + doubted == len(mailing.planned())
    assert doubted <= 8
    assert len(mailing.arrived()) == len(mailing.sink.accepted())


def test_the_shards_need_nothing_but_the_workspace(mailing):
    who = execute.send_shard(str(Path(mailing.world.settings.workspace)), mailing.run, utc_now)
    assert f"/{os.getpid()}/" in who
