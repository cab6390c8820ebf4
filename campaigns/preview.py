"""What one person would get if the campaign went out now: through the same steps as a plan, writing nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Select, exists, select
from sqlmodel import Session, col

from campaigns import segments
from campaigns.audience import as_arrays, audience
from campaigns.background import Background, make_background
from campaigns.freeze import frozen_press, make_cards, make_content, thaw
from campaigns.frequency import had_enough
from campaigns.letters import Letter, Row, Writer, row_of
from campaigns.models import Campaign, Message, Run
from campaigns.pick_rules import rules_in
from campaigns.plan import Drafts, picks_of
from campaigns.press import Press
from campaigns.runs import find_run, message_of
from campaigns.settings import Settings
from campaigns.shown import shown_lately
from campaigns.view import AUDIENCE_LOOKED_AT
from engine.assortment import read_catalog
from engine.recommend.guardrails import NOTHING_SHOWN
from engine.recommend.recommender import Heroes, Recommender
from engine.recommend.why import FullAccount, account
from engine.render.content import Content
from subscribers import roster
from subscribers.errors import SubscriberUnknown
from subscribers.models import Subscriber, Suppression
from subscribers.secrets import Secrets
from subscribers.signals import Signals, read_signals

PickRow = tuple[int, float, str, str, float]
"""(sku_id, score, reason, sentence, propensity), as in Message.picks."""


@dataclass(frozen=True)
class Preview:
    """A letter, and why it is as it is. skip: why the person would get nothing; the letter is None then.

    outside: the campaign is not for this person, who is in none of its segments; the letter is what they would get.

    picks: of each product, the hero first. account: all there is to say about them, where it was asked for. why: what
    a run has kept of it instead (`campaigns.reasons`). row: what the letter was written from.
    """

    address: str
    skip: str
    letter: Letter | None
    picks: tuple[PickRow, ...] = ()
    outside: bool = False
    personalised: bool = True
    account: FullAccount | None = None
    why: dict[str, Any] | None = None
    row: Row | None = None


class Previewer:
    """Previews of one campaign: reads catalogue, template and rules once, then looks at any number of people.

    background: what everybody's signals say, if it is known already; else all of them are read now. capped: whether
    the cap on heroes is worked out, which it is for up to AUDIENCE_LOOKED_AT people.
    """

    def __init__(
        self,
        session: Session,
        campaign: Campaign,
        settings: Settings,
        secrets: Secrets,
        now: datetime,
        *,
        background: Background | None = None,
    ) -> None:
        self._session, self._campaign, self._settings, self._secrets = session, campaign, settings, secrets
        self.made_at = now
        self._rules = rules_in(campaign.rules, settings)
        self.background = background or make_background(session, settings, now=now)
        self._view = self._empty_view(session)
        self._segments = segments.segments_of(campaign)
        self._heroes = self._heroes_of_those_it_is_for(session)
        self.capped = self._heroes is not None
        content = make_content(campaign, settings)
        self._cards = make_cards(session, content.public_url)
        self.press = Press(content, self._cards, date=now)
        run = Run(campaign_id=campaign.id or 0, occurrence=now, planned_at=now, alive_at=now)
        self._drafts = Drafts(run, content, secrets)

    def of(
        self, address: str, *, session: Session | None = None, now: datetime | None = None, explain: bool = False
    ) -> Preview:
        """The mail of this person, by today's consent and signals. Raises SubscriberUnknown, TemplateBroken.

        explain: with the account. 20 ms, with 10,000,000 signals of 1,000,000 people in SQLite.
        """
        session, now = session or self._session, now or self.made_at
        subscriber = roster.find(session, address, self._secrets)
        assert subscriber.id is not None  # it came from the database
        enough = had_enough(session, self._settings, now=now, only=subscriber.id)
        person = next(audience(session, only=subscriber.id, enough=enough), None)
        if person is None:  # erased: nothing but a number is left
            raise SubscriberUnknown(address)
        inside = segments.is_for(session, self._segments, now, person.id)
        view = self._about(session, [person.id], now)
        (picks,) = picks_of([person], view, self._campaign.picks, self._heroes)
        row = self._drafts.row(person, picks)
        written = None if row["reason"] else row_of(row)
        (letter,) = (None,) if written is None else self.press.letters([written])
        told = explain and letter is not None and picks is not None
        return Preview(
            person.address,
            row["reason"],
            letter,
            _picks_in(row["picks"]),
            outside=not inside,
            personalised=person.may_personalise,
            account=account(view, picks, personalised=person.may_personalise) if told and picks else None,
            row=written,
        )

    def known_hosts(self) -> frozenset[str]:
        """Where links of the mails may lead."""
        return Writer(self.press.content, self._cards, date=self.made_at).known_hosts

    def letters_of(self, people: Sequence[int], *, session: Session, now: datetime) -> list[tuple[int, Letter]]:
        """(subscriber id, letter) of those of a few people who would get one."""
        among = select(col(Subscriber.id)).where(col(Subscriber.id).in_(people))
        mailed = [person for person in audience(session, among=among) if not person.skip]
        view = self._about(session, [person.id for person in mailed], now)
        picks = picks_of(mailed, view, self._campaign.picks, self._heroes)
        rows = [row for row in self._drafts.rows(mailed, picks) if not row["reason"]]
        letters = self.press.letters([row_of(row) for row in rows])
        return [(row["subscriber_id"], letter) for row, letter in zip(rows, letters, strict=True)]

    def _empty_view(self, session: Session) -> Recommender:
        """The shop as everybody's signals show it, knowing nobody."""
        now, made = int(self.made_at.timestamp()), self.background
        view = Recommender(
            read_catalog(session), _NO_SIGNALS, made.model, now, self._rules, NOTHING_SHOWN, made.landscape.seed
        )
        made.landscape.spread(view.moment)
        return view

    def _about(self, session: Session, people: list[int], now: datetime) -> Recommender:
        signals = read_signals(session, until=now, subscriber_ids=people)
        shown = shown_lately(session, self._rules.repeat_mails, now=now, only=people)
        return self._view.about(signals, shown, int(now.timestamp()))

    def _heroes_of_those_it_is_for(self, session: Session) -> Heroes | None:
        """Who gets which hero; None when the audience is too large to work that out for a look at one person, who is
        then shown what they would get but for the cap."""
        among = _who_may_be_mailed(segments.people_of(session, self._segments, self.made_at))
        if len(session.execute(among.limit(AUDIENCE_LOOKED_AT + 1)).all()) > AUDIENCE_LOOKED_AT:
            return None
        people = [person for person in audience(session, among=among) if not person.skip]
        view = self._about(session, [person.id for person in people], self.made_at)
        return view.heroes(*as_arrays(people), self._campaign.picks)


