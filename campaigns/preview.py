"""What one person would get if the campaign went out now: through the same steps as a plan, writing nothing."""

import json
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from campaigns.audience import Person, audience
from campaigns.freeze import frozen_press, make_cards, make_content
from campaigns.frequency import had_enough
from campaigns.letters import Letter, row_of
from campaigns.models import Campaign, Run
from campaigns.pick_rules import rules_in
from campaigns.plan import Drafts, picks_of
from campaigns.press import Press
from campaigns.runs import find_run, message_of
from campaigns.settings import Settings
from campaigns.view import heroes_of, recommender
from engine.recommend.recommender import Recommender
from subscribers import roster
from subscribers.secrets import Secrets


@dataclass(frozen=True)
class Preview:
    """A letter, and why it is as it is. skip: why the person would get nothing; the letter is None then.

    picks: (sku_id, score, reason, sentence, propensity) of each, as in Message.picks, the hero first.
    """

    address: str
    skip: str
    letter: Letter | None
    picks: tuple[tuple[int, float, str, str, float], ...] = ()


class Previewer:
    """Previews of one campaign: reads the catalogue, signals and model once, then any number of people."""

    def __init__(
        self, session: Session, campaign: Campaign, settings: Settings, secrets: Secrets, now: datetime
    ) -> None:
        self._session, self._campaign, self._secrets = session, campaign, secrets
        self._view: Recommender
        self._view, _ = recommender(session, settings.models, rules_in(campaign.rules, settings), now=now)
        self._heroes = heroes_of(session, self._view, campaign.picks)
        self._settings, self._now = settings, now
        content = make_content(campaign, settings)
        self._press = Press(content, make_cards(session, content.public_url), date=now)
        run = Run(campaign_id=campaign.id or 0, occurrence=now, planned_at=now, alive_at=now)
        self._drafts = Drafts(run, content, secrets)

    def of(self, address: str) -> Preview:
        """The mail of this person. Raises SubscriberUnknown, TemplateBroken."""
        subscriber = roster.find(self._session, address, self._secrets)
        enough = had_enough(self._session, self._settings, now=self._now, only=subscriber.id)
        person = next(audience(self._session, only=subscriber.id, enough=enough))
        return self._preview(person)

    def _preview(self, person: Person) -> Preview:
        (picks,) = picks_of([person], self._view, self._campaign.picks, self._heroes)
        row = self._drafts.row(person, picks)
        (letter,) = (None,) if row["reason"] else self._press.letters([row_of(row)])
        return Preview(person.address, row["reason"], letter, _picks_in(row["picks"]))


def planned_letter(session: Session, run_id: int, address: str, secrets: Secrets) -> Preview:
    """The mail a planned run holds for this person, byte for byte what is sent. Raises RunUnknown, WrongState."""
    message = message_of(session, run_id, address, secrets)
    if message.reason and not message.sha256:
        return Preview(address, message.reason, None)
    (letter,) = frozen_press(session, find_run(session, run_id)).letters([row_of(message.model_dump())])
    return Preview(address, "", letter, _picks_in(message.picks))


def _picks_in(listed: str) -> tuple[tuple[int, float, str, str, float], ...]:
    return tuple(tuple(pick) for pick in json.loads(listed))
