"""What somebody does to a campaign, by a page or by the API: one transaction each, with its audit line."""

import json
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from campaigns import approval, checklist, edit
from campaigns.cron_words import cron_in_words
from campaigns.definition import Definition
from campaigns.errors import CampaignUnknown, EditedMeanwhile, WrongState
from campaigns.execute import World
from campaigns.finding import find_campaign
from campaigns.models import Campaign, CampaignState, Run, RunState
from campaigns.pick_rules import PickRules
from campaigns.runs import RETRY_AFTER
from campaigns.segments import segments_of
from studio.audit import note
from studio.errors import FieldInvalid
from studio.visit import Visit
from subscribers.database import reading, writing

TAKEN = ("new", "calendar", "audience")  # addresses of the studio's own, beside /campaigns/{name}
LONGEST_LINE, LONGEST_TEXT, LONGEST_CRON = 500, 5_000, 100  # characters; the first and the last as their columns
ASKED_WITHIN = timedelta(hours=1)
UNDER_WAY = (RunState.PLANNING, RunState.PLANNED, RunState.SENDING)
_MOVED = {"pause": "paused", "resume": "resumed", "cancel": "cancelled"}


def save(world: World, visit: Visit, definition: Definition, *, version: int | None = None) -> Campaign:
    """Make or change a campaign. version: as for `campaigns.edit.save_campaign`.

    The audit line says which version came of it and which fields changed; who is told that somebody was quicker is
    told this. Raises FieldInvalid, CampaignInvalid, WrongState, EditedMeanwhile, CampaignUnknown.
    """
    _check_texts(definition)
    now = world.clock()
    with writing(world.database) as session:
        changed = _changed(session, definition)
        note(session, visit, "campaign.save", f"campaign {definition.name}", now=now, detail=changed)
        return edit.save_campaign(session, definition, world.settings, now=now, version=version)


def schedule(world: World, visit: Visit, name: str, **timing: Any) -> Campaign:
    """Set when it goes out. timing: as for `campaigns.edit.schedule`. Raises what that does, and FieldInvalid."""
    now, cron = world.clock(), str(timing.get("cron", ""))
    if len(cron) > LONGEST_CRON:
        raise FieldInvalid("cron", f"use at most {LONGEST_CRON} characters")
    with writing(world.database) as session:
        campaign = find_campaign(session, name, to_change=True)
        words = cron_in_words(cron) if cron else str(timing.get("at", ""))
        detail = f"version {campaign.version + 1}: {words}, {timing.get('time_zone', 'UTC')}"
        note(session, visit, "campaign.schedule", f"campaign {name}", now=now, detail=detail)
        return edit.schedule(session, name, now=now, **timing)


def move(world: World, visit: Visit, name: str, action: str) -> Campaign:
    """pause, resume or cancel. Raises CampaignUnknown, WrongState."""
    now = world.clock()
    with writing(world.database) as session:
        campaign = find_campaign(session, name, to_change=True)
        detail = f"version {campaign.version + 1}: {_MOVED[action]}"
        note(session, visit, f"campaign.{action}", f"campaign {name}", now=now, detail=detail)
        return edit.move(session, name, action, now=now)


def approve(world: World, visit: Visit, name: str, *, version: int | None = None) -> Campaign:
    """Approve it as it stands. version: the one that was looked at. Raises what `campaigns.approval.approve` does."""
    now = world.clock()
    with writing(world.database) as session:
        campaign = find_campaign(session, name, to_change=True)
        detail = f"as it is in version {campaign.version}"
        note(session, visit, "campaign.approve", f"campaign {name}", now=now, detail=detail)
        return approval.approve(session, name, visit.name, world.settings, now=now, version=version)


def duplicate(world: World, visit: Visit, name: str, new_name: str) -> Campaign:
    """A draft of another name that says the same. Raises CampaignUnknown, CampaignInvalid, WrongState, FieldInvalid."""
    now = world.clock()
    refuse_taken(new_name)
    with writing(world.database) as session:
        note(session, visit, "campaign.duplicate", f"campaign {new_name}", now=now, detail=f"of {name}")
        return edit.duplicate(session, name, new_name, now=now)


