"""Work that takes longer than a page may. It is asked for in the database, done by a thread of the studio, and told of
on its page; when the studio is stopped in the middle, the job says so and can be started again."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Event, Thread
from typing import Any

from sqlalchemy import CursorResult, select, update
from sqlmodel import Session, col

from campaigns import leases
from campaigns.execute import World
from studio.errors import JobUnknown, StudioError, answer_to, sentence_of
from studio.models import Job
from studio.pages.faults import log_discreetly
from subscribers.database import reading, writing

LOOK_EVERY = 1.0  # seconds, for what another process has asked for
SAY_EVERY = timedelta(seconds=1)
logger = logging.getLogger("handpicked.studio")


class JobState(StrEnum):
    """waiting → running → done or failed; interrupted when whoever ran it died."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


Progress = Callable[[int], None]
"""Told now and then how much is done so far, in whatever the kind of work counts."""
Work = Callable[[World, dict[str, Any], Progress], dict[str, Any]]
"""Does what was asked, and returns what the page is to say of it; both are fit for JSON."""


def ask(session: Session, kind: str, asked: Mapping[str, Any], *, by: str, now: datetime) -> Job:
    """Ask for some work. The caller commits, and wakes the worker."""
    job = Job(kind=kind, state=JobState.WAITING, asked_by=by, asked_at=now, alive_at=now, asked=json.dumps(dict(asked)))
    session.add(job)
    session.flush()
    return job


def find_job(session: Session, job_id: int) -> Job:
    """Raises JobUnknown."""
    job = session.get(Job, job_id)
    if job is None:
        raise JobUnknown(f"there is no job {job_id}")
    return job


def jobs_of(session: Session, kind: str, most: int = 20) -> list[Job]:
    """The newest jobs of a kind, newest first."""
    return list(session.scalars(select(Job).where(col(Job.kind) == kind).order_by(col(Job.id).desc()).limit(most)))


def start_again(session: Session, job_id: int, *, now: datetime) -> Job:
    """failed or interrupted → waiting. Raises StudioError. The caller commits."""
    job = find_job(session, job_id)
    if job.state not in (JobState.FAILED, JobState.INTERRUPTED):
        raise StudioError(f"job {job_id} is {job.state}; only one that failed or was interrupted starts again")
    job.state, job.problem, job.asked_at, job.done = JobState.WAITING, "", now, 0
    session.add(job)
    return job


class Jobs:
    """The worker of one studio. kinds: what it can do, by name."""

    def __init__(self, world: World, kinds: Mapping[str, Work]) -> None:
        self._wake, self._stop = Event(), Event()
        # sending stops with us, and leaves nothing on the wire
        self._world = replace(world, stopping=lambda: self._stop.is_set() or world.stopping())
        self._kinds = kinds
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to work, in a thread of its own."""
        self._stop.clear()
        self._thread = Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more work; what is being done is left to say that it was interrupted."""
        self._stop.set()
        self._wake.set()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def work_off(self) -> int:
        """Do everything that waits. Returns how many jobs that were."""
        self._end_the_dead()
        count = 0
        while not self._stop.is_set() and (job := self._take()) is not None:
            self._do(job)
            count += 1
        return count

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.work_off()
            except Exception as error:  # the database is away: look again later
                logger.warning("jobs: %s", type(error).__name__)
            self._wake.wait(LOOK_EVERY)
            self._wake.clear()

    def _take(self) -> Job | None:
        with reading(self._world.database) as session:
            waiting = select(Job).where(col(Job.state) == JobState.WAITING, col(Job.kind).in_(list(self._kinds)))
            job = session.scalars(waiting.order_by(col(Job.id)).limit(1)).first()
        if job is None:
            return None
        now = self._world.clock()
        values = {"state": JobState.RUNNING, "owner": leases.this_process(), "alive_at": now}
        with writing(self._world.database) as session:
            mine = update(Job).where(col(Job.id) == job.id, col(Job.state) == JobState.WAITING).values(**values)
            taken = session.execute(mine)
            session.commit()
        return job if isinstance(taken, CursorResult) and taken.rowcount == 1 else None

    def _do(self, job: Job) -> None:
        told = self._world.clock()

        def progress(done: int) -> None:
            nonlocal told
            now = self._world.clock()
            if now - told >= SAY_EVERY:
                told = now
                self._settle(job, done=done, alive_at=now)

        try:
            result = self._kinds[job.kind](self._world, json.loads(job.asked), progress)
        except Exception as error:
            expected = answer_to(error) is not None
            if not expected:
                log_discreetly(error)
            problem = sentence_of(error) if expected else "this is our mistake; the log of the studio says where"
            self._settle(job, state=JobState.FAILED, problem=problem[:1000], finished_at=self._world.clock())
            return
        self._settle(job, state=JobState.DONE, result=json.dumps(result), finished_at=self._world.clock())

    def _settle(self, job: Job, **values: Any) -> None:
        with writing(self._world.database) as session:
            session.execute(update(Job).where(col(Job.id) == job.id).values(**values))
            session.commit()

    def _end_the_dead(self) -> None:
        with reading(self._world.database) as session:
            running = list(session.scalars(select(Job).where(col(Job.state) == JobState.RUNNING)))
        for job in running:
            if leases.is_gone(job.owner, job.alive_at, now=self._world.clock()):
                problem = "the studio was stopped in the middle; start it again, nothing is done twice"
                self._settle(job, state=JobState.INTERRUPTED, problem=problem)
