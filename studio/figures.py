"""Figures that take long to count: kept in the database with the time they were counted at, and counted again aside.

A page never waits longer than a moment for one: it shows what is kept, and says how old that is.
"""

import json
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLong
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from campaigns.execute import World
from studio.models import KeptFigure
from subscribers.database import reading, writing

FRESH_FOR = timedelta(seconds=10)
FORGOTTEN_AFTER = timedelta(days=90)  # counts that were typed once, templates that have changed since
PATIENCE = 0.1  # seconds a page waits: most figures of most shops are counted by then
logger = logging.getLogger("handpicked.studio")

Count = Callable[[Session], Any]
"""Counts something; what it returns must be fit for JSON."""


@dataclass(frozen=True)
class Figure:
    """What was counted, and when. value: None while it is counted for the first time. age: how long ago it was."""

    value: Any
    counted_at: datetime | None
    age: timedelta = timedelta()


class Figures:
    """Kept figures of one workspace. One thread counts, so that a page full of them does not take the machine."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._counting: dict[str, Future[None]] = {}
        self._aside = ThreadPoolExecutor(1, "figures")
        self._lock = Lock()

    def __call__(self, name: str, count: Count, *, fresh_for: timedelta = FRESH_FOR) -> Figure:
        """The figure of this name. Counted again when it is older than `fresh_for`."""
        kept = self._kept(name)
        if kept.counted_at is not None and self._world.clock() - kept.counted_at < fresh_for:
            return kept
        with self._lock:
            counting = self._counting.get(name)
            if counting is None or counting.done():
                counting = self._counting[name] = self._aside.submit(self._count, name, count)
        try:
            counting.result(PATIENCE)
        except TooLong:
            return kept
        return self._kept(name)

    def _kept(self, name: str) -> Figure:
        with reading(self._world.database) as session:
            kept = session.get(KeptFigure, name)
        if kept is None:
            return Figure(None, None)
        return Figure(json.loads(kept.value), kept.counted_at, self._world.clock() - kept.counted_at)

    def _count(self, name: str, count: Count) -> None:
        now = self._world.clock()
        try:
            with reading(self._world.database) as session:
                value = json.dumps(count(session))
            with writing(self._world.database) as session:
                session.merge(KeptFigure(name=name, value=value, counted_at=now))
                session.execute(delete(KeptFigure).where(col(KeptFigure.counted_at) < now - FORGOTTEN_AFTER))
                session.commit()
        except DBAPIError as error:  # the page shows the old figure, and its age
            logger.warning("could not count %s: %s", name, type(error).__name__)
