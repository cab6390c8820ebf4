"""From what the clocks of a place show to the moment it happens, also on days on which they are moved."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


@lru_cache(maxsize=1_024)  # there are about 600
def find_zone(name: str) -> ZoneInfo | None:
    """The IANA time zone of this name, None when there is none. Read once: `ZoneInfo` asks the disk about wrong names
    each time."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder such as "Europe"
        return None


def moment_of(wall: datetime, zone: tzinfo) -> datetime:
    """The first moment, in UTC, at which clocks in this zone show `wall` (naive) or later.

    A time that comes twice means the first; one that is skipped is right after the gap.

    >>> berlin = ZoneInfo("Europe/Berlin")
    >>> f"{moment_of(datetime(2026, 3, 29, 2, 30), berlin):%H:%M}"  # clocks go from 02:00 to 03:00
    '01:00'
    >>> f"{moment_of(datetime(2026, 10, 25, 2, 30), berlin):%H:%M}"  # and from 03:00 to 02:00
    '00:30'
    """
    first = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if first.astimezone(zone).replace(tzinfo=None) == wall:
        return first
    # in a gap: read with the offset before it, the moment lies after the gap; with the one after, before (PEP 495)
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), first
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:  # 17 steps for a whole day
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == old else (before, middle)
    return after


def moment_on_its_day(wall: datetime, zone: tzinfo) -> datetime | None:
    """Like `moment_of`, but never on another local day than `wall`: what happens daily happens once each day.

    A gap that ends on the next day (Nuuk skips 23:00 to 24:00 on a Saturday) gives the last minute before it. None for
    a day that the zone has not had at all (Apia: 30 December 2011).
    """
    at = moment_of(wall, zone)
    for moment in (at, at - _MINUTE):
        if moment.astimezone(zone).date() == wall.date():
            return moment
    return None
