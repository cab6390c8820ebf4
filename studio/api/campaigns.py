"""/campaigns: made, changed, scheduled, approved, looked at and sent."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns import checklist as lists
from campaigns.definition import Definition
from campaigns.errors import WrongState
from campaigns.execute import World
from campaigns.finding import find_campaign
from campaigns.models import Campaign
from campaigns.pick_rules import PickRules
from campaigns.preview import Preview
from campaigns.segments import Segments
from engine.catalog import Product
from studio.actions import campaigns as actions
from studio.api.answers import (
    At,
    CampaignAnswer,
    CampaignBody,
    CheckAnswer,
    DuplicateBody,
    Page,
    PickAnswer,
    PreviewAnswer,
    RunAnswer,
    ScheduleBody,
    Slug,
    Text,
)
from studio.api.runs import run_answer
from studio.pages.previewers import PreviewDesk
from studio.pages.shell import mail_headers
from studio.pages.slices import slice_of
from studio.visit import Approver, Marketer, Viewer
from subscribers.database import reading

Address = Annotated[Text, Query(min_length=1, max_length=320, description="an address, or a subscriber's number")]


def campaign_routes(world: World) -> APIRouter:
    """All of it."""
    routes = APIRouter(prefix="/campaigns", tags=["campaigns"])

    @routes.get("")
    def all_of_them(visit: Viewer, at: At = "") -> Page[CampaignAnswer]:
        with reading(world.database) as session:
            found = slice_of(session, select(Campaign, col(Campaign.name)), [col(Campaign.name)], at=at)
        return Page(items=[_answer(row[0]) for row in found.rows], next=found.later)

    @routes.get("/{name}")
    def one(name: Slug, visit: Viewer) -> CampaignAnswer:
        with reading(world.database) as session:
            return _answer(find_campaign(session, name))

    @routes.put("/{name}")
    def save(name: Slug, body: CampaignBody, visit: Marketer) -> CampaignAnswer:
        said = body.model_dump(exclude={"rules", "segments", "version"})
        rules, parts = PickRules.from_plain(body.rules), Segments.from_plain(body.segments.model_dump())
        definition = Definition(name=name, rules=rules, segments=parts, **said)
        return _answer(actions.save(world, visit, definition, version=body.version))

    @routes.post("/{name}/schedule")
    def schedule(name: Slug, body: ScheduleBody, visit: Marketer) -> CampaignAnswer:
        return _answer(actions.schedule(world, visit, name, **body.model_dump()))

    @routes.post("/{name}/pause")
    def pause(name: Slug, visit: Marketer) -> CampaignAnswer:
        return _answer(actions.move(world, visit, name, "pause"))

    @routes.post("/{name}/resume")
    def resume(name: Slug, visit: Marketer) -> CampaignAnswer:
        return _answer(actions.move(world, visit, name, "resume"))

    @routes.post("/{name}/cancel")
    def cancel(name: Slug, visit: Marketer) -> CampaignAnswer:
        return _answer(actions.move(world, visit, name, "cancel"))

    @routes.post("/{name}/approve")
    def approve(name: Slug, visit: Approver) -> CampaignAnswer:
        return _answer(actions.approve(world, visit, name))

    @routes.post("/{name}/duplicate", status_code=201)
    def duplicate(name: Slug, body: DuplicateBody, visit: Marketer) -> CampaignAnswer:
        return _answer(actions.duplicate(world, visit, name, body.name))

    @routes.post("/{name}/send", status_code=202)
    def send_now(name: Slug, visit: Marketer) -> RunAnswer:
        return run_answer(actions.send_now(world, visit, name), name)

    @routes.get("/{name}/checklist")
    def checklist(name: Slug, visit: Viewer) -> list[CheckAnswer]:
        with reading(world.database) as session:
            campaign = find_campaign(session, name)
            items = lists.checklist(session, campaign, world.settings, now=world.clock())
        return [CheckAnswer(**item.summary()) for item in items]

    _add_previews(routes, world)
    return routes


def _add_previews(routes: APIRouter, world: World) -> None:
    desk = PreviewDesk(world)

    @routes.get("/{name}/preview")
    def preview(name: Slug, address: Address, visit: Viewer) -> PreviewAnswer:
        shown, _ = desk.now(name, address)
        subject = shown.letter.mail.subject if shown.letter else ""
        with reading(world.database) as session:
            return PreviewAnswer(skip=shown.skip, subject=subject, picks=_picks(session, shown))

    @routes.get("/{name}/preview.html", response_class=HTMLResponse)
    def preview_html(name: Slug, address: Address, visit: Viewer) -> Response:
        shown, _ = desk.now(name, address)
        if shown.letter is None:
            raise WrongState(f"this person would get no mail: {shown.skip}")
        return HTMLResponse(shown.letter.mail.html, headers=mail_headers(world.settings.public_url))


def _picks(session: Session, shown: Preview) -> list[PickAnswer]:
    query = select(col(Product.sku_id), col(Product.code), col(Product.title))
    wanted = query.where(col(Product.sku_id).in_([pick[0] for pick in shown.picks]))
    known = {sku_id: (code, title) for sku_id, code, title in session.execute(wanted)}
    found = []
    for sku_id, score, reason, sentence, _ in shown.picks:
        code, title = known.get(sku_id, ("", ""))
        found.append(PickAnswer(code=code, title=title, score=score, reason=reason, sentence=sentence))
    return found


def _answer(campaign: Campaign) -> CampaignAnswer:
    plain: dict[str, Any] = campaign.model_dump()
    read = {name: json.loads(plain[name]) for name in ("variables", "rules", "segments")}
    return CampaignAnswer.model_validate(plain | read)
