"""Who visits the shop, and when: sessions of a few minutes, spread over a year as each person's habits say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from studio.sample.habits import DAY, NONE, YEAR, Habits

Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

MOST_VIEWS = 12

_PLANNED_SHARE = 0.3  # at most this part of all visits is routine, or a small shop would sell nothing but cleanser
_AFTER_SWITCH_SHARE = 0.35  # enough to notice, and the last weeks are not too much busier than the others
_GIFT_SHARE = 0.6
_SUMMER_SHARE = 0.55
_HOURS = np.array([2, 1, 1, 1, 1, 2, 4, 7, 8, 7, 6, 7, 9, 8, 6, 6, 7, 8, 10, 13, 15, 14, 9, 4])  # by local hour


@dataclass(frozen=True)
class Visits:
    """One row per visit, in no order."""

    person: Whole
    start: Whole
    """Seconds since 1970, UTC"""
    views: Whole
    """1 to MOST_VIEWS products looked at"""
    gift: Flags
    """looking for a present"""
    summer: Flags
    """in the sun season"""
    staple: Whole
    """the product that this visit is made for, or NONE"""


def draw_visits(
    rng: np.random.Generator, habits: Habits, *, hours: Whole, staples: Whole, views: int, most: int, until: datetime
) -> Visits:
    """Visits with `views` views in all, at most `most` each.

    hours: (people,) distance of the local clock from UTC. staples: (people,) what a replenisher buys again and again.
    """
    sizes = _sizes(rng, views, most)
    routine_person, routine_start = _routine(rng, habits, most=int(len(sizes) * _PLANNED_SHARE))
    person = _visitors(rng, habits, len(sizes) - len(routine_person))
    moments, gift = _moments(rng, habits, person, hours, until)
    start = np.concatenate([routine_start, moments])
    return Visits(
        person=np.concatenate([routine_person, person]),
        start=start,
        views=sizes,
        gift=np.concatenate([np.zeros(len(routine_person), dtype=np.bool_), gift]),
        summer=_within(start, _summers(until)),
        staple=np.concatenate([staples[routine_person], np.full(len(person), NONE, dtype=np.int64)]),
    )


def _sizes(rng: np.random.Generator, views: int, most: int) -> Whole:
    """Visit sizes that add up to `views`: about 3.3 on average, single looks the most common."""
    drawn = np.minimum(rng.geometric(0.3, size=views), most).astype(np.int64)
    total = np.cumsum(drawn)
    count = int(np.searchsorted(total, views)) + 1
    sizes = drawn[:count]
    sizes[-1] -= total[count - 1] - views
    return sizes


def _routine(rng: np.random.Generator, habits: Habits, *, most: int) -> tuple[Whole, Whole]:
    """The visits of replenishers: every 6 to 10 weeks, give or take four days, as far back as the year goes."""
    people: list[int] = []
    starts: list[int] = []
    for row in np.flatnonzero(habits.replenishes):
        interval = int(rng.integers(42 * DAY, 70 * DAY))
        first, last = int(habits.first[row]), int(habits.last[row])
        due = last - int(rng.integers(interval))
        while due > first:
            moment = due + int(rng.integers(-4 * DAY, 4 * DAY))
            due -= interval
            if first <= moment <= last:
                people.append(int(row))
                starts.append(moment)
    kept = rng.permutation(len(people))[:most]
    return np.array(people, dtype=np.int64)[kept], np.array(starts, dtype=np.int64)[kept]


def _visitors(rng: np.random.Generator, habits: Habits, count: int) -> Whole:
    """Everybody with a history once (as far as the visits reach), the other visits in proportion to activity."""
    regulars = rng.permutation(np.flatnonzero(habits.activity > 0))[:count]
    chances = habits.activity / habits.activity.sum()
    return np.concatenate([regulars, rng.choice(len(chances), size=count - len(regulars), p=chances)])


def _moments(
    rng: np.random.Generator, habits: Habits, person: Whole, hours: Whole, until: datetime
) -> tuple[Whole, Flags]:
    """When each visit begins, and whether it is for a present.

    A moment is drawn anywhere in the person's time, then moved: to the weeks before an occasion, to the summer, or
    to the time after a change of mind. A move that would leave the person's time is not made.
    """
    first, last = habits.first[person], habits.last[person]
    anywhere = _between(rng, first, last)
    gift_time = _in_spans(rng, _gift_spans(until), len(person))
    to_gift = habits.gifts[person] & (rng.random(len(person)) < _GIFT_SHARE)
    to_gift &= (first <= gift_time) & (gift_time <= last)
    summer_time = _in_spans(rng, _summers(until), len(person))
    to_summer = habits.sun_season[person] & (rng.random(len(person)) < _SUMMER_SHARE)
    to_summer &= ~to_gift & (first <= summer_time) & (summer_time <= last)
    switched = habits.changed_to[person] != NONE
    after = _between(rng, np.where(switched, habits.switched_at[person], first), last)
    to_after = switched & (rng.random(len(person)) < _AFTER_SWITCH_SHARE)
    moment = np.select([to_gift, to_summer, to_after], [gift_time, summer_time, after], anywhere)
    return _at_home(rng, moment, hours[person], first, last), to_gift


def _between(rng: np.random.Generator, first: Whole, last: Whole) -> Whole:
    """A second from first to last, each row its own; `first` where the time is empty."""
    offset: Whole = (rng.random(len(first)) * np.maximum(last - first, 0)).astype(np.int64)
    return first + offset


def _at_home(rng: np.random.Generator, moment: Whole, hours: Whole, first: Whole, last: Whole) -> Whole:
    """The same UTC day at an hour when people at that place shop, most of all in the evening."""
    edges = np.cumsum(_HOURS)
    local = np.searchsorted(edges, rng.integers(int(edges[-1]), size=len(moment)), side="right")
    moved = moment // DAY * DAY + (local - hours) % 24 * 3_600 + rng.integers(3_600, size=len(moment))
    return np.where((first <= moved) & (moved <= last), moved, moment).astype(np.int64)


def _in_spans(rng: np.random.Generator, spans: list[tuple[int, int]], count: int) -> Whole:
    """A moment in the spans, every second of them equally likely."""
    begins = np.array([begin for begin, _ in spans], dtype=np.int64)
    lengths = np.array([end - begin for begin, end in spans], dtype=np.int64)
    edges = np.cumsum(lengths)
    second = rng.integers(int(edges[-1]), size=count)
    chosen = np.searchsorted(edges, second, side="right")
    moment: Whole = begins[chosen] + second - (edges - lengths)[chosen]
    return moment


def _gift_spans(until: datetime) -> list[tuple[int, int]]:
    """The weeks before Valentine's Day, Mother's Day (second Sunday of May) and the holidays of December."""
    spans = []
    for year in (until.year - 1, until.year):
        may = date(year, 5, 1)
        mothers_day = may + timedelta(days=(6 - may.weekday()) % 7 + 7)
        for last in (date(year, 2, 12), mothers_day - timedelta(days=2), date(year, 12, 20)):
            spans.append(_span(last - timedelta(days=18), last))
    return _overlapping(spans, until)


def _summers(until: datetime) -> list[tuple[int, int]]:
    """May to August, as far as the last 365 days reach into them."""
    return _overlapping([_span(date(year, 5, 1), date(year, 8, 31)) for year in (until.year - 1, until.year)], until)


def _within(moments: Whole, spans: list[tuple[int, int]]) -> Flags:
    """(moments,) which of them lie in one of the spans."""
    inside = np.zeros(len(moments), dtype=np.bool_)
    for begin, end in spans:
        inside |= (begin <= moments) & (moments < end)
    return inside


def _span(first: date, last: date) -> tuple[int, int]:
    """From the midnight that begins `first` to the one that ends `last`, in seconds since 1970, UTC."""
    begin, end = (int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) for day in (first, last))
    return begin, end + DAY


def _overlapping(spans: list[tuple[int, int]], until: datetime) -> list[tuple[int, int]]:
    """The spans, cut to the last 365 days; there is always one, because every season comes once a year."""
    newest = int(until.timestamp())
    oldest = newest - YEAR
    return [(max(begin, oldest), min(end, newest)) for begin, end in spans if begin < newest and end > oldest]
