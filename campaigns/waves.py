"""Each person's own time zone: one local time, reached in waves from UTC+14 to UTC-12, 26 hours in all."""

from datetime import UTC, datetime

from campaigns.calendar import FIRST_ON_EARTH
from campaigns.models import Campaign, Run
from campaigns.wall_clock import find_zone, moment_of, moment_on_its_day


class Waves:
    """When the local time `wall` (naive) has come in each time zone. A few hundred zones: each is worked out once."""

    def __init__(self, wall: datetime, fallback: str) -> None:
        self._wall, self._fallback = wall, fallback
        self._known: dict[str, datetime] = {}

    def due_at(self, time_zone: str) -> datetime:
        """The moment in UTC. An empty or unknown zone: that of the campaign.

        A time that comes twice means the first, one that the clock skips is right after the gap, or right before a gap
        that ends on the next day.
        """
        found = self._known.get(time_zone)
        if found is None:
            zone = (find_zone(time_zone) if time_zone else None) or find_zone(self._fallback) or UTC
            found = moment_on_its_day(self._wall, zone) or moment_of(self._wall, zone)
            self._known[time_zone] = found
        return found


def waves_of(campaign: Campaign, occurrence: datetime) -> Waves:
    """The waves of an occurrence of a campaign in own time: it is due where its local time comes first."""
    return Waves(occurrence.astimezone(FIRST_ON_EARTH).replace(tzinfo=None), campaign.time_zone)


def waves_of_run(campaign: Campaign, run: Run) -> Waves | None:
    """The waves of a run, None when all of it is due at once. A run begun by hand is meant for now."""
    return waves_of(campaign, run.occurrence) if campaign.own_time and run.unattended else None
