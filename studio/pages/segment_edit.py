"""Make, change and delete segments."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlmodel import col
from starlette.responses import Response

from campaigns.errors import WrongState
from campaigns.execute import World
from campaigns.segments import used_by
from studio.actions import segments as actions
from studio.errors import FieldInvalid, sentence_of
from studio.pages import segment_form
from studio.pages.forms import Fields
from studio.pages.parameters import Name, Typed
from studio.pages.shell import page, see_other
from studio.visit import Marketer, Visit
from subscribers.database import reading
from subscribers.models import Segment
from subscribers.segment_rules import SegmentInvalid, SegmentRules
from subscribers.segments import find_segment


def segment_edit_pages(world: World, count: Callable[[SegmentRules | None], dict[str, Any]]) -> APIRouter:
    """/segments/new, /segments/{name}/edit and /delete, and how many people that is, while it is typed."""
    pages = APIRouter()

    def form(visit: Visit, fields: Fields, segment: Segment | None, rules: SegmentRules | None) -> Response:
        return page(
            "segments/form.html",
            visit,
            status=422 if fields.problems else 200,
            segment=segment,
            fields=fields,
            kinds=segment_form.KIND_WORDS,
            **count(rules),
        )

    def save(visit: Visit, fields: Fields, segment: Segment | None) -> Response:
        rules = segment_form.read(fields)
        name = segment.name if segment else "-".join(fields.one("name").lower().split())
        try:
            if not fields.problems:
                if segment is None:
                    _refuse_known(world, name)
                actions.save(world, visit, name, rules)
                return see_other(f"/segments/{name}", "saved" if segment else "made")
        except FieldInvalid as problem:
            fields.problems[problem.field] = problem.sentence
        except SegmentInvalid as problem:
            segment_form.note_problem(fields, problem)
        return form(visit, fields, segment, None)

    @pages.get("/segments/new")
    def new(visit: Marketer) -> Response:
        return form(visit, segment_form.shown("", SegmentRules()), None, SegmentRules())

    @pages.post("/segments/new")
    def make(visit: Marketer, fields: Typed) -> Response:
        return save(visit, fields, None)

    @pages.post("/segments/count")
    def live_count(visit: Marketer, fields: Typed) -> Response:
        rules = segment_form.read(fields)
        return page("segments/count.html", visit, **count(None if fields.problems else rules))

    @pages.get("/segments/{name}/edit")
    def edit(visit: Marketer, name: Name) -> Response:
        with reading(world.database) as session:
            segment = find_segment(session, name)
        rules = SegmentRules.from_json(segment.rules)
        return form(visit, segment_form.shown(name, rules), segment, rules)

    @pages.post("/segments/{name}/edit")
    def change(visit: Marketer, name: Name, fields: Typed) -> Response:
        with reading(world.database) as session:
            segment = find_segment(session, name)
        return save(visit, fields, segment)

    @pages.get("/segments/{name}/delete")
    def ask_to_delete(visit: Marketer, name: Name) -> Response:
        with reading(world.database) as session:
            segment = find_segment(session, name)
            users = used_by(session, name)
        return page("segments/delete.html", visit, segment=segment, users=users)

    @pages.post("/segments/{name}/delete")
    def delete(visit: Marketer, name: Name) -> Response:
        try:
            actions.delete(world, visit, name)
        except WrongState as problem:
            with reading(world.database) as session:
                segment, users = find_segment(session, name), used_by(session, name)
            said = {"problem": sentence_of(problem), "segment": segment, "users": users}
            return page("segments/delete.html", visit, status=409, **said)
        return see_other("/segments", "deleted")

    return pages


def _refuse_known(world: World, name: str) -> None:
    """Raises FieldInvalid: a new segment must not change one that is there."""
    with reading(world.database) as session:
        if session.execute(select(col(Segment.id)).where(col(Segment.name) == name)).first():
            raise FieldInvalid("name", f"there is a segment {name} already; choose another name, or edit that one")
