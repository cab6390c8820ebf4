"""Why two snapshots differ: what their mails were made from, compared; and whose change that explains."""

from collections.abc import Mapping
from typing import Any

TEMPLATE, CATALOGUE, MODEL, HISTORY, SETTINGS, CODE, AUDIENCE, UNKNOWN = (
    "template",
    "catalogue",
    "model",
    "history",
    "settings",
    "code",
    "audience",
    "unknown",
)
SHOWN = {  # the fields of a card that a reader sees, in words
    "title": "title",
    "description": "description",
    "link": "link",
    "image": "picture",
    "image_width": "picture size",
    "image_height": "picture size",
    "alt": "title",
    "price_minor": "price",
    "currency": "price",
    "brand": "brand",
}
Products = Mapping[str, Mapping[str, Any]]


class Causes:
    """The causes that two snapshots leave open, by what is explained. products: what each said in either."""

    def __init__(self, before: Mapping[str, Any], after: Mapping[str, Any], first: Products, second: Products) -> None:
        self.first, self.second = first, second
        self._cards = _cards(first) != _cards(second)
        words = [
            (TEMPLATE, _differs(before, after, "template", "sha256")),
            (SETTINGS, _differs(before, after, "settings", "sha256")),
        ]
        both = before.get("picks") is not None and after.get("picks") is not None
        picks = [
            (MODEL, before.get("model") != after.get("model")),
            (
                HISTORY,
                _differs(before, after, "history", "until") or _differs(before, after, "history", "sha256", known=True),
            ),
            (
                SETTINGS,
                _differs(before, after, "settings", "rules_sha256")
                or (both and before.get("picks") != after.get("picks")),
            ),
            (CATALOGUE, self._cards or _stock(first) != _stock(second)),
        ]
        code = CODE if before.get("code") != after.get("code") else UNKNOWN
        self.of_words = _joined(words) or code
        # who else gets a mail decides too, where few may share a hero
        others = AUDIENCE if before.get("audience") != after.get("audience") else ""
        self.of_picks = _joined(picks) or others or code
        self.of_sentences = _joined(picks) or (self.of_words if self.of_words != UNKNOWN else others or code)
        self.words_may_differ = self.of_words != UNKNOWN

    def of_person_picks(self, before: list[str], after: list[str]) -> str:
        """Why one person has other picks: the catalogue's doing where one of the old ones cannot be had any more."""
        gone = any(not self._buyable(code) for code in before if code not in after)
        return CATALOGUE if gone else self.of_picks

    def _buyable(self, code: str) -> bool:
        return code in self.second and bool(self.second[code].get("buyable", True))

    def changed_fields(self, code: str) -> tuple[str, ...]:
        """What a reader sees of this product and now reads otherwise, in words."""
        one, other = self.first.get(code, {}), self.second.get(code, {})
        return tuple(
            dict.fromkeys(words for name, words in SHOWN.items() if one and other and one.get(name) != other.get(name))
        )


def _differs(before: Mapping[str, Any], after: Mapping[str, Any], part: str, name: str, *, known: bool = False) -> bool:
    """known: only where both say it."""
    one, other = before.get(part, {}).get(name), after.get(part, {}).get(name)
    return bool(one != other and not (known and (one is None or other is None)))


def _joined(causes: list[tuple[str, bool]]) -> str:
    return " or ".join(cause for cause, differs in causes if differs)


def _cards(products: Products) -> dict[str, dict[str, Any]]:
    return {code: {name: line.get(name) for name in SHOWN} for code, line in products.items()}


def _stock(products: Products) -> set[str]:
    return {code for code, line in products.items() if not line.get("buyable", True)}