def send_now(world: World, visit: Visit, name: str, *, asked_at: datetime | None = None) -> Run:
    """Make a run for this moment, which the scheduler takes to its end within seconds.

    asked_at: the moment of the page with the button, which is then the run's: whoever presses it twice gets the same
    run again. Raises CampaignUnknown, and WrongState while the checklist blocks, or a run is under way already.
    """
    now = world.clock()
    occurrence = asked_at or now
    if not now - ASKED_WITHIN <= occurrence <= now:
        raise WrongState("that page is more than an hour old; open it again, and look whether all is as you expect")
    with reading(world.database) as session:  # a look of a second must keep no writer waiting
        looked_at = find_campaign(session, name)
        if (made := _run_of(session, looked_at, occurrence)) is not None:
            return made
        _refuse_unready(session, looked_at, world)
    with writing(world.database) as session:
        campaign = find_campaign(session, name, to_change=True)
        if campaign.version != looked_at.version:
            raise EditedMeanwhile(name, looked_at.version, campaign.version)
        if (made := _run_of(session, campaign, occurrence)) is not None:
            return made
        _refuse_a_second(session, campaign)
        note(session, visit, "campaign.send", f"campaign {name}", now=now, detail=f"for {occurrence:%Y-%m-%d %H:%M}")
        run = _unattended(campaign, occurrence, now)
        session.add(run)
        try:
            session.commit()
        except IntegrityError:
            raise WrongState(f"a run of campaign {name} for this moment is there already; look at it first") from None
        return run


def definition_of(campaign: Campaign) -> Definition:
    """What a campaign says, as it was given. Raises CampaignInvalid."""
    return Definition(
        name=campaign.name,
        template=campaign.template,
        subject=campaign.subject,
        preheader=campaign.preheader,
        variables=json.loads(campaign.variables),
        picks=campaign.picks,
        transport=campaign.transport,
        rules=PickRules.from_plain(json.loads(campaign.rules)),
        segments=segments_of(campaign),
    )


def blocking(session: Session, campaign: Campaign, world: World) -> list[checklist.Item]:
    """What keeps the campaign from being sent at once: all that blocks, but for the time that is set for it."""
    items = checklist.checklist(session, campaign, world.settings, now=world.clock())
    return [item for item in checklist.blocks(items) if item.key != "schedule"]


def refuse_taken(name: str) -> None:
    """Raises FieldInvalid for a name under which the studio has a page of its own."""
    if name in TAKEN:
        raise FieldInvalid("name", f"the studio has a page called {name}; choose another name")


def _changed(session: Session, definition: Definition) -> str:
    """Which version comes of it, and the fields that change. Raises FieldInvalid for the name of a new one."""
    try:
        campaign = find_campaign(session, definition.name, to_change=True)
    except CampaignUnknown:
        refuse_taken(definition.name)
        return "version 1: made"
    before = definition_of(campaign)
    names = [each.name for each in fields(Definition)]
    changed = [name for name in names if getattr(before, name) != getattr(definition, name)]
    return f"version {campaign.version + bool(changed)}: {', '.join(changed) or 'nothing changed'}"


def _check_texts(definition: Definition) -> None:
    """Raises FieldInvalid for a text that is longer than its column, or that PostgreSQL would refuse."""
    lines = {"subject": definition.subject, "preheader": definition.preheader}
    texts = {f"variable.{name}": str(value) for name, value in definition.variables.items()}
    for given, longest in ((lines, LONGEST_LINE), (texts, LONGEST_TEXT)):
        for name, text in given.items():
            if len(text) > longest:
                raise FieldInvalid(name, f"use at most {longest:,} characters, not {len(text):,}")
            if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
                raise FieldInvalid(name, "has a character that no text may have; write it anew")


def _refuse_unready(session: Session, campaign: Campaign, world: World) -> None:
    if campaign.state == CampaignState.PAUSED:
        raise WrongState(f"campaign {campaign.name} is paused; resume it first")
    if found := blocking(session, campaign, world):
        raise WrongState(f"campaign {campaign.name} cannot be sent yet: {' '.join(item.says for item in found)}")


def _refuse_a_second(session: Session, campaign: Campaign) -> None:
    """Everybody would get it twice."""
    if campaign.state in (CampaignState.PAUSED, CampaignState.CANCELLED):
        raise WrongState(f"campaign {campaign.name} is {campaign.state}; nothing of it goes out")
    others = select(col(Run.id)).where(
        col(Run.campaign_id) == campaign.id, col(Run.state).in_(UNDER_WAY), col(Run.unattended), col(Run.errors) == 0
    )
    if (other := session.execute(others.limit(1)).scalar()) is not None:
        raise WrongState(f"run {other} of campaign {campaign.name} is under way; wait for its end, or cancel it")


def _run_of(session: Session, campaign: Campaign, occurrence: datetime) -> Run | None:
    same = select(Run).where(col(Run.campaign_id) == campaign.id, col(Run.occurrence) == occurrence)
    return session.scalars(same).first()


def _unattended(campaign: Campaign, occurrence: datetime, now: datetime) -> Run:
    """In nobody's name, and long untouched: whichever scheduler looks next takes it up."""
    assert campaign.id is not None  # it came from the database
    return Run(
        campaign_id=campaign.id,
        occurrence=occurrence,
        state=RunState.PLANNING,
        planned_at=now,
        unattended=True,
        alive_at=now - RETRY_AFTER,
    )
