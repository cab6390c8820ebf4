"""Hours in which nobody is to be woken by a mail, in each person's own time zone. Pure: nothing here reads a clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from campaigns.errors import SettingsInvalid
from campaigns.wall_clock import find_zone

_QUARTER = 900  # seconds


@dataclass(frozen=True)
class QuietHours:
    """From `start` o'clock until `end` o'clock, 0 to 23; over midnight when the start is the later one.

    >>> QuietHours(21, 8).hours == {21, 22, 23, 0, 1, 2, 3, 4, 5, 6, 7}
    True
    """

    start: int
    end: int

    @property
    def hours(self) -> frozenset[int]:
        """The hours of the day that are quiet."""
        return frozenset((self.start + hour) % 24 for hour in range((self.end - self.start) % 24))

    def quiet_zones(self, names: Iterable[str], *, now: datetime) -> set[str]:
        """Those of these time zones in which it is quiet now. Names that are none count as UTC."""
        return {name for name in names if self._is_quiet(_zone(name), now)}

    def next_awake(self, names: Iterable[str], *, now: datetime) -> datetime | None:
        """When the first of those that are quiet now stops being so, in UTC; None when none is quiet."""
        return min((self._awake_at(_zone(name), now) for name in self.quiet_zones(names, now=now)), default=None)

    def _is_quiet(self, zone: tzinfo, now: datetime) -> bool:
        return now.astimezone(zone).hour in self.hours

    def _awake_at(self, zone: tzinfo, now: datetime) -> datetime:
        """The first quarter of an hour that is not quiet: all clocks differ by quarters, and are moved at them. Looked
        for one by one, at most a day: then it does not matter how they are moved (Troll has 01:00 to 03:00 twice)."""
        at = datetime.fromtimestamp(now.timestamp() // _QUARTER * _QUARTER, UTC)
        while self._is_quiet(zone, at):  # so it is quiet at `now`, which lies in the same quarter
            at += timedelta(seconds=_QUARTER)
        return at


def quiet_hours(setting: str) -> QuietHours | None:
    """The hours of the setting `quiet_hours`, such as "21-8"; None when it is empty. Raises SettingsInvalid."""
    if not setting:
        return None
    start, _, end = setting.partition("-")
    try:
        found = QuietHours(int(start), int(end))
    except ValueError:
        raise SettingsInvalid(f"quiet_hours {setting!r} must be two hours such as 21-8") from None
    if not found.hours or not {found.start, found.end} <= set(range(24)):
        raise SettingsInvalid(f"quiet_hours {setting!r} must be two different hours from 0 to 23, such as 21-8")
    return found


def _zone(name: str) -> tzinfo:
    return (find_zone(name) if name else None) or UTC
