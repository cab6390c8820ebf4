"""What everybody's signals say, for looks at single people: made seldom and kept, because it reads all of them.

The person's own signals, mails and consent are read at each look; only what follows from everybody's together (the
trend, who shares which label) is as old as its Background. 10,000,000 signals take half a minute to read.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from campaigns.pick_rules import shop_rules
from campaigns.settings import Settings
from campaigns.view import seed_of
from engine.assortment import read_catalog
from engine.recommend import registry
from engine.recommend.guardrails import NOTHING_SHOWN
from engine.recommend.landscape import Landscape
from engine.recommend.model import Model
from engine.recommend.recommender import Recommender
from subscribers.models import Consent, Signal
from subscribers.signals import newest_signal_at, read_signals


class Signs(NamedTuple):
    """By which it shows that there is something new: the model in use, the newest signal and answer by their numbers,
    and the time of the newest signal."""

    model: str
    signal: int
    consent: int
    newest: int


@dataclass(frozen=True)
class Background:
    """The model in use and what everybody's signals say, as of `made_at`."""

    name: str
    model: Model
    landscape: Landscape
    made_at: datetime
    signs: Signs


def signs(session: Session, settings: Settings) -> Signs:
    """As they are now: three looks at the end of an index. Raises ModelMissing."""
    signal, consent = (session.execute(select(func.max(col(table.id)))).scalar() or 0 for table in (Signal, Consent))
    return Signs(registry.current(settings.models), signal, consent, newest_signal_at(session) or 0)


def make_background(
    session: Session, settings: Settings, *, now: datetime, before: Background | None = None
) -> Background:
    """Read everything. before: the last one, whose model is taken over where it is the same. Raises ModelMissing,
    ModelDamaged."""
    seen = signs(session, settings)
    known = before is not None and before.name == seen.model
    model = before.model if before is not None and known else registry.load(settings.models, seen.model)
    view = everything(session, settings, model, seen.model, now=now)
    return Background(seen.model, model, Landscape.of(view.moment, view.seed), now, seen)


def everything(session: Session, settings: Settings, model: Model, name: str, *, now: datetime) -> Recommender:
    """A recommender that knows everybody's signals, by the shop's own rules."""
    catalog, signals = read_catalog(session), read_signals(session, until=now)
    rules = shop_rules(settings)
    return Recommender(catalog, signals, model, int(now.timestamp()), rules, NOTHING_SHOWN, seed_of(name, signals.at))


def is_old(made: Background, seen: Signs, settings: Settings, *, now: datetime) -> bool:
    """Whether a plan made now could come to other picks: something new is there, or a look that was too recent to be
    used has become old enough since."""
    waiting = made.signs.newest > made.made_at.timestamp() - settings.view_delay_minutes * 60
    return made.signs != seen or (waiting and now > made.made_at)
