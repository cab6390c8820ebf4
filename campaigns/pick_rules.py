"""A campaign's rules for picks: written by a marketer, checked once, joined with the shop's own from the settings."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from campaigns.errors import CampaignInvalid
from campaigns.settings import Settings
from engine.errors import RuleInvalid
from engine.recommend.filters import parse_boost, parse_filter
from engine.recommend.rules import Rules


@dataclass(frozen=True)
class PickRules:
    """What a campaign says about picks. Texts as a marketer writes them; None leaves it to the usual rules.

    price_from, price_to: in the shop's currency, inclusive. include, exclude, boost: filters such as "label:vegan",
    boosts such as "type:serums=0.5". diversity, hero_share, exploration: see `engine.recommend.rules.Rules`.
    """

    price_from: str | None = None
    price_to: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    boost: tuple[str, ...] = ()
    diversity: float | None = None
    hero_share: float | None = None
    exploration: float | None = None

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "PickRules":
        """From a TOML table or JSON. Raises CampaignInvalid, naming what is wrong."""
        names = {field.name for field in fields(cls)}
        if unknown := sorted(set(plain) - names):
            raise CampaignInvalid(
                f"[rules] has an unknown field {unknown[0]!r}; fields are: {', '.join(sorted(names))}"
            )
        checked: dict[str, Any] = {}
        for name, value in plain.items():
            if name in ("include", "exclude", "boost"):
                if not isinstance(value, list | tuple) or any(not isinstance(text, str) for text in value):
                    raise CampaignInvalid(f"[rules] {name} must be a list of texts, not {value!r}")
                checked[name] = tuple(value)
            elif name in ("price_from", "price_to"):
                if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
                    raise CampaignInvalid(f"[rules] {name} must be a price such as 19.90, not {value!r}")
                checked[name] = None if value is None else str(value)
            else:
                if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                    raise CampaignInvalid(f"[rules] {name} must be a number, not {value!r}")
                checked[name] = value
        return cls(**checked)

    def as_json(self) -> str:
        """The rules as a campaign keeps them: only what was said."""
        said = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return json.dumps(said, sort_keys=True, ensure_ascii=False)


def shop_rules(settings: Settings) -> Rules:
    """The rules every campaign of this shop goes by. Raises RuleInvalid."""
    return Rules(
        repeat_mails=settings.repeat_mails,
        view_delay=settings.view_delay_minutes * 60,
        label_people=settings.label_people,
        sensitive=tuple(settings.sensitive_types),
        replenish=dict(settings.replenish_days),
    )


def rules_of(picks: PickRules, settings: Settings) -> Rules:
    """Everything a plan of the campaign goes by. Raises CampaignInvalid, naming the rule that cannot be read."""
    dials = {name: getattr(picks, name) for name in ("diversity", "hero_share", "exploration")}
    try:
        return replace(
            shop_rules(settings),
            lowest_price=_cents(picks.price_from),
            highest_price=_cents(picks.price_to),
            include=tuple(parse_filter(text) for text in picks.include),
            exclude=tuple(parse_filter(text) for text in picks.exclude),
            boost=tuple(parse_boost(text) for text in picks.boost),
            **{name: value for name, value in dials.items() if value is not None},
        )
    except RuleInvalid as error:
        raise CampaignInvalid(str(error)) from None


def rules_in(text: str, settings: Settings) -> Rules:
    """The rules of a campaign as it keeps them. Raises CampaignInvalid."""
    return rules_of(PickRules.from_plain(json.loads(text)), settings)


def as_plain(rules: Rules) -> dict[str, Any]:
    """All rules as plain data, for the record of a run."""
    plain = {field.name: getattr(rules, field.name) for field in fields(rules)}
    return plain | {
        "include": [wish.text for wish in rules.include],
        "exclude": [wish.text for wish in rules.exclude],
        "boost": [f"{wish.filter.text}={wish.weight:g}" for wish in rules.boost],
        "sensitive": list(rules.sensitive),
        "replenish": dict(rules.replenish),
    }


def _cents(price: str | None) -> int | None:
    if price is None or not price.strip():
        return None
    try:
        amount = Decimal(price.strip())
    except InvalidOperation:
        raise RuleInvalid(f"{price[:30]!r} is no price such as 19.90") from None
    if not (amount.is_finite() and 0 <= amount <= 10_000_000):
        raise RuleInvalid(f"{price[:30]!r} is no price such as 19.90")
    return int(amount * 100)
