"""Why this product for this person: a reason for the marketer, and a sentence for the mail.

The sentence speaks of the product or its theme, never of what the person did: nobody wants to feel watched.
"""

import re
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.order_products import singular


class Reason(StrEnum):
    """What spoke most for a pick.

    bought, looked at: products that go with it, or an identity learnt from them. profile: a label the person and the
    product share. trend: what everybody buys. new: drawn by chance among the new. rule: a boost.
    """

    BOUGHT = "bought"
    LOOKED_AT = "looked at"
    PROFILE = "profile"
    TREND = "trend"
    NEW = "new"
    RULE = "rule"


class Part(IntEnum):
    """What the score of a pick is made of, each as far above an average product's as it is."""

    TREND = 0
    NEIGHBOURS = 1
    FACTORS = 2
    BOOST = 3


def strongest(parts: NDArray[np.float64]) -> NDArray[np.int64]:
    """(q,) the largest Part of each score, the first of equal ones; the trend where none is above 0.

    parts: (4, q), in the order of Part.
    """
    counting = parts.copy()
    np.maximum(counting[Part.TREND], 0.0, out=counting[Part.TREND])
    return np.asarray(counting.argmax(axis=0))


class Evidence(NamedTuple):
    """A product of the history that spoke for a pick. drop: by how much the pick's score falls without it."""

    sku_id: int
    bought: bool
    drop: float


class Why(NamedTuple):
    """A reason, the label behind it if there is one, what the mail says, and the evidence, strongest first.

    phrase: in English, as a message for gettext; %(value)s in it stands for `value`, a word of the shop's own.
    """

    reason: Reason
    label: str
    phrase: str
    evidence: tuple[Evidence, ...] = ()
    value: str = ""

    @property
    def sentence(self) -> str:
        """What the mail says, in English."""
        return self.phrase.replace("%(value)s", self.value)


NEW = Why(Reason.NEW, "", "New in our shop")
_TREND_SENTENCE = "A favourite of the last weeks"
_PLAIN_SENTENCE = "Chosen to suit you"
_DUE_SENTENCE = "Good to have at hand"
_SENTENCES = {
    "type": "One of our %(value)s picks",
    "brand": "New ideas from %(value)s",
}
_NEED_SENTENCE = "A good choice for %(value)s"
_THEME_SENTENCE = "Made with %(value)s in mind"
PHRASES = (
    *(NEW.phrase, _TREND_SENTENCE, _PLAIN_SENTENCE, _DUE_SENTENCE),
    *(*_SENTENCES.values(), _NEED_SENTENCE, _THEME_SENTENCE),
)
"""All that a mail may say, for the catalogues; a label that speaks for itself ("Fragrance free") is no message."""
# labels come from the shop's feed: one such as "viewed by you" must not become a sentence about watching
_WATCHING = re.compile(
    r"\b(you|your|we|us|our|because|since|look\w*|view\w*|brows\w*|click\w*|visit\w*|search\w*|watch\w*|track\w*"
    r"|bought|seen|saw|notic\w*|abandon\w*)\b",
    re.IGNORECASE,
)
_NEEDS = ("skin", "hair", "scalp")
_THEMES = ("redness", "dark spots", "frizz", "sun care")


@lru_cache(maxsize=65_536)  # a plan of 20,000 people has some hundred of them
def why(part: Part, shared: str, own_type: str, *, bought: bool, due: bool) -> Why:
    """The reason for a pick, the evidence left out.

    part: the strongest of the score. shared: the strongest label that person and product share, "" for none.
    own_type: the product's type as a label, "" for none. bought: whether what spoke for the pick was bought; looked at
    otherwise. due: whether the pick is something they bought and have used up by now.
    """
    if due:
        return Why(Reason.BOUGHT, "", _DUE_SENTENCE)
    if part == Part.TREND:
        return Why(Reason.TREND, "", _TREND_SENTENCE)
    phrase, value = said(shared or own_type)
    if part == Part.BOOST:
        return Why(Reason.RULE, shared, phrase, value=value)
    if part == Part.FACTORS and shared:
        return Why(Reason.PROFILE, shared, phrase, value=value)
    return Why(Reason.BOUGHT if bought else Reason.LOOKED_AT, shared, phrase, value=value)


def sentence(name: str) -> str:
    """The sentence for a label such as "label:dry skin".

    >>> sentence("label:dry skin")
    'A good choice for dry skin'
    >>> sentence("label:fragrance free")
    'Fragrance free'
    """
    phrase, value = said(name)
    return phrase.replace("%(value)s", value)


@lru_cache(maxsize=4_096)  # a few hundred labels, and five picks a mail
def said(name: str) -> tuple[str, str]:
    """(phrase, value) for a label: the message for gettext, and the shop's word in it."""
    kind, _, value = name.partition(":")
    value = " ".join(value.split())
    if not value or _WATCHING.search(value):
        return _PLAIN_SENTENCE, ""
    if kind == "label":
        return _of_label(value)
    if kind == "brand":
        value = value.title()
    if kind == "type" and not value.endswith("ies"):  # "accessories" stays: singular() knows mugs and boxes
        value = singular(value) or value
    return _SENTENCES.get(kind, _PLAIN_SENTENCE), value


def _of_label(label: str) -> tuple[str, str]:
    """A need ("dry skin") is answered; what else is said of a product ("vegan", "SPF 50") stands for itself."""
    if label.endswith("-prone"):
        label += " skin"
    if label.endswith(_NEEDS):
        return _NEED_SENTENCE, label
    if label in _THEMES:
        return _THEME_SENTENCE, label
    return "%(value)s", label[:1].upper() + label[1:]
