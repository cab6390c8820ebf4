"""What the people of a segment have in common: written by a marketer, kept as JSON, and said in words."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from subscribers.errors import SubscribersError, shorten
from subscribers.models import Kind

MOST_DAYS = 3_650  # ten years: nobody has shop data from before
MOST_VALUES = 200  # of one field: a list that a person can still read
ANY = "any"
KINDS: Mapping[str, Kind | None] = {
    ANY: None,
    **{kind.name.lower(): kind for kind in (Kind.VIEW, Kind.CLICK, Kind.CART, Kind.PURCHASE)},
}
"""What somebody may have done, as a marketer writes it."""
_LISTS = {"languages": 35, "countries": 80, "time_zones": 64, "bought": 100}
_DATES, _DAYS = ("joined_after", "joined_before"), ("joined_within_days", "joined_longer_ago_days")
_DONE, _CONSENTS = ("did", "did_not"), ("personalise", "track")


class SegmentInvalid(SubscribersError):
    """A segment that cannot be used; says which field and why."""


@dataclass(frozen=True)
class SegmentRules:
    """What the people of a segment have in common; all of it must hold. Without any rule it is everybody.

    languages: "de" stands for "de-AT" too. countries: in whatever case. joined_after: on that day (UTC) or later;
    joined_before: before that day. joined_within_days, joined_longer_ago_days: counted back from the moment it is
    asked. did: for each kind of signal ("view", "click", "cart", "purchase", "any") the days within which there was
    one; did_not: within which there was none. purchases: at least so many that were not cancelled; each product of an
    order is one. bought: the code of each product that they have bought, ever.
    """

    languages: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    time_zones: tuple[str, ...] = ()
    joined_after: date | None = None
    joined_before: date | None = None
    joined_within_days: int | None = None
    joined_longer_ago_days: int | None = None
    personalise: bool | None = None
    track: bool | None = None
    did: Mapping[str, int] = field(default_factory=dict)
    did_not: Mapping[str, int] = field(default_factory=dict)
    purchases: int | None = None
    bought: tuple[str, ...] = ()

    @classmethod
    def from_plain(cls, plain: object) -> "SegmentRules":
        """From JSON, a TOML table or a form. Raises SegmentInvalid, naming the field."""
        if not isinstance(plain, Mapping):
            raise SegmentInvalid(f"the rules of a segment are fields and values, not {shorten(repr(plain))}")
        names = [each.name for each in fields(cls)]
        if unknown := sorted(set(map(str, plain)) - set(names)):
            raise SegmentInvalid(f"a segment has no field {shorten(unknown[0])!r}; fields are: {', '.join(names)}")
        rules = cls(**{name: _checked(name, value) for name, value in plain.items() if value is not None})
        if rules.joined_after and rules.joined_before and rules.joined_after >= rules.joined_before:
            raise SegmentInvalid("joined_before: must be a later day than joined_after, or nobody is in the segment")
        return rules

    @classmethod
    def from_json(cls, text: str) -> "SegmentRules":
        """As a segment keeps them. Raises SegmentInvalid."""
        try:
            return cls.from_plain(json.loads(text))
        except ValueError:
            raise SegmentInvalid(f"the rules of a segment are JSON, not {shorten(text)!r}") from None

    def as_plain(self) -> dict[str, Any]:
        """Only what was said, as plain data: what `from_plain` reads."""
        said: dict[str, Any] = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None or value in ((), {}):
                continue
            said[each.name] = (
                value.isoformat() if isinstance(value, date) else list(value) if isinstance(value, tuple)
                else dict(value) if isinstance(value, Mapping) else value
            )  # fmt: skip
        return said

    def as_json(self) -> str:
        """As a segment keeps them: the same rules are the same text."""
        return json.dumps(self.as_plain(), sort_keys=True, ensure_ascii=False)

    def in_words(self) -> list[str]:
        """One phrase for each rule; empty for everybody.

        >>> SegmentRules(languages=("de", "fr"), did_not={"any": 90}).in_words()
        ['language: de or fr', 'nothing done in the last 90 days']
        """
        found = [
            f"{words}: {' or '.join(values)}"
            for words, values in (
                *(("language", self.languages), ("country", self.countries)),
                ("time zone", self.time_zones),
            )
            if values
        ]
        found += [f"joined on {self.joined_after} or later"] if self.joined_after else []
        found += [f"joined before {self.joined_before}"] if self.joined_before else []
        found += [f"joined in the last {_days(self.joined_within_days)}"] if self.joined_within_days else []
        found += [f"joined more than {_days(self.joined_longer_ago_days)} ago"] if self.joined_longer_ago_days else []
        for words, answer in (("being personalised", self.personalise), ("being tracked", self.track)):
            found += [] if answer is None else [f"{'agrees' if answer else 'does not agree'} to {words}"]
        found += [f"{_something(kind)} in the last {_days(days)}" for kind, days in self.did.items()]
        found += [f"{_nothing(kind)} in the last {_days(days)}" for kind, days in self.did_not.items()]
        if self.purchases:
            found.append(f"at least {self.purchases:,} purchase{'s' if self.purchases > 1 else ''}")
        return found + [f"bought {code}" for code in self.bought]


def _days(count: int) -> str:
    return "day" if count == 1 else f"{count:,} days"


def _something(kind: str) -> str:
    return "something done" if kind == ANY else f"a {kind}"


def _nothing(kind: str) -> str:
    return "nothing done" if kind == ANY else f"no {kind}"


def _checked(name: str, value: Any) -> Any:
    """The value of a field as the rules hold it. Raises SegmentInvalid."""
    if name in _LISTS:
        return _texts(name, value)
    if name in _DATES:
        return _day(name, value)
    if name in _DONE:
        return _done(name, value)
    if name in _CONSENTS:
        if not isinstance(value, bool):
            raise SegmentInvalid(f"{name}: must be true or false, not {shorten(repr(value))}")
        return value
    return _number(name, value, most=MOST_DAYS if name in _DAYS else 1_000)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or any(not isinstance(text, str) for text in value):
        raise SegmentInvalid(f"{name}: must be a list of texts, not {shorten(repr(value))}")
    texts = tuple(dict.fromkeys(text.strip() for text in value))  # each once
    if len(texts) > MOST_VALUES:
        raise SegmentInvalid(f"{name}: has {len(texts):,} values; at most {MOST_VALUES} are allowed")
    for text in texts:
        if not text or len(text) > _LISTS[name] or not text.isprintable():
            problem = f"is longer than {_LISTS[name]} characters" if text.isprintable() and text else "is no text"
            raise SegmentInvalid(f"{name}: {shorten(text)!r} {problem}")
        if name == "time_zones" and not _is_zone(text):
            raise SegmentInvalid(f"time_zones: {shorten(text)!r} is no IANA time zone such as Europe/Berlin")
    return texts


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError; OSError: a folder such as "Europe"
        return False
    except KeyError:
        return False
    return True


def _day(name: str, value: Any) -> date:
    if isinstance(value, datetime):
        value = value.astimezone(UTC).date() if value.tzinfo else value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise SegmentInvalid(f"{name}: {shorten(str(value))!r} is no day such as 2026-03-31") from None


def _done(name: str, value: Any) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        raise SegmentInvalid(f"{name}: must say for each kind within how many days, such as click = 30")
    for kind in value:
        if kind not in KINDS:
            raise SegmentInvalid(f"{name}: there is no kind {shorten(str(kind))!r}; there are: {', '.join(KINDS)}")
    return {kind: _number(f"{name}.{kind}", value[kind], most=MOST_DAYS) for kind in KINDS if kind in value}


def _number(name: str, value: Any, *, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SegmentInvalid(f"{name}: must be a whole number from 1 to {most:,}, not {shorten(repr(value))}")
    return value
