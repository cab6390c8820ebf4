"""A mail server for tests and benchmarks that records what reaches it, and misbehaves where a rule says so.

As a process: `python tests/smtp_sink.py --record FILE` prints its port. In a test: `with Sink(Options(…)) as sink:`, in
a thread, or `with SinkProcess(Options(…)) as sink:`. Every event is a line of JSON in the record, written before the
reply goes out: after any kill of anybody the record tells what was accepted.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.smtp_certificate import server_context
from tests.smtp_conversation import EXTENSIONS, Conversation

EARLY = 0.0005  # s: epoll waits in whole milliseconds, rounded up; without this 20 ms are 20.9


@dataclass(frozen=True)
class Rule:
    """What happens instead of the usual reply.

    at: connect, ehlo, starttls, auth, mail, rcpt, data, middle (of the message) or dot (the message is complete, and
    not accepted). then: a reply ("451 4.7.1 later"; after a 421 the connection is closed), "drop" (the connection is
    closed), "reset" (by an RST), "die" (the whole server is gone), "silence" (no reply), or at the dot "accept, drop"
    and "accept, die": the message is accepted and recorded, but the reply never leaves. recipient: only for addresses
    with this in them. skip, times: which passings, times = 0 for ever. counted: passings over "all", or by "recipient"
    or "connection".
    """

    at: str
    then: str
    recipient: str = ""
    skip: int = 0
    times: int = 1
    counted: str = "all"


@dataclass
class Options:
    """How a sink behaves. delay: seconds between what is received and its reply. segment, receive_buffer: octets; small
    ones leave the sender little room in the kernel's buffers. record_of: "all" events, only "accepted", or "nothing".
    hold: seconds for which a connection cut in the middle of a message is still there, unread.
    """

    port: int = 0
    record: Path | None = None
    record_of: str = "all"
    bodies: Path | None = None
    hashes: bool = True
    delay: float = 0.0
    extensions: tuple[str, ...] = EXTENSIONS
    tls: str = ""
    certificate: Path | None = None
    login: str = ""
    rules: list[Rule] = field(default_factory=list)
    receive_buffer: int = 0
    segment: int = 0
    hold: float = 0.2
    size: int = 35_882_577
    connections: int = 0


class Server:
    """The server itself, in an event loop of its own. Everything here happens in that loop's thread."""

    def __init__(self, options: Options, *, die: Callable[[], None] | None = None) -> None:
        self.options = options
        self.port = options.port
        self.view = memoryview(bytearray(1 << 18))  # one for all connections: each is emptied as it is filled
        self.open: set[Conversation] = set()
        self.connections = 0
        self.accepted = 0
        self.certificate = server_context(options.certificate) if options.tls else None
        self._record = os.open(options.record, os.O_WRONLY | os.O_APPEND | os.O_CREAT) if options.record else -1
        self._passed: Counter[tuple[int, object]] = Counter()
        self._late: deque[tuple[float, Conversation, bytes, str]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._die = die or self.hang_up
        self._listener: asyncio.Server | None = None
        if options.bodies:
            options.bodies.mkdir(parents=True, exist_ok=True)

    async def listen(self) -> None:
        """Take connections, on the same port as before if there was one."""
        self.loop = asyncio.get_running_loop()
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.options.receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.options.receive_buffer)
        if self.options.segment:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.options.segment)
        plain.bind(("127.0.0.1", self.port))
        self.port = plain.getsockname()[1]
        at_once = self.certificate if self.options.tls == "tls" else None
        self._listener = await self.loop.create_server(lambda: Conversation(self), sock=plain, ssl=at_once, backlog=200)

    def rule(self, at: str, recipient: str, connection: int) -> str:
        """What to do at this point, empty for the usual."""
        for number, rule in enumerate(self.options.rules):
            if rule.at != at or rule.recipient not in recipient:
                continue
            key = (number, {"all": "", "recipient": recipient, "connection": connection}[rule.counted])
            self._passed[key] += 1
            if rule.skip < self._passed[key] and (not rule.times or self._passed[key] <= rule.skip + rule.times):
                return rule.then
        return ""

    def record(self, lines: bytes) -> None:
        """Append whole lines; they outlive this process."""
        if self._record >= 0:
            os.write(self._record, lines)

    def reply(self, conversation: Conversation, words: bytes, then: str) -> None:
        """Send replies after the delay, in the order of what they answer, and close or secure the connection then."""
        if not self.options.delay:
            conversation.deliver(words, then)
            return
        self._late.append((self.loop.time() + self.options.delay, conversation, words, then))
        if self._timer is None:
            self._timer = self.loop.call_at(self._late[0][0] - EARLY, self._deliver_late)

    def _deliver_late(self) -> None:
        self._timer = None
        until = self.loop.time() + EARLY
        while self._late and self._late[0][0] <= until:
            _, conversation, words, then = self._late.popleft()
            conversation.deliver(words, then)
        if self._late:
            self._timer = self.loop.call_at(self._late[0][0] - EARLY, self._deliver_late)

    def die(self) -> None:
        """As when the machine loses its power, as far as one process can."""
        self._die()

    def hang_up(self) -> None:
        """Take no connections any more, and drop those there are."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for conversation in list(self.open):
            conversation.drop()

    def close(self) -> None:
        """Hang up, and close the record."""
        self.hang_up()
        if self._record >= 0:
            os.close(self._record)
            self._record = -1


class Recorded:
    """What a record tells."""

    def __init__(self, options: Options) -> None:
        assert options.record is not None, "nothing is recorded"
        self.options = options

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """All events so far, or those of one kind."""
        return [event for event in read_record(self.options.record) if not kind or event["event"] == kind]

    def accepted(self) -> list[dict[str, Any]]:
        """The messages that were accepted, in order: from, to, message_id, sha256, size and more."""
        return self.events("accepted")

    def wait_until_quiet(self, seconds: float = 30.0) -> None:
        """Until every connection is over: whatever a killed sender had on its way is in the record then.

        Raises TimeoutError.
        """
        until = time.monotonic() + seconds
        while len(self.events("connect")) > len(self.events("lost")):
            if time.monotonic() > until:
                raise TimeoutError("somebody is still connected to the sink")
            time.sleep(0.02)

    def violations(self) -> list[dict[str, Any]]:
        """Where a client broke the protocol."""
        return self.events("violation")


class Sink(Recorded):
    """A sink in a thread of this process. "die" means that it hangs up and takes no connections until `revive`."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.server = Server(options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp sink", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.revive()
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self.server.close)
        self._call(lambda: None)  # a turn of the loop in which lost connections are noticed
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def revive(self) -> None:
        """Listen again, on the same port; nothing when it does so already."""
        if self.server._listener is None:
            asyncio.run_coroutine_threadsafe(self.server.listen(), self._loop).result(10)

    def die(self) -> None:
        """Hang up on everybody, now."""
        self._call(self.server.hang_up)

    def _call(self, work: Callable[[], None]) -> None:
        done: Future[None] = Future()

        def call() -> None:
            work()
            done.set_result(None)

        self._loop.call_soon_threadsafe(call)
        done.result(10)


