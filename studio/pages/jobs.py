"""A page for each job: how far it is, what came of it, and how to start it again."""

import json
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from campaigns.execute import World
from studio.audit import note
from studio.errors import RoleTooLow
from studio.jobs import Jobs, JobState, find_job, start_again
from studio.models import Job
from studio.pages.shell import HERE, page, see_other
from studio.roles import Role
from studio.visit import Marketer, Viewer, Visit
from studio.work import NEEDED, TITLES
from subscribers.database import reading, writing

JobNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
OVER = (JobState.DONE, JobState.FAILED, JobState.INTERRUPTED)
AGAIN = (JobState.FAILED, JobState.INTERRUPTED)


def job_pages(world: World, jobs: Jobs) -> APIRouter:
    """/jobs/{id}. What came of a kind of job is shown by templates/jobs/<kind>.html, if there is one."""
    pages = APIRouter()

    @pages.get("/jobs/{job_id}")
    def one(job_id: JobNumber, visit: Viewer) -> Response:
        return page("jobs/job.html", visit, **_about(world, visit, job_id))

    @pages.get("/jobs/{job_id}/progress")
    def progress(job_id: JobNumber, visit: Viewer) -> Response:
        return page("jobs/progress.html", visit, **_about(world, visit, job_id))

    @pages.post("/jobs/{job_id}/again")
    def again(job_id: JobNumber, visit: Marketer) -> Response:
        now = world.clock()
        with writing(world.database) as session:
            job = find_job(session, job_id)
            if not visit.may(needed_for(job.kind)):
                raise RoleTooLow(visit.role, needed_for(job.kind))
            note(session, visit, "job.again", f"job {job_id}", now=now, detail=job.kind)
            start_again(session, job_id, now=now)
            session.commit()
        jobs.wake()
        return see_other(f"/jobs/{job_id}", "started")

    return pages


def needed_for(kind: str) -> Role:
    """Who may ask for a job of this kind."""
    return NEEDED.get(kind, Role.MARKETER)


def _about(world: World, visit: Visit, job_id: int) -> dict[str, Any]:
    with reading(world.database) as session:
        job = find_job(session, job_id)
    return {
        "job": job,
        "title": TITLES.get(job.kind, job.kind.replace("_", " ").capitalize()),
        "over": job.state in OVER,
        "result": json.loads(job.result),
        "asked": json.loads(job.asked),
        "shown_by": _shown_by(job),
        "may_start_again": job.state in AGAIN and visit.may(needed_for(job.kind)),
    }


def _shown_by(job: Job) -> str:
    """The template that shows what came of the job, or "" while there is none."""
    return f"jobs/{job.kind}.html" if job.state == JobState.DONE and job.kind in _kinds_shown() else ""


@cache
def _kinds_shown() -> frozenset[str]:
    return frozenset(path.stem for path in (HERE / "templates" / "jobs").glob("*.html")) - {"job", "progress"}
