"""/segments: named parts of the roster."""

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlmodel import col

from campaigns.execute import World
from studio.actions import segments as actions
from studio.api.answers import At, Body, Done, Page, SegmentAnswer, Slug, Text
from studio.pages.slices import slice_of
from studio.visit import Marketer, Viewer
from subscribers.database import reading
from subscribers.models import Segment
from subscribers.segment_rules import SegmentRules
from subscribers.segments import find_segment

Texts = list[Text]
Days = dict[Text, int]


class RulesBody(Body):
    """What its people have in common; all of it must hold. docs/marketer.md says what each field means."""

    languages: Texts | None = Field(default=None, max_length=200)
    countries: Texts | None = Field(default=None, max_length=200)
    time_zones: Texts | None = Field(default=None, max_length=200)
    joined_after: date | None = None
    joined_before: date | None = None
    joined_within_days: int | None = None
    joined_longer_ago_days: int | None = None
    personalise: bool | None = None
    track: bool | None = None
    did: Days | None = None
    did_not: Days | None = None
    purchases: int | None = None
    bought: Texts | None = Field(default=None, max_length=200)


def segment_routes(world: World) -> APIRouter:
    """All of it."""
    routes = APIRouter(prefix="/segments", tags=["segments"])

    @routes.get("")
    def all_of_them(visit: Viewer, at: At = "") -> Page[SegmentAnswer]:
        with reading(world.database) as session:
            found = slice_of(session, select(Segment, col(Segment.name)), [col(Segment.name)], at=at)
        return Page(items=[_answer(row[0]) for row in found.rows], next=found.later)

    @routes.get("/{name}")
    def one(name: Slug, visit: Viewer) -> SegmentAnswer:
        with reading(world.database) as session:
            return _answer(find_segment(session, name))

    @routes.put("/{name}")
    def save(name: Slug, body: RulesBody, visit: Marketer) -> SegmentAnswer:
        plain: dict[str, Any] = body.model_dump(mode="json", exclude_none=True)
        return _answer(actions.save(world, visit, name, SegmentRules.from_plain(plain)))

    @routes.delete("/{name}")
    def delete(name: Slug, visit: Marketer) -> Done:
        actions.delete(world, visit, name)
        return Done()

    return routes


def _answer(segment: Segment) -> SegmentAnswer:
    rules = SegmentRules.from_json(segment.rules)
    return SegmentAnswer(
        name=segment.name, rules=rules.as_plain(), words=rules.in_words(), changed_at=segment.changed_at
    )
