"""Say when a campaign goes out: once or again and again, by plain choices or as a cron expression, said in words."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter
from starlette.responses import Response

from campaigns.calendar import FIRST_ON_EARTH, due_times
from campaigns.cron_words import cron_in_words
from campaigns.edit import LATE_HOURS, MOST_LATE_HOURS, first_due
from campaigns.errors import CampaignInvalid, EditedMeanwhile, WrongState
from campaigns.execute import World
from campaigns.finding import find_campaign
from campaigns.models import Campaign, CampaignState, Missed
from studio.actions import campaigns as actions
from studio.errors import FieldInvalid, sentence_of
from studio.pages.forms import Fields
from studio.pages.parameters import Name, Typed
from studio.pages.shell import page, see_other
from studio.visit import Marketer, Visit
from subscribers.database import reading

TIMES_SHOWN = 5
WEEKDAYS = (("1", "Mon"), ("2", "Tue"), ("3", "Wed"), ("4", "Thu"), ("5", "Fri"), ("6", "Sat"), ("0", "Sun"))
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_SIMPLE = re.compile(r"(\d{1,2}) (\d{1,2}) (\*|L|\d{1,2}) \* (\*|1-5|[0-6](?:,[0-6])*)")


@dataclass(frozen=True)
class Outlook:
    """What a schedule would do: in words, and the next times in UTC. problem: why that cannot be said."""

    words: str = ""
    times: tuple[datetime, ...] = ()
    problem: str = ""


def campaign_schedule_pages(world: World) -> APIRouter:
    """/campaigns/{name}/schedule, and what the form would do, while it is filled in."""
    pages = APIRouter()

    def form(visit: Visit, campaign: Campaign, fields: Fields, **said: Any) -> Response:
        status = 409 if said.get("meanwhile") else 422 if fields.problems else 200
        return page(
            "campaigns/schedule.html",
            visit,
            status=status,
            campaign=campaign,
            fields=fields,
            weekdays=WEEKDAYS,
            zones=_zones(),
            most_late_hours=MOST_LATE_HOURS,
            outlook=outlook(fields, now=world.clock()),
            **{"meanwhile": ""} | said,
        )

    @pages.get("/campaigns/{name}/schedule")
    def ask(visit: Marketer, name: Name) -> Response:
        with reading(world.database) as session:
            campaign = find_campaign(session, name)
        if campaign.state == CampaignState.CANCELLED:
            raise WrongState(f"campaign {name} is cancelled; duplicate it, and schedule the copy")
        return form(visit, campaign, shown(campaign, visit, now=world.clock()))

    @pages.post("/campaigns/{name}/schedule")
    def take(visit: Marketer, name: Name, fields: Typed) -> Response:
        timing = read(fields)
        version = fields.number("version", 0, least=0, most=2**31 - 1)
        try:
            if not fields.problems:
                first_due(now=world.clock(), **timing)  # says what is wrong before anything is held
                actions.schedule(world, visit, name, version=version or None, **timing)
                return see_other(f"/campaigns/{name}", "scheduled")
        except EditedMeanwhile as problem:
            return form(visit, _find(world, name), fields, meanwhile=sentence_of(problem))
        except FieldInvalid as problem:
            fields.problems[problem.field] = problem.sentence
        except CampaignInvalid as problem:
            fields.problems[_field_of(str(problem), timing)] = sentence_of(problem).replace("--own-time", "that")
        return form(visit, _find(world, name), fields)

    @pages.post("/campaigns/{name}/times")
    def times(visit: Marketer, name: Name, fields: Typed) -> Response:
        return page("campaigns/times.html", visit, outlook=outlook(fields, now=world.clock()))

    return pages


def shown(campaign: Campaign, visit: Visit, *, now: datetime) -> Fields:
    """The fields of the form for the campaign's own schedule; without one, for tomorrow at nine."""
    known = campaign.state in (CampaignState.SCHEDULED, CampaignState.PAUSED)
    zone = campaign.time_zone if known else visit.time_zone
    at = campaign.next_due if known else None
    local = (at or now).astimezone(FIRST_ON_EARTH if campaign.own_time else ZoneInfo(zone))
    values = {
        "when": "once",
        "date": f"{local:%Y-%m-%d}" if at else "",
        "time": f"{local:%H:%M}" if at else "09:00",
        "every": "week",
        "weekday": "1",
        "month_day": "1",
        "time_zone": zone,
        "own_time": "yes" if known and campaign.own_time else "",
        "missed": campaign.missed if known else Missed.LATE,
        "late_hours": str(campaign.late_hours if known else LATE_HOURS),
        "cron": campaign.cron if known else "",
    }
    if known and campaign.cron:
        values |= plain_choices(campaign.cron) or {"when": "cron"}
    fields = Fields({name: [value] for name, value in values.items()})
    fields.values["weekday"] = values["weekday"].split(",")
    return fields


