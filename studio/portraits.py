"""The profile of one person without reading everybody's signals: theirs, and which labels enough others share.

A label is shown only where enough people share it (`label_people`), which is a question about everybody. It is asked of
a sample and kept: what five of the sample share, five of all people share; a rare label may be missing.
"""

from datetime import timedelta
from threading import Lock

import numpy as np
from sqlalchemy import select
from sqlmodel import Session, col

from campaigns.execute import World
from campaigns.pick_rules import shop_rules
from engine.assortment import read_catalog
from engine.errors import ModelDamaged, ModelMissing
from engine.recommend import registry
from engine.recommend.guardrails import Shown
from engine.recommend.model import Model
from engine.recommend.moment import Moment
from engine.recommend.portrait import Portrait, portrait
from engine.recommend.rules import Tally
from studio.figures import Figure, Figures
from subscribers.models import Subscriber
from subscribers.signals import newest_signal_at, read_signals

SAMPLE = 4_000  # people: their 40,000 signals are read in half a second
LABELS_FRESH_FOR = timedelta(hours=6)


class Portraits:
    """Profiles of people of one workspace. The model in use is read once."""

    def __init__(self, world: World, figures: Figures) -> None:
        self._world, self._figures = world, figures
        self._model: tuple[str, Model] | None = None
        self._lock = Lock()

    def of(self, session: Session, person: Subscriber) -> tuple[Portrait | None, Figure]:
        """(the profile, the labels that enough people share and how old that is). None: it cannot be told yet, because
        there is no model, or the labels are still being looked for."""
        model = self._model_in_use()
        if model is None or person.id is None:
            return None, Figure(None, None)
        name, loaded = model
        labels = self._figures(f"labels {name}", lambda found: self._shared(found, loaded), fresh_for=LABELS_FRESH_FOR)
        if labels.value is None:
            return None, labels
        moment = self._moment(session, loaded, [person.id])
        newest = newest_signal_at(session)
        # of everybody, not of this person: ages count from the shop's newest signal, and rare labels single people out
        moment.newest = min(newest if newest is not None else moment.now, moment.now)
        moment.shared = np.isin(moment.attributes.names, labels.value)
        return portrait(moment, person.id, personalised=person.may_personalise), labels

    def _moment(self, session: Session, model: Model, people: list[int]) -> Moment:
        now = self._world.clock()
        rules, nobody = shop_rules(self._world.settings), np.empty(0, dtype=np.int64)
        signals = read_signals(session, until=now, subscriber_ids=people)
        catalog = read_catalog(session)
        return Moment(catalog, signals, model, int(now.timestamp()), rules, Shown(nobody, nobody, nobody), Tally())

    def _shared(self, session: Session, model: Model) -> list[str]:
        some = select(col(Subscriber.id)).where(col(Subscriber.may_personalise)).order_by(col(Subscriber.id))
        people = [number for number in session.scalars(some.limit(SAMPLE)) if number is not None]
        moment = self._moment(session, model, people)
        return [name for name, shared in zip(moment.attributes.names, moment.shared, strict=True) if shared]

    def _model_in_use(self) -> tuple[str, Model] | None:
        models = self._world.settings.models
        with self._lock:
            try:
                name = registry.current(models)
                if self._model is None or self._model[0] != name:
                    self._model = (name, registry.load(models, name))
            except (ModelMissing, ModelDamaged):
                return None
            return self._model
