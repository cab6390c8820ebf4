"""One page for each run: what became of it, who was left out and why, and some of its people."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from campaigns.models import Campaign, Message, MessageState
from campaigns.runs import find_run
from campaigns.status import status_of
from engine.catalog import Product
from studio.pages.shell import page
from studio.visit import Viewer
from subscribers.database import reading
from subscribers.models import Subscriber

PEOPLE_SHOWN = 50
RunNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]  # what every database's integer holds


@dataclass(frozen=True)
class PersonLine:
    """A person in a run. hero: the title of the product shown large; empty for who gets nothing."""

    address: str
    state: str
    reason: str
    hero: str


def run_pages(world: World) -> APIRouter:
    """/runs/{id}, with ?state= for the people in one state only."""
    pages = APIRouter()

    @pages.get("/runs/{run_id}")
    def one(run_id: RunNumber, visit: Viewer, state: MessageState | None = None) -> Response:
        with reading(world.database) as session:
            run = find_run(session, run_id)
            return page(
                "run.html",
                visit,
                run=run,
                campaign=session.get(Campaign, run.campaign_id),
                outcome=status_of(session, run_id),
                people=people_of(session, run_id, state),
                people_shown=PEOPLE_SHOWN,
                state=state,
            )

    return pages


def people_of(session: Session, run_id: int, state: MessageState | None) -> list[PersonLine]:
    """Up to 50 people of the run, in the order of the plan. A skipped row holds no address; the roster still may."""
    query = (
        select(
            col(Message.address), col(Subscriber.address), col(Message.state), col(Message.reason), col(Product.title)
        )
        .join_from(Message, Subscriber, col(Subscriber.id) == col(Message.subscriber_id), isouter=True)
        .join(Product, col(Product.sku_id) == col(Message.hero_sku_id), isouter=True)
        .where(col(Message.run_id) == run_id)
        .order_by(col(Message.id))
        .limit(PEOPLE_SHOWN)
    )
    if state is not None:
        query = query.where(col(Message.state) == state)
    return [
        PersonLine(frozen or known or "", state_now, reason, hero or "")
        for frozen, known, state_now, reason, hero in session.execute(query)
    ]
