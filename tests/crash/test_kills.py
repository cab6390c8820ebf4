"""A sender is killed again and again: nobody is lost, nobody gets two, and what nobody can know is said.

The short form is part of `make test`, the whole one is `make crash`: 10,000 people, 200 kills at random times, each
label several times, on both stores.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from campaigns.milestones import LABELS
from tests.crash.conftest import KILLS, PEOPLE, SECONDS, WHOLE
from tests.crash.lives import Nursery, Undisturbed, random_time
from tests.crash.reckoning import reckon, reckon_resent
from tests.crash.workspaces import Case, Original
from tests.smtp_conversation import EXTENSIONS
from tests.smtp_sink import Options, SinkProcess
from tests.stores import NEEDS_POSTGRESQL

STORES = ["sqlite", pytest.param("postgres", marks=NEEDS_POSTGRESQL)]
TIMES = (1, 2, 7, 20) if WHOLE else (3,)  # at which passing of a label the sender dies
SETTLING = ("before settling", "settled")  # passed only where nothing is offered before the reply to the last dot
IN_DOUBT = ("handing over", "half sent", "sent", "replied")  # who dies there leaves something that nobody can know
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(SECONDS),
    pytest.mark.parametrize("store", STORES, indirect=True, scope="session"),
]


def test_senders_killed_at_random_times(original: Original, nursery: Nursery, tmp_path: Path) -> None:
    """Runs are begun until there were enough kills: how many fit into one depends on the machine."""
    usual = undisturbed(original, nursery, tmp_path / "undisturbed")
    doubtful, runs = 0, 0
    while nursery.kills < KILLS:
        runs += 1
        doubtful += one_run(original, nursery, tmp_path / str(runs), usual, random.Random(runs))
    print(f"{KILLS} kills, {runs} runs of {PEOPLE} people, {doubtful} in doubt; {usual}")


@pytest.mark.parametrize("number", TIMES)
def test_senders_killed_at_each_label(original: Original, nursery: Nursery, tmp_path: Path, number: int) -> None:
    """In one run a sender dies at each point in turn: a label that none of them passes fails the test."""
    usual = [label for label in LABELS if label not in (*SETTLING, "recovering", "finishing")]
    with made(original, tmp_path / "pipelining", delay=0.002) as (case, sink):
        for label in usual:
            die_at(case, nursery, label, 1 if label == "claimed" else number)  # a hundred are claimed at a time
        die_at(case, nursery, "half sent", 1)
        die_at(case, nursery, "recovering", 1)  # something is left only behind one who died with its hands full
        assert bring_to_its_end(case, sink, nursery, kills=len(usual) + 2) >= len(IN_DOUBT)
    one_by_one = tuple(name for name in EXTENSIONS if name != "PIPELINING")
    with made(original, tmp_path / "one by one", delay=0.004, extensions=one_by_one) as (case, sink):
        for label in SETTLING:
            die_at(case, nursery, label, number)
        die_at(case, nursery, "finishing", 1)
        bring_to_its_end(case, sink, nursery, kills=len(SETTLING) + 1)


def die_at(case: Case, nursery: Nursery, label: str, number: int) -> None:
    killed = nursery.live(case, kill_at=f"{label}:{number}").killed
    assert killed, f"the run is finished, and no sender passed {label!r} {number} times"


def bring_to_its_end(case: Case, sink: SinkProcess, nursery: Nursery, *, kills: int) -> int:
    """Finish the run, reckon, send those in doubt again, and reckon once more. Returns how many they were."""
    assert not nursery.live(case).killed
    doubtful = reckon(case, sink, kills=kills)
    before = len(sink.accepted())
    assert not nursery.live(case, resend=True).killed
    reckon_resent(case, sink, doubtful)
    assert len(sink.accepted()) == before + len(doubtful)
    return len(doubtful)


def one_run(original: Original, nursery: Nursery, folder: Path, usual: Undisturbed, chance: random.Random) -> int:
    """Kill the senders of one run at random times until it is finished. Returns how many were in doubt."""
    before = nursery.kills
    with made(original, folder, delay=chance.choice([0, 0.002, 0.01])) as (case, sink):
        while nursery.kills < KILLS:
            due = random_time(chance, usual, KILLS, Growth(sink))
            if not nursery.live(case, time_to_die=due, alone=chance.random() < 0.3).killed:
                break
        return bring_to_its_end(case, sink, nursery, kills=nursery.kills - before)


def undisturbed(original: Original, nursery: Nursery, folder: Path) -> Undisturbed:
    """How long it takes when nobody dies; and then nothing may be in doubt."""
    first = 0.0
    with made(original, folder, delay=0.002) as (case, sink):
        grown = Growth(sink)

        def look(since: float) -> bool:
            nonlocal first
            first = first or (since if grown() else 0.0)
            return False

        life = nursery.live(case, time_to_die=look)
        assert reckon(case, sink, kills=0) == set()
    return Undisturbed(first, life.lasted - first)


@contextmanager
def made(
    original: Original, folder: Path, *, delay: float, extensions: tuple[str, ...] = EXTENSIONS
) -> Iterator[tuple[Case, SinkProcess]]:
    """A run of one's own and a server for it."""
    folder.mkdir()
    options = Options(record=folder / "record.jsonl", delay=delay, extensions=extensions)
    with SinkProcess(options) as sink, original.copy(folder / "workspace", smtp_port=sink.port) as case:
        yield case, sink


class Growth:
    """Whether a message was accepted since this was made."""

    def __init__(self, sink: SinkProcess) -> None:
        assert sink.options.record is not None
        self._record = sink.options.record
        self._read = self._record.stat().st_size

    def __call__(self) -> bool:
        with self._record.open("rb") as stream:
            stream.seek(self._read)
            return b'"event":"accepted"' in stream.read()
