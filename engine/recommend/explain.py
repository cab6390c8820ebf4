"""Why this product for this person: a reason for the marketer, and a sentence for the mail.

The sentence speaks of the product or its theme, never of what the person did: nobody wants to feel watched.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What spoke most for a pick."""

    PROFILE = "profile"
    FACTORS = "factors"
    TREND = "trend"


@dataclass(frozen=True)
class Why:
    """A reason, the label behind it if there is one, and the sentence for the mail."""

    reason: Reason
    label: str
    sentence: str


TREND = Why(Reason.TREND, "", "A favourite of the last weeks")
_FACTORS = Why(Reason.FACTORS, "", "Chosen to suit you")
_SENTENCES = {
    "type": "One of our {value} picks",
    "brand": "New ideas from {value}",
}
# labels come from the shop's feed: one such as "viewed by you" must not become a sentence about watching
_WATCHING = re.compile(
    r"\b(you|your|we|us|our|because|since|look\w*|view\w*|brows\w*|click\w*|visit\w*|search\w*|watch\w*|track\w*"
    r"|bought|seen|saw|notic\w*|abandon\w*)\b",
    re.IGNORECASE,
)
_NEEDS = ("skin", "hair", "scalp")
_THEMES = ("redness", "dark spots", "frizz", "sun care")


def why(
    profile: Mapping[int, float], attributes: Mapping[int, float], names: tuple[str, ...], trend_share: float
) -> Why:
    """The reason for one pick.

    profile, attributes: the person's and the product's cells by column of `names`. trend_share: how much of the
    score above an average product's came from the trend, 0 to 1; above a half the trend is the reason.
    """
    shared = [
        (weight, names[column])
        for column, weight in profile.items()
        if column in attributes and not names[column].startswith("price:")
    ]
    if trend_share > 0.5 or (not shared and not profile):
        return TREND
    if not shared:
        return _FACTORS
    _, name = min(shared, key=lambda item: (-item[0], item[1]))
    return Why(Reason.PROFILE, name, sentence(name))


def sentence(name: str) -> str:
    """The sentence for a label such as "label:dry skin".

    >>> sentence("label:dry skin")
    'A good choice for dry skin'
    >>> sentence("label:fragrance free")
    'Fragrance free'
    """
    kind, _, value = name.partition(":")
    value = " ".join(value.split())
    if not value or _WATCHING.search(value):
        return _FACTORS.sentence
    if kind == "label":
        return _of_label(value)
    if kind == "brand":
        value = value.title()
    return _SENTENCES.get(kind, _FACTORS.sentence).format(value=value)


def _of_label(label: str) -> str:
    """A need ("dry skin") is answered; what else is said of a product ("vegan", "SPF 50") stands for itself."""
    if label.endswith("-prone"):
        label += " skin"
    if label.endswith(_NEEDS):
        return f"A good choice for {label}"
    if label in _THEMES:
        return f"Made with {label} in mind"
    return label[:1].upper() + label[1:]
