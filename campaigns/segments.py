"""Whom a campaign is for: everybody in one of its segments and in none of those it leaves out."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, exists, func, select, union
from sqlmodel import Session, col

from campaigns.errors import CampaignInvalid, WrongState
from campaigns.models import Campaign, CampaignState
from subscribers import segments as roster_segments
from subscribers.database import take_turns
from subscribers.models import Segment, Subscriber, Suppression
from subscribers.segment_rules import SegmentRules


class Reach(NamedTuple):
    """How many people a campaign is for, and how many of them may be mailed now."""

    people: int
    may_mail: int


@dataclass(frozen=True)
class Segments:
    """The names of segments. include: somebody must be in one of them; none are everybody. exclude: and in none of
    these."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Segments":
        """From a TOML table, JSON or a form. Raises CampaignInvalid, naming what is wrong."""
        if unknown := sorted(set(plain) - {"include", "exclude"}):
            raise CampaignInvalid(f"[segments] has an unknown field {unknown[0]!r}; fields are: include, exclude")
        for name, value in plain.items():
            if not isinstance(value, list | tuple) or any(not isinstance(text, str) for text in value):
                raise CampaignInvalid(f"[segments] {name} must be a list of names, not {value!r}")
        include, exclude = (tuple(dict.fromkeys(plain.get(name, ()))) for name in ("include", "exclude"))
        if both := sorted(set(include) & set(exclude)):
            raise CampaignInvalid(f"segment {both[0]} is included and excluded at once; nobody would be left of it")
        return cls(include, exclude)

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    def as_json(self) -> str:
        """As a campaign keeps them: only what was said."""
        said = {name: list(getattr(self, name)) for name in ("include", "exclude") if getattr(self, name)}
        return json.dumps(said, sort_keys=True, ensure_ascii=False)


def segments_of(campaign: Campaign) -> Segments:
    """The segments of a campaign."""
    return Segments.from_plain(json.loads(campaign.segments))


def rules_by_name(session: Session, segments: Segments) -> dict[str, SegmentRules]:
    """The rules of each segment. Raises SegmentUnknown."""
    names = (*segments.include, *segments.exclude)
    return {name: SegmentRules.from_json(roster_segments.find_segment(session, name).rules) for name in names}


def people_of(
    session: Session, segments: Segments, now: datetime, *, only: int | Collection[int] | None = None
) -> Select[Any] | None:
    """The subscriber ids of those a campaign with these segments is for; None when that is everybody.

    only: look at this subscriber alone, or at these few, in microseconds each. Raises SegmentUnknown.
    """
    if not segments:
        return None
    rules = rules_by_name(session, segments)
    included = [roster_segments.people_in(rules[name], now, only=only) for name in segments.include]
    people = included[0] if included else roster_segments.people_in(SegmentRules(), now, only=only)
    if len(included) > 1:
        people = select(union(*included).subquery())  # SQLite knows no brackets around several
    if not segments.exclude:
        return people
    left_out = (roster_segments.people_in(rules[name], now, only=only) for name in segments.exclude)
    return select(people.except_(*left_out).subquery())


def is_for(session: Session, segments: Segments, now: datetime, person: int) -> bool:
    """Whether the campaign is for the person with this id. Raises SegmentUnknown."""
    people = people_of(session, segments, now, only=person)
    return people is None or session.execute(people).first() is not None


def reach(session: Session, segments: Segments, now: datetime) -> Reach:
    """How many people that is: up to 2 s for 1,000,000 people with 10,000,000 signals. Raises SegmentUnknown."""
    may_mail = and_(col(Subscriber.may_mail), ~exists().where(col(Suppression.key) == col(Subscriber.key)))
    counted = select(func.count(), func.count().filter(may_mail)).where(col(Subscriber.address) != "")
    people = people_of(session, segments, now)
    if people is not None:
        counted = counted.where(col(Subscriber.id).in_(people))
    return Reach(*session.execute(counted).one())


def check(session: Session, segments: Segments) -> None:
    """Raises CampaignInvalid when there is no such segment. Holds them, so that none is deleted before we commit."""
    if not segments:
        return
    take_turns(session, Segment)
    there = set(session.scalars(select(col(Segment.name))))
    if missing := [name for name in (*segments.include, *segments.exclude) if name not in there]:
        known = ", ".join(sorted(there)) or "none yet"
        raise CampaignInvalid(f"[segments] there is no segment {missing[0]!r}; there are: {known}")


def used_by(session: Session, name: str) -> list[str]:
    """The campaigns that name this segment and may still be sent, by name."""
    campaigns = session.scalars(
        select(Campaign).where(col(Campaign.segments) != "{}", col(Campaign.state) != CampaignState.CANCELLED)
    )
    users = [(campaign.name, segments_of(campaign)) for campaign in campaigns]
    return sorted(user for user, segments in users if name in (*segments.include, *segments.exclude))


def delete_segment(session: Session, name: str) -> None:
    """Delete a segment that no campaign uses; commits. Raises SegmentUnknown, WrongState."""
    roster_segments.find_segment(session, name)
    take_turns(session, Segment)  # a campaign that names it at this moment is either seen here or finds none
    if users := used_by(session, name):
        raise WrongState(f"segment {name} is used by {', '.join(users)}; take it out of there first")
    roster_segments.delete_segment(session, name)
    session.commit()
