"""Claim, hand over, record: the mails of a planned run leave the house, each exactly once."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, select, update
from sqlmodel import Session, col

from campaigns import leases, ledger, milestones
from campaigns.bounces import bounced
from campaigns.errors import WrongState
from campaigns.feed import RunFeed
from campaigns.freeze import frozen_press
from campaigns.gate import LedgerGate
from campaigns.handover import Handovers
from campaigns.manner import Manner
from campaigns.models import MessageState, Run, RunState
from campaigns.patience import Patience
from campaigns.press import Press
from campaigns.runs import RETRY_AFTER, find_run
from campaigns.smtp.pool import Smtp
from campaigns.transports import Outbox, Transport, one_by_one
from engine.memory import looking_for_garbage_seldom
from subscribers.database import reading, writing

FILES_TOGETHER = 25  # files of the outbox that share a commit

Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]
"""Called with (messages done, messages in all)."""


def send_run(
    database: Engine,
    run_id: int,
    transport: Transport | Smtp,
    *,
    clock: Clock,
    manner: Manner | None = None,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
    resend_in_doubt: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Send what the plan holds and is due. Returns the totals by state; the run is finished when none is open.

    Safe to call again after a crash at any point: what was accepted is not sent again, what was in the air is
    in doubt unless the transport knows better. resend_in_doubt: what is in doubt goes out once more, with the same
    Message-ID and bytes. stopping: asked often whether to stop; what is on the wire is finished then.
    Raises WrongState, BytesChanged, TransportUnavailable.
    """
    patience = Patience(sleep)
    begin(database, run_id, now=clock(), resend_in_doubt=resend_in_doubt)
    try:
        with transport:
            patience(lambda: recover(database, run_id, transport, now=clock()))
            send_share(
                database,
                run_id,
                transport,
                clock=clock,
                manner=manner or Manner(),
                progress=progress,
                patience=patience,
                stopping=stopping,
            )
    finally:
        end(database, run_id, patience, now=clock(), stopped=stopping())
    return patience(lambda: _totals(database, run_id))


def _totals(database: Engine, run_id: int) -> dict[str, int]:
    with reading(database) as session:
        return ledger.totals(session, run_id)


def begin(database: Engine, run_id: int, *, now: datetime, resend_in_doubt: bool = False) -> None:
    """planned → sending, by this process. Raises WrongState."""
    with writing(database) as session:
        _begin(session, find_run(session, run_id), now)
        if resend_in_doubt:
            ledger.resend_in_doubt(session, run_id, now=now)


