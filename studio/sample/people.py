"""The shop's subscribers as its export lists them: address, name, place, and what they allow."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from studio.sample.names import CONSENT_SOURCES, FAMILY_NAMES, GIVEN_NAMES, LATIN_SPELLINGS, PLACES, Place

GERMAN_SHARE, ARABIC_SHARE = 0.12, 0.01
NO_MAIL_SHARE, NO_PERSONALISE_SHARE, NO_TRACK_SHARE = 0.05, 0.09, 0.20
BRAND_NEW_SHARE = 0.08
RECENT_SHARE = 0.25

_NAMELESS_SHARE = 0.02  # forms that asked for nothing but an address
_DOMAINS = ("example.com", "example.org", "example.net")  # RFC 2606: mail to these never reaches anybody
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ş": "s", "ı": "i"})

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Person:
    """One row of subscribers.csv; `brand_new` is for the generator only."""

    address: str
    given_name: str
    language: str
    place: Place
    mail: bool
    personalise: bool
    track: bool
    consented_at: datetime
    how: str
    brand_new: bool


def draw_people(rng: np.random.Generator, *, count: int, until: datetime) -> list[Person]:
    """`count` subscribers with different addresses, all of them subscribed before `until`."""
    languages = rng.choice(
        ["en", "de", "ar"], size=count, p=[1 - GERMAN_SHARE - ARABIC_SHARE, GERMAN_SHARE, ARABIC_SHARE]
    )
    brand_new = _exactly(rng, count, BRAND_NEW_SHARE)
    mail = ~_exactly(rng, count, NO_MAIL_SHARE)
    no_profile = np.where(mail, NO_PERSONALISE_SHARE, 0.5)  # who wants no mail rarely wants a profile
    personalise = rng.random(count) >= no_profile
    track = rng.random(count) >= NO_TRACK_SHARE
    ages = _seconds_subscribed(rng, brand_new)
    sources = _weighted(rng, [share for _, share in CONSENT_SOURCES], count)
    nameless = rng.random(count) < _NAMELESS_SHARE
    taken: set[str] = set()
    people = []
    for row in range(count):
        language = str(languages[row])
        given = _one_of(rng, GIVEN_NAMES[language])
        places = PLACES[language]
        people.append(
            Person(
                address=_address(rng, given, _one_of(rng, FAMILY_NAMES[language]), taken),
                given_name="" if nameless[row] else given,
                language=language,
                place=places[int(_weighted(rng, [place.share for place in places], 1)[0])],
                mail=bool(mail[row]),
                personalise=bool(personalise[row]),
                track=bool(track[row]),
                consented_at=(until - timedelta(seconds=int(ages[row]))).astimezone(UTC).replace(microsecond=0),
                how=CONSENT_SOURCES[int(sources[row])][0],
                brand_new=bool(brand_new[row]),
            )
        )
    return people


def _exactly(rng: np.random.Generator, count: int, share: float) -> Flags:
    """`share` of `count`, rounded, at random places: a small shop keeps the proportions of a large one."""
    flags = np.zeros(count, dtype=np.bool_)
    flags[rng.permutation(count)[: round(count * share)]] = True
    return flags


def _weighted(rng: np.random.Generator, shares: Sequence[int], count: int) -> npt.NDArray[np.int64]:
    """`count` places in `shares`, drawn in proportion."""
    edges = np.cumsum(shares)
    return np.searchsorted(edges, rng.integers(int(edges[-1]), size=count), side="right").astype(np.int64)


def _seconds_subscribed(rng: np.random.Generator, brand_new: Flags) -> npt.NDArray[np.int64]:
    """How long before `until` each person said yes: the brand new within ten days, a quarter during the year."""
    day = 86_400
    count = len(brand_new)
    recent = rng.random(count) < RECENT_SHARE
    long_ago = rng.integers(365 * day, 1_200 * day, size=count)
    ages = np.where(recent, rng.integers(60 * day, 360 * day, size=count), long_ago)
    return np.where(brand_new, rng.integers(3_600, 10 * day, size=count), ages)


def _one_of(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _address(rng: np.random.Generator, given: str, family: str, taken: set[str]) -> str:
    """`mira.okafor17@example.com`, never one that is taken; takes it."""
    stem = f"{_ascii(LATIN_SPELLINGS.get(given, given))}.{_ascii(family)}"
    while True:
        number = str(rng.integers(1, 100)) if rng.random() < 0.7 else ""
        address = f"{stem}{number}@{_DOMAINS[int(rng.integers(len(_DOMAINS)))]}"
        if address not in taken:
            taken.add(address)
            return address


def _ascii(name: str) -> str:
    """`Müller` -> `mueller`, `Zoë` -> `zoe`: the way people spell themselves in an address."""
    lowered = name.lower().translate(_UMLAUTS)
    return unicodedata.normalize("NFKD", lowered).encode("ascii", "ignore").decode()
