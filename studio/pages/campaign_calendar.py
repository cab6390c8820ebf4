"""A month of campaigns: what is due on which day, and what went out, in the time zone of whoever looks."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.responses import Response

from campaigns import calendar
from campaigns.errors import CampaignsError
from campaigns.execute import World
from campaigns.models import Campaign, CampaignState, Run
from studio.pages.shell import page
from studio.visit import Viewer
from subscribers.database import reading

MOST_CAMPAIGNS, MOST_RUNS = 200, 1_000  # looked at for a month
MOST_TIMES = 62  # of one campaign: twice a day; one that is due more often fills no calendar
SHOWN_A_DAY = 5
FIRST_YEAR, LAST_YEAR = 2000, 2100

Month = Annotated[str, Query(pattern=r"^(20[0-9]{2}-(0[1-9]|1[0-2]))?$")]


@dataclass(frozen=True)
class Entry:
    """Something on a day. run: its number, of what went out; None for what is due. state: of the run or campaign."""

    at: datetime
    campaign: str
    state: str
    run: int | None = None


@dataclass
class Day:
    """A day of the month, with what is on it."""

    day: date
    entries: list[Entry] = field(default_factory=list)

    @property
    def shown(self) -> list[Entry]:
        """The first few, in the order of their times."""
        return sorted(self.entries, key=lambda entry: (entry.at, entry.campaign))[:SHOWN_A_DAY]


def campaign_calendar_pages(world: World) -> APIRouter:
    """/campaigns/calendar, with ?month=2026-12."""
    pages = APIRouter()

    @pages.get("/campaigns/calendar")
    def month_of(visit: Viewer, month: Month = "") -> Response:
        now, zone = world.clock(), ZoneInfo(visit.time_zone)
        today = now.astimezone(zone).date()
        first = date.fromisoformat(f"{month}-01") if month else today.replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
        start, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, following))
        with reading(world.database) as session:
            entries = [*_past(session, start, end), *_due(session, start, end, now)]
        days = {first + timedelta(days=place): Day(first + timedelta(days=place)) for place in range(_length(first))}
        for entry in entries:
            days[entry.at.astimezone(zone).date()].entries.append(entry)
        return page(
            "campaigns/calendar.html",
            visit,
            days=list(days.values()),
            title=f"{first:%B %Y}",
            blank=first.weekday(),
            today=today,
            earlier=(first - timedelta(days=1)).strftime("%Y-%m"),
            later=f"{following:%Y-%m}" if following.year <= LAST_YEAR - 1 else "",
            empty=not entries,
        )

    return pages


def _length(first: date) -> int:
    return ((first + timedelta(days=31)).replace(day=1) - first).days


def _past(session: Session, start: datetime, end: datetime) -> list[Entry]:
    rows = session.execute(
        select(col(Run.occurrence), col(Campaign.name), col(Run.state), col(Run.id))
        .join_from(Run, Campaign, col(Campaign.id) == col(Run.campaign_id))
        .where(col(Run.occurrence) >= start, col(Run.occurrence) < end)
        .order_by(col(Run.occurrence).desc())
        .limit(MOST_RUNS)
    )
    return [Entry(*row) for row in rows]


def _due(session: Session, start: datetime, end: datetime, now: datetime) -> list[Entry]:
    waiting = select(Campaign).where(
        col(Campaign.state).in_((CampaignState.SCHEDULED, CampaignState.PAUSED)), col(Campaign.next_due) < end
    )
    entries = []
    for campaign in session.scalars(waiting.order_by(col(Campaign.next_due)).limit(MOST_CAMPAIGNS)):
        try:
            times = calendar.next_times(campaign, now=max(now, start - timedelta(seconds=1)), count=MOST_TIMES)
        except CampaignsError:
            continue  # its own page says what is wrong
        entries += [Entry(at, campaign.name, campaign.state) for at in times if start <= at < end]
    return entries
