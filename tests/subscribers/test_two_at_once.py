"""Two at once, on connections of their own: nobody fails, and nothing is written that only one of them could mean."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select
from sqlmodel import Session, col

from subscribers import consent
from subscribers.cancellations import settle
from subscribers.database import reading, take_turns, writing
from subscribers.models import Consent, Kind, Purpose, Signal, Sku, Subscriber
from subscribers.roster import NewSubscriber, add_many
from subscribers.signals import NewSignal, record

pytestmark = pytest.mark.slow  # quick one by one, but there are many


ANA = "ana@example.com"
YES, NO = dict.fromkeys(Purpose, True), dict.fromkeys(Purpose, False)


@pytest.fixture
def at_once(database):
    """Does things side by side. Each has written before any commits, unless one of them makes the others wait."""

    def at_once(*things: Callable[[Session], object]) -> list[object]:
        written = threading.Barrier(len(things), timeout=0.5)

        def do(thing):
            with writing(database) as session:

                def wait(_):
                    with suppress(threading.BrokenBarrierError):
                        written.wait()

                event.listen(session, "before_commit", wait)
                return thing(session)

        with ThreadPoolExecutor(len(things)) as pool:
            return [doing.result() for doing in [pool.submit(do, thing) for thing in things]]

    return at_once


@pytest.fixture
def ana(database, secrets, now) -> str:
    key = secrets.key_of(ANA)
    with writing(database) as session:
        add_many(session, [NewSubscriber(ANA, key, answers=YES)], now=now)
    return key


def entries(database) -> list[tuple[str, bool]]:
    with reading(database) as session:
        return [(entry.purpose, entry.granted) for entry in session.scalars(select(Consent).order_by(col(Consent.id)))]


def test_a_person_who_opts_out_twice_at_once_said_no_once(database, at_once, ana, now):
    opt_out = [lambda session: consent.opt_out(session, ana, at=now, how="link")] * 3
    assert sorted(at_once(*opt_out)) == [False, False, True]
    assert entries(database)[3:] == [("mail", False)]


def test_an_address_that_bounced_and_opts_out_twice_at_once_said_no_once(database, at_once, ana, now):
    with writing(database) as session:
        consent.suppress(session, ana, at=now, reason="hard bounce")
        session.commit()
    opt_out = [lambda session: consent.opt_out(session, ana, at=now, how="link")] * 2
    assert at_once(*opt_out) == [False, False]
    assert entries(database)[3:] == [("mail", False)]


def test_two_answers_at_once_leave_the_columns_saying_what_the_newest_entry_says(database, ana, now):
    """One is held up in the middle of its writing, and the other passes it there if it can."""
    held_up, passed = threading.Event(), threading.Event()

    def answer(granted: bool) -> None:
        with writing(database) as session:
            consent.record(session, 1, {Purpose.TRACK: granted}, at=now, how="page")
            session.commit()

    def hold_up(connection, cursor, statement, *rest):
        if statement.startswith("UPDATE subscriber") and threading.current_thread() is slow:
            held_up.set()
            passed.wait(0.5)

    event.listen(database, "before_cursor_execute", hold_up)
    slow = threading.Thread(target=answer, args=(False,))
    slow.start()
    held_up.wait(10)
    answer(True)
    passed.set()
    slow.join()
    with reading(database) as session:
        column = session.scalars(select(Subscriber.may_track)).one()
    assert entries(database)[-1] == ("track", column)


def test_of_two_imports_of_a_person_only_one_writes_what_they_said(database, at_once, secrets, now):
    key = secrets.key_of(ANA)
    imports = [
        lambda session, answers=answers: add_many(session, [NewSubscriber(ANA, key, answers=answers)], now=now)
        for answers in (YES, NO)
    ]
    assert sorted(at_once(*imports)) == [[], [key]]
    with reading(database) as session:
        person = session.scalars(select(Subscriber)).one()
    assert entries(database) == [(purpose, person.may_mail) for purpose in Purpose]


def test_imports_of_the_same_signals_in_another_order_do_not_wait_for_each_other_for_ever(database, now):
    """Each would hold a row that the other one inserts next: PostgreSQL ends that by failing one of them."""
    rows = [NewSignal(None, "OIL", Kind.PURCHASE, now, str(number)) for number in range(5_000)]
    together = threading.Barrier(2)

    def bring_in(rows) -> int:
        with writing(database) as session:
            together.wait()
            return record(session, rows)

    with writing(database) as session:
        record(session, [NewSignal(None, "OIL", Kind.PURCHASE, now, "first")])
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(bring_in, (rows, rows[::-1]))) == [0, 5_000]


def test_cancellations_that_are_settled_twice_at_once_cancel_once(database, at_once, now):
    bought = NewSignal(None, "OIL", Kind.PURCHASE, now - timedelta(days=1), "1", 5)
    back = NewSignal(None, "OIL", Kind.CANCELLATION, now, "C2", 2)
    with writing(database) as session:
        record(session, [bought, back])
    assert sorted(at_once(settle, settle)) == [0, 2]
    with reading(database) as session:
        assert session.execute(select(func.sum(col(Signal.settled)))).scalar_one() == 4


@pytest.mark.postgres  # SQLite has one writer at a time
def test_a_turn_keeps_neither_readers_nor_other_writers_waiting(database, ana, now):
    with writing(database) as importing, writing(database) as session:
        take_turns(importing, Subscriber)
        take_turns(session, Sku)
        assert consent.opt_out(session, ana, at=now, how="link")
