"""People say no while a run is being sent: whose refusal was committed first gets nothing.

The sender is a process of its own. The order of the two is read from the store, not from a clock. The short form is
part of `make test`, the whole one of `make crash`: 1,000 refusals in a run of 10,000 people.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from campaigns import milestones
from campaigns.deliver import send_run
from campaigns.execute import World, transport_of
from subscribers import consent
from subscribers.database import reading, writing
from tests.crash.conftest import SECONDS, WHOLE
from tests.crash.lives import Nursery
from tests.crash.workspaces import Case, Original, make_original
from tests.smtp_sink import Options, Sink, SinkProcess
from tests.stores import NEEDS_POSTGRESQL, Store

PEOPLE, REFUSALS = (10_000, 1_000) if WHOLE else (1_000, 100)
NOT_YET = {"planned", "claimed", "deferred", "suppressed"}
"""States in which nothing of the message has left and nothing may have."""
STATE = text("SELECT state FROM message WHERE run_id = :run AND message_id = :message_id")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(SECONDS),
    pytest.mark.parametrize(
        "store", ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)], indirect=True, scope="session"
    ),
]


@pytest.fixture(scope="module")
def original(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    with make_original(tmp_path_factory.mktemp("refusals") / "original", PEOPLE, store) as made:
        yield made


def test_a_refusal_that_was_committed_first_always_wins(original: Original, tmp_path: Path) -> None:
    chance = random.Random(5)
    options = Options(record=tmp_path / "record.jsonl", delay=0.005)
    with (
        SinkProcess(options) as sink,
        original.copy(tmp_path / "workspace", smtp_port=sink.port) as case,
        case.world() as world,
        Nursery() as nursery,
    ):
        refusing = chance.sample(sorted(case.eligible), REFUSALS)
        sender = threading.Thread(target=nursery.live, args=(case,))
        sender.start()
        accepted = Count(options.record)
        in_time, too_late = set[str](), set[str]()
        for number, message_id in enumerate(refusing):
            accepted.wait_for(len(case.eligible) * number // (REFUSALS + 1), while_there_is=sender)
            (in_time if refuse(world, case, message_id) else too_late).add(message_id)
        sender.join()
        sink.wait_until_quiet()

        reached = Counter(mail["message_id"] for mail in sink.accepted())
        assert in_time & set(reached) == set()
        rows = case.query("SELECT message_id, state FROM message WHERE run_id = :run AND state <> 'skipped'")
        ends = {str(message_id): state for message_id, state in rows}
        assert {ends[message_id] for message_id in in_time} == {"suppressed"}
        assert {ends[message_id] for message_id in too_late} == {"accepted"}
        assert set(reached) == set(case.eligible) - in_time
        assert set(reached.values()) == {1}
        assert len(in_time) > REFUSALS / 10, "nobody refused in time: this shows nothing"
        assert len(too_late) > REFUSALS / 10, "everybody refused in time: this shows little"


def refuse(world: World, case: Case, message_id: str) -> bool:
    """Opt out, and say whether that was before the message began to be handed over.

    On SQLite there is one writer: what this transaction sees is how it stands at its commit. On PostgreSQL the sender
    may commit between our look and our commit, so there the look is behind it: whose message has not begun then has
    not begun before.
    """
    alone = world.database.dialect.name == "sqlite"
    given = {"run": case.run, "message_id": message_id}
    key = world.secrets.key_of(case.eligible[message_id][0])
    with writing(world.database) as session:
        state = session.scalar(STATE, given) if alone else ""
        consent.opt_out(session, key, at=world.clock(), how="a test")
    if not alone:
        with reading(world.database) as session:
            state = session.scalar(STATE, given)
    return state in NOT_YET


class Count:
    """Counts the mails that the sink has accepted, as its record grows."""

    def __init__(self, record: Path | None) -> None:
        assert record is not None
        self._record, self._read, self._mails = record, 0, 0

    def wait_for(self, mails: int, *, while_there_is: threading.Thread) -> None:
        """Until there are so many, so that refusals come at all stages of the run."""
        while self._now() < mails and while_there_is.is_alive():
            time.sleep(0.002)

    def _now(self) -> int:
        with self._record.open("rb") as stream:
            stream.seek(self._read)
            whole_lines = stream.read().rpartition(b"\n")[0]
        self._read += len(whole_lines)
        self._mails += whole_lines.count(b'"event":"accepted"')
        return self._mails


def test_none_is_committed_between_the_last_look_at_consent_and_the_hand_over(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the last moment before that commit those in it refuse: each either waits for the commit, or wins."""
    threads, won = list[threading.Thread](), set[str]()

    with (
        Sink(Options(record=tmp_path / "record.jsonl")) as sink,
        original.copy(tmp_path / "workspace", smtp_port=sink.port, smtp_connections=4) as case,
        case.world() as world,
    ):
        first = [
            str(row[0])
            for row in case.query(
                "SELECT message_id FROM message WHERE run_id = :run AND state = 'planned' ORDER BY due_at, id LIMIT 4"
            )
        ]

        def refuse_now(message_id: str) -> None:
            with writing(world.database) as session:
                key = world.secrets.key_of(case.eligible[message_id][0])
                consent.opt_out(session, key, at=world.clock(), how="a test")
            if not committed.is_set():
                won.add(message_id)

        committed = threading.Event()

        def watch(label: str) -> None:
            if label == "before handing over" and not threads:
                threads.extend(threading.Thread(target=refuse_now, args=(message_id,)) for message_id in first)
                for thread in threads:
                    thread.start()
                until = time.monotonic() + 1  # s: who waits for the commit waits for us
                for thread in threads:
                    thread.join(max(0.0, until - time.monotonic()))
                committed.set()  # what is committed from here on may be later than ours

        monkeypatch.setattr(milestones, "watcher", watch)
        send_run(world.database, case.run, transport_of(world, case.run), clock=world.clock)
        monkeypatch.undo()
        for thread in threads:
            thread.join()
        assert threads
        sink.wait_until_quiet()
        reached = {mail["message_id"] for mail in sink.accepted()}
        assert won & reached == set(), (
            "a refusal was committed before the hand-over, and the mail was sent all the same"
        )
        assert reached >= set(case.eligible) - set(first)
        assert reached & set(first), "nobody was being handed over at that moment"