def planned_letter(session: Session, run_id: int, address: str, secrets: Secrets) -> Preview:
    """The mail a planned run holds for this person, byte for byte what is sent. Raises RunUnknown, WrongState."""
    message = message_of(session, run_id, address, secrets)
    if message.reason and not message.sha256:
        return Preview(address, message.reason, None)
    row = row_of(message.model_dump())
    (letter,) = frozen_press(session, find_run(session, run_id)).letters([row])
    return Preview(address, "", letter, _picks_in(message.picks), why=json.loads(message.why), row=row)


def hosts_of_run(session: Session, run: Run) -> tuple[Content, frozenset[str]]:
    """(what a planned run is made from, where links of its mails may lead). Raises RunUnknown."""
    content = Content.from_plain(thaw(session, run.content_sha256))
    cards = {int(sku_id): card for sku_id, card in thaw(session, run.cards_sha256).items()}
    return content, Writer(content, cards, date=run.planned_at).known_hosts


def planned_letters(session: Session, run_id: int, people: Sequence[int]) -> list[tuple[int, Letter]]:
    """(subscriber id, letter) of those of these people who have a mail in a run. Raises RunUnknown, WrongState."""
    press = frozen_press(session, find_run(session, run_id))
    mine = select(Message).where(col(Message.run_id) == run_id, col(Message.subscriber_id).in_(people))
    rows = session.scalars(mine.where(col(Message.sha256) != "").order_by(col(Message.subscriber_id))).all()
    letters = press.letters([row_of(row.model_dump()) for row in rows])
    return [(row.subscriber_id, letter) for row, letter in zip(rows, letters, strict=True)]


def _who_may_be_mailed(among: Select[Any] | None) -> Select[Any]:
    """Ids of those a mail may go to, of these."""
    suppressed = exists().where(col(Suppression.key) == col(Subscriber.key))
    query = select(col(Subscriber.id)).where(col(Subscriber.may_mail), col(Subscriber.address) != "", ~suppressed)
    return query if among is None else query.where(col(Subscriber.id).in_(among))


_NOTHING = np.empty(0, dtype=np.int64)
_NO_SIGNALS = Signals(_NOTHING, _NOTHING, _NOTHING.astype(np.int8), _NOTHING, _NOTHING.astype(np.int32))


def _picks_in(listed: str) -> tuple[PickRow, ...]:
    return tuple(tuple(pick) for pick in json.loads(listed))
