"""Anything in any order: plans, senders that are killed, refusals, imports, erasures, retries, pauses. What must always
hold is looked at after each step, and at each mail.

A run is sent to a server that forgets: after a kill nobody can ask it. Senders are named as if each were on a machine
of its own, so that a dead one is known by its silence alone. Hypothesis shrinks what it finds to the shortest story.
"""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Self

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from campaigns import deliver, leases, ledger, milestones, plan, stopping
from campaigns.erasure import erase
from campaigns.errors import TransportUnavailable, WrongState
from campaigns.execute import World, open_world, start_run
from campaigns.manner import Manner
from campaigns.models import MessageState
from campaigns.patience import Patience
from campaigns.press import Judged
from campaigns.review.findings import Review
from campaigns.transports import InDoubt, Refused
from subscribers import consent, roster
from subscribers.csv_files import CsvFile
from subscribers.database import reading, writing
from subscribers.import_report import ImportReport
from tests.campaigns.conftest import NOW
from tests.stores import NEEDS_POSTGRESQL

LONG = os.environ.get("CRASH_TESTS") == "whole"  # set by `make crash`
EXAMPLES, STEPS = (2_000, 40) if LONG else (25, 25)
RUNS = 3
WAITS = (0, 3, 20)  # minutes: nothing, a dead sender is known as such, a mail that was put off is due
ONCE = ("claimed", "recovering", "finishing")
"""Labels that a sender passes once."""
PEOPLE = ("ana@example.com", "zoë.größe@example.com", "STRASSE@example.com", "ıpek@example.com", "bo@example.com")
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    str.lower,
    lambda address: unicodedata.normalize("NFD", address),
    lambda address: f" {address} ",
)
OUTSIDE = ("claimed", "offered", "handing over", "half sent", "sent", "replied", "settled")
"""Labels at which no transaction is open, so that somebody else may do something."""
ENDED = {"accepted", "failed", "suppressed", "skipped", "in_doubt"}
REPLIES = ("450 4.2.1 busy", "550 5.1.1 no such user", "552 5.2.2 full", "drop", "accepted, drop", "lost")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


class PlainPress:
    """Writes letters without a template: 100 times as fast, and different for different rows."""

    def __init__(self, content: Any, *_: object, **__: object) -> None:
        self.content = content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def begin_messages(self, rows: Any) -> None:
        self._done: Any = [repr(row).encode() for row in rows]

    def keep(self, *_: object) -> None:
        """Nothing is kept."""

    def recall(self, _: int) -> None:
        """So everything is written again."""

    def begin_judging(self, rows: Any, who: Any) -> None:
        self._done = Judged([hashlib.sha256(repr(row).encode()).hexdigest() for row in rows], Review(0))

    def finish(self) -> Any:
        return self._done

    def done(self) -> None:
        return


class Server:
    """A mail server that remembers nothing, and tells the machine of each mail it takes."""

    remembers = False

    def __init__(self, took: Callable[[str, str], None], replies: dict[str, list[str]]) -> None:
        self._took, self._replies = took, replies

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def offer(self, envelope: Any) -> None:
        self._recipient = envelope.recipient

    def withdraw(self) -> None:
        return

    def hand_over(self, message: bytes, message_id: str) -> str:
        milestones.reached("half sent")
        waiting = self._replies.get(self._recipient)
        reply = waiting.pop(0) if waiting else ""
        if reply[:1] in ("4", "5"):
            raise Refused(reply, permanent=reply.startswith("5"))
        if reply == "drop":
            raise TransportUnavailable("the connection broke before the end")
        if reply != "lost":
            self._took(message_id, self._recipient)
        milestones.reached("sent")
        if reply:
            raise InDoubt("the connection broke before the reply")
        return "250 accepted"

    def arrived(self, message_id: str) -> bool | None:
        return None


