"""Work in a process with limits: what ends it, what comes back, and that nothing is left over."""

import gc
import multiprocessing
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

import engine.errors
from engine.errors import TemplateBroken, TemplateMissing
from engine.render import answers, bounded
from engine.render.bounded import Bounded, next_piece_of_work, shared
from engine.render.compose import Composer
from engine.render.content import Mail
from engine.render.inline import InlinePath
from subscribers.errors import AddressInvalid

pytestmark = pytest.mark.slow  # quick one by one, but there are many


ROOT = Path(__file__).parents[3]
MAIL = Mail("a subject", "a preheader", ("<p>", "</p>"), ("a text\n",))


@pytest.fixture(autouse=True)
def nobody_elses() -> None:
    """A worker that was begun for other tests has been shut in without this module."""
    shared().close()


@pytest.fixture
def worker() -> Iterator[Bounded]:
    with Bounded(cpu_seconds=0.3, memory=64 * 2**20) as worker:
        yield worker


# what the worker is asked to do


def echo(*values: Any) -> Any:
    return values[0] if len(values) == 1 else values


def whoami() -> int:
    return os.getpid()


def fail(kind: str) -> None:
    raise {
        "broken": TemplateBroken("template weekly, line 3: 'nme' is undefined"),
        "missing": TemplateMissing("there is no template 'x'"),
        "address": AddressInvalid("x", "it has no @"),
        "value": ValueError("not ours"),
        "silent": KeyError(),
        "exit": SystemExit("gone"),
    }[kind]


def spin() -> None:
    while True:
        pass


def compute(exponent: int) -> int:
    return (10**10**exponent).bit_length()


def swallow(size: int) -> int:
    return len(bytes(size))


def pile_up(size: int) -> int:
    kept = vars(bounded).setdefault("_kept_by_a_test", [])
    kept.append(os.urandom(size))
    return len(kept)


def crash(number: int) -> None:
    os.abort() if number == signal.SIGABRT else signal.raise_signal(number)


def sleep() -> None:
    time.sleep(60)


def pieces(count: int, seconds: float) -> int:
    for _ in range(count):
        next_piece_of_work()
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
    return count


def limits() -> dict[str, tuple[int, int]]:
    names = ("AS", "CORE", "FSIZE", "NPROC", "NOFILE", "CPU")
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}


def open_descriptors() -> list[int]:
    found = []
    for descriptor in range(200):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        found.append(descriptor)
    return found


def environment() -> dict[str, str]:
    return dict(os.environ)


def misbehave(how: str, where: str) -> str:
    if how == "read":
        return Path(where).read_text()
    if how == "read up":
        return Path(f"{os.path.dirname(os.__file__)}/..{'/..' * 12}{where}").read_text()
    if how == "write":
        os.open(os.__file__, os.O_RDWR)
    if how == "list":
        return str(os.listdir(os.path.dirname(where)))
    if how == "connect":
        socket.create_connection(("127.0.0.1", int(where))).close()
    if how == "run":
        subprocess.run(["/bin/true"], check=True)
    if how == "fork":
        os.fork()
    if how == "kill":
        os.kill(os.getppid(), signal.SIGKILL)
    if how == "ctypes":
        import ctypes

        ctypes.memmove(0, 0, 0)  # writes anywhere in memory, and no audit event tells
    if how == "more memory":
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    if how == "c code":
        from lxml import etree

        return etree.tostring(etree.parse(where)).decode()
    return ""


def library() -> str:
    import mailcap
    import this
    import zipapp

    from babel.numbers import format_currency

    return f"{mailcap.__name__} {this.__name__} {zipapp.__name__} {format_currency(2, 'EUR', locale='sw_KE')}"


class Evil:
    """A pickle that runs a program when it is read."""

    def __repr__(self) -> str:
        return "Evil()"

    def __reduce__(self) -> Any:
        return exec, ("import engine.errors; engine.errors.evil = True",)


# what holds


