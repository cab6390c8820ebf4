"""Templates are programs: they are prepared and rendered in a process that can do nothing else, and not for long.

Three processes. The parent is ours. The nursery is a fresh Python without secrets that has imported what rendering
needs; it only forks. A worker is such a fork with limits (`engine.render.worker`). A bomb costs its own worker.

Measured here (2 busy cores, Python 3.11): the first call takes 0.26 to 0.43 s, a new worker 6 to 8 ms, each call
0.06 ms, an answer of 4 MB 11 to 16 ms; a worker has 50 MB, nearly all of it shared with the nursery.
"""

import atexit
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self, TypeVar
from weakref import WeakSet

from engine.errors import EngineError, TemplateBroken
from engine.render import answers
from engine.render.worker import LARGEST_MESSAGE, next_piece_of_work

__all__ = ["Bounded", "next_piece_of_work", "shared"]

T = TypeVar("T")

SILENCE = 60.0  # seconds without an answer in which the worker used less than 1 s of CPU: it is stuck
LONGEST = 600.0  # seconds for one call, whatever it does
_PASSED_ON = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH"}  # nothing that could be a secret
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # threads do not survive a fork
_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[2]); sys.dont_write_bytecode = True; "
    "from engine.render.worker import tend; tend(int(sys.argv[1]))"
)

_log = logging.getLogger(__name__)


_spent: list[float] = []  # seconds of CPU of each worker that ended


def cpu_spent() -> float:
    """Seconds of CPU that the workers of this process have used so far: for benchmarks. Only Linux knows the living."""
    living = [bounded._worker for bounded in list(_all) if bounded._worker]
    return sum(_spent) + sum(_cpu_of(worker.pid) for worker in living)


class Bounded:
    """One worker process with limits, there from the first call on, and a new one after one that ended.

    cpu_seconds: for each piece of work. memory: bytes on top of what the worker has when it begins, some 50 MB.
    From several threads: one call after the other.
    """

    def __init__(self, *, cpu_seconds: float = 1.5, memory: int = 160 * 2**20) -> None:
        self._cpu_seconds, self._memory = cpu_seconds, memory
        self.forget()
        _all.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def forget(self) -> None:
        """As at the beginning; in a fork, where the worker is the parent's."""
        self._worker: _Worker | None = None
        self.usage: dict[str, float] = {}  # of the last worker that ended: its signal, CPU seconds, bytes at most
        self._lock, self._holder = threading.Lock(), 0
        self._request, self._module, self._what = b"", "", ""

    def close(self) -> None:
        """End the worker. A later call begins a new one."""
        worker, self._worker = self._worker, None
        if worker:
            worker.end()
            self.usage = worker.usage
            _spent.append(worker.usage.get("cpu", 0.0))

    def call(self, function: Callable[..., T], *args: object, what: str) -> T:
        """What a function of a module returns, computed in the worker. Raises what it raises, or TemplateBroken.

        what: a name for sentences, such as that of the template. An answer is made of plain values and of our own
        dataclasses. Of an exception, our own types and their texts arrive; others become TemplateBroken.
        """
        self.begin(function, *args, what=what)
        result: T = self.finish()
        return result

    def begin(self, function: Callable[..., object], *args: object, what: str) -> None:
        """Let the worker begin; `finish` waits for the answer. One at a time."""
        if self._holder == threading.get_ident():
            raise RuntimeError("a call is under way: finish() it before the next begin()")
        if function.__module__ == "__main__":
            raise ValueError(f"{function.__qualname__} stands in a script; a worker finds it in a module only")
        request = pickle.dumps((function, args), protocol=5)
        self._lock.acquire()
        self._holder = threading.get_ident()
        try:
            self._request, self._module, self._what = request, function.__module__, what
            if self._worker and not self._worker.waits():
                self.close()
            self._send()
        except BaseException:
            self._let_go(ends=True)
            raise

    def finish(self) -> Any:
        """The answer to what was begun. Raises as `call` does."""
        if not self._holder:
            raise RuntimeError("nothing was begun")
        ends = True
        try:
            answer, ends, tight = self._worker.answer(self._what)  # type: ignore[union-attr]
            if tight and self._worker.calls > 1:  # type: ignore[union-attr]  # what earlier calls left is not its fault
                self.close()
                self._send()
                answer, ends, tight = self._worker.answer(self._what)  # type: ignore[union-attr]
        finally:
            self._let_go(ends=ends)
        if answer[0] == "done":
            return answer[1]
        _, module, name, text = answer
        if (module, name) == ("builtins", "MemoryError"):
            needed = f"needs more than {self._memory >> 20} MB of memory; look for what grows in loops"
            raise TemplateBroken(f"template {self._what}: {needed}")
        raise _as_raised(module, name, text, self._what)

    def _send(self) -> None:
        self._worker = self._worker or _Worker(self._cpu_seconds, self._memory, self._module)
        self._worker.calls += 1
        with suppress(OSError):  # it ended: that is found out when the answer is read
            answers.send(self._worker.connection.fileno(), self._request)

    def _let_go(self, *, ends: bool) -> None:
        if ends:
            self.close()
        self._request, self._holder = b"", 0
        self._lock.release()


def _as_raised(module: str, name: str, text: str, what: str) -> Exception:
    """What a worker raised, of the same class if that is ours. No code of the class runs."""
    kind = answers.our_class(module, name)
    if kind is None or not issubclass(kind, Exception):
        return TemplateBroken(f"template {what}: {text}")
    error: Exception = kind.__new__(kind)
    error.args = (text,)
    return error


