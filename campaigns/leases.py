"""Who is working on a run, and is that process still alive?"""

import os
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import CursorResult, select, update
from sqlmodel import Session, col

from campaigns.models import Run, RunState, Sender
from subscribers.database import insert_new

SILENT_AFTER = timedelta(minutes=2)  # a sender renews its lease every few seconds; SMTP replies may take longer


def this_process() -> str:
    """host/pid/start: names this process, also apart from a later one with the same number."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def is_gone(owner: str, alive_at: datetime, *, now: datetime) -> bool:
    """Whether whoever held the lease cannot be working any more: dead on this machine, or silent for 2 minutes."""
    if not owner:
        return True
    host, pid, started = owner.rsplit("/", 2)
    if host == socket.gethostname():
        return _started(int(pid)) != started
    return now - alive_at > SILENT_AFTER


def take(session: Session, run: Run, state: RunState, *, now: datetime) -> bool:
    """Become the one who works on this run, if nobody living is; commits. The run goes into `state`.

    Compare and set on the owner we saw: of two that try at once, one gets it.
    """
    me = this_process()
    if run.owner != me and not is_gone(run.owner, run.alive_at, now=now):
        return False
    result = session.execute(
        update(Run)
        .where(col(Run.id) == run.id, col(Run.owner) == run.owner, col(Run.state) == run.state)
        .values(owner=me, alive_at=now, state=state)
    )
    session.commit()
    return isinstance(result, CursorResult) and result.rowcount == 1


def give_back(session: Session, run_id: int, *, now: datetime) -> None:
    """Stop working on a run without finishing it; commits."""
    session.execute(update(Run).where(col(Run.id) == run_id).values(owner="", alive_at=now))
    session.commit()


def renew(session: Session, run_id: int, *, now: datetime) -> None:
    """Say that we are still at it; commits."""
    session.execute(update(Run).where(col(Run.id) == run_id).values(alive_at=now))
    session.commit()


def still_here(session: Session, *, now: datetime) -> None:
    """Say that this process, which claims messages, is alive. The caller commits."""
    owner = this_process()
    renewed = session.execute(update(Sender).where(col(Sender.owner) == owner).values(alive_at=now))
    if not renewed.rowcount:  # type: ignore[attr-defined]
        insert_new(session, Sender, [{"owner": owner, "alive_at": now}])


def gone(session: Session, owners: Iterable[str], *, now: datetime) -> list[str]:
    """Those of these senders who cannot be working any more."""
    seen = {sender.owner: sender.alive_at for sender in session.scalars(select(Sender))}
    long_ago = now - 2 * SILENT_AFTER
    return [owner for owner in owners if is_gone(owner, seen.get(owner, long_ago), now=now)]


def _started(pid: int) -> str:
    """When the process began, in the kernel's ticks; empty when there is none, or no /proc (macOS) and it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except FileNotFoundError:
        pass
    if Path("/proc/self").exists():
        return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "alive"