def test_a_call_gives_what_the_function_returns(worker: Bounded) -> None:
    assert worker.call(echo, "a", 2, what="weekly") == ("a", 2)


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            True,
            3,
            2**80,
            1.5,
            "ä\ud800",
            b"\x00\xff",
            bytearray(b"x"),
            (1, (2,)),
            [[]],
            {"a": {1}},
            frozenset("a"),
        ),
        *(date(2026, 6, 1), Decimal("2.50"), MAIL, [MAIL, MAIL], {"mail": (MAIL,)}, InlinePath.ONCE),
    ],
    ids=repr,
)
def test_plain_values_and_our_own_come_back_as_they_are(worker: Bounded, value: Any) -> None:
    found = worker.call(echo, value, what="weekly")
    assert found == value
    assert type(found) is type(value)


def test_markup_comes_back_as_plain_text(worker: Bounded) -> None:
    assert type(worker.call(echo, Markup("<b>"), what="weekly")) is str


def test_a_large_answer_comes_back_quickly(worker: Bounded) -> None:
    worker.call(echo, 1, what="weekly")
    begun = time.perf_counter()
    assert worker.call(echo, b"x" * 4_000_000, what="weekly") == b"x" * 4_000_000
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize(
    ("kind", "expected", "words"),
    [
        ("broken", TemplateBroken, "template weekly, line 3: 'nme' is undefined"),
        ("missing", TemplateMissing, "there is no template 'x'"),
        ("address", AddressInvalid, "'x' is no usable email address: it has no @"),
        ("value", TemplateBroken, "template weekly: not ours"),
        ("silent", TemplateBroken, "template weekly: KeyError"),
        ("exit", TemplateBroken, "template weekly: gone"),
    ],
)
def test_what_it_raises_keeps_type_and_text(worker: Bounded, kind: str, expected: type[Exception], words: str) -> None:
    first = worker.call(whoami, what="weekly")
    with pytest.raises(expected) as raised:
        worker.call(fail, kind, what="weekly")
    assert type(raised.value) is expected
    assert str(raised.value) == words
    assert worker.call(whoami, what="weekly") == first


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [
        (spin, (), "takes more than 0.3 s to compute; look for loops within loops"),
        (compute, (8,), "takes more than 0.3 s to compute"),
        (swallow, (10**9,), "needs more than 64 MB of memory; look for what grows in loops"),
        (crash, (signal.SIGSEGV,), r"brought its process to an end \(SIGSEGV\)"),
        (crash, (signal.SIGABRT,), r"brought its process to an end \(SIGABRT\)"),
        (crash, (signal.SIGKILL,), "was ended from outside"),
    ],
)
def test_what_is_too_much_costs_the_worker_and_the_next_one_is_there_at_once(
    worker: Bounded, function: Any, argument: tuple[Any, ...], words: str
) -> None:
    first = worker.call(whoami, what="weekly")
    with pytest.raises(TemplateBroken, match=f"^template weekly: .*{words}"):
        worker.call(function, *argument, what="weekly")
    begun = time.perf_counter()
    assert worker.call(whoami, what="weekly") != first
    assert time.perf_counter() - begun < 1
    assert worker.usage["memory"] < 256 * 2**20


def test_memory_that_earlier_calls_left_over_is_not_held_against_the_next(worker: Bounded) -> None:
    sizes = [worker.call(pile_up, 20 * 2**20, what="weekly") for _ in range(8)]
    assert sizes in ([1, 2, 3, 1, 2, 3, 1, 2], [1, 2, 1, 2, 1, 2, 1, 2])


def test_each_piece_of_work_has_its_own_allowance(worker: Bounded) -> None:
    assert worker.call(pieces, 5, 0.2, what="weekly") == 5
    with pytest.raises(TemplateBroken, match=r"more than 0\.3 s"):
        worker.call(pieces, 1, 0.6, what="weekly")


def test_time_between_calls_is_nobodys(worker: Bounded) -> None:
    for _ in range(4):
        assert worker.call(pieces, 1, 0.15, what="weekly") == 1


def test_outside_a_worker_a_piece_of_work_has_no_limit() -> None:
    next_piece_of_work()
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_worker_that_neither_works_nor_answers_is_ended(monkeypatch: pytest.MonkeyPatch, worker: Bounded) -> None:
    monkeypatch.setattr(bounded, "SILENCE", 0.2)
    with pytest.raises(TemplateBroken, match=r"template weekly: no answer for 0\.2 s"):
        worker.call(sleep, what="weekly")
    assert worker.call(echo, 1, what="weekly") == 1


