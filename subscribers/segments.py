"""Segments: named parts of the roster. Whatever their rules say becomes one SELECT of subscriber ids.

What everybody did is found by sets: 10,000,000 signals are read once, in 1 s, where asking the index over histories
person by person takes 25 s (1,000,000 people, SQLite: each signal is another page). That index (`ix_signal_history`) is
asked for one person, and where it knows the answer by itself: whether somebody did anything at all (0.4 s for all).
A segment is looked at anew each time; nobody is put into one.
"""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Select,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import Session, col

from subscribers.database import insert_new
from subscribers.errors import SubscribersError, shorten
from subscribers.models import Kind, Segment, Signal, Sku, Subscriber
from subscribers.segment_rules import ANY, KINDS, SegmentInvalid, SegmentRules

BY_TIME = 45  # days of signals that are looked up by their time; more are found by reading all of them
DAY = 86_400  # seconds
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ZERO = literal_column("0", Integer)


class SegmentUnknown(SubscribersError):
    """There is no segment of this name."""


def people_in(rules: SegmentRules, now: datetime, *, only: int | Collection[int] | None = None) -> Select[Any]:
    """The subscriber ids of everybody in the segment at `now`; erased people are in none.

    only: look at this subscriber alone, or at these few, in microseconds each. Combine several by UNION
    and EXCEPT: under OR and NOT both databases ask person by person.
    """
    conditions = [*_of_the_person(rules, now), *_of_the_history(rules, now, of_one=only is not None)]
    query = select(col(Subscriber.id)).where(col(Subscriber.address) != "", *conditions)
    if only is None:
        return query
    return query.where(col(Subscriber.id) == only if isinstance(only, int) else col(Subscriber.id).in_(only))


def count(session: Session, rules: SegmentRules, now: datetime) -> int:
    """How many people are in the segment at `now`, whether they may be mailed or not."""
    found: int = session.execute(select(func.count()).select_from(people_in(rules, now).subquery())).scalar_one()
    return found


def find_segment(session: Session, name: str) -> Segment:
    """The segment of this name. Raises SegmentUnknown."""
    segment = session.scalars(select(Segment).where(col(Segment.name) == name)).first()
    if segment is None:
        names = ", ".join(session.scalars(select(col(Segment.name)).order_by(col(Segment.name)))) or "none yet"
        raise SegmentUnknown(f"there is no segment {shorten(name)!r}; there are: {names}")
    return segment


def list_segments(session: Session) -> list[Segment]:
    """All segments, by name."""
    return list(session.scalars(select(Segment).order_by(col(Segment.name))))


def save_segment(session: Session, name: str, rules: SegmentRules, *, now: datetime) -> Segment:
    """Make the segment, or change the one of this name; commits. Raises SegmentInvalid."""
    if not _NAME.fullmatch(name):
        raise SegmentInvalid(f"name {shorten(name)!r}: use small letters, digits and hyphens, at most 63")
    known = set(session.scalars(select(col(Sku.code)).where(col(Sku.code).in_(rules.bought))))
    if missing := [code for code in rules.bought if code not in known]:
        raise SegmentInvalid(f"bought: no product has the code {shorten(missing[0])!r}; check the spelling")
    text = rules.as_json()
    insert_new(session, Segment, [{"name": name, "rules": text, "created_at": now, "changed_at": now}])
    changed = update(Segment).where(col(Segment.name) == name, col(Segment.rules) != text)
    session.execute(changed.values(rules=text, changed_at=now).execution_options(synchronize_session="fetch"))
    session.commit()
    return find_segment(session, name)


def delete_segment(session: Session, name: str) -> None:
    """Delete the segment; the caller commits, and has seen to it that nothing uses it. Raises SegmentUnknown."""
    segment = find_segment(session, name)
    session.execute(delete(Segment).where(col(Segment.id) == segment.id))