def plain_choices(cron: str) -> dict[str, str] | None:
    """The choices of the form that say the same as this expression; None when there are none.

    >>> plain_choices("30 8 * * 1-5")
    {'when': 'often', 'time': '08:30', 'every': 'workday'}
    >>> plain_choices("*/5 * * * *") is None
    True
    """
    found = _SIMPLE.fullmatch(cron)
    if not found or int(found[1]) > 59 or int(found[2]) > 23 or "*" not in (found[3], found[4]):
        return None
    said = {"when": "often", "time": f"{int(found[2]):02}:{int(found[1]):02}"}
    if found[3] != "*":
        return said | {"every": "month", "month_day": found[3]}
    if found[4] == "*":
        return said | {"every": "day"}
    return said | ({"every": "workday"} if found[4] == "1-5" else {"every": "week", "weekday": found[4]})


def read(fields: Fields) -> dict[str, Any]:
    """The timing that was typed, as `campaigns.edit.schedule` takes it. What is missing is noted in fields.problems."""
    timing: dict[str, Any] = {
        "time_zone": fields.one("time_zone", "UTC"),
        "own_time": bool(fields.one("own_time")),
        "missed": fields.one("missed", Missed.LATE),
        "late_hours": fields.number("late_hours", LATE_HOURS, least=1, most=MOST_LATE_HOURS),
    }
    kind = fields.one("when", "once")
    if kind == "cron":
        cron = fields.one("cron")
        if not cron or len(cron) > actions.LONGEST_CRON:
            fields.problems["cron"] = "write an expression of five parts, such as 0 9 * * 1"
        return timing | {"cron": cron}
    time = _TIME.fullmatch(fields.one("time"))
    if not time:
        fields.problems["time"] = "say at what time, such as 09:00"
        return timing
    if kind == "often":
        return timing | {"cron": _cron(fields, f"{int(time[2])} {int(time[1])}")}
    try:
        day = datetime.strptime(fields.one("date"), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fields.problems["date"] = "say on which day, such as 2026-12-01"
        return timing
    return timing | {"at": f"{day:%Y-%m-%d} {time[0]}"}


def outlook(fields: Fields, *, now: datetime) -> Outlook:
    """What the typed schedule would do."""
    typed = Fields(fields.values)
    timing = read(typed)
    if typed.problems:
        return Outlook(problem=next(iter(typed.problems.values())))
    try:
        first = first_due(now=now, **timing)
        cron = timing.get("cron", "")
        if not cron:
            return Outlook("once", (first,))
        times = islice(due_times(cron, timing["time_zone"], after=now, own_time=timing["own_time"]), TIMES_SHOWN)
        return Outlook(cron_in_words(cron), tuple(times))
    except CampaignInvalid as error:
        return Outlook(problem=sentence_of(error).replace("--own-time", "that"))


def _cron(fields: Fields, minute_and_hour: str) -> str:
    every = fields.one("every", "week")
    if every == "day":
        return f"{minute_and_hour} * * *"
    if every == "workday":
        return f"{minute_and_hour} * * 1-5"
    if every == "month":
        day = fields.one("month_day", "1")
        if day != "L" and not (day.isdecimal() and day.isascii() and 1 <= int(day) <= 31):
            fields.problems["month_day"] = "choose a day of the month"
        return f"{minute_and_hour} {day} * *"
    known = [number for number, _ in WEEKDAYS]
    days = sorted({day for day in fields.all("weekday") if day in known})
    if not days:
        fields.problems["weekday"] = "choose at least one day of the week"
    return f"{minute_and_hour} * * {','.join(days)}"


def _field_of(sentence: str, timing: dict[str, Any]) -> str:
    """Beside which field a sentence of the room below belongs."""
    if "time zone" in sentence:
        return "time_zone"
    return "cron" if timing.get("cron") else "date"


def _find(world: World, name: str) -> Campaign:
    with reading(world.database) as session:
        return find_campaign(session, name)


@cache
def _zones() -> tuple[str, ...]:
    """Those that people know: 430 of 600, without such as Etc/GMT+5 and posix/…."""
    areas = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
    return ("UTC", *sorted(name for name in available_timezones() if name.startswith(areas)))