def test_a_worker_that_works_on_and_on_is_ended_too(monkeypatch: pytest.MonkeyPatch, worker: Bounded) -> None:
    monkeypatch.setattr(bounded, "SILENCE", 0.2)
    monkeypatch.setattr(bounded, "LONGEST", 0.5)
    monkeypatch.setattr(bounded, "_cpu_of", lambda pid: time.monotonic() * 100)
    with pytest.raises(TemplateBroken, match=r"template weekly: no answer for 0\.5 s"):
        worker.call(pieces, 99, 0.2, what="weekly")


def test_the_cpu_time_of_another_process_is_known() -> None:
    before = bounded._cpu_of(os.getpid())
    compute(6)
    assert bounded._cpu_of(os.getpid()) >= before > 0
    assert bounded._cpu_of(2**22) == 0


def test_begin_and_finish_leave_time_in_between(worker: Bounded) -> None:
    worker.begin(echo, "a", what="weekly")
    assert worker.finish() == "a"
    with pytest.raises(RuntimeError, match="nothing was begun"):
        worker.finish()


def test_a_second_begin_is_a_mistake_of_the_program(worker: Bounded) -> None:
    worker.begin(echo, "a", what="weekly")
    with pytest.raises(RuntimeError, match="a call is under way"):
        worker.begin(echo, "b", what="weekly")
    assert worker.finish() == "a"


def test_what_cannot_be_handed_over_does_no_harm(worker: Bounded) -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        worker.call(lambda: 1, what="weekly")
    with pytest.raises(TemplateBroken, match="template weekly: a object cannot be an answer"):
        worker.call(object, what="weekly")
    assert worker.call(echo, "a", what="weekly") == "a"


def test_a_worker_that_was_ended_while_it_waited_is_replaced(worker: Bounded) -> None:
    os.kill(worker.call(whoami, what="weekly"), signal.SIGKILL)
    time.sleep(0.1)
    assert worker.call(echo, "a", what="weekly") == "a"


def test_a_nursery_that_was_ended_is_replaced(worker: Bounded) -> None:
    worker.call(echo, "a", what="weekly")
    process = bounded._nursery._process
    assert process
    process.kill()
    process.wait()
    worker.close()
    assert worker.call(echo, "a", what="weekly") == "a"


def test_threads_take_turns(worker: Bounded) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: worker.call(echo, number, what="weekly"), range(200)))
    assert found == list(range(200))


@pytest.mark.parametrize(
    "how",
    [
        *("read", "read up", "write", "list", "connect", "run", "fork", "kill", "ctypes", "more memory"),
        "c code",
    ],
)
def test_a_worker_may_do_nothing_else(
    worker: Bounded, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secret = tmp_path / "secret.xml"
    secret.write_text("<secret/>")
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = str(server.getsockname()[1]) if how == "connect" else str(secret)
        with pytest.raises(TemplateBroken, match=r"may not do this|Permission denied"):
            worker.call(misbehave, how, where, what="weekly")
    if how != "c code":
        assert "template weekly: refused what no template may do" in caplog.text


def test_a_worker_may_load_what_the_library_has(worker: Bounded) -> None:
    assert worker.call(library, what="weekly").startswith("mailcap this zipapp ")


def test_a_worker_has_its_limits_no_secrets_and_one_connection(
    worker: Bounded, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = worker.call(limits, what="weekly")
    assert found["CORE"] == found["FSIZE"] == found["NPROC"] == (0, 0)
    assert 0 < found["NOFILE"][1] <= 32
    assert 0 < found["CPU"][1] <= 600
    assert 0 < found["AS"][1] < 2**31  # -1 is none
    assert worker.call(open_descriptors, what="weekly") == [0, 1, 2, 3]
    monkeypatch.setenv("HANDPICKED_SECRET", "x")
    bounded._nursery.close()
    worker.close()
    assert not [name for name in worker.call(environment, what="weekly") if "HANDPICKED" in name]


@pytest.mark.parametrize("value", [Evil(), [Evil()], os.system, Bounded, {"x": eval}], ids=repr)
def test_what_is_no_answer_cannot_be_written(value: Any) -> None:
    with pytest.raises((TypeError, pickle.PicklingError)):
        answers.write(value)


@pytest.mark.parametrize("value", [Evil(), os.system, MAIL, TemplateBroken("x"), eval, Path("/"), Bounded], ids=repr)
def test_what_is_no_answer_is_not_read_either(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError, match="is no answer"):
        answers.read(pickle.dumps(value))
    assert not hasattr(engine.errors, "evil")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("engine.render.inline", "os"),
        ("engine.render.inline", "os.system"),
        ("engine.render.inline", "inline_html"),
        ("engine.render.environment", "Sandbox"),
        ("engine.render.sandbox", "Sandbox"),
        ("engine.none", "None"),
    ],
)
def test_nothing_but_values_of_ours_is_made(module: str, name: str) -> None:
    with pytest.raises(pickle.UnpicklingError, match="is no answer"):
        answers.MADE(module, name, [])


