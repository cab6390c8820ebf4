"""Claim, hand over, record: the mails of a planned run leave the house, each exactly once."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, update
from sqlmodel import Session, col

from campaigns import leases, ledger
from campaigns.errors import BytesChanged, TransportUnavailable, WrongState
from campaigns.freeze import frozen_press
from campaigns.handover import Handovers, Settled
from campaigns.letters import row_of
from campaigns.mime import Envelope
from campaigns.models import Message, MessageState, Run, RunState
from campaigns.press import Press
from campaigns.runs import find_run
from campaigns.transports import InDoubt, Refused, Transport
from engine.memory import looking_for_garbage_seldom
from subscribers.database import writing

CLAIM = 100  # messages a claim: a crash leaves at most these claimed, and they go back to planned at the next start
WRITTEN_AHEAD = 25  # messages written at a time, 1 MB; while they are sent the next ones are written
RENEW_AFTER = timedelta(seconds=10)

Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]
"""Called with (messages done, messages in all)."""


def send_run(
    database: Engine, run_id: int, transport: Transport, *, clock: Clock, progress: Progress | None = None
) -> dict[str, int]:
    """Send what the plan holds and is still open. Returns the totals by state; the run is finished when none is open.

    Safe to call again after a crash at any point: what was accepted is not sent again, what was in the air is
    in doubt unless the transport knows better. Raises WrongState, BytesChanged, TransportUnavailable.
    """
    with writing(database) as session, looking_for_garbage_seldom():
        run = find_run(session, run_id)
        _begin(session, run, clock())
        try:
            with frozen_press(session, run) as press, transport, Handovers(database) as handovers:
                _recover(session, run_id, transport, clock())
                _send_all(session, run_id, press, transport, handovers, clock=clock, progress=progress)
                press.done()
        finally:
            session.rollback()
            _end(session, run_id, now=clock())
        return ledger.totals(session, run_id)


def _begin(session: Session, run: Run, now: datetime) -> None:
    if run.state not in (RunState.PLANNED, RunState.SENDING, RunState.FINISHED):
        raise WrongState(f"run {run.id} is {run.state}; only a planned run can be sent")
    if run.errors:
        raise WrongState(f"run {run.id} is not sent: {run.worst}; mend it and plan anew (`handpicked review {run.id}`)")
    if not leases.take(session, run, RunState.SENDING, now=now):
        raise WrongState(f"run {run.id} is being sent by {run.owner}; wait for it or stop that process first")


def _recover(session: Session, run_id: int, transport: Transport, now: datetime) -> None:
    """Settle what an earlier sender left when it died."""
    for identity, message_id in ledger.left_by_the_dead(session, run_id):
        known = transport.arrived(message_id)
        if known is None:
            ledger.doubt(session, identity, "the sender died while handing it over")
        elif known:
            ledger.settle(session, identity, MessageState.ACCEPTED, "found at the transport after a crash", at=now)
        else:
            ledger.release(session, identity)


def _send_all(
    session: Session,
    run_id: int,
    press: Press,
    transport: Transport,
    handovers: Handovers,
    *,
    clock: Clock,
    progress: Progress | None,
) -> None:
    counts = ledger.totals(session, run_id)
    waiting, done = sum(counts.get(state, 0) for state in ledger.CLAIMABLE), 0
    sender = press.content.sender.address
    owner, renewed = leases.this_process(), clock()
    again = [MessageState.DEFERRED]
    while rows := ledger.claim(session, run_id, owner, CLAIM, again=again):
        again = []  # what is deferred in this pass waits for the next one
        for row, message in written(press, rows):
            _send_one(session, row._mapping, message, sender, transport, handovers, clock)
            done += 1
        if progress:
            progress(done, max(waiting, done))
        if clock() - renewed > RENEW_AFTER:
            renewed = clock()
            leases.renew(session, run_id, now=renewed)


def written(press: Press, rows: Sequence[Any]) -> Iterator[tuple[Any, bytes]]:
    """Rows with the bytes of their messages: a part is written while the one before it is sent."""
    parts = [rows[start : start + WRITTEN_AHEAD] for start in range(0, len(rows), WRITTEN_AHEAD)]
    for number, part in enumerate(parts):
        if not number:
            press.begin_messages([row_of(row._mapping) for row in part])
        messages = press.finish()
        if number + 1 < len(parts):
            press.begin_messages([row_of(row._mapping) for row in parts[number + 1]])
        yield from zip(part, messages, strict=True)


def _send_one(  # noqa: PLR0917 - the things a mail is sent with, once
    session: Session, row: Any, message: bytes, sender: str, transport: Transport, handovers: Handovers, clock: Clock
) -> None:
    """One message through its states. The order is the promise: consent is read in the commit before the data."""
    if hashlib.sha256(message).hexdigest() != row["sha256"]:
        ledger.release(session, row["id"])
        raise BytesChanged(f"message {row['id']} has other bytes than its plan; plan the campaign anew")
    try:
        transport.offer(Envelope(sender, row["address"]))
        if not handovers.begin(row["id"], row["key"]):
            transport.withdraw()
            return
        reply = transport.hand_over(message, row["message_id"])
    except Refused as refusal:
        state = MessageState.FAILED if refusal.permanent else MessageState.DEFERRED
        handovers.settle(Settled(row["id"], state, refusal.reply, clock()))
    except InDoubt as lost:
        ledger.doubt(session, row["id"], str(lost))
    except TransportUnavailable:
        ledger.release(session, row["id"])
        raise
    else:
        accepted = Settled(row["id"], MessageState.ACCEPTED, reply, clock())
        handovers.settle(accepted, at_once=not transport.remembers)


def _end(session: Session, run_id: int, *, now: datetime) -> None:
    """sending → finished when no message is open, and the lease is given back either way. Commits.

    A run with deferred or unsent messages stays open: sending it again goes on with them.
    """
    counts = ledger.totals(session, run_id)
    open_messages = sum(counts.get(state, 0) for state in (*ledger.OPEN, MessageState.DEFERRED))
    values: dict[str, Any] = {"owner": "", "alive_at": now}
    if not open_messages:
        values |= {"state": RunState.FINISHED, "finished_at": now}
        session.execute(
            update(Message)
            .where(col(Message.run_id) == run_id)
            .values(claimed_by="")
            .where(col(Message.claimed_by) != "")
        )
    session.execute(update(Run).where(col(Run.id) == run_id).values(**values))
    session.commit()
