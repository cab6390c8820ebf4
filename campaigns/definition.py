"""What a marketer says about a campaign: in code, in a TOML file, and checked before anything is made of it."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campaigns.errors import CampaignInvalid
from campaigns.pick_rules import PickRules
from campaigns.segments import Segments
from campaigns.transports import TRANSPORTS
from engine.errors import EngineError
from engine.render.environment import TemplateFolders, TemplateSheet
from engine.render.languages import LINES
from engine.render.locale import is_language

MOST_PICKS = 12
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Definition:
    """What a marketer says about a campaign. Empty subject and preheader: the template's own.

    segments: whom it is for.
    """

    name: str
    template: str = "picked-for-you"
    subject: str = ""
    preheader: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    picks: int = 5
    transport: str = "outbox"
    rules: PickRules = field(default_factory=PickRules)
    segments: Segments = field(default_factory=Segments)


def definition_from_file(path: Path) -> tuple[Definition, dict[str, Any]]:
    """(a definition, its [schedule] table) from a TOML file. Raises CampaignInvalid."""
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CampaignInvalid(f"there is no file {str(path)!r}; check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CampaignInvalid(f"{path.name} is not TOML: {error}") from None
    schedule = plain.pop("schedule", {})
    _check_types(path.name, plain, schedule)
    unknown = set(plain) - set(Definition.__dataclass_fields__)
    if unknown or "name" not in plain:
        problem = f"has an unknown field {sorted(unknown)[0]!r}" if unknown else "has no name"
        raise CampaignInvalid(
            f"{path.name} {problem}; fields are: {', '.join(Definition.__dataclass_fields__)}, schedule"
        )
    rules = PickRules.from_plain(plain.pop("rules", {}))
    segments = Segments.from_plain(plain.pop("segments", {}))
    return Definition(**plain, rules=rules, segments=segments), schedule


def _check_types(file: str, plain: Mapping[str, Any], schedule: Any) -> None:
    """Raises CampaignInvalid for a value of another type than its field has, and for an unknown schedule field."""
    wanted: dict[str, type] = dict.fromkeys(("name", "template", "subject", "preheader", "transport"), str)
    wanted |= {"picks": int, "variables": dict, "rules": dict, "segments": dict}
    for name, kind in wanted.items():
        if name in plain and not isinstance(plain[name], kind):
            words = {str: "a text in quotes", int: "a whole number", dict: f"a table [{name}]"}[kind]
            raise CampaignInvalid(f"{file}: {name} must be {words}, not {plain[name]!r}")
    known = {"at": str, "cron": str, "time_zone": str, "own_time": bool, "missed": str, "late_hours": int}
    words = "holds texts in quotes, and own_time = true or false, and late_hours = a whole number"
    if not isinstance(schedule, dict):
        raise CampaignInvalid(f"{file}: [schedule] {words}; fields are: {', '.join(known)}")
    if unknown := sorted(set(schedule) - set(known)):
        raise CampaignInvalid(f"{file}: [schedule] has an unknown field {unknown[0]!r}; fields are: {', '.join(known)}")
    for name, value in schedule.items():
        if type(value) is not known[name]:  # not isinstance: true is an int
            raise CampaignInvalid(f"{file}: [schedule] {words}; {name} = {value!r} is something else")


def check_name(name: str) -> None:
    """Raises CampaignInvalid for what is no name of a campaign."""
    if not _NAME.fullmatch(name):
        raise CampaignInvalid(f"name {name[:70]!r}: use small letters, digits and hyphens, at most 63")


def check_definition(definition: Definition, templates: TemplateFolders) -> TemplateSheet:
    """The sheet of its template. Raises CampaignInvalid for what cannot be, naming the field."""
    check_name(definition.name)
    try:
        sheet = templates.sheet(definition.template)
    except EngineError as error:
        raise CampaignInvalid(str(error)) from None
    _check_variables(definition.variables, sheet)
    if any(not isinstance(value, str) for value in definition.variables.values()):
        raise CampaignInvalid("variables are texts; put them in quotes")
    if not 1 <= definition.picks <= MOST_PICKS:
        raise CampaignInvalid(f"picks must be 1 to {MOST_PICKS}, not {definition.picks}")
    if definition.transport not in TRANSPORTS:
        raise CampaignInvalid(f"there is no transport {definition.transport!r}; there are: {', '.join(TRANSPORTS)}")
    return sheet


def _check_variables(variables: Mapping[str, str], sheet: TemplateSheet) -> None:
    """`headline`, or `headline.de` for German readers; subject and preheader too in other languages."""
    for given in sorted(variables):
        name, dot, language = given.partition(".")
        if name not in sheet.defaults() and not (dot and name in LINES):
            known = ", ".join(sheet.defaults()) or "none"
            raise CampaignInvalid(f"template {sheet.name} has no variable {name!r}; it has: {known}")
        if dot and not is_language(language):
            raise CampaignInvalid(f"{given}: {language!r} is no language; write {name}.de for German readers")