def test_a_class_that_one_of_our_modules_only_imports_is_not_ours() -> None:
    assert answers.our_class("engine.render.compose", "Composer") is Composer
    assert answers.our_class("engine.render.edition", "Template") is None
    assert answers.our_class("engine.render.worker", "Path") is None


def test_a_pickle_cannot_change_what_makes_our_values() -> None:
    changing = b"\x80\x05cengine.render.answers\nMADE\n(N}X\x08\x00\x00\x00__call__K\x01stb."
    with pytest.raises((AttributeError, pickle.UnpicklingError)):
        answers.read(changing)
    changing = b"\x80\x05cdatetime\ndate\n(N}X\x05\x00\x00\x00todayK\x01stb."
    with pytest.raises((TypeError, AttributeError, pickle.UnpicklingError)):
        answers.read(changing)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ends(pid: int) -> bool:
    end = time.monotonic() + 5
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not alive(pid)


def test_closing_ends_the_worker_also_one_that_works() -> None:
    with Bounded() as bounded:
        pid = bounded.call(whoami, what="weekly")
        bounded.begin(sleep, what="weekly")
    assert ends(pid)


def test_a_worker_that_nobody_holds_any_more_ends() -> None:
    bounded = Bounded()
    pid = bounded.call(whoami, what="weekly")
    del bounded
    gc.collect()
    assert ends(pid)


PROGRAM = """
import sys
from engine.render.bounded import Bounded, _nursery, shared
from tests.engine.render.test_bounded import sleep, spin, whoami
own = Bounded(cpu_seconds=60)
pids = shared().call(whoami, what="x"), own.call(whoami, what="x"), _nursery._process.pid
own.begin(spin, what="x")
print(*pids, flush=True)
"""


@pytest.mark.parametrize("how", ["ends", "is killed", "raises"])
def test_nothing_is_left_when_the_program_ends(how: str) -> None:
    last = {"ends": "", "is killed": "import time; time.sleep(60)", "raises": "raise SystemExit('x')"}[how]
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-"],
        **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
        text=True,
        cwd=ROOT,
    ) as program:
        assert program.stdin
        assert program.stdout
        assert program.stderr
        program.stdin.write(PROGRAM + last)
        program.stdin.close()
        pids = [int(word) for word in program.stdout.readline().split()]
        assert len(pids) == 3
        if how == "is killed":
            program.kill()
        assert program.stderr.read().strip() == ("x" if how == "raises" else "")  # no ResourceWarning
    if how != "is killed":
        assert not any(alive(pid) for pid in pids)  # not even for a moment
    assert all(ends(pid) for pid in pids)


def in_a_fork(parents: int, told: Any) -> None:
    told.put((shared().call(whoami, what="weekly") != parents, bounded._nursery._process is not None))


def test_a_fork_has_workers_of_its_own() -> None:
    ours = shared()
    assert ours is shared()
    pid = ours.call(whoami, what="weekly")
    forking = multiprocessing.get_context("fork")
    told = forking.Queue()
    child = forking.Process(target=in_a_fork, args=(pid, told))
    child.start()
    assert told.get(timeout=20) == (True, True)
    child.join()
    assert child.exitcode == 0
    assert ours.call(whoami, what="weekly") == pid


def test_no_descriptors_are_left_over() -> None:
    shared().call(echo, 1, what="weekly")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with Bounded() as bounded, pytest.raises(TemplateBroken):
            bounded.call(crash, signal.SIGSEGV, what="weekly")
    assert len(os.listdir("/proc/self/fd")) == before
