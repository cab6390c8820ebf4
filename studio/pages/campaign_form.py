"""The form of a campaign: what it shows of a definition, and the definition that somebody typed."""

import math
import re
from collections.abc import Mapping
from typing import Any

from campaigns.definition import MOST_PICKS, Definition, check_name
from campaigns.errors import CampaignInvalid
from campaigns.pick_rules import PickRules, rules_of
from campaigns.segments import Segments
from campaigns.settings import Settings
from engine.recommend.rules import Rules
from engine.render.environment import TemplateSheet
from engine.render.languages import LINES
from studio.pages.forms import Fields

VARIABLE = "variable."  # before the name of a variable in the form
RULES: Mapping[str, str] = {
    "price_from": "price_from",
    "price_to": "price_to",
    "only": "include",
    "never": "exclude",
    "boost": "boost",
    "diversity": "diversity",
    "hero_share": "hero_share",
    "exploration": "exploration",
}
"""The rule behind each field."""
PERCENTS: Mapping[str, tuple[float, float]] = {"diversity": (0, 100), "hero_share": (0.1, 100), "exploration": (0, 50)}
"""What is typed in percent, and within which limits."""
_LISTS = ("only", "never", "boost")
_DECIMAL_COMMA = re.compile(r"(\d+),(\d{1,2})")


def shown(definition: Definition, sheet: TemplateSheet) -> Fields:
    """The fields as the form shows them for this definition."""
    values = {
        "name": [definition.name],
        "template": [definition.template],
        "subject": [definition.subject],
        "preheader": [definition.preheader],
        "picks": [str(definition.picks)],
        "transport": [definition.transport],
        "include": list(definition.segments.include),
        "exclude": list(definition.segments.exclude),
    }
    texts = sheet.defaults() | dict(definition.variables)
    values |= {f"{VARIABLE}{name}": [text] for name, text in texts.items()}
    values |= {field: [_as_typed(field, getattr(definition.rules, rule))] for field, rule in RULES.items()}
    return Fields(values)


def with_template(fields: Fields, old: TemplateSheet | None, sheet: TemplateSheet) -> Fields:
    """What was typed, for another template: its own words stand where the old template's own words stood."""
    values = dict(fields.values) | {"template": [sheet.name]}
    before = old.defaults() if old else {}
    for name, text in sheet.defaults().items():
        typed = _text(fields, f"{VARIABLE}{name}", text)
        values[f"{VARIABLE}{name}"] = [text if typed == before.get(name, text) else typed]
    return Fields(values)


def read(fields: Fields, sheet: TemplateSheet, settings: Settings, name: str) -> Definition:
    """The definition that was typed. What cannot be used is noted in fields.problems, beside its field.

    name: of the campaign that is changed; empty for a new one, whose name was typed too.
    """
    name = name or "-".join(fields.one("name").lower().split())
    try:
        check_name(name)
    except CampaignInvalid:
        fields.problems["name"] = "use small letters, digits and hyphens, at most 63: such as weekly-picks"
    try:
        segments = Segments.from_plain({"include": fields.all("include"), "exclude": fields.all("exclude")})
    except CampaignInvalid as error:
        fields.problems["include"], segments = str(error), Segments()
    return Definition(
        name=name,
        template=sheet.name,
        subject=_one_line(fields.one("subject")),
        preheader=_one_line(fields.one("preheader")),
        variables=_variables(fields, sheet),
        picks=fields.number("picks", 5, least=1, most=MOST_PICKS),
        transport=fields.one("transport", "outbox"),
        rules=_rules(fields, settings),
        segments=segments,
    )


def segments_typed(fields: Fields) -> Segments:
    """The segments that are ticked. Raises CampaignInvalid."""
    return Segments.from_plain({"include": fields.all("include"), "exclude": fields.all("exclude")})


def translations(fields: Fields, sheet: TemplateSheet) -> list[str]:
    """The texts in other languages, such as "headline.de", which fit this template."""
    names = (key.removeprefix(VARIABLE) for key in fields.values if key.startswith(VARIABLE) and key.count(".") > 1)
    return sorted(name for name in names if _fits(name, sheet))


def usual() -> dict[str, str]:
    """The rules that apply where a field is left empty, as one would type them."""
    return {field: _as_typed(field, getattr(Rules(), field)) for field in PERCENTS}


def _fits(name: str, sheet: TemplateSheet) -> bool:
    return name.partition(".")[0] in (*sheet.defaults(), *LINES)


def _variables(fields: Fields, sheet: TemplateSheet) -> dict[str, str]:
    """Only what differs from the template's own words; a translation that was emptied is gone."""
    found = {name: _text(fields, f"{VARIABLE}{name}", own) for name, own in sheet.defaults().items()}
    said = {name: text for name, text in found.items() if text != sheet.defaults()[name]}
    others = {name: _text(fields, f"{VARIABLE}{name}") for name in translations(fields, sheet)}
    return said | {name: text for name, text in others.items() if text}


def _rules(fields: Fields, settings: Settings) -> PickRules:
    said: dict[str, Any] = {}
    for field, rule in RULES.items():
        value = _percent(fields, field) if field in PERCENTS else _words(fields, field)
        if value in (None, "", ()):
            continue
        alone: dict[str, Any] = {rule: value}
        try:
            rules_of(PickRules(**alone), settings)
        except CampaignInvalid as error:
            fields.problems[field] = str(error)
        said[rule] = value
    rules = PickRules(**said)
    if not fields.problems.keys() & RULES.keys():
        try:
            rules_of(rules, settings)
        except CampaignInvalid as error:
            fields.problems["price_to"] = str(error)
    return rules if not fields.problems.keys() & RULES.keys() else PickRules()


def _words(fields: Fields, field: str) -> str | tuple[str, ...]:
    text = _text(fields, field)
    if field in _LISTS:
        return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    comma = _DECIMAL_COMMA.fullmatch(text)
    return f"{comma[1]}.{comma[2]}" if comma else text


def _percent(fields: Fields, field: str) -> float | None:
    """A share of 1 that was typed in percent; None when nothing was, or what is noted as a problem."""
    text = fields.one(field).removesuffix("%").strip().replace(",", ".")
    if not text:
        return None
    low, high = PERCENTS[field]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        fields.problems[field] = f"use a number from {low:g} to {high:g}, in percent"
        return None
    return round(value / 100, 6)


def _as_typed(field: str, value: Any) -> str:
    if value is None:
        return ""
    return "\n".join(value) if field in _LISTS else f"{value * 100:g}" if field in PERCENTS else str(value)


def _text(fields: Fields, name: str, default: str = "") -> str:
    """With the line ends of the templates: browsers send two characters."""
    return fields.one(name, default).replace("\r\n", "\n").replace("\r", "\n")


def _one_line(text: str) -> str:
    return " ".join(text.splitlines())
