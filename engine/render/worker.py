"""The processes in which templates are prepared and rendered: a nursery that forks, and workers that can do little.

A worker has limits of CPU time and memory, no secrets in its environment, one open connection, and may read files of
the Python library and of our own code, since modules and Babel's locales are loaded when they are needed. Python
itself refuses the rest, by its audit hook; on Linux from 5.13 on the kernel does too (Landlock), also for C code.
"""

import gc
import importlib
import json
import os
import resource
import select
import signal
import site
import socket
import sys
import sysconfig
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from engine.memory import SELDOM, keep_freed_memory
from engine.render import answers

_PRELOADED = ("engine.render.compose", "engine.render.inline", "lxml.html", "babel.numbers", "babel.dates", "ctypes")
LARGEST_MESSAGE = 256 * 2**20
_LIFETIME = 300  # CPU seconds after which a worker is replaced; it cannot lift a limit of twice as much
_DESCRIPTORS = 16
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {
    *(
        "import",
        "compile",
        "exec",
        "marshal.loads",
        "pickle.find_class",
        "code.__new__",
        "function.__new__",
        "array.__new__",
    ),
    *("object.__getattr__", "object.__setattr__", "object.__delattr__", "builtins.id", "time.sleep"),
    *("sys._getframe", "sys._getframemodulename", "sys.unraisablehook", "sys.excepthook"),
}
"""What Python may do in a worker, by its audit events. For files and folders there are rules."""

_allowance: list[float] = []  # seconds of CPU for a piece of work; empty outside a worker


def next_piece_of_work() -> None:
    """Start the CPU allowance anew: called in a worker before each mail of a batch (0.4 µs). Nothing elsewhere."""
    if _allowance:
        signal.setitimer(signal.ITIMER_PROF, _allowance[0])  # its signal kills, also within 10**10**8 or a regex


def tend(descriptor: int) -> NoReturn:
    """The nursery: import what rendering needs, then make a worker for each order. Ends when the parent does."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    keep_freed_memory()
    with socket.socket(fileno=descriptor) as control:
        for module in _PRELOADED:
            _import(module)
        with suppress(Exception):  # a page that puts premailer's own modules and caches in place, 100 ms
            from engine.render.inline import inline_html

            inline_html("<style>p { color: red }</style><p>x</p>")
        woken, wakes = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wakes, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()
        gc.set_threshold(*SELDOM)
        _take_orders(control, woken)
    os._exit(0)


def _import(module: str) -> None:
    with suppress(Exception):  # what cannot be imported is said when it is called
        importlib.import_module(module)


def _take_orders(control: socket.socket, woken: int) -> None:
    reports: dict[int, int] = {}
    text, descriptors = b"", list[int]()
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 4_096)
            _tell_who_ended(reports)
        if control.fileno() not in ready:
            continue
        received, new, _, _ = socket.recv_fds(control, 65_536, 64)
        if not received:
            break
        descriptors += new
        *orders, text = (text + received).split(b"\n")
        for order in map(json.loads, orders):
            if "new" in order:
                connection, report, *descriptors = descriptors
                pid = _fork(connection, order["new"])
                os.close(connection)
                reports[pid] = report
                _tell(report, {"pid": pid})
            elif order["kill"] in reports:
                os.kill(order["kill"], signal.SIGKILL)
    for pid in reports:
        os.kill(pid, signal.SIGKILL)
    for pid in reports:
        os.waitpid(pid, 0)


def _tell_who_ended(reports: dict[int, int]) -> None:
    while reports:
        pid, status, usage = os.wait4(-1, os.WNOHANG)
        if not pid:
            return
        report = reports.pop(pid)
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        cpu = usage.ru_utime + usage.ru_stime
        _tell(report, {"signal": killed, "code": status >> 8, "memory": usage.ru_maxrss * 1024, "cpu": cpu})
        os.close(report)


def _tell(report: int, what: dict[str, float]) -> None:
    connection = Connection(os.dup(report))
    with suppress(OSError), connection:  # whoever does not listen any more need not know
        connection.send_bytes(json.dumps(what).encode())


def _fork(descriptor: int, job: dict[str, Any]) -> int:
    _import(job["module"])
    pid = os.fork()
    if not pid:
        try:
            _work(_alone(descriptor), job)
        finally:
            os._exit(70)  # EX_SOFTWARE
    return pid


def _alone(descriptor: int) -> int:
    """Leave everything that belongs to the nursery but the one connection."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGPROF, signal.SIGXCPU):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(0, 2)  # /dev/null
    os.dup2(descriptor, 3)
    os.closerange(4, 1_024)
    return 3


