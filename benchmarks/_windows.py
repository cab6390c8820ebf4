"""The real orders cut at several days, and how good a recipe is in such a window without training again."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from _harness import note
from numpy.typing import NDArray

from campaigns.execute import open_world
from campaigns.settings import SETTINGS_FILE
from engine.assortment import CatalogColumns, read_catalog
from engine.recommend import neighbours
from engine.recommend.evaluate.measures import CUT, ndcg_of
from engine.recommend.evaluate.split import Question, Split, split
from engine.recommend.guardrails import NOTHING_SHOWN
from engine.recommend.history import HALF_LIFE_DAYS, histories
from engine.recommend.model import learn
from engine.recommend.moment import Moment
from engine.recommend.recipe import Recipe
from engine.recommend.rules import Rules, Tally
from engine.recommend.scoring import shortlists
from engine.recommend.sparse import stands_in
from studio.cli.imports import import_orders
from subscribers.database import reading
from subscribers.signals import Signals, read_signals

DAYS = 30
_SETTINGS = 'sender_name = "Shop"\nsender_address = "shop@example.com"\npostal_address = "1 Mill Lane, Ambleford"\n'


def read_orders(file: Path) -> tuple[Signals, CatalogColumns]:
    """Import an order file into a workspace that is thrown away, and read what is needed of it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / SETTINGS_FILE).write_text(_SETTINGS)
        world = open_world(Path(folder), lambda: datetime.now(UTC))
        try:
            import_orders(world, file, "online-retail")
            with reading(world.database) as session:
                return read_signals(session, until=datetime.now(UTC)), read_catalog(session)
        finally:
            world.database.dispose()


def seconds(day: str) -> int:
    """Midnight of a day such as 2011-05-01, UTC, in seconds since 1970."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


class Window:
    """30 days from one split, and the factors that were learnt from what was before it.

    half_life: of the histories, in days.
    """

    def __init__(
        self, signals: Signals, catalog: CatalogColumns, day: str, recipe: Recipe, half_life: float = HALF_LIFE_DAYS
    ) -> None:
        note(f"training on what was before {day}")
        self.asked: Split = split(signals, catalog, at=seconds(day), days=DAYS)
        self._half_life = half_life
        asked = self.asked
        history = histories(asked.known, asked.positions, len(asked.catalog), now=asked.at, half_life_days=half_life)
        self._interest = history.interest
        self._model = learn(history, asked.catalog, recipe)
        self._near: dict[tuple[float, ...], sp.csr_matrix] = {}

    def ndcg(self, recipe: Recipe) -> tuple[float, float]:
        """NDCG@10 of (products new to people with a history, people without one) under a recipe's weights."""
        asked, model = self.asked, replace(self._model, neighbours=self._neighbours(recipe), recipe=recipe)
        moment = Moment(asked.catalog, asked.known, model, asked.at, Rules(), NOTHING_SHOWN, Tally())
        known = moment.admitted
        moment.histories = histories(
            known.signals, known.positions, len(asked.catalog), now=moment.newest, half_life_days=self._half_life
        )
        return _measured(moment, asked.new), _measured(moment, asked.cold)

    def _neighbours(self, recipe: Recipe) -> sp.csr_matrix:
        by = (recipe.ridge, recipe.by_behaviour, recipe.by_content, recipe.content_weight, recipe.own)
        if by not in self._near:
            described = self._model.describe(self.asked.catalog)
            self._near[by] = neighbours.learn(self._interest, described, recipe)
        return self._near[by]


def mean_ndcg(windows: Sequence[Window], recipe: Recipe) -> tuple[float, float]:
    """The means over windows of what `Window.ndcg` gives."""
    new, cold = np.mean([window.ndcg(recipe) for window in windows], axis=0).tolist()
    return new, cold


def ndcg_of_lists(question: Question, lists: NDArray[np.int64]) -> float:
    """lists: (n, 10) candidates, −1 for none."""
    if not len(question):
        return 0.0
    return float(ndcg_of(stands_in(question.truth, lists), np.diff(question.truth.indptr)).mean())


def _measured(moment: Moment, question: Question) -> float:
    if not len(question):
        return 0.0
    readers = moment.readers(question.people, np.ones(len(question), dtype=np.bool_))
    places = shortlists(readers, moment.shelf, CUT).places
    return ndcg_of_lists(question, np.where(places >= 0, moment.on_shelf[places], -1))
