"""The list of campaigns, and the page of each: what it says, when it goes out, what is in its way, and its runs."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns import approval, calendar, finding
from campaigns.cron_words import cron_in_words
from campaigns.errors import CampaignsError
from campaigns.execute import World
from campaigns.models import Campaign, CampaignState, Run, RunState
from campaigns.pick_rules import PickRules
from campaigns.segments import segments_of
from engine.errors import EngineError
from studio.actions import campaigns as actions
from studio.errors import sentence_of
from studio.figures import Figure, Figures
from studio.pages.campaign_calendar import campaign_calendar_pages
from studio.pages.campaign_edit import campaign_edit_pages
from studio.pages.campaign_moves import campaign_move_pages
from studio.pages.campaign_schedule import campaign_schedule_pages
from studio.pages.checks import checks_of
from studio.pages.counts import reach_of, totals_of
from studio.pages.parameters import Cursor, Name, Part
from studio.pages.shell import page, see_other
from studio.pages.slices import slice_of
from studio.visit import Viewer
from subscribers.database import reading
from subscribers.errors import SubscribersError

RUNS_SHOWN = 20
TIMES_SHOWN = 5
_EXPECTED = (CampaignsError, EngineError, SubscribersError)

State = Annotated[CampaignState | None, Query()]


@dataclass(frozen=True)
class Look:
    """What the page of a campaign shows beside its own row. problem: why its mails or people cannot be told."""

    variables: dict[str, str]
    labels: dict[str, str]
    rules: list[tuple[str, str]]
    cron_words: str
    times: list[Any]
    unapproved: str
    problem: str


def campaign_pages(world: World, figures: Figures) -> APIRouter:
    """/campaigns and all below it but the preview. What has a name of its own comes before /campaigns/{name}."""
    pages = APIRouter()
    pages.include_router(campaign_calendar_pages(world))
    pages.include_router(campaign_edit_pages(world, figures))
    pages.include_router(campaign_schedule_pages(world))
    pages.include_router(campaign_move_pages(world, figures))

    @pages.get("/campaigns")
    def overview(visit: Viewer, state: State = None, at: Cursor = "") -> Response:
        with reading(world.database) as session:
            by_name: Any = col(Campaign.name)
            columns: list[Any] = [Campaign, by_name]
            query = select(*columns)
            if state is not None:
                query = query.where(col(Campaign.state) == state)
            found = slice_of(session, query, [by_name], at=at)
            last = _last_runs(session, [row[0].id for row in found.rows])
        return page(
            "campaigns/list.html",
            visit,
            slice=found,
            campaigns=[row[0] for row in found.rows],
            last=last,
            totals=totals_of(figures, list(last.values())),
            words={row[0].name: cron_words_of(row[0]) for row in found.rows},
            states=list(CampaignState),
            state=state,
            path="/campaigns" + (f"?state={state}" if state else ""),
        )

    @pages.get("/campaigns/{name}")
    def one(visit: Viewer, name: Name) -> Response:
        with reading(world.database) as session:
            campaign = finding.find_campaign(session, name)
            runs = _newest_runs(session, campaign)
            counted = select(func.count()).where(col(Run.campaign_id) == campaign.id)
            run_count = session.execute(counted).scalar_one()
            look = _look(session, campaign, world)
        segments = segments_of(campaign)
        return page(
            "campaigns/one.html",
            visit,
            campaign=campaign,
            look=look,
            segments=segments,
            reach=_reach(world, figures, campaign),
            items=checks_of(world, figures, campaign),
            approval_needed=world.settings.require_approval,
            runs=runs,
            totals=totals_of(figures, runs, reasons=True),
            run_count=run_count,
            under_way=[run.id for run in runs if run.state in actions.UNDER_WAY and run.unattended and not run.errors],
        )

    @pages.get("/campaigns/{name}/checks")
    def checks(visit: Viewer, name: Name, part: Part = "") -> Response:
        with reading(world.database) as session:
            campaign = finding.find_campaign(session, name)
        if not part:
            return see_other(f"/campaigns/{name}")
        return page("campaigns/checks.html", visit, campaign=campaign, items=checks_of(world, figures, campaign))

    return pages


def cron_words_of(campaign: Campaign) -> str:
    """How often it goes out, in words; empty for once or never."""
    try:
        return cron_in_words(campaign.cron) if campaign.cron else ""
    except CampaignsError:
        return campaign.cron


def _look(session: Session, campaign: Campaign, world: World) -> Look:
    problem, labels = "", dict[str, str]()
    try:
        labels = {each.name: each.label for each in world.settings.templates.sheet(campaign.template).variables}
        times = calendar.next_times(campaign, now=world.clock(), count=TIMES_SHOWN)
        unapproved = approval.missing(session, campaign, world.settings)
    except _EXPECTED as error:
        problem, times, unapproved = sentence_of(error), [], ""
    rules = PickRules.from_plain(json.loads(campaign.rules))
    return Look(
        variables=json.loads(campaign.variables),
        labels=labels,
        rules=_rules_in_words(rules),
        cron_words=cron_words_of(campaign),
        times=times,
        unapproved=unapproved.partition("; ")[0],
        problem=problem,
    )


def _rules_in_words(rules: PickRules) -> list[tuple[str, str]]:
    """(what, how) of each rule that differs from the usual ones."""
    said = [
        ("Price from", rules.price_from or ""),
        ("Price up to", rules.price_to or ""),
        ("Pick only", ", ".join(rules.include)),
        ("Never pick", ", ".join(rules.exclude)),
        ("More or less often", ", ".join(rules.boost)),
    ]
    shares = (
        ("Variety", rules.diversity),
        ("Largest share of one hero", rules.hero_share),
        ("New products to try", rules.exploration),
    )
    said += [(what, "" if share is None else f"{share * 100:g} %") for what, share in shares]
    return [(what, how) for what, how in said if how]


def _reach(world: World, figures: Figures, campaign: Campaign) -> Figure | None:
    try:
        return reach_of(world, figures, segments_of(campaign))
    except _EXPECTED:
        return None  # the checklist says why


def _newest_runs(session: Session, campaign: Campaign) -> list[Run]:
    newest = select(Run).where(col(Run.campaign_id) == campaign.id).order_by(col(Run.id).desc()).limit(RUNS_SHOWN)
    return list(session.scalars(newest))


def _last_runs(session: Session, campaigns: list[int | None]) -> dict[int, Run]:
    """The newest run of each, by the campaign's id; what was missed and never begun is not one."""
    newest = (
        select(func.max(col(Run.id)))
        .where(col(Run.campaign_id).in_(campaigns))
        .where((col(Run.state) != RunState.CANCELLED) | (col(Run.manifest_sha256) != ""))
        .group_by(col(Run.campaign_id))
    )
    return {run.campaign_id: run for run in session.scalars(select(Run).where(col(Run.id).in_(newest)))}
