"""The profile of one person in words a marketer reads: labels with their evidence and age, price band, rhythm."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from engine.recommend.history import strength
from engine.recommend.moment import Moment
from engine.recommend.profile import profiles
from engine.recommend.trend import SECONDS_A_DAY
from subscribers.models import Kind
from subscribers.signals import Signals

EVIDENCE_A_LABEL = 5
NEW_DAYS, LAPSED_DAYS = 30, 90
BURST_DAYS, QUIET_DAYS, BURST_PRODUCTS = 7, 60, 3


class Rhythm(StrEnum):
    """How somebody comes by.

    new: first seen in the last 30 days. lapsed: not seen for 90 days, or for three times their usual pause where that
    is longer. gift buyer: only in bursts of a week, of three products or more each, with two quiet months between.
    active: the others. unknown: no history.
    """

    NEW = "new"
    ACTIVE = "active"
    LAPSED = "lapsed"
    GIFT_BUYER = "gift buyer"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proof:
    """A signal that speaks for a label. at: seconds since 1970. strength: 0 to 1, by kind and age."""

    sku_id: int
    kind: Kind
    at: int
    strength: float


@dataclass(frozen=True)
class Label:
    """A label such as "type:creams". share: of the person's interest, 0 to 1. age_days: since the newest signal for it.
    evidence: the strongest signals, strongest first."""

    name: str
    share: float
    age_days: int
    evidence: tuple[Proof, ...]


@dataclass(frozen=True)
class Portrait:
    """What is known of a person at a moment. labels: strongest first. price_band: "" where no band stands out."""

    labels: tuple[Label, ...]
    price_band: str
    rhythm: Rhythm


def portrait(moment: Moment, subscriber_id: int, *, personalised: bool) -> Portrait:
    """The profile of this person as picks see it; an empty one for somebody who does not allow it."""
    admitted = moment.admitted
    signals = admitted.signals.where((admitted.signals.subscriber == subscriber_id) & personalised)
    row = moment.rows_of(np.array([subscriber_id]), np.array([personalised]))
    if not len(signals) or row[0] < 0:
        return Portrait((), "", Rhythm.UNKNOWN)
    profile = profiles(moment.histories.interest[row], moment.attributes, moment.shared)
    order = np.argsort(-profile.data, kind="stable")
    named = [
        (moment.attributes.names[column], share)
        for column, share in zip(profile.indices[order].tolist(), profile.data[order].tolist(), strict=True)
    ]
    labels = tuple(_label(moment, signals, name, share) for name, share in named if not name.startswith("price:"))
    bands = [name.partition(":")[2] for name, _ in named if name.startswith("price:")]
    return Portrait(labels, bands[0] if bands else "", rhythm(signals, now=moment.newest))


def rhythm(signals: Signals, *, now: int) -> Rhythm:
    """How one person comes by. signals: theirs, oldest first. now: seconds since 1970."""
    if not len(signals):
        return Rhythm.UNKNOWN
    days = np.unique(signals.at // SECONDS_A_DAY)
    today = now // SECONDS_A_DAY
    if days[0] > today - NEW_DAYS:
        return Rhythm.NEW
    bought = signals.where(signals.kind == Kind.PURCHASE)
    if _in_bursts(bought):
        return Rhythm.GIFT_BUYER
    usual = float(np.median(np.diff(days))) if len(days) > 1 else 0.0
    return Rhythm.LAPSED if today - days[-1] > max(LAPSED_DAYS, 3 * usual) else Rhythm.ACTIVE


def _in_bursts(bought: Signals) -> bool:
    """Whether all purchases stand in at least two bursts, with quiet months between them."""
    if not len(bought):
        return False
    days = bought.at // SECONDS_A_DAY
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - QUIET_DAYS - 1) > QUIET_DAYS)
    bursts = np.split(np.arange(len(days)), starts[1:])
    return len(bursts) > 1 and all(
        days[burst[-1]] - days[burst[0]] <= BURST_DAYS and len(np.unique(bought.sku[burst])) >= BURST_PRODUCTS
        for burst in bursts
    )


def _label(moment: Moment, signals: Signals, name: str, share: float) -> Label:
    column = moment.attributes.names.index(name)
    there = moment.attributes.matrix[:, [column]].toarray().ravel() > 0
    positions = moment.catalog.positions(signals.sku)
    chosen = np.flatnonzero((positions >= 0) & there[np.maximum(positions, 0)])
    weights = strength(signals.kind[chosen], signals.at[chosen], now=moment.newest)
    strongest = chosen[np.lexsort((-signals.at[chosen], -weights))][:EVIDENCE_A_LABEL]
    proof = tuple(
        Proof(int(signals.sku[n]), Kind(int(signals.kind[n])), int(signals.at[n]), round(float(weight), 3))
        for n, weight in zip(strongest, np.sort(weights)[::-1], strict=False)
    )
    age = (moment.newest - int(signals.at[chosen].max())) // SECONDS_A_DAY if len(chosen) else 0
    return Label(name, round(share, 3), int(age), proof)
