"""Pause, resume and cancel a run, at any moment: each is one commit, and no mail is handed over after it.

Whoever sends the run reads its state in the transaction that lets a mail leave, and stops within a second.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col

from campaigns import ledger
from campaigns.errors import WrongState
from campaigns.models import Run, RunState
from campaigns.runs import RETRY_AFTER, find_run

_UNDER_WAY = (RunState.PLANNED, RunState.SENDING)
_BEFORE_THE_END = (RunState.ASKING, RunState.PLANNING, *_UNDER_WAY, RunState.PAUSED)


def pause(session: Session, run_id: int, *, why: str) -> Run:
    """planned or sending → paused; commits. What is in the air is finished, nothing new leaves. Raises WrongState."""
    return _move(session, run_id, _UNDER_WAY, {"state": RunState.PAUSED, "stopped_because": why[:300]}, "paused")


def resume(session: Session, run_id: int, *, now: datetime) -> Run:
    """paused → sending; commits. The scheduler takes it up at once if it is its run. Raises WrongState."""
    going = {"state": RunState.SENDING, "stopped_because": "", "alive_at": now - RETRY_AFTER}
    return _move(session, run_id, (RunState.PAUSED,), going, "resumed")


def cancel(session: Session, run_id: int, *, why: str) -> Run:
    """→ cancelled, for good; commits. Who has not got a mail by now gets none. Raises WrongState."""
    run = _move(
        session, run_id, _BEFORE_THE_END, {"state": RunState.CANCELLED, "stopped_because": why[:300]}, "cancelled"
    )
    ledger.give_up(session, run_id, "the run was cancelled")  # what a sender still holds, it gives up itself
    session.commit()
    return run


def _move(session: Session, run_id: int, before: tuple[RunState, ...], values: dict[str, Any], done: str) -> Run:
    run = find_run(session, run_id)
    moved = session.execute(update(Run).where(col(Run.id) == run_id, col(Run.state).in_(before)).values(**values))
    session.commit()
    session.refresh(run)
    if not isinstance(moved, CursorResult) or moved.rowcount != 1:
        raise WrongState(f"run {run_id} is {run.state} and cannot be {done}")
    return run
