"""Claimed, written, paced: the messages of a run, ready to leave one after the other."""

import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from campaigns import leases, ledger, milestones
from campaigns.errors import BytesChanged
from campaigns.letters import row_of, seal_of
from campaigns.manner import Manner
from campaigns.mime import Envelope
from campaigns.models import Message, Run, RunState
from campaigns.pace import LATE
from campaigns.patience import Patience
from campaigns.press import Press
from campaigns.transports import Outgoing
from subscribers.database import writing

CLAIM = 100  # messages a claim: a crash leaves at most these claimed, and they go back at the next start
WRITTEN_AHEAD = 25  # messages written at a time, 1 MB; while they are sent the next ones are written
AHEAD = 8  # mails with a limit that have their moment before it comes: while the next are written, moments pass
MOST_READY = 3 * CLAIM  # messages that wait for a slow domain, 12 MB, while those of others are fetched
AT_ONCE = 0.0  # the moment of a mail that no limit keeps
LOOKS_EVERY = timedelta(seconds=1)
RENEWED_EVERY = timedelta(seconds=10)

Clock = Callable[[], datetime]


class RunFeed:
    """The messages of one run that one sender has claimed. Ends when none is due, or the run is no longer `sending`.

    date: when the run was planned. halt: asked about once a second whether the run must stop, and why; "" for no. done:
    messages given out.
    """

    def __init__(  # noqa: PLR0917 - what a sender has, once
        self,
        database: Engine,
        run_id: int,
        owner: str,
        press: Press,
        manner: Manner,
        patience: Patience,
        *,
        date: datetime,
        clock: Clock,
        halt: Callable[[Session], str] = lambda _: "",
    ) -> None:
        self._database, self._run_id, self._owner, self._press, self._manner = database, run_id, owner, press, manner
        self._patience, self._date, self._clock, self._halt = patience, date, clock, halt
        self._ready: list[tuple[float, int, Outgoing]] = []
        self._rows: deque[list[Any]] = deque()
        self._under_way: list[tuple[Any, bytes | None]] = []  # rows, with their letters where those were kept
        self._ended = self._halted = self._nothing_more = False
        self._free = 0  # of those that are ready, how many are to domains without a limit of their own
        self._looked = self._renewed = clock()
        self._zones: list[str] | None = None
        self._known: deque[int] = deque(maxlen=20 * CLAIM)  # more than can be claimed, or in the air, at a time
        self.done = 0

    def take(self) -> Outgoing | None:
        """The next message that may leave now, or None. Raises BytesChanged, TemplateBroken."""
        self._fill()
        if not self._ready or self._ended:
            return None
        if not self._manner.pace.unlimited:
            now = self._clock().timestamp()
            if AT_ONCE < self._ready[0][0] < now - LATE:
                self._pace_anew(now)
            if self._ready[0][0] > now:
                return None
        self.done += 1
        outgoing = heapq.heappop(self._ready)[2]
        self._free -= not self._manner.pace.has_own(_domain(outgoing))
        return outgoing

    def wait(self) -> float | None:
        """Seconds until `take` may give something, 0.0 when it does now; None when it will not any more."""
        self._fill()
        if self._ended or not self._ready:
            return None
        return 0.0 if self._manner.pace.unlimited else max(0.0, self._ready[0][0] - self._clock().timestamp())

    def once_more(self) -> bool:
        """Whether there is something again after it had ended: what lost its connection may be due at once."""
        self._ended = self._halted
        return self.wait() is not None

    def tend(self) -> None:
        """Once a second: says that we are alive, and ends when the run is paused, cancelled or must stop."""
        now = self._clock()
        if now - self._looked >= LOOKS_EVERY:
            self._looked = now
            self._patience(lambda: self._look(now))

    def _look(self, now: datetime) -> None:
        with writing(self._database) as session:
            state = session.scalar(select(col(Run.state)).where(col(Run.id) == self._run_id))
            if state != RunState.SENDING or self._halt(session):
                self._ended = self._halted = True
            if now - self._renewed >= RENEWED_EVERY:
                self._renewed = now
                leases.still_here(session, now=now)
                leases.renew(session, self._run_id, now=now)
            session.commit()

    def _fill(self) -> None:
        """See that something is ready, or on its way."""
        while self._wants_more() and not self._ended:
            if not self._under_way and not self._rows:
                self._claim()
            if not self._under_way and not self._rows:
                self._nothing_more, self._ended = True, not self._ready
                return
            self._write_ahead()
            part, self._under_way = self._under_way, []
            written = iter(self._press.finish() if any(message is None for _, message in part) else ())
            ready = [(row, message or _right(row, next(written))) for row, message in part]
            self._write_ahead()
            self._get_ready(ready)

    def _wants_more(self) -> bool:
        """Whether nothing is ready; with a limit also whether hardly anything is that is not kept by its own domain."""
        if not self._ready or self._manner.pace.unlimited:
            return not self._ready
        return self._free < AHEAD and len(self._ready) < MOST_READY and not self._nothing_more

    def _claim(self) -> None:
        failed = list[bool]()
        rows = self._patience(lambda: self._claim_once(again=bool(failed)), again=lambda: failed.append(True))
        self._nothing_more = not rows
        self._known.extend(row.id for row in rows)
        milestones.reached("claimed")
        self._rows.extend(rows[start : start + WRITTEN_AHEAD] for start in range(0, len(rows), WRITTEN_AHEAD))

    def _claim_once(self, *, again: bool) -> list[Any]:
        now, pace = self._clock(), self._manner.pace
        count = min(CLAIM, max(1, int(pace.rate))) if pace.rate else CLAIM  # what leaves within about a second
        with writing(self._database) as session:
            # a claim whose answer was lost may have been made all the same
            rows = ledger.claimed_before(session, self._run_id, self._owner, but=self._known) if again else []
            if not rows:
                quiet = self._quiet_zones(session, now)
                busy = pace.busy(session, now=now.timestamp())
                rows = ledger.claim(session, self._run_id, self._owner, count, now=now, quiet=quiet, busy=busy)
                if busy and not rows and not self._ready:  # nobody else is left: wait for them
                    rows = ledger.claim(session, self._run_id, self._owner, AHEAD, now=now, quiet=quiet)
                if quiet and not rows:
                    self._put_off_until_morning(session, quiet, now)
            session.commit()
        return list(rows)

    def _quiet_zones(self, session: Session, now: datetime) -> set[str]:
        if self._manner.quiet is None:
            return set()
        if self._zones is None:
            self._zones = list(session.scalars(self._zones_of_run()))
        return self._manner.quiet.quiet_zones(self._zones, now=now)

    def _put_off_until_morning(self, session: Session, quiet: set[str], now: datetime) -> None:
        """Those in whose night it is become due when it ends, so that whoever sends comes back then."""
        assert self._manner.quiet is not None
        for zone in quiet:
            awake = self._manner.quiet.next_awake([zone], now=now)
            if awake is not None:
                ledger.put_off(session, self._run_id, zone, until=awake, now=now)

    def _zones_of_run(self) -> Any:
        return select(col(Message.time_zone)).where(col(Message.run_id) == self._run_id).distinct()

    def _write_ahead(self) -> None:
        if not self._under_way and self._rows:
            self._under_way = [(row, self._recalled(row)) for row in self._rows.popleft()]
            if missing := [row for row, message in self._under_way if message is None]:
                self._press.begin_messages([row_of(row._mapping) for row in missing])

    def _recalled(self, row: Any) -> bytes | None:
        """The letter as it was planned, if it was kept and is the one that the ledger means."""
        message = self._press.recall(seal_of(row))
        return message if message is not None and hashlib.sha256(message).hexdigest() == row.sha256 else None

    def _get_ready(self, part: list[tuple[Any, bytes]]) -> None:
        moments = self._moments([row.domain for row, _ in part])
        return_path, sign, sender = self._manner.return_path, self._manner.sign, self._press.content.sender.address
        for (row, message), moment in zip(part, moments, strict=True):
            envelope = Envelope(return_path(row.id) if return_path else sender, row.address)
            signed = sign(message, at=self._date) if sign else message
            outgoing = Outgoing(row.id, row.message_id, envelope, signed, row.attempts)
            heapq.heappush(self._ready, (moment if self._manner.pace.limits(row.domain) else AT_ONCE, row.id, outgoing))
            self._free += not self._manner.pace.has_own(row.domain)

    def _moments(self, domains: list[str]) -> list[float]:
        now = self._clock().timestamp()
        if self._manner.pace.unlimited:
            return [now] * len(domains)

        def reserve() -> list[float]:
            with writing(self._database) as session:
                moments = self._manner.pace.reserve(session, domains, now=now)
                session.commit()
            return moments

        return self._patience(reserve)

    def _pace_anew(self, now: float) -> None:
        """Those that missed their moment get another one."""
        late = [one for one in self._ready if AT_ONCE < one[0] < now - LATE]
        moments = self._moments([_domain(outgoing) for _, _, outgoing in sorted(late)])
        kept = [one for one in self._ready if not AT_ONCE < one[0] < now - LATE]
        anew = [(moment, one[1], one[2]) for moment, one in zip(moments, sorted(late), strict=True)]
        self._ready = kept + anew
        heapq.heapify(self._ready)


def _right(row: Any, message: bytes) -> bytes:
    """A letter that was written anew. Raises BytesChanged where it is not what was planned."""
    if hashlib.sha256(message).hexdigest() != row.sha256:
        raise BytesChanged(f"message {row.id} has other bytes than its plan; plan the campaign anew")
    return message


def _domain(outgoing: Outgoing) -> str:
    return outgoing.envelope.recipient.rpartition("@")[2].lower()
