"""Render every mail of a planned run from its frozen rows, and check it: its bytes, its links, its pictures."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select
from sqlmodel import col

from campaigns.letters import Writer
from campaigns.models import Message
from campaigns.plan import find_run, frozen_writer, row_of
from engine.errors import EngineError
from engine.render.checks import Finding, check
from subscribers.database import reading

Progress = Callable[[int, int], None]


@dataclass
class Review:
    """What was found in the mails of a run. examples: for each kind of finding, the id of the first message."""

    run_id: int
    mails: int = 0
    heroes: Counter[int] = field(default_factory=Counter)
    largest: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """Findings that stop a send."""
        return sum(count for (severity, _), count in self.counts.items() if severity == "error")

    @property
    def warnings(self) -> int:
        """Findings that do not."""
        return sum(count for (severity, _), count in self.counts.items() if severity == "warning")

    @property
    def worst(self) -> str:
        """The commonest error in one line; empty without any."""
        errors = [(count, kind) for kind, count in self.counts.items() if kind[0] == "error"]
        if not errors:
            return ""
        count, kind = max(errors)
        return f"{kind[1]} {self.examples[kind][1]} in {count} mails"

    def note(self, message_id: int, finding: Finding) -> None:
        """Count a finding and keep the first of its kind."""
        kind = (finding.severity, finding.check)
        self.counts[kind] += 1
        self.examples.setdefault(kind, (message_id, finding.detail))

    def summary(self) -> dict[str, object]:
        """The review as plain data."""
        findings = [
            {"severity": kind[0], "check": kind[1], "mails": count, "example": self.examples[kind][1]}
            for kind, count in sorted(self.counts.items())
        ]
        return {
            "run": self.run_id,
            "mails": self.mails,
            "different_heroes": len(self.heroes),
            "largest_bytes": self.largest,
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": findings,
        }


def review_run(database: Engine, run_id: int, *, progress: Progress | None = None) -> Review:
    """Render and check everybody's mail. Raises RunUnknown, WrongState."""
    review = Review(run_id)
    with reading(database) as session:
        writer = frozen_writer(session, find_run(session, run_id))
        columns = ("id", "address", "given_name", "language", "picks", "message_id", "token", "sha256", "hero_sku_id")
        query = select(*(getattr(Message, name) for name in columns)).where(
            col(Message.run_id) == run_id, col(Message.sha256) != ""
        )
        rows = session.execute(query.order_by(col(Message.id))).all()
    for number, row in enumerate(rows):
        _review_one(review, writer, row._mapping)
        if progress and number % 100 == 0:
            progress(number, len(rows))
    return review


def _review_one(review: Review, writer: Writer, columns: Mapping[Any, Any]) -> None:
    review.mails += 1
    review.heroes[columns["hero_sku_id"]] += 1
    try:
        letter = writer.write(row_of(columns))
    except EngineError as error:
        review.note(columns["id"], Finding("error", "template", str(error)))
        return
    review.largest = max(review.largest, len(letter.message))
    if hashlib.sha256(letter.message).hexdigest() != columns["sha256"]:
        review.note(columns["id"], Finding("error", "bytes", "differ from the plan"))
    for finding in check(letter.mail, writer.content.sender, letter.unsubscribe_url):
        review.note(columns["id"], finding)
