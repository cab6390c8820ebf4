"""All connections side by side: whichever has something to say is served, and commits are shared.

One thread, one selector. Opening a connection takes long and goes on in a thread of its own. What a commit costs is
paid once for all messages that wait for one: they wait for each other up to 2 ms.
"""

import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self

from campaigns import milestones
from campaigns.errors import TransportUnavailable
from campaigns.settings import Settings
from campaigns.smtp.line import Dropped, Event, Heard, Line
from campaigns.smtp.opening import LoginRefused, Opened, check, open_connection
from campaigns.transports import Feed, Gate, Outgoing

COMMIT_WITHIN = 0.002  # seconds that a message waits for others to share its commit
HELD_BACK = 0.001  # seconds between looks at a final dot that is held back
LOOK_EVERY = 0.5  # seconds between looks at the clock of each connection, and at the run
RECONNECT_FOR = 60  # seconds; then the run stops and the scheduler comes back to it


class Smtp:
    """A mail server, on up to `smtp_connections` connections."""

    remembers = False

    def __init__(
        self,
        settings: Settings,
        *,
        opening: Callable[[Settings], Opened] = open_connection,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        check(settings)
        self._settings, self._opening, self._ticks, self._sleep = settings, opening, ticks, sleep
        self._lines: dict[int, Line] = {}
        self._agreed: list[Line] = []  # whose recipients are taken, and who wait for the commit
        self._pending_since = self._looked = 0.0

    def __enter__(self) -> Self:
        first = self._opening(self._settings)  # says now when the server cannot be used
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="smtp")
        self._coming: list[Future[Opened]] = []
        self._refused_for, self._not_before = 0.0, 0.0
        self._add(first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        for future in self._coming:
            if not future.cancelled() and future.exception() is None:
                future.result().close()
        for line in list(self._lines.values()):
            self._remove(line)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def arrived(self, message_id: str) -> bool | None:
        """Nobody can ask a mail server that."""
        return None

    def send(self, feed: Feed, gate: Gate) -> None:
        """Send what the feed gives until it has ended. Raises TransportUnavailable."""
        self._feed, self._gate = feed, gate
        try:
            while not self._at_the_end():
                self._commit_if_due()
                for key, mask in self._selector.select(self._patience()):
                    if key.data is None:
                        self._take_opened()
                    else:
                        self._serve(key.data, mask)
                self._look_around()
        except (Exception, KeyboardInterrupt):
            for line in list(self._lines.values()):  # say of each message what can be known
                self._drop(line, "the sender stopped")
            raise

    def _at_the_end(self) -> bool:
        """Whether everything is out and answered, after handing out what there is."""
        self._hand_out()
        if not self._nothing_left():
            return False
        self._gate.flush()
        if not self._feed.once_more():
            return True
        self._hand_out()
        return False

    def _hand_out(self) -> None:
        """Offer messages on idle connections; open another where all are busy."""
        for line in [line for line in self._lines.values() if line.idle]:
            outgoing = self._next_for(line)
            if outgoing is None:
                return
            self._guarded(line, lambda line=line, outgoing=outgoing: line.offer(outgoing))  # type: ignore[misc]
        wanted = self._settings.smtp_connections - len(self._lines) - len(self._coming)
        if wanted > 0 and self._ticks() >= self._not_before and self._feed.wait() == 0.0:
            self._open_another()

    def _next_for(self, line: Line) -> Outgoing | None:
        while (outgoing := self._feed.take()) is not None:
            unfit = line.unfit(outgoing)
            if not unfit:
                return outgoing
            self._gate.refused(outgoing, unfit)
        return None

    def _serve(self, line: Line, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._guarded(line, line.write)
        if mask & selectors.EVENT_READ and line.number in self._lines:
            self._guarded(line, lambda: self._listen(line))

    def _listen(self, line: Line) -> None:
        for heard in line.read(now=self._ticks()):
            self._act(line, heard)
        if line.leaving:
            raise Dropped(line.leaving)

    def _act(self, line: Line, heard: Heard) -> None:
        if heard.event is Event.OFFERED:
            milestones.reached("offered")
            self._agreed.append(line)
            self._pend()
        elif heard.event is Event.GO:
            following = self._next_for(line) if line.takes_next_early else None
            line.message(following)
        elif heard.event is Event.ACCEPTED:
            milestones.reached("replied")
            self._gate.accepted(heard.outgoing, heard.reply)
            self._pend()
        elif heard.event is Event.SENDER_REFUSED:
            self._gate.refused(heard.outgoing, heard.reply, of_sender=True)
            self._pend()
        else:
            self._gate.refused(heard.outgoing, heard.reply)
            self._pend()

    def _commit_if_due(self) -> None:
        """Commit what has gathered: when half of the busy connections wait for it, or the first has for 2 ms."""
        if not self._agreed:
            if self._gate.unwritten and self._ticks() - self._pending_since >= COMMIT_WITHIN:
                self._gate.flush()
            return
        talking = sum(line.waits for line in self._lines.values())
        if len(self._agreed) < talking and self._ticks() - self._pending_since < COMMIT_WITHIN:
            return
        lines, self._agreed = self._agreed, []
        allowed = self._gate.begin([line.offered for line in lines if line.offered])
        for line in lines:
            if line.offered and line.offered.id in allowed:
                self._guarded(line, line.data)
            else:
                line.withdraw()

    def _pend(self) -> None:
        if len(self._agreed) + self._gate.unwritten <= 1:
            self._pending_since = self._ticks()

    def _patience(self) -> float:
        """How long to wait for the next event, in seconds."""
        if any(line.holds_back and not line.has_more for line in self._lines.values()):
            return HELD_BACK
        if self._agreed or self._gate.unwritten:
            return max(0.0, COMMIT_WITHIN - (self._ticks() - self._pending_since))
        wait = self._feed.wait() if any(line.idle for line in self._lines.values()) or not self._lines else None
        return 1.0 if wait is None else max(0.001, min(wait, 1.0))

    def _look_around(self) -> None:
        for line in list(self._lines.values()):
            if line.holds_back and not line.has_more:
                self._guarded(line, line.write)
            if line.has_more != line.watched and line.number in self._lines:
                self._watch(line)
        now = self._ticks()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            for line in [line for line in self._lines.values() if line.overdue(now)]:
                self._drop(line, "the mail server did not answer in time")
            self._feed.tend()

    def _nothing_left(self) -> bool:
        return self._feed.wait() is None and not self._agreed and all(line.idle for line in self._lines.values())

    def _guarded(self, line: Line, step: Callable[[], object]) -> None:
        """Do something on a connection; if it is lost thereby, say what became of its messages."""
        try:
            step()
        except Dropped as error:
            self._drop(line, str(error))

    def _drop(self, line: Line, reason: str) -> None:
        if line in self._agreed:
            self._agreed.remove(line)
        for outgoing in (line.current, line.offered):
            if outgoing is None:
                continue
            if outgoing is line.current and line.dotted:
                self._gate.lost(outgoing, f"the connection broke before the final reply: {reason}")
            else:
                self._gate.dropped(outgoing, f"the connection broke before the end of the message: {reason}")
        line.current = line.offered = None
        self._pend()
        self._remove(line)

    def _add(self, opened: Opened) -> None:
        line = Line(opened, now=self._ticks())
        self._lines[line.number] = line
        self._selector.register(line.number, selectors.EVENT_READ, line)
        self._refused_for = 0.0

    def _watch(self, line: Line) -> None:
        """Ask to be told when the kernel takes more, but only while something waits for that."""
        line.watched = line.has_more
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.watched else 0)
        self._selector.modify(line.number, wanted, line)

    def _remove(self, line: Line) -> None:
        self._selector.unregister(line.number)
        del self._lines[line.number]
        line.close()

    def _open_another(self) -> None:
        future = self._threads.submit(self._opening, self._settings)
        self._coming.append(future)
        future.add_done_callback(lambda _: self._ring())

    def _ring(self) -> None:
        with suppress(OSError):  # it rings already, or nobody listens any more
            self._wake.send(b"!")

    def _take_opened(self) -> None:
        self._woken.recv(4096)
        for future in [future for future in self._coming if future.done()]:
            self._coming.remove(future)
            try:
                self._add(future.result())
            except LoginRefused:
                raise
            except TransportUnavailable:
                if not self._lines and self._refused_for >= RECONNECT_FOR:
                    raise
                self._wait_to_reconnect()

    def _wait_to_reconnect(self) -> None:
        """After 1, 2, 4, 8 … s another try; the connections that are left go on meanwhile."""
        pause = min(max(1.0, self._refused_for), 15.0)
        self._refused_for += pause
        if self._lines:
            self._not_before = self._ticks() + pause
        else:
            self._gate.flush()
            self._sleep(pause)
            self._feed.tend()
