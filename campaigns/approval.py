"""Approval: somebody has looked at exactly what is going to be sent. Whatever changes it ends the approval.

With the setting `require_approval` nothing is sent without. An approval holds the SHA-256 of everything that decides
what is sent to whom, so that also a template file that was edited, or a segment, is seen.
"""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col

from campaigns.errors import CampaignsError, EditedMeanwhile, NotApproved, WrongState
from campaigns.finding import find_campaign
from campaigns.models import Campaign, CampaignState
from campaigns.pick_rules import as_plain, rules_in
from campaigns.segments import rules_by_name, segments_of
from campaigns.settings import Settings
from engine.errors import EngineError
from engine.render.clients import template_files
from engine.render.environment import TemplateFolders
from engine.render.locale import catalogues
from subscribers.errors import SubscribersError

_SAID = ("template", "subject", "preheader", "picks", "transport")
_SENDER = ("sender_name", "sender_address", "postal_address", "website", "public_url", "language")
_COMPUTED = re.compile(r"""\{%-?\s*(?:extends|include|import|from)\s+(?!["'][^"']+["'])""")
_IMPORTS = re.compile(r"""\{%-?\s*(?:import|from)\s+["']""")


def fingerprint(session: Session, campaign: Campaign, settings: Settings) -> str:
    """The SHA-256 over everything that decides what is sent to whom, apart from the people themselves and the model.

    The template with all it includes, the campaign's words and its rules for picks joined with the shop's, its
    transport, its segments with their rules, and who it is from. Not when it is sent, and not `frequency_cap`, which
    only ever sends less. Raises TemplateMissing, TemplateBroken, SegmentUnknown, CampaignInvalid.
    """
    segments = segments_of(campaign)
    rules = {name: rule.as_plain() for name, rule in rules_by_name(session, segments).items()}
    plain: dict[str, Any] = {
        **{name: getattr(campaign, name) for name in _SAID},
        **{name: getattr(settings, name) for name in _SENDER},
        "variables": json.loads(campaign.variables),
        "rules": as_plain(rules_in(campaign.rules, settings)),
        "include": {name: rules[name] for name in segments.include},
        "exclude": {name: rules[name] for name in segments.exclude},
        "files": _sources(settings.templates, campaign.template),
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def is_approved(session: Session, campaign: Campaign, settings: Settings) -> bool:
    """Whether somebody approved the campaign as it stands. Raises what `fingerprint` does."""
    return bool(campaign.approved_sha256) and campaign.approved_sha256 == fingerprint(session, campaign, settings)


def missing(session: Session, campaign: Campaign, settings: Settings) -> str:
    """Why the campaign must not be sent for want of an approval, in a sentence; empty when it may."""
    if not settings.require_approval:
        return ""
    mend = f"`handpicked campaign approve {campaign.name}` approves it"
    if not campaign.approved_sha256:
        return f"campaign {campaign.name} is not approved; {mend}"
    try:
        if is_approved(session, campaign, settings):
            return ""
    except (CampaignsError, EngineError, SubscribersError) as error:
        return f"campaign {campaign.name} is not approved as it stands; {error}"
    who = f"{campaign.approved_by} approved it" if campaign.approved_by else "it was approved"
    return f"campaign {campaign.name} is not what it was when {who}; {mend} as it is now"


def demand(session: Session, campaign: Campaign, settings: Settings) -> None:
    """Raises NotApproved when the campaign must not be sent for want of an approval."""
    if why := missing(session, campaign, settings):
        raise NotApproved(why)


def approve(
    session: Session, name: str, by: str, settings: Settings, *, now: datetime, version: int | None = None
) -> Campaign:
    """Approve the campaign as it stands; commits. version: the one that was looked at.

    Raises CampaignUnknown, WrongState, EditedMeanwhile, and what `fingerprint` does.
    """
    campaign = find_campaign(session, name, to_change=True)
    if campaign.state == CampaignState.CANCELLED:
        raise WrongState(f"campaign {name} is cancelled; nothing of it is sent any more")
    if version not in (None, campaign.version):
        raise EditedMeanwhile(name, version or 0, campaign.version)
    values = {
        "approved_sha256": fingerprint(session, campaign, settings),
        "approved_by": by[:64],
        "approved_at": now,
    }
    still = (col(Campaign.id) == campaign.id, col(Campaign.version) == campaign.version)
    approved = session.execute(update(Campaign).where(*still).values(**values))
    session.commit()
    session.refresh(campaign)
    if not isinstance(approved, CursorResult) or approved.rowcount != 1:
        raise EditedMeanwhile(name, version or 0, campaign.version)
    return campaign


def forget_if_changed(session: Session, campaign: Campaign, settings: Settings) -> None:
    """Take the approval away when it is not of what the campaign is now; the caller commits."""
    try:
        if not campaign.approved_sha256 or is_approved(session, campaign, settings):
            return
    except (CampaignsError, EngineError, SubscribersError):
        pass  # what cannot be read any more is not what somebody approved
    campaign.approved_sha256, campaign.approved_by, campaign.approved_at = "", "", None


def _sources(folders: TemplateFolders, template: str) -> dict[str, str]:
    """The text of every file that the mails are made of; all files there are where a name is only known as it runs."""
    files = {
        f"{template}.toml": folders.source(f"{template}.toml"),
        **template_files(folders.source, f"{template}.html"),
    }
    if f"{template}.html" not in files:
        folders.source(f"{template}.html")  # says what there is
    files |= template_files(folders.source, f"{template}.txt") or template_files(folders.source, "layouts/plain.txt")
    if any(_COMPUTED.search(text) or _IMPORTS.search(text) for text in files.values()):
        files |= folders.files()
    return files | {f"{language}.po": text for language, text in catalogues(folders.folders).items()}