class _Worker:
    """The parent's end of a worker. usage: how it ended. refused: what it tried and may not."""

    def __init__(self, cpu_seconds: float, memory: int, module: str) -> None:
        self.calls, self.refused = 0, list[str]()
        self.usage: dict[str, float] = {}
        self._cpu_seconds = cpu_seconds
        self.connection, self._report = _nursery.new_worker({"cpu": cpu_seconds, "memory": memory, "module": module})
        try:
            self.pid = int(json.loads(self._report.recv_bytes(1_000))["pid"])
        except (EOFError, OSError):
            self.connection.close()
            self._report.close()
            raise EngineError("no process for templates can be started; is there enough memory?") from None

    def waits(self) -> bool:
        """Whether it waits for work: what it says unasked is its end."""
        return not self.connection.poll(0)

    def answer(self, what: str) -> tuple[tuple[Any, ...], bool, bool]:
        """(("done", result) or ("raised", module, class, text), whether it ends now, whether it lacked memory)."""
        wrong = self._wait()
        try:
            if not wrong:
                descriptor = self.connection.fileno()
                ends, tight, refused = answers.read(answers.receive(descriptor, LARGEST_MESSAGE))
                for action in refused:
                    _log.warning("template %s: refused what no template may do: %s", what, action)
                self.refused += refused
                return answers.read(answers.receive(descriptor, LARGEST_MESSAGE)), bool(ends), bool(tight)
        except (EOFError, OSError):
            wrong = self._why()
        except Exception as error:  # bytes that are no pickle raise what they like
            wrong = f"its process answers what is no answer ({error})"
        raise TemplateBroken(f"template {what}: {wrong}")

    def end(self) -> None:
        """End it, whatever it does, and wait until it has."""
        self.connection.close()
        _nursery.kill(self.pid)
        self._learn()
        self._report.close()

    def disown(self) -> None:
        """In a fork: let go of what the parent goes on using."""
        self.connection.close()
        self._report.close()

    def _wait(self) -> str:
        """Wait for the answer. What is wrong, if none comes."""
        begun, before = time.monotonic(), _cpu_of(self.pid)
        while not self.connection.poll(SILENCE):
            used = _cpu_of(self.pid)
            if used - before < 1:
                return f"no answer for {SILENCE:g} s"
            if time.monotonic() - begun > LONGEST:
                return f"no answer for {LONGEST:g} s"
            before = used
        return ""

    def _why(self) -> str:
        self._learn()
        killed = int(self.usage.get("signal", 0))
        if killed in (signal.SIGPROF, signal.SIGXCPU):
            return f"takes more than {self._cpu_seconds:g} s to compute; look for loops within loops"
        if killed == signal.SIGKILL:
            return "its process was ended from outside; is the machine out of memory?"
        if killed:
            named = signal.Signals(killed).name
            return f"brought its process to an end ({named}); look for what is nested deeply or very large"
        return "brought its process to an end"

    def _learn(self) -> None:
        """Hear from the nursery how it ended: within 5 s, or it is none of ours any more."""
        with suppress(EOFError, OSError):
            if not self.usage and self._report.poll(5):
                self.usage = json.loads(self._report.recv_bytes(1_000))


def _cpu_of(pid: int) -> float:
    """Seconds of CPU another process has used; 0 where only Linux could say."""
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python lacks
    return 0.0


class _Nursery:
    """The parent's end of the nursery: one for the process, begun with the first worker."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As at the beginning; in a fork, where the nursery is the parent's."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def new_worker(self, job: dict[str, Any]) -> tuple[Connection, Connection]:
        """(the connection to a new worker, the one on which its number and its end are told)."""
        ours, theirs = socket.socketpair()
        hears, tells = socket.socketpair()
        with theirs, tells, self._lock:
            if self._process and self._process.poll() is not None:
                self._end()
            self._control = self._control or self._begin()
            with suppress(OSError):  # it ended just now: the worker's number is not told
                order = json.dumps({"new": job}).encode() + b"\n"
                socket.send_fds(self._control, [order], [theirs.fileno(), tells.fileno()])
        return Connection(ours.detach()), Connection(hears.detach())

    def kill(self, pid: int) -> None:
        """End a worker. The nursery knows whether this number still is one."""
        with self._lock, suppress(OSError):
            if self._control:
                self._control.sendall(json.dumps({"kill": pid}).encode() + b"\n")

    def close(self) -> None:
        """End it and with it all workers."""
        with self._lock:
            self._end()

    def disown(self) -> None:
        """In a fork: let go of what the parent goes on using."""
        if self._control:
            self._control.close()
        if self._process:
            self._process.returncode = 0  # else it is waited for
        self.forget()

    def _end(self) -> None:
        if self._control and self._process:
            self._control.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = self._control = None

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno()), path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _PASSED_ON & os.environ.keys()} | _ONE_THREAD,
                start_new_session=True,  # Ctrl-C is for the parent, which ends this one in order
            )
        return ours


_nursery = _Nursery()
_all: WeakSet[Bounded] = WeakSet()
_shared: list[Bounded] = []
_lock = threading.Lock()


def shared() -> Bounded:
    """The one of this process, for whoever needs no limits of their own. It ends with the process."""
    with _lock:
        if not _shared:
            _shared.append(Bounded())
        return _shared[0]


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it
    _lock = threading.Lock()
    _shared.clear()
    for bounded in list(_all):
        if bounded._worker:
            bounded._worker.disown()
        bounded.forget()
    _nursery.disown()


def _close_all() -> None:
    for bounded in list(_all):
        bounded.close()
    _nursery.close()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
