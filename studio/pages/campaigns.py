"""The first page, and one page for each campaign."""

import json
from dataclasses import dataclass

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns import ledger
from campaigns.edit import find_campaign, list_campaigns
from campaigns.execute import World
from campaigns.models import Campaign, MessageState, Run
from campaigns.plan import skipped
from studio.pages.shell import page
from studio.visit import Viewer
from subscribers.database import reading

RUNS_SHOWN = 20


@dataclass(frozen=True)
class RunLine:
    """A run in a list. totals: messages by state, without the skipped, which have reasons instead."""

    run: Run
    totals: dict[str, int]
    left_out: int
    reasons: dict[str, int]


def campaign_pages(world: World) -> APIRouter:
    """/ and /campaigns/{name}."""
    pages = APIRouter()

    @pages.get("/")
    @pages.get("/campaigns")
    def overview(visit: Viewer) -> Response:
        with reading(world.database) as session:
            lines = [(campaign, _last_run(session, campaign)) for campaign in list_campaigns(session)]
            return page("campaigns.html", visit, lines=lines, workspace=world.settings.workspace)

    @pages.get("/campaigns/{name}")
    def one(name: str, visit: Viewer) -> Response:
        with reading(world.database) as session:
            campaign = find_campaign(session, name)
            runs = _runs(session, campaign)
            counted = select(func.count()).where(col(Run.campaign_id) == campaign.id)
            return page(
                "campaign.html",
                visit,
                campaign=campaign,
                variables=json.loads(campaign.variables),
                lines=[_line(session, run) for run in runs],
                run_count=session.execute(counted).scalar_one(),
            )

    return pages


def _runs(session: Session, campaign: Campaign, *, most: int = RUNS_SHOWN) -> list[Run]:
    """The newest runs of a campaign, newest first."""
    newest = select(Run).where(col(Run.campaign_id) == campaign.id).order_by(col(Run.id).desc()).limit(most)
    return list(session.scalars(newest))


def _last_run(session: Session, campaign: Campaign) -> RunLine | None:
    runs = _runs(session, campaign, most=1)
    return _line(session, runs[0]) if runs else None


def _line(session: Session, run: Run) -> RunLine:
    assert run.id is not None  # it came from the database
    totals = ledger.totals(session, run.id)
    left_out = totals.pop(MessageState.SKIPPED, 0)
    return RunLine(run, totals, left_out, skipped(session, run.id))
