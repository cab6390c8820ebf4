"""/runs: what became of them and of each person in them, and stopping them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlmodel import col

from campaigns.execute import World
from campaigns.models import Campaign, Message, MessageState, Run
from campaigns.runs import campaign_of, find_run
from campaigns.status import status_of
from studio.actions import runs as actions
from studio.api.answers import At, DecideBody, Number, Page, Rows, RunAnswer, RunPerson
from studio.pages.slices import ROWS, slice_of
from studio.visit import Approver, Marketer, Viewer
from subscribers.database import reading

InState = Annotated[MessageState | None, Query(description="only those in this state")]


def run_routes(world: World) -> APIRouter:
    """All of it."""
    routes = APIRouter(prefix="/runs", tags=["runs"])

    def answer(run: Run) -> RunAnswer:
        with reading(world.database) as session:
            return run_answer(run, campaign_of(session, run).name)

    @routes.get("")
    def newest(visit: Viewer, at: At = "", rows: Rows = ROWS) -> Page[RunAnswer]:
        query = select(Run, col(Campaign.name), col(Run.id)).join(Campaign, col(Campaign.id) == col(Run.campaign_id))
        with reading(world.database) as session:
            found = slice_of(session, query, [col(Run.id)], at=at, rows=rows, newest_first=True)
        return Page(items=[run_answer(run, name) for run, name, _ in found.rows], next=found.later)

    @routes.get("/{run_id}")
    def one(run_id: Number, visit: Viewer) -> RunAnswer:
        with reading(world.database) as session:
            return answer(find_run(session, run_id))

    @routes.get("/{run_id}/status")
    def status(run_id: Number, visit: Viewer) -> dict[str, Any]:
        with reading(world.database) as session:
            return status_of(session, run_id).summary()

    @routes.get("/{run_id}/people")
    def people(run_id: Number, visit: Viewer, state: InState = None, at: At = "", rows: Rows = ROWS) -> Page[RunPerson]:
        query = select(
            *(col(Message.subscriber_id), col(Message.address), col(Message.state), col(Message.reason)),
            col(Message.id),
        ).where(col(Message.run_id) == run_id)
        if state is not None:
            query = query.where(col(Message.state) == state)
        with reading(world.database) as session:
            find_run(session, run_id)
            found = slice_of(session, query, [col(Message.id)], at=at, rows=rows)
        lines = [
            RunPerson(id=identity, subscriber=subscriber, address=address, state=now, reason=reason)
            for subscriber, address, now, reason, identity in found.rows
        ]
        return Page(items=lines, next=found.later)

    @routes.post("/{run_id}/pause")
    def pause(run_id: Number, visit: Marketer) -> RunAnswer:
        return answer(actions.pause(world, visit, run_id))

    @routes.post("/{run_id}/resume")
    def resume(run_id: Number, visit: Marketer) -> RunAnswer:
        return answer(actions.resume(world, visit, run_id))

    @routes.post("/{run_id}/cancel")
    def cancel(run_id: Number, visit: Marketer) -> RunAnswer:
        return answer(actions.cancel(world, visit, run_id))

    @routes.post("/{run_id}/decide")
    def decide(run_id: Number, body: DecideBody, visit: Approver) -> RunAnswer:
        return answer(actions.decide(world, visit, run_id, body.send))

    return routes


def run_answer(run: Run, campaign: str) -> RunAnswer:
    """A run as the API shows it."""
    return RunAnswer.model_validate(run.model_dump() | {"campaign": campaign})
