"""Two at once, on connections of their own: an occurrence is begun once, and a run is worked on by one."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlmodel import Session

from campaigns import leases
from campaigns.execute import start_run
from campaigns.models import RunState
from campaigns.runs import find_run
from subscribers.database import writing


@pytest.fixture
def at_once(shop):
    """Does the same several times side by side. Each has written before any commits, unless one makes others wait."""

    def at_once(times: int, prepare: Callable[[Session], object], do: Callable[[Session, object], object]) -> list:
        prepared, written = threading.Barrier(times), threading.Barrier(times, timeout=0.5)

        def one(_):
            with writing(shop.world.database) as session:
                found = prepare(session)
                session.rollback()
                prepared.wait()

                def wait(_):
                    with suppress(threading.BrokenBarrierError):
                        written.wait()

                event.listen(session, "before_commit", wait)
                return do(session, found)

        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(one, range(times)))

    return at_once


def test_of_those_who_would_work_on_a_run_one_gets_it(shop, at_once):
    run_id = shop.plan()

    def prepare(session):
        run = find_run(session, run_id)
        session.expunge(run)
        return run

    taken = at_once(3, prepare, lambda session, run: leases.take(session, run, RunState.SENDING, now=shop.now))
    assert sorted(taken) == [False, False, True]


def test_of_those_who_would_begin_an_occurrence_one_does(shop):
    together, occurrence = threading.Barrier(3), shop.now + timedelta(hours=1)

    def begin(_):
        together.wait()
        return start_run(shop.world, "weekly", occurrence)

    with ThreadPoolExecutor(3) as pool:
        assert [run is None for run in pool.map(begin, range(3))].count(False) == 1
    assert shop.query("SELECT count(*) FROM run") == [(1,)]
