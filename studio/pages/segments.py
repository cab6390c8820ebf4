"""Segments: the named parts of the roster, how many people are in each, and who."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns.execute import World
from campaigns.segments import used_by
from studio.figures import Figure, Figures
from studio.pages.counts import people_of, sizes_of
from studio.pages.parameters import Cursor, Name
from studio.pages.segment_edit import segment_edit_pages
from studio.pages.shell import page
from studio.pages.slices import slice_of
from studio.visit import Viewer
from subscribers.database import reading
from subscribers.models import Segment, Subscriber
from subscribers.segment_rules import SegmentRules
from subscribers.segments import find_segment

ROWS = 25


def segment_pages(world: World, figures: Figures) -> APIRouter:
    """/segments and all below it. What has a name of its own comes before /segments/{name}."""
    pages = APIRouter()

    def count(rules: SegmentRules | None) -> dict[str, Any]:
        """What segments/count.html shows of these rules; None: they cannot be used yet."""
        found = Figure(None, None) if rules is None else people_of(world, figures, rules)
        with reading(world.database) as session:
            examples = _examples(session, found)
        words = rules.in_words() if rules else []
        return {"found": found, "examples": examples, "usable": rules is not None, "words": words}

    pages.include_router(segment_edit_pages(world, count))

    @pages.get("/segments")
    def overview(visit: Viewer, at: Cursor = "") -> Response:
        with reading(world.database) as session:
            by_name: Any = col(Segment.name)
            columns: list[Any] = [Segment, by_name]
            found = slice_of(session, select(*columns), [by_name], at=at, rows=ROWS)
        segments = [row[0] for row in found.rows]
        return page(
            "segments/list.html",
            visit,
            slice=found,
            lines=[(each.name, SegmentRules.from_json(each.rules).in_words()) for each in segments],
            sizes=sizes_of(world, figures, segments),
        )

    @pages.get("/segments/{name}")
    def one(visit: Viewer, name: Name) -> Response:
        with reading(world.database) as session:
            segment = find_segment(session, name)
            users = used_by(session, name)
        rules = SegmentRules.from_json(segment.rules)
        return page("segments/one.html", visit, segment=segment, users=users, **count(rules))

    return pages


def _examples(session: Session, found: Figure) -> list[Any]:
    """(id, address, given name) of a few people, as they are now: figures keep only their numbers."""
    ids = (found.value or {}).get("examples", [])
    if not ids:
        return []
    people = select(col(Subscriber.id), col(Subscriber.address), col(Subscriber.given_name))
    still = people.where(col(Subscriber.id).in_(ids), col(Subscriber.address) != "")
    return list(session.execute(still.order_by(col(Subscriber.id))))
