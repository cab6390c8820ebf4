"""A run in figures. Over a million messages the states take 0.1 s to count, and the rest a second: counted aside, kept,
and shown with their age. While it is sent, the states are counted anew every two seconds."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from campaigns import ledger
from campaigns.models import Attempt, Bounce, Message, MessageState, Run, RunState
from engine.catalog import Product
from studio.figures import Figure, Figures
from subscribers.models import Subscriber

LIVE = (RunState.PLANNING, RunState.PLANNED, RunState.SENDING)
OPEN = ("planned", "claimed", "handing_over", "deferred")
FRESH_WHILE_LIVE, FRESH_AFTER = timedelta(seconds=2), timedelta(minutes=1)
DETAILS_WHILE_LIVE, DETAILS_AFTER = timedelta(seconds=30), timedelta(minutes=10)
LOOKED_AT = 2_000  # attempts: at 100 a second those of the last 20 s
WINDOW = timedelta(minutes=1)
MOST_REPLIES, SHOWN = 5_000, 10
BOUNCES_SHOWN = 20
_PARTICULAR = re.compile(r"\S*@\S*|\b(?=\w*\d)\w{6,}\b")  # addresses, and what numbers one mail among many


@dataclass(frozen=True)
class Progress:
    """How far a run is. age: of the count. done: mails with an end; mails: all; pace: handed over a second; left: until
    the end at that pace, None when nobody can say."""

    states: dict[str, int]
    age: timedelta
    done: int
    mails: int
    pace: float
    left: timedelta | None

    @property
    def audience(self) -> int:
        """Everybody who was looked at."""
        return sum(self.states.values())


def progress_of(session: Session, figures: Figures, run: Run, *, now: datetime) -> Progress | None:
    """How far the run is; None while it is counted for the first time."""
    live = run.state in LIVE
    fresh = FRESH_WHILE_LIVE if live else FRESH_AFTER
    counted = figures(f"run {run.id} {run.state} states", lambda aside: _states(aside, run), fresh_for=fresh)
    if counted.value is None:
        return None
    states: dict[str, int] = counted.value
    waiting = sum(states.get(state, 0) for state in OPEN)
    mails = sum(states.values()) - states.get(MessageState.SKIPPED, 0)
    pace = pace_of(session, run, now=now) if run.state == RunState.SENDING else 0.0
    left = timedelta(seconds=round(waiting / pace)) if pace and waiting else None
    return Progress(states, counted.age, mails - waiting, mails, pace, left)


def details_of(figures: Figures, run: Run) -> Figure:
    """Why people were left out, what servers said, what came back, and which products are shown large."""
    fresh = DETAILS_WHILE_LIVE if run.state in LIVE else DETAILS_AFTER
    return figures(f"run {run.id} {run.state} details", lambda aside: _details(aside, run), fresh_for=fresh)


def pace_of(session: Session, run: Run, *, now: datetime) -> float:
    """Mails of the run handed over a second in the last minute, by the newest 2,000 attempts of any run."""
    newest = session.execute(
        select(col(Attempt.message_id), col(Attempt.at)).order_by(col(Attempt.id).desc()).limit(LOOKED_AT)
    ).all()
    lately = [(number, at) for number, at in newest if at > now - WINDOW]
    if not lately:
        return 0.0
    owners = select(col(Message.id), col(Message.run_id)).where(col(Message.id).in_([number for number, _ in lately]))
    ours = {number for number, run_id in session.execute(owners) if run_id == run.id}
    counted = sum(number in ours for number, _ in lately)
    span = WINDOW if len(lately) < LOOKED_AT else now - min(at for _, at in lately)
    began = max(now - min(at for number, at in lately), timedelta(seconds=1))
    return counted / min(span, began).total_seconds() if counted else 0.0


def bounces_of(session: Session, run_id: int) -> list[Any]:
    """The newest of what came back: at, kind, status, detail, subscriber's number and address."""
    newest = (
        select(col(Bounce.at), col(Bounce.kind), col(Bounce.status), col(Bounce.detail), col(Subscriber.address))
        .join_from(Bounce, Message, col(Message.id) == col(Bounce.message_id))
        .join(Subscriber, col(Subscriber.id) == col(Message.subscriber_id), isouter=True)
        .where(col(Message.run_id) + 0 == run_id)  # from the bounces to their messages: those are the fewer
        .order_by(col(Bounce.id).desc())
    )
    return list(session.execute(newest.limit(BOUNCES_SHOWN)))


def grouped(reasons: dict[str, int]) -> list[list[Any]]:
    """What servers said, alike ones together, the commonest first: [[words, how often], …].

    >>> grouped({"550 5.1.1 <a@b.example> unknown (4Fx91Zq2)": 2, "550 5.1.1 <c@d.example> unknown (7Hk20Pw3)": 1})
    [['550 5.1.1 … unknown (…)', 3]]
    """
    alike = Counter[str]()
    for words, count in reasons.items():
        alike[_PARTICULAR.sub("…", words)] += count
    return [[words, count] for words, count in alike.most_common(SHOWN)]


def _states(session: Session, run: Run) -> dict[str, int]:
    assert run.id is not None  # it came from the database
    return ledger.totals(session, run.id)


def _details(session: Session, run: Run) -> dict[str, Any]:
    assert run.id is not None  # it came from the database
    heroes = session.execute(
        select(col(Message.hero_sku_id), func.count())
        .where(col(Message.run_id) == run.id, col(Message.hero_sku_id).is_not(None))
        .group_by(col(Message.hero_sku_id))
        .order_by(func.count().desc(), col(Message.hero_sku_id))
    ).all()
    titles = select(col(Product.sku_id), col(Product.title)).where(
        col(Product.sku_id).in_([sku for sku, _ in heroes[:SHOWN]])
    )
    named = {row[0]: row[1] for row in session.execute(titles)}
    kinds = (
        select(col(Bounce.kind), func.count())
        .join_from(Bounce, Message, col(Message.id) == col(Bounce.message_id))
        .where(col(Message.run_id) + 0 == run.id)
        .group_by(col(Bounce.kind))
    )
    return {
        "left_out": sorted(
            ledger.reasons(session, run.id, MessageState.SKIPPED).items(), key=lambda pair: (-pair[1], pair[0])
        ),
        "failed": _replies(session, run.id, MessageState.FAILED),
        "deferred": _replies(session, run.id, MessageState.DEFERRED),
        "bounces": [[kind, count] for kind, count in session.execute(kinds.order_by(func.count().desc()))],
        "heroes": [[named.get(sku, "no longer in the catalogue"), count] for sku, count in heroes[:SHOWN]],
        "different_heroes": len(heroes),
    }


def _replies(session: Session, run_id: int, state: MessageState) -> list[list[Any]]:
    counted = (
        select(col(Message.reason), func.count())
        .where(col(Message.run_id) == run_id, col(Message.state) == state)
        .group_by(col(Message.reason))
        .order_by(func.count().desc())
        .limit(MOST_REPLIES)
    )
    return grouped({row[0]: row[1] for row in session.execute(counted)})
