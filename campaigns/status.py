"""What became of a run, in numbers a marketer understands."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from campaigns import ledger
from campaigns.models import Message, MessageState
from campaigns.plan import skipped
from campaigns.runs import campaign_of, find_run
from engine.catalog import Product
from subscribers.models import Subscriber


@dataclass(frozen=True)
class Status:
    """A run in numbers. heroes: how many mails each hero product is in, by title, the commonest first.

    errors: findings that keep the run from being sent; worst: the commonest of them. stopped_because: why it is paused,
    asking or cancelled. next_try: when the first of those that were put off is tried again, in UTC. rules: what each
    rule for picks removed or moved: products taken off the shelf, pairs of a person and a product that would have been
    picked, people whose picks were changed.
    """

    run: int
    campaign: str
    state: str
    audience: int
    messages: dict[str, int]
    skipped: dict[str, int]
    different_heroes: int
    heroes: list[tuple[str, int]]
    errors: int
    worst: str
    stopped_because: str
    next_try: datetime | None
    rules: dict[str, dict[str, int]]

    @property
    def mails(self) -> int:
        """People for whom there is a mail, whatever became of it."""
        return sum(self.messages.values())

    def summary(self) -> dict[str, Any]:
        """As plain data; the shape is promised to scripts."""
        return {
            "run": self.run,
            "campaign": self.campaign,
            "state": self.state,
            "audience": self.audience,
            "messages": self.messages,
            "skipped": self.skipped,
            "errors": self.errors,
            "worst": self.worst,
            "stopped_because": self.stopped_because,
            "next_try": self.next_try.isoformat() if self.next_try else None,
            "rules": self.rules,
            "different_heroes": self.different_heroes,
            "commonest_hero": {"title": self.heroes[0][0], "mails": self.heroes[0][1]} if self.heroes else None,
        }


def mails_of(session: Session, person: Subscriber) -> list[dict[str, Any]]:
    """What this person was to get and got, run by run, as plain data."""
    rows = session.execute(
        select(
            col(Message.run_id), col(Message.state), col(Message.reason), col(Message.message_id), col(Message.picks)
        )
        .where(col(Message.subscriber_id) == person.id)
        .order_by(col(Message.run_id))
    )
    names = ("run", "state", "reason", "message_id", "picks")
    return [dict(zip(names, (*row[:4], json.loads(row[4])), strict=True)) for row in rows]


def status_of(session: Session, run_id: int) -> Status:
    """The run with this number, in numbers. Raises RunUnknown."""
    run = find_run(session, run_id)
    campaign = campaign_of(session, run)
    totals = ledger.totals(session, run_id)
    states = [state for state in MessageState if state not in (MessageState.SKIPPED, MessageState.CLAIMED)]
    counted = (
        select(col(Product.title), func.count())
        .join_from(Message, Product, col(Product.sku_id) == col(Message.hero_sku_id))
        .where(col(Message.run_id) == run_id)
        .group_by(col(Product.sku_id), col(Product.title))
        .order_by(func.count().desc(), col(Product.title))
    )
    heroes = [(title, count) for title, count in session.execute(counted)]
    messages = {str(state): totals.get(state, 0) for state in states}
    messages["planned"] += totals.get(MessageState.CLAIMED, 0)
    return Status(
        run=run_id,
        campaign=campaign.name,
        state=run.state,
        audience=sum(totals.values()),
        messages=messages,
        skipped=skipped(session, run_id),
        different_heroes=len(heroes),
        heroes=heroes[:10],
        errors=run.errors,
        worst=run.worst,
        stopped_because=run.stopped_because,
        next_try=ledger.next_due(session, run_id) if totals.get(MessageState.DEFERRED) else None,
        rules=json.loads(run.rule_counts),
    )
