"""The database is locked, full or restarted in the middle of a run: nothing leaves without its committed row, and the
run goes on by itself.

The sender is a process of its own. While it works the record of the mail server is compared with the ledger again and
again: what was accepted must have been committed as handed over before.
"""

import os
import resource
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy import event

from campaigns import execute
from campaigns.deliver import send_run
from campaigns.manner import Manner
from tests.crash.lives import Nursery
from tests.crash.workspaces import Case, Original, make_original, utc_now
from tests.smtp_sink import Options, SinkProcess
from tests.stores import NEEDS_POSTGRESQL, Files, Server

PEOPLE = 300
CONNECTIONS = 4
BACK_WITHIN = 60.0  # seconds after which a run must go on; it tries every 5
BEGUN = {"handing_over", "accepted", "in_doubt"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Watch:
    """Looks at the record and at the ledger, in this order, until it is stopped. early: what was accepted before it
    was committed as handed over."""

    case: Case
    sink: SinkProcess
    early: set[str] = field(default_factory=set)
    looks: int = 0

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def accepted(self) -> int:
        record = self.sink.options.record
        assert record is not None
        return record.read_bytes().count(b'"event":"accepted"') if record.exists() else 0

    def wait_for(self, count: int, seconds: float = 60.0) -> float:
        """Until so many mails are accepted; how long that took."""
        began = time.monotonic()
        while self.accepted() < count:
            assert time.monotonic() - began < seconds, f"only {self.accepted()} mails after {seconds} s"
            time.sleep(0.005)
        return time.monotonic() - began

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            arrived = {str(mail["message_id"]) for mail in self.sink.accepted()}
            with suppress(Exception):  # the database is away: that is what this is about
                begun = self.case.query("SELECT message_id, state FROM message WHERE run_id = :run")
                self.early |= arrived - {str(number) for number, state in begun if state in BEGUN}
                self.looks += 1


@dataclass
class Trouble:
    """A planned run, a server, and somebody who looks."""

    case: Case
    sink: SinkProcess
    watch: Watch
    folder: Path

    @property
    def database(self) -> Path:
        return Path(str(self.case.database.url.database))

    def check(self) -> None:
        """Everybody once, nobody in doubt, the run finished."""
        self.sink.wait_until_quiet()
        arrived = [str(mail["message_id"]) for mail in self.sink.accepted()]
        assert sorted(arrived) == sorted(self.case.eligible)
        assert self.case.states() == {"accepted": len(arrived), "skipped": self.case.audience - len(arrived)}
        assert self.case.query("SELECT state, owner FROM run WHERE id = :run") == [("finished", "")]
        attempts = self.case.query("SELECT count(*), count(DISTINCT message_id) FROM attempt")
        assert attempts == [(len(arrived), len(arrived))]
        assert self.watch.early == set()
        assert self.watch.looks > 3
        assert self.sink.violations() == []


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    folder = tmp_path_factory.mktemp("trouble")
    with make_original(folder / "original", PEOPLE, Files(folder)) as made:
        yield made


@contextmanager
def made(original: Original, folder: Path, database: Path | None = None) -> Iterator[Trouble]:
    with ExitStack() as stack:
        sink = stack.enter_context(SinkProcess(Options(record=folder / "record.jsonl", delay=0.005)))
        place: dict[str, object] = {"database_url": f"sqlite:///{database}"} if database else {}
        if database:
            with sqlite3.connect(original.folder / "handpicked.db") as source, sqlite3.connect(database) as copy:
                source.backup(copy)
            source.close()
            copy.close()
        case = stack.enter_context(
            original.copy(folder / "workspace", smtp_port=sink.port, smtp_connections=CONNECTIONS, **place)
        )
        watch = stack.enter_context(Watch(case, sink))
        yield Trouble(case, sink, watch, folder)


@contextmanager
def sending(trouble: Trouble) -> Iterator[int]:
    """A sender in a process of its own; gives its number when it is under way. It must end by itself, and well."""
    with Nursery() as nursery:
        thread = threading.Thread(target=nursery.live, args=(trouble.case,))
        thread.start()
        trouble.watch.wait_for(20)
        yield nursery._living
        thread.join(BACK_WITHIN + 60)
        assert not thread.is_alive(), "the sender hangs"
        assert [life.status for life in nursery.lives] == [0]


@contextmanager
def locked(database: Path, seconds: float) -> Iterator[None]:
    """Another process holds the write lock for so long."""
    script = (
        "import sqlite3, sys, time\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "time.sleep(float(sys.argv[2]))\n"
        "connection.execute('COMMIT')\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script, database, str(seconds)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    try:
        yield
    finally:
        holder.wait()
        holder.stdout.close()


def check_that_nothing_leaves(trouble: Trouble, seconds: float) -> int:
    """While the database is away: at most what was committed before; returns how many mails there are now."""
    time.sleep(min(1.0, seconds / 2))  # what had been committed is on its way
    before = trouble.watch.accepted()
    assert before < len(trouble.case.eligible), "the run was too quick for this"
    time.sleep(max(0.0, seconds - 1.5))
    assert trouble.watch.accepted() == before, "mails leave, and nobody can write down that they do"
    return before


@pytest.mark.parametrize("seconds", [4, 30])
def test_a_database_that_somebody_else_has_locked(original: Original, tmp_path: Path, seconds: int) -> None:
    with made(original, tmp_path) as trouble:
        with sending(trouble):
            with locked(trouble.database, seconds):
                before = check_that_nothing_leaves(trouble, seconds)
            assert trouble.watch.wait_for(before + 1) < BACK_WITHIN
        trouble.check()


def test_a_lock_that_lasts_longer_than_sqlite_waits(original: Original, tmp_path: Path) -> None:
    """With 0.2 s instead of a minute: each try fails, and another follows."""
    waits = list[float]()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    with made(original, tmp_path) as trouble, trouble.case.world() as world:

        @event.listens_for(world.database, "connect")
        def hurry(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA busy_timeout=200")

        world.database.dispose()

        def send() -> None:
            transport = execute.transport_of(world, trouble.case.run)
            send_run(world.database, trouble.case.run, transport, clock=utc_now, manner=Manner(), sleep=sleep)

        thread = threading.Thread(target=send)
        thread.start()
        trouble.watch.wait_for(20)
        with locked(trouble.database, 3):
            before = check_that_nothing_leaves(trouble, 3)
        assert trouble.watch.wait_for(before + 1) < 10
        thread.join(60)
        trouble.check()
        assert len(waits) >= 2


def test_a_file_that_may_not_grow(original: Original, tmp_path: Path) -> None:
    """As on a full disk, on every machine: the kernel lets this one process write no further."""
    with made(original, tmp_path) as trouble:
        with sending(trouble) as process:
            usual = resource.prlimit(process, resource.RLIMIT_FSIZE)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (1, usual[1]))
            before = check_that_nothing_leaves(trouble, 3)
            resource.prlimit(process, resource.RLIMIT_FSIZE, usual)
            assert trouble.watch.wait_for(before + 1) < BACK_WITHIN
        trouble.check()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk(original: Original, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk, made(original, tmp_path, disk / "handpicked.db") as trouble:
        with sending(trouble):
            filler = disk / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            before = check_that_nothing_leaves(trouble, 3)
            filler.unlink()
            assert trouble.watch.wait_for(before + 1) < BACK_WITHIN
        trouble.check()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """One that may be restarted: no other test's database is in it."""
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def original_on_server(own_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Original]:
    with make_original(tmp_path_factory.mktemp("trouble") / "original", PEOPLE, own_server) as made:
        yield made


def control(server: Server, *words: str) -> None:
    command = [*server._user, *server._control.split(), *words]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)


def restart(mode: str) -> Callable[[Server], None]:
    return lambda server: control(server, "-m", mode, "restart")


def stop_for_a_while(server: Server) -> None:
    control(server, "-m", "immediate", "stop")
    time.sleep(3)
    options = f"-k {server.folder} -c listen_addresses='' -c autovacuum=off -c timezone=UTC -c fsync=off"
    subprocess.run(
        [*server._user, *server._control.split(), "-o", options, "start"],
        check=True, cwd="/", stdout=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.postgres
@NEEDS_POSTGRESQL[2]
@pytest.mark.parametrize(
    "trouble_of", [restart("immediate"), restart("fast"), stop_for_a_while], ids=["immediate", "fast", "away for 3 s"]
)
def test_postgresql_is_restarted(
    original_on_server: Original, own_server: Server, tmp_path: Path, trouble_of: Callable[[Server], None]
) -> None:
    with made(original_on_server, tmp_path) as trouble:
        with sending(trouble):
            trouble_of(own_server)
            before = trouble.watch.accepted()
            if before < len(trouble.case.eligible):
                assert trouble.watch.wait_for(before + 1) < BACK_WITHIN
            trouble_of(own_server)
        trouble.check()


@pytest.mark.postgres
@NEEDS_POSTGRESQL[2]
def test_postgresql_is_restarted_under_several_senders(
    original_on_server: Original, own_server: Server, tmp_path: Path
) -> None:
    with (
        made(original_on_server, tmp_path) as trouble,
        trouble.case.world() as world,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor,
    ):
        totals = dict[str, int]()
        problems = list[BaseException]()

        def send() -> None:
            try:
                totals.update(execute.send(world, trouble.case.run, executor=executor, senders=2))
            except BaseException as error:
                problems.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        trouble.watch.wait_for(20)
        stop_for_a_while(own_server)
        thread.join(120)
        assert problems == []
        assert totals["accepted"] == len(trouble.case.eligible)
        trouble.check()
