"""What is done to a campaign by a button: pause, resume, cancel, approve, duplicate, send now."""

from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from campaigns.definition import check_name
from campaigns.errors import CampaignInvalid, WrongState
from campaigns.execute import World
from campaigns.finding import find_campaign
from campaigns.models import Campaign, CampaignState
from campaigns.segments import segments_of
from studio.actions import campaigns as actions
from studio.errors import FieldInvalid, StudioError, sentence_of
from studio.figures import Figures
from studio.pages.checks import checks_of, in_the_way
from studio.pages.counts import reach_of
from studio.pages.forms import Fields
from studio.pages.parameters import Name, Typed
from studio.pages.shell import page, see_other
from studio.visit import Approver, Marketer, Visit
from subscribers.database import reading


def campaign_move_pages(world: World, figures: Figures) -> APIRouter:
    """/campaigns/{name}/pause, /resume, /cancel, /approve, /duplicate and /send."""
    pages = APIRouter()

    def find(name: str) -> Campaign:
        with reading(world.database) as session:
            return find_campaign(session, name)

    @pages.post("/campaigns/{name}/pause")
    def pause(visit: Marketer, name: Name) -> Response:
        actions.move(world, visit, name, "pause")
        return see_other(f"/campaigns/{name}", "paused")

    @pages.post("/campaigns/{name}/resume")
    def resume(visit: Marketer, name: Name) -> Response:
        actions.move(world, visit, name, "resume")
        return see_other(f"/campaigns/{name}", "resumed")

    @pages.get("/campaigns/{name}/cancel")
    def ask_to_cancel(visit: Marketer, name: Name) -> Response:
        return page("campaigns/cancel.html", visit, campaign=find(name))

    @pages.post("/campaigns/{name}/cancel")
    def cancel(visit: Marketer, name: Name) -> Response:
        actions.move(world, visit, name, "cancel")
        return see_other(f"/campaigns/{name}", "cancelled")

    @pages.post("/campaigns/{name}/approve")
    def approve(visit: Approver, name: Name, fields: Typed) -> Response:
        actions.approve(world, visit, name, version=fields.number("version", 0, least=1, most=2**31 - 1) or None)
        return see_other(f"/campaigns/{name}", "approved")

    @pages.get("/campaigns/{name}/duplicate")
    def ask_for_a_name(visit: Marketer, name: Name) -> Response:
        fields = Fields({"name": [_name_of_copy(find(name).name)]})
        return page("campaigns/duplicate.html", visit, campaign=find(name), fields=fields)

    @pages.post("/campaigns/{name}/duplicate")
    def duplicate(visit: Marketer, name: Name, fields: Typed) -> Response:
        campaign = find(name)
        new_name = "-".join(fields.one("name").lower().split())
        try:
            check_name(new_name)
            actions.duplicate(world, visit, name, new_name)
        except FieldInvalid as problem:
            fields.problems["name"] = problem.sentence
        except (CampaignInvalid, WrongState) as problem:
            fields.problems["name"] = sentence_of(problem)
        if fields.problems:
            return page("campaigns/duplicate.html", visit, status=422, campaign=campaign, fields=fields)
        return see_other(f"/campaigns/{new_name}", "duplicated")

    @pages.get("/campaigns/{name}/send")
    def ask_to_send(visit: Marketer, name: Name) -> Response:
        return _confirm(world, figures, visit, name)

    @pages.post("/campaigns/{name}/send")
    def send(visit: Marketer, name: Name, fields: Typed) -> Response:
        run = actions.send_now(world, visit, name, asked_at=_moment(fields.one("asked_at")))
        return see_other(f"/runs/{run.id}", "planned")

    return pages


def _confirm(world: World, figures: Figures, visit: Visit, name: str) -> Response:
    """What would happen, to how many people; or what is in the way."""
    with reading(world.database) as session:
        campaign = find_campaign(session, name)
    checks = checks_of(world, figures, campaign)
    blocking = in_the_way(checks)
    unknown = any(item["key"] == "audience" for item in blocking)
    return page(
        "campaigns/send.html",
        visit,
        campaign=campaign,
        looking=checks.value is None,
        in_the_way=blocking,
        paused=campaign.state == CampaignState.PAUSED,
        reach=None if unknown else reach_of(world, figures, segments_of(campaign)),
        asked_at=world.clock().isoformat(),
        outbox=campaign.transport == "outbox",
    )


def _moment(text: str) -> datetime:
    """Raises StudioError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - only looked at for its missing zone
    if moment.tzinfo is None:
        raise StudioError("this form was not sent from its page; open that again")
    return moment


def _name_of_copy(name: str) -> str:
    """
    >>> _name_of_copy("weekly")
    'weekly-copy'
    """
    return f"{name[:58]}-copy"
