"""Whom to look at before anything is sent: the longest subject, the biggest mail, the emptiest history, in a sample.

A mail's words are written from its row when they are needed and kept nowhere, so that all of them cannot be asked for;
a sample spread over everybody takes 0.3 s.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from campaigns.letters import Letter
from campaigns.models import Message, Run
from campaigns.preview import Previewer, planned_letters
from subscribers.models import Signal, Subscriber

SAMPLE = 100  # people


@dataclass(frozen=True)
class Extremes:
    """Subscriber ids, 0 where nobody in the sample gets a mail, and the figure of each: characters, bytes, signals.
    sample: how many mails were looked at. everybody: those are all there are."""

    subject: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    history: tuple[int, int] = (0, 0)
    sample: int = 0
    everybody: bool = False

    def summary(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def of_run(session: Session, run: Run) -> Extremes:
    """The extremes of a planned run, in the mails as they are frozen."""
    assert run.id is not None  # it came from the database
    letters = planned_letters(session, run.id, sample_of_run(session, run.id))
    return _of(session, letters, everybody=len(letters) < SAMPLE)


def of_everybody(session: Session, previewer: Previewer, *, now: datetime) -> Extremes:
    """The extremes among people who may be mailed, as their mails would be now."""
    people = sample_of_roster(session)
    return _of(session, previewer.letters_of(people, session=session, now=now), everybody=len(people) < SAMPLE)


def sample_of_roster(session: Session) -> list[int]:
    """Up to SAMPLE subscriber ids of people who may be mailed, spread over the roster."""
    column = col(Subscriber.id)
    mailed = select(column).where(col(Subscriber.may_mail), func.length(col(Subscriber.address)) > 0)
    return _spread(session, mailed, column)


def sample_of_run(session: Session, run_id: int) -> list[int]:
    """Up to SAMPLE subscriber ids of people who have a mail in the run, spread over them."""
    column = col(Message.subscriber_id)
    return _spread(session, select(column).where(col(Message.run_id) == run_id, col(Message.sha256) != ""), column)


def _spread(session: Session, query: Select[Any], column: Any) -> list[int]:
    """Ids nearest to evenly spread ones: each is one look at an index. All of them where there are few."""
    few: list[int] = list(session.scalars(query.order_by(column).limit(SAMPLE + 1)))
    if len(few) <= SAMPLE:
        return few
    last = session.scalars(query.order_by(column.desc()).limit(1)).one()
    places = np.linspace(few[0], last, SAMPLE).astype(np.int64).tolist()
    found = (session.scalars(query.where(column >= place).order_by(column).limit(1)).first() for place in places)
    return sorted({number for number in found if number is not None})


def _of(session: Session, letters: list[tuple[int, Letter]], *, everybody: bool) -> Extremes:
    if not letters:
        return Extremes(everybody=everybody)
    people = [number for number, _ in letters]
    counts = select(col(Signal.subscriber_id), func.count()).where(col(Signal.subscriber_id).in_(people))
    found = session.execute(counts.group_by(col(Signal.subscriber_id))).all()
    signals: dict[int, int] = {row[0]: row[1] for row in found}
    longest = max(letters, key=lambda each: len(each[1].mail.subject))
    biggest = max(letters, key=lambda each: len(each[1].mail.html.encode()))
    emptiest = min(people, key=lambda number: signals.get(number, 0))
    return Extremes(
        (longest[0], len(longest[1].mail.subject)),
        (biggest[0], len(biggest[1].mail.html.encode())),
        (emptiest, signals.get(emptiest, 0)),
        len(letters),
        everybody,
    )
