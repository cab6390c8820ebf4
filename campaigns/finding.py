"""Campaigns that are there, and their runs."""

from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.errors import CampaignUnknown
from campaigns.models import Campaign, Run


def find_campaign(session: Session, name: str, *, to_change: bool = False) -> Campaign:
    """The campaign of this name. to_change: nobody else changes it until we commit. Raises CampaignUnknown."""
    query = select(Campaign).where(col(Campaign.name) == name)
    if to_change:  # anew: what we read before we held it may be old
        query = query.with_for_update().execution_options(populate_existing=True)
    campaign = session.scalars(query).first()
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
