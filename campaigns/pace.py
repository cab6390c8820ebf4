"""How fast mails leave: moments are handed out from one row in the database, over all processes and campaigns.

Each mail gets a moment of its own, a little more than 1/rate after the one before it, whoever sends that (the generic
cell rate algorithm with no burst). The row remembers the last moment given out, so that a resume begins after it.
"""

from collections.abc import Mapping

from sqlalchemy import text
from sqlmodel import Session

ALL = "all mails"
LATE = 0.02  # seconds; who misses its moment by more gets another one: two late ones at once would be too many
# A moment is when a mail sets out; what the other side sees is uneven by some hundredths of a second. At the full rate
# 4 busy processes on 2 cores reached 106 in a second where 100 were allowed.
STEADY = 0.97
_RESERVE = text(
    "INSERT INTO pace (name, next_at) VALUES (:name, :now + :length) ON CONFLICT (name) DO UPDATE SET next_at = "
    "CASE WHEN pace.next_at > :now THEN pace.next_at ELSE :now END + :length RETURNING next_at"
)
_BUSY = text("SELECT name FROM pace WHERE next_at > :until")


class Pace:
    """Hands out moments, in seconds since 1970-01-01 UTC. rate: mails a second, 0 for no limit; domains: by domain."""

    def __init__(self, rate: float, domains: Mapping[str, float]) -> None:
        self.rate, self._domains = rate, {domain.lower(): limit for domain, limit in domains.items()}

    @property
    def unlimited(self) -> bool:
        """Whether every mail may leave at once."""
        return not self.rate and not self._domains

    def has_own(self, domain: str) -> bool:
        """Whether this domain, in lower case, has a limit of its own."""
        return domain in self._domains

    def limits(self, domain: str) -> bool:
        """Whether a mail to this domain must wait for a moment at all."""
        return bool(self.rate) or domain in self._domains

    def reserve(self, session: Session, domains: list[str], *, now: float) -> list[float]:
        """A moment for each of these recipients' domains, in order. The caller commits, and keeps to them."""
        if self.unlimited:
            return [now] * len(domains)
        moments = self._row(session, ALL, len(domains), self.rate, now) if self.rate else [now] * len(domains)
        for domain, limit in self._domains.items():
            places = [place for place, name in enumerate(domains) if name == domain]
            if places:
                for place, moment in zip(places, self._row(session, domain, len(places), limit, now), strict=True):
                    moments[place] = max(moments[place], moment)
        return moments

    def busy(self, session: Session, *, now: float) -> list[str]:
        """Limited domains whose moments of the next second are given out: no more of theirs is claimed for now."""
        if not self._domains:
            return []
        names = session.execute(_BUSY, {"until": int((now + 1) * 1e6)}).scalars()
        return [name for name in names if name in self._domains]

    @staticmethod
    def _row(session: Session, name: str, count: int, rate: float, now: float) -> list[float]:
        step = 1e6 / (rate * STEADY)
        given = {"name": name, "now": int(now * 1e6), "length": int(step * count)}
        end = session.execute(_RESERVE, given).scalar_one()
        return [(end - step * (count - place)) / 1e6 for place in range(count)]