def _work(descriptor: int, job: dict[str, Any]) -> None:
    """Do what the parent says until it says no more."""
    import pickle

    _limit(job["memory"])
    refused = _refuse_the_rest()
    _allowance.append(job["cpu"])
    while True:
        try:
            request = answers.receive(descriptor, LARGEST_MESSAGE)
        except (EOFError, OSError):
            os._exit(0)
        next_piece_of_work()
        tight = False
        try:
            function, arguments = pickle.loads(request)
            del request
            text = answers.write(("done", function(*arguments)))
        except BaseException as error:
            kind, tight = type(error), _lacked_memory(error)
            said = str(error) or kind.__name__
            text = answers.write(("raised", kind.__module__, kind.__qualname__, said))
        ends = tight or time.process_time() > _LIFETIME  # the parent sees to it
        answers.send(descriptor, answers.write((ends, tight, [*refused])))
        answers.send(descriptor, text)
        refused.clear()


def _lacked_memory(error: BaseException | None) -> bool:
    while error:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _limit(memory: int) -> None:
    """Limits of the kernel: none of them can be lifted from within."""
    with suppress(OSError, ValueError):  # no such limit on macOS
        now = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),  # no processes and no threads, except for root
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_CPU, 2 * _LIFETIME),
    ):
        resource.setrlimit(limit, (most, most))


def _libraries() -> list[str]:
    """The folders a worker may read."""
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [
        *site.getsitepackages(),
        *(path for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
    ]
    ours = Path(__file__).parents[2]
    found += [str(ours / room.rstrip(".")) for room in answers.OUR_ROOMS]
    return [path for path in dict.fromkeys([*found, "/usr/share/zoneinfo"]) if os.path.isdir(path)]


def _refuse_the_rest() -> list[str]:
    """Let Python, and the kernel where it can, refuse what rendering needs not. Gives the list of what was refused."""
    libraries = _libraries()
    _landlock(libraries)
    for module in [name for name in sys.modules if name.split(".")[0] in ("ctypes", "_ctypes")]:
        del sys.modules[module]  # it could write anywhere in memory; its import is refused from now on
    allowed, folders, refused = frozenset(_EVENTS), tuple(f"{path}/" for path in libraries), list[str]()

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in allowed:
            return
        path = given[0] if given and type(given[0]) is str else ""
        inside = f"{path}/".startswith(folders) and "/../" not in f"{path}/"
        if inside and (event in ("os.listdir", "os.scandir") or (event == "open" and not given[2] & _WRITING)):
            return
        if event == "open" and path.startswith("<"):  # a traceback looks for the line of "<template>"
            raise FileNotFoundError(path)
        what = f"{event} {path}".strip()[:200]
        if len(refused) < 10:
            refused.append(what)
        raise PermissionError(f"a template may not do this: {what}")

    sys.addaudithook(hook)
    return refused


def _landlock(folders: list[str]) -> None:
    """Tell the kernel that this process reads files below the folders and does no more. See landlock(7)."""
    import ctypes

    create_ruleset, add_rule, restrict_self = 444, 445, 446  # the same numbers on every architecture
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        version = libc.syscall(create_ruleset, None, 0, 1)
    except AttributeError:
        return  # no Linux
    if version < 1:
        return
    files = (1 << (13, 13, 14, 15, 15, 16)[min(version, 5)]) - 1
    rights = (ctypes.c_uint64 * 3)(files, 3, 3)  # files; TCP from version 4 on; signals and abstract sockets from 6 on
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = libc.syscall(create_ruleset, rights, size, 0)
    for folder in folders:
        opened = os.open(folder, os.O_PATH)
        reading = (1 << 2 | 1 << 3).to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)  # files, folders
        libc.syscall(add_rule, ruleset, 1, reading, 0)
        os.close(opened)
    libc.prctl(38, 1, 0, 0, 0)  # no new privileges, which the next one asks for
    libc.syscall(restrict_self, ruleset, 0)
    os.close(ruleset)
