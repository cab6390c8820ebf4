"""What was found in the mails of a run: counted by kind, with an example of each."""

from collections import Counter
from dataclasses import dataclass, field

from campaigns.letters import Letter
from engine.render.checks import Finding, check
from engine.render.compose import Sender


@dataclass
class Review:
    """What was found in the mails of a run. examples: the first finding of each kind."""

    run_id: int
    mails: int = 0
    heroes: Counter[int] = field(default_factory=Counter)
    largest: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)

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
        return f"{kind[1]} {self.examples[kind]} in {count} mails"

    def look(self, letter: Letter, sender: Sender, hero_sku_id: int | None) -> None:
        """Check one finished letter."""
        self.mails += 1
        self.heroes[hero_sku_id or 0] += 1
        self.largest = max(self.largest, len(letter.message))
        for finding in check(letter.mail, sender, letter.unsubscribe_url):
            self.note(finding)

    def note(self, finding: Finding) -> None:
        """Count a finding and keep the first of its kind."""
        kind = (finding.severity, finding.check)
        self.counts[kind] += 1
        self.examples.setdefault(kind, finding.detail)

    def summary(self) -> dict[str, object]:
        """The review as plain data."""
        findings = [
            {"severity": kind[0], "check": kind[1], "mails": count, "example": self.examples[kind]}
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
