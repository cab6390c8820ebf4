"""Everybody on the roster: found by what somebody types, a slice at a time."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from studio.figures import Figures
from studio.pages.parameters import NO_NUL, Cursor
from studio.pages.shell import page
from studio.pages.slices import slice_of
from studio.pages.subscriber import subscriber_page
from studio.search import LONGEST, ORDERS, few, number_in, people, suppressed_of
from studio.visit import Viewer
from subscribers.database import reading
from subscribers.models import Subscriber, Suppression

COUNTED_EVERY = timedelta(minutes=10)
Sought = Annotated[str, Query(max_length=LONGEST, pattern=NO_NUL)]
By = Annotated[str, Query(pattern="^(address|name)$")]


def subscriber_pages(world: World, figures: Figures) -> APIRouter:
    """/subscribers and all below it."""
    pages = APIRouter()

    @pages.get("/subscribers")
    def everybody(visit: Viewer, q: Sought = "", by: By = "address", at: Cursor = "") -> Response:
        with reading(world.database) as session:
            found = slice_of(session, people(q, by), ORDERS[by], at=at)
            gone = suppressed_of(session, [row.key for row in found.rows])
        return page(
            "subscribers/list.html",
            visit,
            slice=found,
            suppressed=gone,
            q=q.strip(),
            by=by,
            either=bool(q.strip()) and not q.strip().startswith("@") and number_in(q) is None,
            counts=figures("subscribers", _counts, fresh_for=COUNTED_EVERY),
        )

    @pages.get("/subscribers/found")
    def found_so_far(visit: Viewer, q: Sought = "") -> Response:
        with reading(world.database) as session:
            rows = few(session, q) if q.strip() else []
        return page("subscribers/found.html", visit, people=rows)

    pages.include_router(subscriber_page(world, figures))
    return pages


def _counts(session: Session) -> dict[str, Any]:
    """How many there are, may be mailed, and have opted out; a second for a million."""
    here, out = col(Subscriber.address) != "", col(Suppression.id).is_not(None)
    counted = select(
        func.count(), func.count().filter(col(Subscriber.may_mail) & ~out), func.count().filter(out)
    ).join_from(Subscriber, Suppression, col(Suppression.key) == col(Subscriber.key), isouter=True)
    everybody, mailed, opted_out = session.execute(counted.where(here)).one()
    return {"people": everybody, "may_mail": mailed, "opted_out": opted_out}