def _of_the_person(rules: SegmentRules, now: datetime) -> list[ColumnElement[bool]]:
    joined = col(Subscriber.joined_at)
    parts: list[ColumnElement[bool]] = []
    if rules.personalise is not None:
        parts.append(col(Subscriber.may_personalise).is_(rules.personalise))
    if rules.track is not None:
        parts.append(col(Subscriber.may_track).is_(rules.track))
    if rules.joined_after:
        parts.append(joined >= _midnight(rules.joined_after))
    if rules.joined_before:
        parts.append(joined < _midnight(rules.joined_before))
    if rules.joined_within_days:
        parts.append(joined >= now - timedelta(days=rules.joined_within_days))
    if rules.joined_longer_ago_days:
        parts.append(joined < now - timedelta(days=rules.joined_longer_ago_days))
    if rules.time_zones:
        parts.append(col(Subscriber.time_zone).in_(rules.time_zones))
    if rules.countries:  # lower() of the database on both sides: SQLite's leaves Ö as it is
        parts.append(func.lower(col(Subscriber.country)).in_([func.lower(country) for country in rules.countries]))
    if rules.languages:
        parts.append(or_(*map(_speaks, rules.languages)))
    return parts


def _speaks(language: str) -> ColumnElement[bool]:
    """Exactly that, or a kind of it: "de" is de and de-AT, and not den."""
    said = func.lower(col(Subscriber.language))
    return or_(said == language.lower(), said.startswith(f"{language.lower()}-", autoescape=True))


def _of_the_history(rules: SegmentRules, now: datetime, *, of_one: bool) -> Iterator[ColumnElement[bool]]:
    for kind, days in rules.did.items():
        ask = _in_history if of_one or kind == ANY else _among_those
        yield ask(_signals(kind, days, now))
    for kind, days in rules.did_not.items():
        ask = _not_in_history if of_one or kind == ANY else _not_among_those
        yield ask(_signals(kind, days, now))
    found = _in_history if of_one else _among_those
    bought = _signals("purchase", None, now)
    for code in rules.bought:
        product = select(col(Sku.id)).where(col(Sku.code) == code).scalar_subquery()
        yield found(bought.where(col(Signal.sku_id) == product))
    if rules.purchases and of_one:
        yield _of_theirs(bought.with_only_columns(func.count())).scalar_subquery() >= rules.purchases
    elif rules.purchases:
        # + 0: in the order of an index over people each signal is another page, 19 s against 1.3
        who = col(Signal.subscriber_id) + _ZERO
        yield found(bought.with_only_columns(who).group_by(who).having(func.count() >= rules.purchases))


def _among_those(signals: Select[Any]) -> ColumnElement[bool]:
    return col(Subscriber.id).in_(signals)


def _not_among_those(signals: Select[Any]) -> ColumnElement[bool]:
    known = signals.where(col(Signal.subscriber_id).is_not(None))  # NOT IN knows no answer beside a NULL
    return _NotAmong(col(Subscriber.id).not_in(known), ~exists(_of_theirs(signals)))


class _NotAmong(FunctionElement[bool]):
    """NOT IN, then the same as NOT EXISTS. SQLite makes a list for the first (0.9 s) and asks person by person for the
    second (7 s); PostgreSQL the other way around, as soon as the list is longer than its work_mem."""

    name, type, inherit_cache = "not_among", Boolean(), True


@compiles(_NotAmong)
def _as_not_exists(element: _NotAmong, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(list(element.clauses)[1], **options)


@compiles(_NotAmong, "sqlite")
def _as_not_in(element: _NotAmong, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(next(iter(element.clauses)), **options)


def _in_history(signals: Select[Any]) -> ColumnElement[bool]:
    return exists(_of_theirs(signals))


def _not_in_history(signals: Select[Any]) -> ColumnElement[bool]:
    return ~exists(_of_theirs(signals))


def _of_theirs(signals: Select[Any]) -> Select[Any]:
    return signals.where(col(Signal.subscriber_id) == col(Subscriber.id)).correlate(Subscriber)


def _signals(kind: str, days: int | None, now: datetime) -> Select[Any]:
    """Whose signals there are up to now: of a kind, or of any, as a sign of life. What was cancelled is no purchase."""
    until = int(now.timestamp())
    at: ColumnElement[int] | Mapped[int] = col(Signal.at)
    if kind != ANY and (days is None or days > BY_TIME):
        at = at + _ZERO  # not by the index over times: files come in any order, so each signal may be another page
    query = select(col(Signal.subscriber_id)).where(at <= until)
    if days is not None:
        query = query.where(at >= until - days * DAY)
    if kind_of := KINDS[kind]:
        query = query.where(col(Signal.kind) == kind_of)
    if kind_of == Kind.PURCHASE:
        query = query.where(col(Signal.quantity) > col(Signal.settled))
    return query


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
