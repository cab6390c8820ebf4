"""Make and change campaigns: every change is one committed transaction, and a bad definition changes nothing."""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns import calendar
from campaigns.errors import CampaignInvalid, CampaignUnknown, WrongState
from campaigns.models import Campaign, CampaignState, Missed, Run
from campaigns.pick_rules import PickRules, rules_of
from campaigns.settings import Settings
from campaigns.transports import TRANSPORTS
from engine.errors import EngineError
from engine.render.environment import TemplateFolders, TemplateSheet
from engine.render.languages import LINES
from engine.render.locale import is_language

MOST_PICKS = 12
LATE_HOURS, MOST_LATE_HOURS = 24, 720  # hours: a day, 30 days
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOVES = {
    "pause": ([CampaignState.SCHEDULED], CampaignState.PAUSED),
    "resume": ([CampaignState.PAUSED], CampaignState.SCHEDULED),
    "cancel": ([CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.PAUSED], CampaignState.CANCELLED),
}


@dataclass(frozen=True)
class Definition:
    """What a marketer says about a campaign. Empty subject and preheader: the template's own."""

    name: str
    template: str = "picked-for-you"
    subject: str = ""
    preheader: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    picks: int = 5
    transport: str = "outbox"
    rules: PickRules = field(default_factory=PickRules)


def find_campaign(session: Session, name: str) -> Campaign:
    """The campaign of this name. Raises CampaignUnknown."""
    campaign = session.scalars(select(Campaign).where(col(Campaign.name) == name)).first()
    if campaign is None:
        names = ", ".join(session.scalars(select(col(Campaign.name)).order_by(col(Campaign.name)))) or "none yet"
        raise CampaignUnknown(f"there is no campaign {name!r}; there are: {names}")
    return campaign


def list_campaigns(session: Session) -> list[Campaign]:
    """All campaigns, by name."""
    return list(session.scalars(select(Campaign).order_by(col(Campaign.name))))


def runs_of(session: Session, campaign: Campaign) -> list[Run]:
    """The runs of a campaign, the newest first."""
    return list(session.scalars(select(Run).where(col(Run.campaign_id) == campaign.id).order_by(col(Run.id).desc())))


def save_campaign(session: Session, definition: Definition, settings: Settings, *, now: datetime) -> Campaign:
    """Make the campaign, or change the one of this name; commits. Raises CampaignInvalid, WrongState."""
    sheet = _check(definition, settings.templates)
    rules_of(definition.rules, settings)
    campaign = session.scalars(select(Campaign).where(col(Campaign.name) == definition.name)).first()
    if campaign is None:
        campaign = Campaign(name=definition.name, template=definition.template, subject="", created_at=now)
    elif campaign.state == CampaignState.CANCELLED:
        raise WrongState(f"campaign {campaign.name} is cancelled; make a new one")
    campaign.template, campaign.picks = definition.template, definition.picks
    campaign.subject = "" if definition.subject == sheet.subject else definition.subject
    campaign.preheader = "" if definition.preheader == sheet.preheader else definition.preheader
    campaign.variables = json.dumps(dict(definition.variables), sort_keys=True, ensure_ascii=False)
    campaign.transport = definition.transport
    campaign.rules = definition.rules.as_json()
    session.add(campaign)
    session.commit()
    return campaign


