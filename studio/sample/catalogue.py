"""The shop's products: what the feed says about them, and what only the generator knows.

What is hidden (`launched`, `course`, `appeal`) never reaches products.csv; a recommender has to find it in the signals.
"""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from studio.sample.kinds import KINDS, Kind
from studio.sample.words import BAND_FACTORS, BRANDS, MOTIFS, Motif

YEAR = timedelta(days=365)

STEADY, RISING, FADING = "steady", "rising", "fading"

_RISING_SHARE = 0.10
_FADING_SHARE = 0.06
_PREORDER_SHARE = 0.01
_OUT_OF_STOCK_SHARE = 0.04
_PICTURED_SHARE = 0.0  # nobody answers at shop.example: a picture there would be a broken one in every mail

_TRAITS = (
    ("vegan", 0.5),
    ("fragrance free", 0.3),
    ("refillable", 0.12),
    ("unscented", 0.08),
    ("recycled packaging", 0.2),
)


@dataclass(frozen=True)
class Product:
    """One row of the feed, then what is hidden: the day it came, how it does since, how well it is liked."""

    id: str
    title: str
    description: str
    link: str
    image_link: str
    cents: int
    availability: str
    kind: Kind
    brand: int
    labels: tuple[str, ...]
    color: str
    launched: datetime
    course: str
    appeal: float


def draw_catalogue(rng: np.random.Generator, *, count: int, until: datetime) -> list[Product]:
    """`count` products with unique titles, in shuffled order, as they stand at `until`.

    Raises ValueError when the words do not make that many titles.
    """
    shares = _spread(count, [kind.share for kind in KINDS])
    drafts = [draft for kind, share in zip(KINDS, shares, strict=True) for draft in _drafts(rng, kind, share)]
    order = rng.permutation(count)
    fates = _fates(rng, count, until)
    appeals = 1.0 / np.sqrt(rng.permutation(count) + 6.0)  # mild: the first has 7 times the appeal of the 300th
    return [
        _finish(rng, drafts[draft], number, fates[number - 1], float(appeals[number - 1]))
        for number, draft in enumerate(order, start=1)
    ]


@dataclass(frozen=True)
class _Draft:
    """A product before it has a number and a fate."""

    kind: Kind
    motif: Motif
    title: str
    size_factor: float


@dataclass(frozen=True)
class _Fate:
    """When a product came, how it does, and whether it can be had."""

    launched: datetime
    course: str
    availability: str


def _spread(count: int, shares: list[int]) -> list[int]:
    """Share out `count` in proportion; what rounding leaves goes to the largest remainders, first come first."""
    exact = [count * share / sum(shares) for share in shares]
    whole = [int(part) for part in exact]
    by_remainder = sorted(range(len(shares)), key=lambda place: whole[place] - exact[place])
    for place in by_remainder[: count - sum(whole)]:
        whole[place] += 1
    return whole


def _drafts(rng: np.random.Generator, kind: Kind, count: int) -> list[_Draft]:
    """`count` different titles of one kind, every motif used about equally often."""
    wordings = list(itertools.product(kind.leads, kind.purposes, kind.nouns))
    possible = len(wordings) * len(kind.motifs)
    if count > possible:
        raise ValueError(f"there are words for {possible} products of {kind.path!r}, not for {count}: ask for fewer")
    motifs = [MOTIFS[kind.motifs[place]] for place in rng.permutation(len(kind.motifs))]
    orders = [rng.permutation(len(wordings)) for _ in motifs]
    drafts = []
    for number in range(count):
        turn, place = divmod(number, len(motifs))
        lead, purpose, noun = wordings[orders[place][turn]]
        size, factor = kind.sizes[int(rng.integers(len(kind.sizes)))]
        name = " ".join(word for word in (lead, motifs[place].name, purpose, noun) if word)
        drafts.append(_Draft(kind, motifs[place], name + _joiner(name, size) + size, factor))
    return drafts