def send_share(
    database: Engine,
    run_id: int,
    transport: Transport | Smtp,
    *,
    clock: Clock,
    manner: Manner,
    patience: Patience,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Claim and send until nothing is due: what one of several senders of a run does. transport: entered already."""
    owner = leases.this_process()
    run, press = patience(lambda: _opened(database, run_id, now=clock()))
    handovers = Handovers(database, owner, patience, careful=not transport.remembers)
    gate = LedgerGate(handovers, clock, retry_days=manner.retry_days, never_again=manner.never_again)
    started = clock()

    def halt(session: Session) -> str:
        if progress:
            progress(*done_of(session, run_id))
        return "stopped" if stopping() else _pause_if_too_much(session, run_id, gate, manner, since=started)

    with press, looking_for_garbage_seldom(), handovers:
        feed = RunFeed(database, run_id, owner, press, manner, patience, date=run.planned_at, clock=clock, halt=halt)
        try:
            if isinstance(transport, Smtp):
                transport.send(feed, gate)
            else:
                one_by_one(transport, feed, gate, together=FILES_TOGETHER if isinstance(transport, Outbox) else 1)
            press.done()
        finally:
            with suppress(Exception):
                handovers.flush()
            patience(lambda: _give_back(database, run_id, owner))


def _opened(database: Engine, run_id: int, *, now: datetime) -> tuple[Run, Press]:
    """The run and its press; and the others know that this process is there."""
    with writing(database) as session:
        run = find_run(session, run_id)
        press = frozen_press(session, run)
        leases.still_here(session, now=now)
        session.commit()
    return run, press


def _begin(session: Session, run: Run, now: datetime) -> None:
    if run.state == RunState.PAUSED:
        why = f": {run.stopped_because}" if run.stopped_because else ""
        raise WrongState(f"run {run.id} is paused{why}; `handpicked resume {run.id}` goes on with it")
    if run.state not in (RunState.PLANNED, RunState.SENDING, RunState.FINISHED):
        raise WrongState(f"run {run.id} is {run.state}; only a planned run can be sent")
    if run.errors:
        raise WrongState(f"run {run.id} is not sent: {run.worst}; mend it and plan anew (`handpicked review {run.id}`)")
    if not leases.take(session, run, RunState.SENDING, now=now):
        raise WrongState(f"run {run.id} is being sent by {run.owner}; wait for it or stop that process first")


def recover(database: Engine, run_id: int, transport: Transport | Smtp, *, now: datetime) -> None:
    """Settle what senders left when they died. Those who live keep what they hold."""
    with writing(database) as session:
        mine = leases.this_process()
        dead = {*leases.gone(session, ledger.owners(session, run_id), now=now), mine}
        for owner in dead:
            ledger.release(session, run_id, owner)
            session.commit()
            for number, message_id in ledger.handed_over_by(session, run_id, owner):
                milestones.reached("recovering")
                ledger.recover(session, number, transport.arrived(message_id), at=now)


def _pause_if_too_much(session: Session, run_id: int, gate: LedgerGate, manner: Manner, *, since: datetime) -> str:
    """sending → paused when too many mails were refused or came back since this sender began; returns why."""
    why = ""
    if gate.tried >= manner.pause_after:
        refused = gate.failed / gate.tried
        if refused >= manner.pause_at_failures:
            why = f"{gate.failed} of {gate.tried} mails were refused ({refused:.0%})"
        else:
            back = bounced(session, run_id, since=since)
            if back / gate.tried >= manner.pause_at_bounces:
                why = f"{back} of {gate.tried} mails came back ({back / gate.tried:.0%})"
    if why:
        paused = update(Run).where(col(Run.id) == run_id, col(Run.state) == RunState.SENDING)
        session.execute(paused.values(state=RunState.PAUSED, stopped_because=why))
    return why


def done_of(session: Session, run_id: int) -> tuple[int, int]:
    """(messages that have ended, messages in all) of a run."""
    counts = ledger.totals(session, run_id)
    everybody = sum(count for state, count in counts.items() if state != MessageState.SKIPPED)
    return everybody - sum(counts.get(state, 0) for state in ledger.OPEN), everybody


def _give_back(database: Engine, run_id: int, owner: str) -> None:
    """What was claimed and not handed over is anybody's again."""
    with writing(database) as session:
        ledger.release(session, run_id, owner)
        session.commit()


def end(database: Engine, run_id: int, patience: Patience, *, now: datetime, stopped: bool = False) -> None:
    """Give the run back, finished or not, and wait for a database that is away.

    stopped: we were asked to stop, so that the next scheduler goes on at once.
    """
    with suppress(Exception):  # what went wrong before is what counts
        patience(lambda: _end(database, run_id, now=now, alive_at=now - RETRY_AFTER if stopped else now))


def wind_up(database: Engine, run_id: int, transport: Transport | Smtp, *, now: datetime) -> None:
    """Give an end to what a sender held that died, when its run was cancelled and nobody will send it any more.

    What a living one holds it gives up itself; until then the run keeps its owner, so that somebody looks again.
    """
    recover(database, run_id, transport, now=now)
    with reading(database) as session:
        held = ledger.owners(session, run_id)
    if not held:
        _end(database, run_id, now=now, alive_at=now)


def _end(database: Engine, run_id: int, *, now: datetime, alive_at: datetime) -> None:
    """sending → finished when no message is open, and the lease is given back either way. Commits.

    A run with deferred or unsent messages stays open: sending it again goes on with them.
    """
    with writing(database) as session:
        counts = ledger.totals(session, run_id)
        state = session.scalar(select(col(Run.state)).where(col(Run.id) == run_id))
        values: dict[str, Any] = {"owner": "", "alive_at": alive_at}
        if state == RunState.CANCELLED:
            ledger.give_up(session, run_id, "the run was cancelled")
        elif not sum(counts.get(state, 0) for state in ledger.OPEN):
            milestones.reached("finishing")
            values |= {"state": RunState.FINISHED, "finished_at": now}
        session.execute(update(Run).where(col(Run.id) == run_id).values(**values))
        session.commit()
