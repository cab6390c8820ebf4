"""When is a campaign due? Once, or by cron in a time zone, kept as one moment in our own table."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from sqlalchemy import update
from sqlmodel import Session, col, select

from campaigns.errors import CampaignInvalid
from campaigns.models import Campaign, CampaignState


def next_due(cron: str, time_zone: str, *, after: datetime) -> datetime:
    """The first moment after `after` at which the cron expression is due, in UTC.

    Weekdays are cron's own (0 and 7 are Sunday, 1 is Monday). On the night the clock goes back a fixed time is due
    once; one that the clock skips is due right after the gap (Debian's cron, through cronsim).
    Raises CampaignInvalid.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise CampaignInvalid(f"{time_zone!r} is no IANA time zone such as Europe/Berlin") from None
    try:
        return next(CronSim(cron, after.astimezone(zone))).astimezone(UTC)
    except CronSimError as error:
        raise CampaignInvalid(f"cron {cron!r}: {error}; for example '0 9 * * 1' is Mondays at 9:00") from None
    except StopIteration:
        raise CampaignInvalid(f"cron {cron!r} is never due") from None


def local_time(text: str, time_zone: str) -> datetime:
    """A time a person wrote, such as "2026-12-01 09:00", in their zone unless it names one. Raises CampaignInvalid."""
    try:
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=ZoneInfo(time_zone)) if at.tzinfo is None else at).astimezone(UTC)
    except ZoneInfoNotFoundError:
        raise CampaignInvalid(f"{time_zone!r} is no IANA time zone such as Europe/Berlin") from None
    except ValueError:
        raise CampaignInvalid(f"{text!r} is no time such as '2026-12-01 09:00'") from None


def due(session: Session, *, now: datetime) -> list[Campaign]:
    """Scheduled campaigns whose time has come, the longest overdue first."""
    waiting = select(Campaign).where(
        col(Campaign.state) == CampaignState.SCHEDULED,
        col(Campaign.next_due).is_not(None),
        col(Campaign.next_due) <= now,
    )
    return list(session.exec(waiting.order_by(col(Campaign.next_due), col(Campaign.id))))


def advance(session: Session, campaign: Campaign, *, now: datetime) -> None:
    """Move on to the next occurrence after `now`, or end a campaign that is due once; commits.

    Compare and set on the occurrence we saw: two schedulers cannot skip one.
    """
    following = next_due(campaign.cron, campaign.time_zone, after=now) if campaign.cron else None
    state = CampaignState.SCHEDULED if following else CampaignState.DONE
    session.execute(
        update(Campaign)
        .where(col(Campaign.id) == campaign.id, col(Campaign.next_due) == campaign.next_due)
        .where(col(Campaign.state) == CampaignState.SCHEDULED)
        .values(next_due=following, state=state)
    )
    session.commit()
