"""What was found in the mails of a run: counted by kind, and of each kind the worst mail, by whose it is."""

from dataclasses import dataclass, field

from campaigns.letters import Letter
from engine.render.checks import check
from engine.render.content import Sender
from engine.render.inspection import Finding

Kind = tuple[str, str]
"""(severity, check)."""


@dataclass
class Review:
    """What was found in the mails of a run. Plain data, so that it can be made in parts and merged.

    counts: in how many mails each kind was found. worst_of: for each kind (weight, who, detail) of the worst mail. who
    is the number of a person or message, never an address: this is printed and logged.
    """

    run_id: int
    mails: int = 0
    heroes: dict[int, int] = field(default_factory=dict)
    largest: int = 0
    largest_of: int | str = ""
    counts: dict[Kind, int] = field(default_factory=dict)
    worst_of: dict[Kind, tuple[float, int | str, str]] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """Findings that stop a send."""
        return sum(count for (severity, _), count in self.counts.items() if severity == "error")

    @property
    def warnings(self) -> int:
        """Findings that do not."""
        return sum(count for (severity, _), count in self.counts.items() if severity == "warning")

    @property
    def examples(self) -> dict[Kind, str]:
        """What the worst finding of each kind says."""
        return {kind: detail for kind, (_, _, detail) in self.worst_of.items()}

    @property
    def worst(self) -> str:
        """The commonest error in one line; empty without any."""
        errors = [(count, kind) for kind, count in self.counts.items() if kind[0] == "error"]
        if not errors:
            return ""
        count, kind = max(errors)
        return f"{kind[1]} {self.worst_of[kind][2]} in {count} mails"

    def look(
        self,
        letter: Letter,
        sender: Sender,
        hero_sku_id: int | None,
        *,
        who: int | str = "",
        known_hosts: frozenset[str] | None = None,
    ) -> None:
        """Check one finished letter. known_hosts: where its links may lead, see `engine.render.checks.check`."""
        self.mails += 1
        self.heroes[hero_sku_id or 0] = self.heroes.get(hero_sku_id or 0, 0) + 1
        self._measure(len(letter.message), who)
        found = check(letter.mail, sender, letter.unsubscribe_url, known_hosts)
        if found:
            for kind in {(finding.severity, finding.check) for finding in found}:
                self.counts[kind] = self.counts.get(kind, 0) + 1
            for finding in found:
                self._compare((finding.severity, finding.check), (finding.weight, who, finding.detail))

    def note(self, finding: Finding, who: int | str = "") -> None:
        """Count a finding of one mail, and keep the worst of its kind."""
        kind = (finding.severity, finding.check)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self._compare(kind, (finding.weight, who, finding.detail))

    def merge(self, other: "Review") -> None:
        """Take in what was found in other mails of the run; in whatever order, the whole is the same."""
        self.mails += other.mails
        for hero, mails in other.heroes.items():
            self.heroes[hero] = self.heroes.get(hero, 0) + mails
        self._measure(other.largest, other.largest_of)
        for kind, mails in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + mails
        for kind, worst in other.worst_of.items():
            self._compare(kind, worst)

    def summary(self) -> dict[str, object]:
        """The review as plain data."""
        findings = [
            {
                "severity": kind[0],
                "check": kind[1],
                "mails": count,
                "example": self.worst_of[kind][2],
                "worst": self.worst_of[kind][1],
            }
            for kind, count in sorted(self.counts.items())
        ]
        return {
            "run": self.run_id,
            "mails": self.mails,
            "different_heroes": len(self.heroes),
            "largest_bytes": self.largest,
            "largest_of": self.largest_of,
            "errors": self.errors,
            "warnings": self.warnings,
            "findings": findings,
        }

    def _measure(self, size: int, who: int | str) -> None:
        if _order((size, who, "")) < _order((self.largest, self.largest_of, "")):
            self.largest, self.largest_of = size, who

    def _compare(self, kind: Kind, found: tuple[float, int | str, str]) -> None:
        if kind not in self.worst_of or _order(found) < _order(self.worst_of[kind]):
            self.worst_of[kind] = found


def _order(found: tuple[float, int | str, str]) -> tuple[float, int, str, str]:
    """The worst first; of equals the one with the smallest number, so that the order of looking does not matter."""
    weight, who, detail = found
    return -weight, len(str(who)), str(who), detail
