"""The form of a segment: what it shows of the rules, and the rules that somebody typed."""

from collections.abc import Mapping
from typing import Any

from studio.pages.forms import Fields
from subscribers.segment_rules import KINDS, SegmentInvalid, SegmentRules

LISTS = ("languages", "countries", "time_zones", "bought")  # one a line, or with commas between
NUMBERS = ("joined_within_days", "joined_longer_ago_days", "purchases")
DAYS = ("joined_after", "joined_before")
ANSWERS: Mapping[str, bool | None] = {"": None, "yes": True, "no": False}
CONSENTS = ("personalise", "track")
DONE = ("did", "did_not")
KIND_WORDS = {"view": "Looked at a product", "click": "Clicked in a mail", "cart": "Put something into the cart",
              "purchase": "Bought something", "any": "Did anything at all"}  # fmt: skip


def shown(name: str, rules: SegmentRules) -> Fields:
    """The fields as the form shows them for these rules."""
    values = {"name": name}
    values |= {field: ", ".join(getattr(rules, field)) for field in LISTS}
    values |= {field: str(getattr(rules, field) or "") for field in (*NUMBERS, *DAYS)}
    words = {answer: word for word, answer in ANSWERS.items()}
    values |= {field: words[getattr(rules, field)] for field in CONSENTS}
    for field in DONE:
        values |= {f"{field}.{kind}": str(days) for kind, days in getattr(rules, field).items()}
    return Fields({field: [value] for field, value in values.items()})


def read(fields: Fields) -> SegmentRules:
    """The rules that were typed; without a rule they are everybody. What is wrong is noted in fields.problems."""
    plain: dict[str, Any] = {field: _listed(fields.one(field)) for field in LISTS}
    plain |= {field: fields.one(field) or None for field in DAYS}
    plain |= {field: _number(fields, field) for field in NUMBERS}
    plain |= {field: ANSWERS.get(fields.one(field)) for field in CONSENTS}
    for field in DONE:
        days = {kind: _number(fields, f"{field}.{kind}") for kind in KINDS}
        plain[field] = {kind: count for kind, count in days.items() if count is not None}
    if not fields.problems:
        try:
            return SegmentRules.from_plain(plain)
        except SegmentInvalid as error:
            note_problem(fields, error)
    return SegmentRules()


def note_problem(fields: Fields, error: SegmentInvalid) -> None:
    """Beside the field that the error names: its sentence begins with it."""
    field, colon, sentence = str(error).partition(": ")
    known = {*LISTS, *NUMBERS, *DAYS, *CONSENTS, *(f"{done}.{kind}" for done in DONE for kind in KINDS)}
    if colon and field in known:
        fields.problems[field] = sentence
    elif field.startswith("name "):
        fields.problems["name"] = "use small letters, digits and hyphens, at most 63: such as regulars"
    else:
        fields.problems[""] = str(error)


def _listed(text: str) -> list[str]:
    return [each.strip() for line in text.splitlines() for each in line.split(",") if each.strip()]


def _number(fields: Fields, name: str) -> int | None:
    text = fields.one(name)
    if not text:
        return None
    if not (text.isdecimal() and text.isascii() and len(text) < 10):
        fields.problems[name] = "use a whole number, or leave it empty"
        return None
    return int(text)
