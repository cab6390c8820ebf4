"""Make and change campaigns: every change is one committed transaction, and a bad definition changes nothing.

A campaign counts its changes. Who says which version they began with is told when somebody else was quicker.
"""

import json
from datetime import datetime
from typing import Any

from sqlmodel import Session

from campaigns import approval, calendar, segments
from campaigns.definition import Definition as Definition  # noqa: PLC0414 - others take it from here
from campaigns.definition import check_definition, check_name
from campaigns.definition import definition_from_file as definition_from_file  # noqa: PLC0414
from campaigns.errors import CampaignInvalid, CampaignUnknown, EditedMeanwhile, WrongState
from campaigns.finding import find_campaign as find_campaign  # noqa: PLC0414
from campaigns.finding import list_campaigns as list_campaigns  # noqa: PLC0414
from campaigns.finding import runs_of as runs_of  # noqa: PLC0414
from campaigns.models import Campaign, CampaignState, Missed
from campaigns.pick_rules import rules_of
from campaigns.settings import Settings
from subscribers.database import insert_new

LATE_HOURS, MOST_LATE_HOURS = 24, 720  # hours: a day, 30 days
_MOVES = {
    "pause": ([CampaignState.SCHEDULED], CampaignState.PAUSED),
    "resume": ([CampaignState.PAUSED], CampaignState.SCHEDULED),
    "cancel": ([CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.PAUSED], CampaignState.CANCELLED),
}
_SAVED = ("template", "subject", "preheader", "variables", "picks", "rules", "transport", "segments")


def save_campaign(
    session: Session, definition: Definition, settings: Settings, *, now: datetime, version: int | None = None
) -> Campaign:
    """Make the campaign, or change the one of this name; commits.

    version: the one that the editor began with, 0 for one that is to be new; None overwrites whatever is there. What
    changes the mails or whom they go to takes the approval away. Raises CampaignInvalid, WrongState, EditedMeanwhile.
    """
    sheet = check_definition(definition, settings.templates)
    rules_of(definition.rules, settings)
    segments.check(session, definition.segments)
    campaign = _to_save(session, definition, version, now)
    before = campaign.model_dump(include=set(_SAVED))
    campaign.template, campaign.picks = definition.template, definition.picks
    campaign.subject = "" if definition.subject == sheet.subject else definition.subject
    campaign.preheader = "" if definition.preheader == sheet.preheader else definition.preheader
    campaign.variables = json.dumps(dict(definition.variables), sort_keys=True, ensure_ascii=False)
    campaign.transport = definition.transport
    campaign.rules, campaign.segments = definition.rules.as_json(), definition.segments.as_json()
    if campaign.id is not None and campaign.model_dump(include=set(_SAVED)) != before:
        campaign.version += 1
    approval.forget_if_changed(session, campaign, settings)
    session.add(campaign)
    session.commit()
    return campaign


def _to_save(session: Session, definition: Definition, version: int | None, now: datetime) -> Campaign:
    """The campaign to be changed, or a new one. Raises WrongState, EditedMeanwhile, CampaignUnknown."""
    if version:
        campaign = find_campaign(session, definition.name, to_change=True)
        _check_version(campaign, version)
    else:
        try:
            campaign = find_campaign(session, definition.name, to_change=True)
        except CampaignUnknown:
            return Campaign(name=definition.name, template=definition.template, subject="", created_at=now)
        if version == 0:
            raise WrongState(f"there is a campaign {definition.name} already; choose another name")
    if campaign.state == CampaignState.CANCELLED:
        raise WrongState(f"campaign {campaign.name} is cancelled; make a new one")
    return campaign


def duplicate(session: Session, name: str, new_name: str, *, now: datetime) -> Campaign:
    """A draft of another name that says the same; commits. It has no schedule and no approval.

    Raises CampaignUnknown, CampaignInvalid, and WrongState when there is a campaign of the new name.
    """
    check_name(new_name)
    like = find_campaign(session, name)
    copy = {field: getattr(like, field) for field in _SAVED}
    fresh = Campaign(name=new_name, created_at=now, **copy)
    if not insert_new(session, Campaign, [fresh.model_dump(exclude={"id"})]):
        raise WrongState(f"there is a campaign {new_name} already; choose another name")
    session.commit()
    return find_campaign(session, new_name)


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
    version: int | None = None,
) -> Campaign:
    """Set when the campaign goes out: once (`at`) or again and again (`cron`), in a time zone; commits.

    own_time: in each person's own time zone; `time_zone` is then for people whose zone is not known. missed: what
    becomes of a time that the scheduler finds too late. version: the one that was looked at.
    Raises CampaignInvalid for a time in the past, or neither or both of `at` and `cron`; EditedMeanwhile.
    """
    campaign = find_campaign(session, name, to_change=True)
    _check_version(campaign, version)
    if campaign.state == CampaignState.CANCELLED:
        raise WrongState(f"campaign {name} is cancelled; make a new one")
    said: dict[str, Any] = {"own_time": own_time, "missed": missed, "late_hours": late_hours}
    moment = first_due(now=now, at=at, cron=cron, time_zone=time_zone, **said)
    campaign.cron, campaign.time_zone, campaign.next_due = cron, time_zone, moment
    campaign.own_time, campaign.missed, campaign.late_hours = own_time, missed, late_hours
    campaign.state = CampaignState.SCHEDULED
    campaign.version += 1
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


def move(session: Session, name: str, action: str, *, now: datetime, version: int | None = None) -> Campaign:
    """pause, resume or cancel a campaign; commits. Raises WrongState, EditedMeanwhile.

    What came due while it was paused is not sent afterwards: a cron goes on with its next time, and a single date
    that has passed must be set anew.
    """
    campaign = find_campaign(session, name, to_change=True)
    _check_version(campaign, version)
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
    campaign.version += 1
    session.add(campaign)
    session.commit()
    return campaign


def _check_version(campaign: Campaign, version: int | None) -> None:
    if version not in (None, campaign.version):
        raise EditedMeanwhile(campaign.name, version or 0, campaign.version)