def _joiner(name: str, size: str) -> str:
    """`Cream 50 ml`, but `SPF 50, 50 ml` and `Gift Box, 4 pieces`."""
    if not size:
        return ""
    return " " if size.endswith((" ml", " g")) and not name[-1].isdigit() else ", "


def _fates(rng: np.random.Generator, count: int, until: datetime) -> list[_Fate]:
    """Most products have always been there; some came during the year, some are going, a few cannot be had today."""
    midnight = until.replace(hour=0, minute=0, second=0, microsecond=0)
    fates = [_Fate(midnight - YEAR - timedelta(days=30), STEADY, "in_stock")] * count
    rising, fading, preorder, gone = _groups(
        rng, count, (_RISING_SHARE, _FADING_SHARE, _PREORDER_SHARE, _OUT_OF_STOCK_SHARE)
    )
    for place in rising:
        days = int(rng.integers(14, 240))
        fates[place] = _Fate(midnight - timedelta(days=days), RISING, "in_stock")
    for place in fading:
        fates[place] = _Fate(fates[place].launched, FADING, "in_stock")
    for place in preorder:  # announced within the last days, seen by few
        fates[place] = _Fate(midnight - timedelta(days=int(rng.integers(3, 14))), RISING, "preorder")
    for place in gone:
        fates[place] = _Fate(fates[place].launched, STEADY, "out_of_stock")
    return fates


def _groups(rng: np.random.Generator, count: int, shares: tuple[float, ...]) -> list[list[int]]:
    """Disjoint random groups of 0 … count-1, one for each share."""
    edges = np.cumsum([round(count * share) for share in shares])
    return [[int(place) for place in group] for group in np.split(rng.permutation(count), edges)[: len(shares)]]


def _finish(rng: np.random.Generator, draft: _Draft, number: int, fate: _Fate, appeal: float) -> Product:
    """Give a draft its number, brand, price, labels and description."""
    brand = int(rng.integers(len(BRANDS)))
    slug = _slug(draft.title)
    colours = draft.kind.colours
    return Product(
        id=f"SK-{number:04d}",
        title=draft.title,
        description=f"{draft.kind.sentences[int(rng.integers(len(draft.kind.sentences)))]} {draft.motif.sentence}",
        link=f"https://shop.example/p/{slug}",
        image_link=f"https://shop.example/images/{slug}.jpg" if rng.random() < _PICTURED_SHARE else "",
        cents=_price(rng, draft, BRANDS[brand].band),
        availability=fate.availability,
        kind=draft.kind,
        brand=brand,
        labels=_labels(rng, draft),
        color=colours[int(rng.integers(len(colours)))] if colours else "",
        launched=fate.launched,
        course=fate.course,
        appeal=appeal,
    )


def _price(rng: np.random.Generator, draft: _Draft, band: int) -> int:
    """Cents, in steps of 50, within a tenth of what kind, size and band say."""
    euros = draft.kind.price * draft.size_factor * BAND_FACTORS[band] * rng.uniform(0.9, 1.1)
    return max(round(euros * 2), 4) * 50


def _labels(rng: np.random.Generator, draft: _Draft) -> tuple[str, ...]:
    """What the motif brings, `sun care` and its factor for sunscreens, and a trait or two."""
    labels = list(draft.motif.labels)
    if draft.kind.family == "Sun care":
        labels.insert(0, "sun care")
    if "SPF" in draft.title:
        labels.append("SPF 50" if "SPF 50" in draft.title else "SPF 30")
    if draft.kind.family not in ("Accessories", "Gift sets"):
        labels += [trait for trait, share in _TRAITS if rng.random() < share]
    if "fragrance free" in labels and "unscented" in labels:  # they mean nearly the same
        labels.remove("unscented")
    return tuple(dict.fromkeys(labels))


def _slug(title: str) -> str:
    """`Overnight Oat Cream, 50 ml` -> `overnight-oat-cream-50-ml`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(letter if letter.isalnum() else " " for letter in plain).split())
