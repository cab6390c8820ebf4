"""The people whose mails show what can go wrong: counted aside over a sample, and kept."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from campaigns import extremes
from campaigns.models import Run
from campaigns.preview import Previewer
from studio.figures import Figures

FRESH_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Extreme:
    """Somebody to look at. person: their subscriber number."""

    title: str
    figure: str
    person: int
    sample: int
    everybody: bool


def extremes_of(
    figures: Figures, name: str, run: Run | None, previewer: Previewer | None, *, now: datetime
) -> list[Extreme]:
    """The three of the run, or of the people who may be mailed; none while they are being looked for."""

    def count(session: Session) -> dict[str, Any]:
        if run is not None:
            return extremes.of_run(session, run).summary()
        assert previewer is not None  # there is one where there is no run
        return extremes.of_everybody(session, previewer, now=now).summary()

    if run is not None and not run.content_sha256:
        return []
    title = f"extremes {name} {run.id}" if run is not None else f"extremes {name}"
    kept = figures(title, count, fresh_for=timedelta(days=365) if run is not None else FRESH_FOR).value
    if not kept or not kept["sample"]:
        return []
    (subject, characters), (size, octets), (history, signals) = kept["subject"], kept["size"], kept["history"]
    heard = "nothing" if not signals else "1 signal" if signals == 1 else f"{signals:,} signals"
    return [
        Extreme(title, figure, person, kept["sample"], kept["everybody"])
        for title, figure, person in (
            ("Longest subject", f"{characters} characters", subject),
            ("Biggest mail", f"{octets / 1024:.0f} KB", size),
            ("Emptiest history", heard, history),
        )
    ]
