"""What may be done to a run: paused, resumed, ended, decided on; and those in doubt sent once more."""

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns import execute, leases, ledger, stopping
from campaigns import runs as life
from campaigns.errors import RunUnknown, WrongState
from campaigns.execute import World
from campaigns.models import Run, RunState
from studio.audit import note
from studio.jobs import ask
from studio.models import Job
from studio.visit import Visit
from subscribers.database import writing

RESEND = "resend"
UNDER_WAY = (RunState.PLANNED, RunState.SENDING)
BEFORE_THE_END = (RunState.ASKING, RunState.PLANNING, *UNDER_WAY, RunState.PAUSED)
SENDABLE = (*UNDER_WAY, RunState.FINISHED)


def pause(world: World, visit: Visit, run_id: int) -> Run:
    """Stop sending it for a while. Raises RunUnknown, WrongState."""
    now = world.clock()
    with writing(world.database) as session:
        _demand(session, run_id, UNDER_WAY, "paused")
        note(session, visit, "run.pause", f"run {run_id}", now=now)
        return stopping.pause(session, run_id, why=f"by {visit.name}, {now:%Y-%m-%d %H:%M} UTC")


def resume(world: World, visit: Visit, run_id: int) -> Run:
    """Let it go on: the scheduler takes it up, or `handpicked send` does. Raises RunUnknown, WrongState."""
    now = world.clock()
    with writing(world.database) as session:
        _demand(session, run_id, (RunState.PAUSED,), "resumed")
        note(session, visit, "run.resume", f"run {run_id}", now=now)
        return stopping.resume(session, run_id, now=now)


def cancel(world: World, visit: Visit, run_id: int) -> Run:
    """End it for good: who has not got the mail by now gets none. Raises RunUnknown, WrongState."""
    now = world.clock()
    with writing(world.database) as session:
        _demand(session, run_id, BEFORE_THE_END, "cancelled")
        note(session, visit, "run.cancel", f"run {run_id}", now=now)
        run = stopping.cancel(session, run_id, why=f"by {visit.name}, {now:%Y-%m-%d %H:%M} UTC")
    execute.wind_up(world, run_id)
    return run


def decide(world: World, visit: Visit, run_id: int, go: bool) -> Run:
    """Say whether a run that asks is sent after all. Raises RunUnknown, WrongState, NotApproved."""
    now = world.clock()
    with writing(world.database) as session:
        _demand(session, run_id, (RunState.ASKING,), "decided on")
        note(session, visit, "run.decide", f"run {run_id}", now=now, detail="send" if go else "skip")
        return life.decide(session, run_id, go, settings=world.settings, now=now)


def resend(world: World, visit: Visit, run_id: int) -> Job:
    """Those in doubt go out once more, with the same Message-ID and bytes. Raises RunUnknown, WrongState.

    They are planned again in the same commit that asks for the job, so that a job which is begun twice sends nothing
    twice.
    """
    now = world.clock()
    with writing(world.database) as session:
        run = _demand(session, run_id, SENDABLE, "sent again")
        if not leases.is_gone(run.owner, run.alive_at, now=now):
            raise WrongState(f"run {run_id} is being sent right now; wait until it ends, then look again")
        doubted = len(ledger.in_doubt(session, run_id))
        if not doubted:
            raise WrongState(f"nobody in run {run_id} is in doubt")
        note(session, visit, "run.resend", f"run {run_id}", now=now, detail=f"{doubted} in doubt")
        job = ask(session, RESEND, {"run": run_id}, by=visit.name, now=now)
        ledger.resend_in_doubt(session, run_id, now=now)
        return job


def _demand(session: Session, run_id: int, states: tuple[RunState, ...], done: str) -> Run:
    """The run, held until our transaction ends, in one of these states: a refused action leaves no audit line."""
    run = session.scalars(select(Run).where(col(Run.id) == run_id).with_for_update()).first()
    if run is None:
        raise RunUnknown(f"there is no run {run_id}")
    if run.state not in states:
        raise WrongState(f"run {run_id} is {run.state} and cannot be {done}")
    return run
