"""What becomes of each message, decided by rule and written into the ledger: the one way out of the house."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from campaigns import retries
from campaigns.handover import Handovers, Settled
from campaigns.models import MessageState
from campaigns.transports import Outgoing

Clock = Callable[[], datetime]
Judge = Callable[[str], str]
"""A reply to why the address must never be mailed again, or to nothing."""
DROPS = 3  # times a message may lose its connection before it waits like one that was put off


class LedgerGate:
    """The gate of one sender in one run. retry_days: counted from a message's first try, because a run may have been
    paused for days, and a wave leaves a day after its plan.

    tried, failed: how many messages were answered, and how many of them for good with no.
    """

    def __init__(self, handovers: Handovers, clock: Clock, *, retry_days: float, never_again: Judge) -> None:
        self._handovers, self._clock, self._days, self._never_again = handovers, clock, retry_days, never_again
        self.tried = self.failed = 0

    @property
    def unwritten(self) -> int:
        """How many results wait for the next commit."""
        return len(self._handovers.settled)

    def begin(self, group: Sequence[Outgoing]) -> Collection[int]:
        """Commit that these are handed over now; returns the ids of those that may be."""
        return self._handovers.begin([outgoing.id for outgoing in group])

    def accepted(self, outgoing: Outgoing, reply: str) -> None:
        """The other side has it."""
        self.tried += 1
        self._handovers.settle(Settled(outgoing.id, MessageState.ACCEPTED, reply, self._clock()))

    def refused(
        self, outgoing: Outgoing, reply: str, *, permanent: bool | None = None, of_sender: bool = False
    ) -> None:
        """4xx: tried again, for as long as the rule says. 5xx: failed at once; a hard bounce is never mailed again.

        of_sender: "no such user" said to MAIL is about us, and would suppress the whole list.
        """
        self.tried += 1
        now = self._clock()
        if permanent is None:
            permanent = reply.startswith("5")
        due = None if permanent else self._next_try(outgoing, now)
        if due is not None:
            self._handovers.settle(Settled(outgoing.id, MessageState.DEFERRED, reply, now, due))
            return
        self.failed += 1
        if not permanent:
            reply = f"given up after {outgoing.attempts + 1} tries: {reply}"
        never = self._never_again(reply) if permanent and not of_sender else ""
        self._handovers.settle(Settled(outgoing.id, MessageState.FAILED, reply, now, suppress=never))

    def dropped(self, outgoing: Outgoing, reason: str) -> None:
        """The connection broke before the end of the message: planned again, and from the third time on put off."""
        now = self._clock()
        if outgoing.attempts + 1 >= DROPS:
            self.refused(outgoing, reason, permanent=False)
        else:
            self._handovers.settle(Settled(outgoing.id, MessageState.PLANNED, reason, now, now))

    def lost(self, outgoing: Outgoing, reason: str) -> None:
        """Nobody can know whether it arrived."""
        self._handovers.settle(Settled(outgoing.id, MessageState.IN_DOUBT, reason, self._clock()))

    def flush(self) -> None:
        """Commit what is unwritten."""
        self._handovers.flush()

    def _next_try(self, outgoing: Outgoing, now: datetime) -> datetime | None:
        first = (self._handovers.first_try(outgoing.id) if outgoing.attempts else None) or now
        return retries.next_try(outgoing.attempts + 1, outgoing.message_id, now=now, first=first, days=self._days)