def definition_from_file(path: Path) -> tuple[Definition, dict[str, Any]]:
    """(a definition, its [schedule] table) from a TOML file. Raises CampaignInvalid."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CampaignInvalid(f"there is no file {str(path)!r}; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CampaignInvalid(f"{path.name} is not TOML: {error}") from None
    schedule = plain.pop("schedule", {})
    _check_types(path.name, plain, schedule)
    unknown = set(plain) - set(Definition.__dataclass_fields__)
    if unknown or "name" not in plain:
        problem = f"has an unknown field {sorted(unknown)[0]!r}" if unknown else "has no name"
        raise CampaignInvalid(
            f"{path.name} {problem}; fields are: {', '.join(Definition.__dataclass_fields__)}, schedule"
        )
    rules = PickRules.from_plain(plain.pop("rules", {}))
    return Definition(**plain, rules=rules), schedule


def schedule(
    session: Session,
    name: str,
    *,
    now: datetime,
    at: str = "",
    cron: str = "",
    time_zone: str = "UTC",
    own_time: bool = False,
    missed: str = Missed.LATE,
    late_hours: int = LATE_HOURS,
) -> Campaign:
    """Set when the campaign goes out: once (`at`) or again and again (`cron`), in a time zone; commits.

    own_time: in each person's own time zone; `time_zone` is then for people whose zone is not known. missed: what
    becomes of a time that the scheduler finds too late.
    Raises CampaignInvalid for a time in the past, or neither or both of `at` and `cron`.
    """
    campaign = find_campaign(session, name)
    if campaign.state == CampaignState.CANCELLED:
        raise WrongState(f"campaign {name} is cancelled; make a new one")
    said: dict[str, Any] = {"own_time": own_time, "missed": missed, "late_hours": late_hours}
    moment = first_due(now=now, at=at, cron=cron, time_zone=time_zone, **said)
    campaign.cron, campaign.time_zone, campaign.next_due = cron, time_zone, moment
    campaign.own_time, campaign.missed, campaign.late_hours = own_time, missed, late_hours
    campaign.state = CampaignState.SCHEDULED
    session.add(campaign)
    session.commit()
    return campaign


def first_due(
    *,
    now: datetime,
    at: str = "",
    cron: str = "",
    time_zone: str = "UTC",
    own_time: bool = False,
    missed: str = Missed.LATE,
    late_hours: int = LATE_HOURS,
) -> datetime:
    """When a schedule is due first, in UTC. Raises CampaignInvalid."""
    if bool(at) == bool(cron):
        raise CampaignInvalid("say either when (--at) or how often (--cron)")
    if missed not in list(Missed):
        raise CampaignInvalid(f"missed is {', '.join(Missed)}: one of these, not {missed!r}")
    if not 1 <= late_hours <= MOST_LATE_HOURS:
        raise CampaignInvalid(f"late hours must be 1 to {MOST_LATE_HOURS}, not {late_hours}")
    if cron:
        return calendar.next_due(cron, time_zone, after=now, own_time=own_time)
    moment = calendar.local_time(at, time_zone, own_time=own_time)
    if moment > now:
        return moment
    if own_time:
        raise CampaignInvalid(
            f"{at} has come already where the day begins (UTC+14); choose a later time for --own-time"
        )
    raise CampaignInvalid(f"{at} {time_zone} is in the past; it is {now:%Y-%m-%d %H:%M} UTC")


def move(session: Session, name: str, action: str, *, now: datetime) -> Campaign:
    """pause, resume or cancel a campaign; commits. Raises WrongState.

    What came due while it was paused is not sent afterwards: a cron goes on with its next time, and a single date
    that has passed must be set anew.
    """
    campaign = find_campaign(session, name)
    allowed, after = _MOVES[action]
    if campaign.state not in allowed:
        raise WrongState(f"campaign {name} is {campaign.state}; {action} needs one that is {' or '.join(allowed)}")
    if action == "resume":
        if campaign.cron:
            zone, own = campaign.time_zone, campaign.own_time
            campaign.next_due = calendar.next_due(campaign.cron, zone, after=now, own_time=own)
        elif campaign.next_due is None or campaign.next_due <= now:
            raise WrongState(f"the date of campaign {name} has passed; schedule it anew")
    campaign.state = after
    session.add(campaign)
    session.commit()
    return campaign


def _check_types(file: str, plain: Mapping[str, Any], schedule: Any) -> None:
    """Raises CampaignInvalid for a value of another type than its field has, and for an unknown schedule field."""
    wanted: dict[str, type] = dict.fromkeys(("name", "template", "subject", "preheader", "transport"), str)
    wanted |= {"picks": int, "variables": dict, "rules": dict}
    for name, kind in wanted.items():
        if name in plain and not isinstance(plain[name], kind):
            words = {str: "a text in quotes", int: "a whole number", dict: f"a table [{name}]"}[kind]
            raise CampaignInvalid(f"{file}: {name} must be {words}, not {plain[name]!r}")
    known = {"at": str, "cron": str, "time_zone": str, "own_time": bool, "missed": str, "late_hours": int}
    words = "holds texts in quotes, and own_time = true or false, and late_hours = a whole number"
    if not isinstance(schedule, dict):
        raise CampaignInvalid(f"{file}: [schedule] {words}; fields are: {', '.join(known)}")
    if unknown := sorted(set(schedule) - set(known)):
        raise CampaignInvalid(f"{file}: [schedule] has an unknown field {unknown[0]!r}; fields are: {', '.join(known)}")
    for name, value in schedule.items():
        if type(value) is not known[name]:  # not isinstance: true is an int
            raise CampaignInvalid(f"{file}: [schedule] {words}; {name} = {value!r} is something else")


def _check(definition: Definition, templates: TemplateFolders) -> TemplateSheet:
    if not _NAME.fullmatch(definition.name):
        raise CampaignInvalid(f"name {definition.name[:70]!r}: use small letters, digits and hyphens, at most 63")
    try:
        sheet = templates.sheet(definition.template)
    except EngineError as error:
        raise CampaignInvalid(str(error)) from None
    _check_variables(definition.variables, sheet)
    if any(not isinstance(value, str) for value in definition.variables.values()):
        raise CampaignInvalid("variables are texts; put them in quotes")
    if not 1 <= definition.picks <= MOST_PICKS:
        raise CampaignInvalid(f"picks must be 1 to {MOST_PICKS}, not {definition.picks}")
    if definition.transport not in TRANSPORTS:
        raise CampaignInvalid(f"there is no transport {definition.transport!r}; there are: {', '.join(TRANSPORTS)}")
    return sheet


def _check_variables(variables: Mapping[str, str], sheet: TemplateSheet) -> None:
    """`headline`, or `headline.de` for German readers; subject and preheader too in other languages."""
    for given in sorted(variables):
        name, dot, language = given.partition(".")
        if name not in sheet.defaults() and not (dot and name in LINES):
            known = ", ".join(sheet.defaults()) or "none"
            raise CampaignInvalid(f"template {sheet.name} has no variable {name!r}; it has: {known}")
        if dot and not is_language(language):
            raise CampaignInvalid(f"{given}: {language!r} is no language; write {name}.de for German readers")
