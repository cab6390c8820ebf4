"""The runs: how far each is, what became of its mails, who was left out and why, and what may be done about it."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from campaigns.ledger import next_due
from campaigns.models import Campaign, MessageState, Run, RunState
from campaigns.runs import campaign_of, find_run
from studio.actions import runs as actions
from studio.actions.runs import BEFORE_THE_END, SENDABLE, UNDER_WAY
from studio.figures import Figures
from studio.jobs import Jobs
from studio.pages.preview import printable
from studio.pages.run_counts import LIVE, Progress, bounces_of, details_of, progress_of
from studio.pages.run_csv import csv_of_run
from studio.pages.run_people import CURSOR, found_in_run, slice_of_run
from studio.pages.shell import page, see_other
from studio.pages.slices import slice_of
from studio.visit import Approver, Marketer, Viewer, Visit
from subscribers.database import reading

RunNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]  # what every database's integer holds
Reason = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Place = Annotated[str, Query(pattern=CURSOR)]
Cursor = Annotated[str, Query(max_length=500)]
Who = Annotated[str, Query(max_length=320)]
DOUBTED_SHOWN = 20
UNITS = {
    "products": "Products taken off the shelf",
    "pairs": "Kept out of people’s lists",
    "people": "Lists changed by",
}
SURE: dict[str, tuple[str, str]] = {
    "cancel": ("Cancel", "Who has not got the mail by now gets none. A cancelled run cannot be resumed."),
    "resend": (
        "Send again to those in doubt of",
        "Some of them may get the mail twice: nobody can know whether the first one arrived. "
        "It goes out as it was, with the same Message-ID, by which many mail programs recognise a copy.",
    ),
}


def run_pages(world: World, jobs: Jobs, figures: Figures) -> APIRouter:
    """/runs, /runs/{id} with its people, its progress, its CSV file, and what may be done to it."""
    pages = APIRouter()

    @pages.get("/runs")
    def newest(visit: Viewer, at: Cursor = "") -> Response:
        with reading(world.database) as session:
            downward = -col(Run.id)  # the newest first, and still ascending for the slices
            columns = (col(Run.id), col(Campaign.name), col(Run.state), col(Run.occurrence), col(Run.finished_at))
            lines: Any = select(*columns, downward.label("place")).join_from(Run, Campaign)
            return page("runs/list.html", visit, slice=slice_of(session, lines, [downward], at=at))

    @pages.get("/runs/{run_id}")
    def one(
        run_id: RunNumber,
        visit: Viewer,
        *,
        state: MessageState | None = None,
        reason: Reason = "",
        at: Place = "",
        who: Who = "",
    ) -> Response:
        wanted = printable(who)
        with reading(world.database) as session:
            run = find_run(session, run_id)
            progress = progress_of(session, figures, run, now=world.clock())
            return page(
                "run.html",
                visit,
                **_about(session, run, progress),
                details=details_of(figures, run),
                rules=rule_tables(json.loads(run.rule_counts)),
                doubted=slice_of_run(session, run_id, MessageState.IN_DOUBT, rows=DOUBTED_SHOWN),
                bounces=bounces_of(session, run_id),
                people=slice_of_run(session, run_id, state, reason, at=at) if not wanted else None,
                found=found_in_run(session, run_id, wanted, world.secrets) if wanted else [],
                wanted=wanted,
                state=state,
                reason=reason if state else "",
                may=_may(visit, run),
            )

    @pages.get("/runs/{run_id}/progress")
    def progress(run_id: RunNumber, visit: Viewer) -> Response:
        with reading(world.database) as session:
            run = find_run(session, run_id)
            found = progress_of(session, figures, run, now=world.clock())
            return page("runs/progress.html", visit, **_about(session, run, found))

    @pages.get("/runs/{run_id}/people.csv")
    def people_csv(run_id: RunNumber, visit: Marketer, state: MessageState | None = None) -> Response:
        with reading(world.database) as session:
            find_run(session, run_id)
        name = f"run-{run_id}{f'-{state}' if state else ''}.csv"
        kept = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(csv_of_run(world, run_id, state), media_type="text/csv; charset=utf-8", headers=kept)

    @pages.get("/runs/{run_id}/cancel")
    def sure_to_cancel(run_id: RunNumber, visit: Marketer) -> Response:
        return _sure(world, visit, run_id, "cancel")

    @pages.get("/runs/{run_id}/resend")
    def sure_to_resend(run_id: RunNumber, visit: Approver) -> Response:
        return _sure(world, visit, run_id, "resend")

    @pages.post("/runs/{run_id}/pause")
    def pause(run_id: RunNumber, visit: Marketer) -> Response:
        actions.pause(world, visit, run_id)
        return see_other(f"/runs/{run_id}", "paused")

    @pages.post("/runs/{run_id}/resume")
    def resume(run_id: RunNumber, visit: Marketer) -> Response:
        actions.resume(world, visit, run_id)
        return see_other(f"/runs/{run_id}", "resumed")

    @pages.post("/runs/{run_id}/cancel")
    def cancel(run_id: RunNumber, visit: Marketer) -> Response:
        actions.cancel(world, visit, run_id)
        return see_other(f"/runs/{run_id}", "cancelled")

    @pages.post("/runs/{run_id}/decide/{answer}")
    def decide(run_id: RunNumber, answer: Literal["send", "skip"], visit: Approver) -> Response:
        actions.decide(world, visit, run_id, answer == "send")
        return see_other(f"/runs/{run_id}", "sending" if answer == "send" else "skipped")

    @pages.post("/runs/{run_id}/resend")
    def resend(run_id: RunNumber, visit: Approver) -> Response:
        job = actions.resend(world, visit, run_id)
        jobs.wake()
        return see_other(f"/jobs/{job.id}", "started")

    return pages


def rule_tables(counts: Mapping[str, Mapping[str, int]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """What each rule for picks did, by what it did it to.

    >>> rule_tables({"out of stock": {"products": 3}, "hero cap": {"people": 4}})
    [('Products taken off the shelf', [('out of stock', 3)]), ('Lists changed by', [('hero cap', 4)])]
    """
    tables = []
    for unit, words in UNITS.items():
        rows = [(rule, counted[unit]) for rule, counted in counts.items() if unit in counted]
        if rows:
            tables.append((words, sorted(rows, key=lambda row: -row[1])))
    return tables


def in_words(left: timedelta) -> str:
    """How long something takes yet, roughly.

    >>> in_words(timedelta(seconds=40)), in_words(timedelta(minutes=12)), in_words(timedelta(hours=5))
    ('less than a minute', 'about 12 minutes', 'about 5 hours')
    """
    minutes = round(left.total_seconds() / 60)
    if left < timedelta(minutes=1):
        return "less than a minute"
    hours = round(minutes / 60)
    if hours < 2:
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    return f"about {hours} hours" if hours < 48 else f"about {round(hours / 24)} days"


def _about(session: Session, run: Run, progress: Progress | None) -> dict[str, Any]:
    """What the page and its part about progress both say. next_try: of those that wait for a time."""
    waits = progress is not None and bool(progress.states.get(MessageState.DEFERRED))
    return {
        "run": run,
        "campaign": campaign_of(session, run),
        "progress": progress,
        "left": in_words(progress.left) if progress and progress.left is not None else "",
        "live": run.state in LIVE,
        "next_try": next_due(session, run.id) if waits and run.id else None,
    }


def _may(visit: Visit, run: Run) -> set[str]:
    """What this person may do to the run as it stands."""
    marketer, approver = visit.may("marketer"), visit.may("approver")
    allowed = {
        "pause": marketer and run.state in UNDER_WAY,
        "resume": marketer and run.state == RunState.PAUSED,
        "cancel": marketer and run.state in BEFORE_THE_END and run.state != RunState.ASKING,
        "decide": approver and run.state == RunState.ASKING,
        "resend": approver and run.state in SENDABLE,
        "download": marketer,
    }
    return {name for name, may in allowed.items() if may}


def _sure(world: World, visit: Visit, run_id: int, action: str) -> Response:
    """The page that asks once more before what cannot be undone."""
    with reading(world.database) as session:
        run = find_run(session, run_id)
        campaign = campaign_of(session, run)
    title, says = SURE[action]
    return page("runs/sure.html", visit, run=run, campaign=campaign, action=action, title=title, says=says)
