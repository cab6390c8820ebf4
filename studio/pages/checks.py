"""The checklist of a campaign as pages show it: at once, or kept and made aside where that takes long."""

from sqlmodel import Session

from campaigns import checklist
from campaigns.execute import World
from campaigns.models import Campaign
from campaigns.segments import segments_of
from studio.figures import Figure, Figures
from subscribers.database import reading


def checks_of(world: World, figures: Figures, campaign: Campaign) -> Figure:
    """The checklist, as plain data. Whether there is anybody in segments is looked up aside: that can take a second."""

    def look(session: Session) -> list[dict[str, str]]:
        items = checklist.checklist(session, campaign, world.settings, now=world.clock())
        return [item.summary() for item in items]

    if segments_of(campaign):
        return figures(f"checks {campaign.id} {campaign.version} {campaign.approved_sha256}", look)
    with reading(world.database) as session:
        return Figure(look(session), world.clock())


def in_the_way(checks: Figure) -> list[dict[str, str]]:
    """What keeps the campaign from being sent at once: all that blocks, but for the time that is set for it."""
    return [item for item in checks.value or () if item["state"] == "block" and item["key"] != "schedule"]