class Delivery(RuleBasedStateMachine):
    """The machine. It keeps no copy of the ledger, only what may and may not happen next."""

    def __init__(self, new_world: Callable[[Callable[[], datetime]], Any]) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.now = NOW
        self.world: World = self._stack.enter_context(new_world(lambda: self.now))
        self.took = list[str]()
        self.resent = Counter[str]()
        self.on_the_wire: dict[str, set[str]] = {}  # by key: what was being handed over when they refused
        self.refused, self.erased = set[str](), set[str]()
        self.replies: dict[str, list[str]] = {}
        self.audience: dict[int, int] = {}
        self.numbers = count(1)
        self.names = ["nobody/0/0"]
        self.dead = False
        self.disturbance: tuple[str, int, Callable[[], None]] | None = None
        self._patch()

    def _patch(self) -> None:
        patch = pytest.MonkeyPatch()
        self._stack.callback(patch.undo)
        patch.setattr(leases, "this_process", lambda: self.names[-1])
        patch.setattr(milestones, "watcher", self._passed)
        patch.setattr(plan, "Press", PlainPress)
        made: dict[int, PlainPress] = {}
        frozen = deliver.frozen_press

        def press(session: Any, run: Any) -> PlainPress:
            if run.id not in made:
                made[run.id] = PlainPress(frozen(session, run).content)
            return made[run.id]

        patch.setattr(deliver, "frozen_press", press)
        for name in ("_end", "_give_back"):  # who was killed cleans up nothing
            patch.setattr(deliver, name, self._unless_dead(getattr(deliver, name)))

    def _unless_dead(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def do(*words: Any, **options: Any) -> Any:
            if self.dead:
                raise Killed
            return work(*words, **options)

        return do

    # what can happen

    @initialize()
    def first(self) -> None:
        self.plan()

    @precondition(lambda self: len(self.audience) < RUNS)
    @rule()
    def plan(self) -> None:
        self.now += timedelta(seconds=1)
        run = start_run(self.world, "weekly")
        assert run is not None
        assert run.id is not None
        plan.plan_run(self.world.database, run.id, self.world.settings, self.world.secrets)
        self.audience[run.id] = self.number("SELECT count(*) FROM subscriber WHERE address <> ''")

    @rule(run=st.integers(1, RUNS), wait=st.sampled_from(WAITS))
    def send(self, run: int, wait: int) -> None:
        self.time_passes(wait)
        self._send(run)

    @rule(
        run=st.integers(1, RUNS),
        wait=st.sampled_from(WAITS),
        label=st.sampled_from(milestones.LABELS),
        passing=st.integers(1, 4),
    )
    def send_and_die(self, run: int, wait: int, label: str, passing: int) -> None:
        self.time_passes(wait)
        self._send(run, (label, 1 if label in ONCE else passing, self._die))

    @rule(
        run=st.integers(1, RUNS),
        label=st.sampled_from(OUTSIDE),
        passing=st.integers(1, 4),
        person=st.sampled_from(PEOPLE),
        spell=st.sampled_from(SPELLINGS),
        what=st.sampled_from(["opt out", "erase", "pause", "cancel", "another sender", "bring back"]),
    )
    def send_and_meanwhile(
        self, run: int, label: str, passing: int, person: str, spell: Callable[[str], str], what: str
    ) -> None:
        acts: dict[str, Callable[[], object]] = {
            "opt out": lambda: self.opt_out(person, spell),
            "erase": lambda: self.erase(person, spell),
            "pause": lambda: self.pause(run),
            "cancel": lambda: self.cancel(run),
            "another sender": lambda: self._share(run),
            "bring back": lambda: self.bring_back(person, spell),
        }
        self._send(run, (label, passing, lambda: (acts[what](), None)[1]))

    @rule(run=st.integers(1, RUNS), wait=st.sampled_from(WAITS))
    def resend_in_doubt(self, run: int, wait: int) -> None:
        self.time_passes(wait)
        self._send(run, resend=True)

    @rule(person=st.sampled_from(PEOPLE), replies=st.lists(st.sampled_from(REPLIES), min_size=1, max_size=4))
    def the_server_will_say(self, person: str, replies: list[str]) -> None:
        for address in {person, person.lower()}:
            self.replies[address] = list(replies)

    @rule(minutes=st.sampled_from([1, 3, 20, 300, 4_000]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(person=st.sampled_from(PEOPLE), spell=st.sampled_from(SPELLINGS))
    def opt_out(self, person: str, spell: Callable[[str], str]) -> None:
        key = self.world.secrets.key_of(spell(person))
        with writing(self.world.database) as session:
            consent.opt_out(session, key, at=self.now, how="test")
        self._said_no(key, self._in_the_air("key", key))

    @rule(person=st.sampled_from(PEOPLE), spell=st.sampled_from(SPELLINGS))
    def erase(self, person: str, spell: Callable[[str], str]) -> None:
        key = self.world.secrets.key_of(spell(person))
        going = self._in_the_air("key", key)
        with writing(self.world.database) as session:
            erase(session, spell(person), self.world.secrets, now=self.now)
        self._said_no(key, going)
        self.erased.add(key)

    @rule(person=st.sampled_from(PEOPLE), spell=st.sampled_from(SPELLINGS))
    def bring_back(self, person: str, spell: Callable[[str], str]) -> None:
        """Somebody imports an old list."""
        path = self.world.settings.workspace / f"list-{next(self.numbers)}.csv"
        path.write_text(f"address,mail\n{spell(person)},yes\n", encoding="utf-8")
        source = CsvFile(path, roster.SUBSCRIBER_COLUMNS)
        with writing(self.world.database) as session, ImportReport(source, path.with_suffix(".rejects")) as report:
            roster.import_subscribers(session, source, report, self.world.secrets, now=self.now)
        self.erased.discard(self.world.secrets.key_of(person))

    @rule(run=st.integers(1, RUNS))
    def pause(self, run: int) -> None:
        self._stop(run, stopping.pause, why="by hand")

    @rule(run=st.integers(1, RUNS))
    def resume(self, run: int) -> None:
        self._stop(run, stopping.resume, now=self.now)

    @rule(run=st.integers(1, RUNS))
    def cancel(self, run: int) -> None:
        self._stop(run, stopping.cancel, why="by hand")

    # what must hold

    @invariant()
    def everybody_has_one_row_in_one_state(self) -> None:
        for run, audience in self.audience.items():
            rows = self.query("SELECT subscriber_id, state FROM message WHERE run_id = :run", run=run)
            assert len(rows) == len({row[0] for row in rows}) == audience
            assert {row[1] for row in rows} <= set(MessageState)
            with reading(self.world.database) as session:
                assert sum(ledger.totals(session, run).values()) == audience

    @invariant()
    def a_finished_run_has_nothing_open(self) -> None:
        still = "state IN ('planned', 'deferred', 'claimed', 'handing_over')"
        assert self.query(f"SELECT id FROM message WHERE {still} AND run_id IN "
                          "(SELECT id FROM run WHERE state = 'finished')") == []  # fmt: skip
        waiting = "state IN ('planned', 'deferred') AND run_id IN (SELECT id FROM run WHERE state = 'cancelled')"
        assert self.query(f"SELECT id FROM message WHERE {waiting}") == []

    @invariant()
    def who_holds_a_message_is_named(self) -> None:
        held = "(state IN ('claimed', 'handing_over'))"
        assert self.query(f"SELECT id, state FROM message WHERE {held} AND claimed_by = ''") == []
        assert self.query("SELECT id FROM message WHERE state = 'accepted' AND claimed_by <> ''") == []

    @invariant()
    def the_ledger_knows_what_the_server_took(self) -> None:
        took = Counter(self.took)
        for message_id, times in took.items():
            assert times <= 1 + self.resent[message_id], "twice, and it was not in doubt and sent again"
        states = dict(self.query("SELECT message_id, state FROM message WHERE message_id <> ''"))
        accepted = {number for number, state in states.items() if state == "accepted"}
        assert accepted <= set(took)
        for message_id in set(took) - accepted - set(self.resent):
            assert states[message_id] in ("in_doubt", "handing_over")

    @invariant()
    def nothing_of_the_erased_is_left(self) -> None:
        for key in self.erased:
            assert self.query("SELECT id FROM subscriber WHERE key = :key", key=key) == []
            assert self.query("SELECT id FROM message WHERE key = :key", key=key) == []
            with reading(self.world.database) as session:
                assert consent.is_suppressed(session, key)

    def teardown(self) -> None:
        """In the end every run comes to its end by itself, and everybody has one."""
        try:
            self.replies.clear()
            for run in self.audience:
                self._bring_to_its_end(run)
            self.everybody_has_one_row_in_one_state()
            self.the_ledger_knows_what_the_server_took()
            self.a_finished_run_has_nothing_open()
        finally:
            self._stack.close()

    # how

    def _bring_to_its_end(self, run: int) -> None:
        self.resume(run)
        for _ in range(30):
            self.now += timedelta(minutes=5)
            with reading(self.world.database) as session:
                due = ledger.next_due(session, run)
            self.now = max(self.now, due or self.now)
            if self._state(run) == "cancelled":
                self._as_sender(lambda: deliver.wind_up(self.world.database, run, self._server(), now=self.now))
            else:
                self._send(run)
            if self._state(run) in ("finished", "cancelled"):
                states = {row[0] for row in self.query("SELECT state FROM message WHERE run_id = :run", run=run)}
                assert states <= ENDED, states
                return
        raise AssertionError(f"run {run} does not end: {self.query('SELECT id, state, reason FROM message')}")

    def _send(
        self, run: int, disturbance: tuple[str, int, Callable[[], None]] | None = None, *, resend: bool = False
    ) -> None:
        if run not in self.audience:
            return
        doubtful = self.query("SELECT message_id FROM message WHERE run_id = :r AND state = 'in_doubt'", r=run)
        self.disturbance = disturbance

        def work() -> None:
            deliver.begin(self.world.database, run, now=self.now, resend_in_doubt=resend)
            if resend:
                self.resent.update(str(row[0]) for row in doubtful)
            deliver.send_run(
                self.world.database,
                run,
                self._server(),
                clock=lambda: self.now,
                manner=Manner(never_again=lambda reply: "hard bounce" if reply.startswith("550 5.1.1") else ""),
            )

        self._as_sender(work)
        self.disturbance = None

    def _share(self, run: int) -> None:
        """A second sender of the same run, at this very moment."""
        self._as_sender(
            lambda: deliver.send_share(
                self.world.database,
                run,
                self._server(),
                clock=lambda: self.now,
                manner=Manner(),
                patience=Patience(lambda seconds: None),
            )
        )

    def _as_sender(self, work: Callable[[], object]) -> None:
        self.names.append(f"machine-{next(self.numbers)}/1/1")
        try:
            with suppress(WrongState, TransportUnavailable):
                work()
        except Killed:
            if len(self.names) > 2:
                raise
        finally:
            self.names.pop()
            if len(self.names) == 1:
                self.dead = False

    def _server(self) -> Server:
        return Server(self._take, self.replies)

    def _take(self, message_id: str, recipient: str) -> None:
        """The server takes a mail: was that allowed?"""
        key = self.world.secrets.key_of(recipient)
        ((state,),) = self.query("SELECT state FROM message WHERE message_id = :m", m=message_id)
        assert state in ("handing_over", "in_doubt"), "it left the house without its committed row"
        with reading(self.world.database) as session:
            allowed = consent.may_mail(session, key) and key not in self.refused
        assert allowed or message_id in self.on_the_wire.get(key, ()), "they had said no before"
        self.on_the_wire.get(key, set()).discard(message_id)
        self.took.append(message_id)

    def _passed(self, label: str) -> None:
        if self.dead:
            raise Killed
        if self.disturbance and self.disturbance[0] == label:
            label, left, act = self.disturbance
            self.disturbance = (label, left - 1, act) if left > 1 else None
            if left == 1:
                act()

    def _die(self) -> None:
        self.dead = True
        raise Killed

    def _in_the_air(self, column: str, value: str) -> set[str]:
        """What is being handed over at this moment, by somebody who lives."""
        if len(self.names) == 1:
            return set()
        rows = self.query(f"SELECT message_id, claimed_by FROM message WHERE {column} = :v AND state = 'handing_over'",
                          v=value)  # fmt: skip
        return {str(message_id) for message_id, owner in rows if owner in self.names}

    def _said_no(self, key: str, on_the_wire: set[str]) -> None:
        self.refused.add(key)
        self.on_the_wire.setdefault(key, set()).update(on_the_wire)

    def _stop(self, run: int, step: Callable[..., object], **options: Any) -> None:
        if run in self.audience:
            with writing(self.world.database) as session, suppress(WrongState):
                step(session, run, **options)

    def _state(self, run: int) -> str:
        return str(self.query("SELECT state FROM run WHERE id = :run", run=run)[0][0])

    def query(self, sql: str, **values: object) -> list[Any]:
        with reading(self.world.database) as session:
            return [tuple(row) for row in session.execute(text(sql), values)]

    def number(self, sql: str) -> int:
        return int(self.query(sql)[0][0])


@pytest.fixture(scope="module")
def small_shop(store: Any, made_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample shop with eight people: those above, and three of its own."""
    folder = tmp_path_factory.mktemp("machine") / "small"
    with store.copied_workspace(made_shop, folder):
        world = open_world(folder, lambda: NOW)
        path = folder / "people.csv"
        path.write_text("address,mail\n" + "".join(f"{person},yes\n" for person in PEOPLE), encoding="utf-8")
        with writing(world.database) as session:
            for table, column in (("signal", "subscriber_id"), ("consent", "subscriber_id"), ("subscriber", "id")):
                session.execute(text(f"DELETE FROM {table} WHERE {column} > 3"))
            session.commit()
            source = CsvFile(path, roster.SUBSCRIBER_COLUMNS)
            with ImportReport(source, folder / "rejects.csv") as report:
                roster.import_subscribers(session, source, report, world.secrets, now=NOW)
            assert not report.rejected
        world.close()
        yield folder


@pytest.mark.slow
@pytest.mark.timeout(3_600 if LONG else 300)
@pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)], indirect=True, scope="session"
)
def test_nothing_that_happens_breaks_what_must_hold(store: Any, small_shop: Path, tmp_path: Path) -> None:
    numbers = count()

    @contextmanager
    def new_world(clock: Callable[[], datetime]) -> Iterator[World]:
        folder = tmp_path / str(next(numbers))
        with store.copied_workspace(small_shop, folder):
            world = open_world(folder, clock)
            try:
                yield world
            finally:
                world.close()

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Delivery(new_world),
        settings=hypothesis.settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