class SinkProcess(Recorded):
    """A sink in a process of its own, which ends with the one that started it. "die" means SIGKILL."""

    def __enter__(self) -> Self:
        plain = json.dumps(asdict(self.options), default=str)
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--options", plain], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the sink did not start"
        self.port = int(line)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)


def read_record(path: Path | None) -> Iterator[dict[str, Any]]:
    """The events of a record file, in order; a last line without its end is one that was being written."""
    if path is None or not path.exists():
        return
    for line in path.read_bytes().split(b"\n")[:-1]:
        yield json.loads(line)


def _options() -> tuple[Options, bool]:
    """From the command line. True: we were started by SinkProcess, and end with our standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--record-of", default="all", choices=["all", "accepted", "nothing"])
    parser.add_argument("--bodies", type=Path, metavar="DIR", help="keep each message as DIR/SHA256.eml")
    parser.add_argument("--no-hashes", action="store_true", help="no sha256 of messages")
    parser.add_argument("--delay", type=float, default=0, metavar="MS", help="before each reply")
    parser.add_argument("--without", action="append", default=[], choices=EXTENSIONS, help="do not advertise this")
    parser.add_argument("--tls", default="", choices=["starttls", "tls"])
    parser.add_argument("--certificate", type=Path, metavar="PEM")
    parser.add_argument("--login", default="", metavar="USER:PASSWORD")
    parser.add_argument("--rule", action="append", default=[], metavar="JSON", help='{"at": "rcpt", "then": "drop"}')
    parser.add_argument("--options", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.options:
        plain = json.loads(given.options)
        paths = {name: Path(plain[name]) for name in ("record", "bodies", "certificate") if plain[name]}
        rules = [Rule(**rule) for rule in plain["rules"]]
        return Options(**{**plain, **paths, "rules": rules, "extensions": tuple(plain["extensions"])}), True
    shared = {name: getattr(given, name) for name in ("port", "record", "record_of", "bodies", "tls", "certificate")}
    return Options(
        **shared,
        hashes=not given.no_hashes,
        delay=given.delay / 1000,
        extensions=tuple(name for name in EXTENSIONS if name not in given.without),
        login=given.login,
        rules=[Rule(**json.loads(rule)) for rule in given.rule],
    ), False


async def _serve(server: Server, *, with_parent: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if with_parent:
        loop.add_reader(0, stop.set)
    await server.listen()
    print(server.port, flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    """Serve until told to stop, then say how many messages were accepted at what cost."""
    options, with_parent = _options()
    server = Server(options, die=lambda: os.kill(os.getpid(), signal.SIGKILL))
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(server, with_parent=with_parent))
    print(json.dumps({"accepted": server.accepted, "connections": server.connections, "cpu": time.process_time()}))


if __name__ == "__main__":
    main()
