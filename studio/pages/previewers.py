"""Previews for the pages. What is read for many looks is made aside and kept; the person is read at each look."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TooLong
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from sqlmodel import Session

from campaigns.background import Background, is_old, make_background, signs
from campaigns.edit import find_campaign
from campaigns.execute import World
from campaigns.models import Campaign
from campaigns.preview import Preview, Previewer, planned_letter
from engine.recommend import registry
from studio.errors import NotReadyYet
from subscribers.database import reading

KEPT_FOR = timedelta(seconds=60)
KEPT = 3  # previewers; each holds the catalogue and its shelf, 10 MB for 2,000 products
PATIENCE, IMPATIENCE = 4.0, 0.15  # seconds a first one is waited for since it was begun, and a newer one
QUICK = 0.5  # seconds; a background that takes no longer is made at once whenever there is something new
REST = 20  # times as long as it took to make, a larger one is left as it is: 15 min with 10,000,000 signals

Key = tuple[str, ...]


class BeingMade(NotReadyYet):
    """What previews are made from is being read for the first time."""

    def __init__(self) -> None:
        super().__init__("everybody's signals are being read for the first preview; try again in a moment")


class PreviewDesk:
    """Shows anybody's mail: as it would be now, or as a run has frozen it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[Key, Previewer] = {}
        self._making: dict[Key, tuple[Future[Any], float]] = {}
        self._background: Background | None = None
        self._took = 0.0
        self._refreshing: Future[Any] | None = None
        self._lock = Lock()

    def now(self, campaign_name: str, address: str, *, explain: bool = False) -> tuple[Preview, Previewer]:
        """The mail this person would get now. Raises SubscriberUnknown, TemplateBroken, ModelMissing, BeingMade."""
        previewer = self.previewer(campaign_name)
        with reading(self._world.database) as session:
            now = self._world.clock()
            return previewer.of(address, session=session, now=now, explain=explain), previewer

    def planned(self, run_id: int, address: str) -> Preview:
        """The mail the run holds for this person. Raises RunUnknown, WrongState."""
        with reading(self._world.database) as session:
            return planned_letter(session, run_id, address, self._world.secrets)

    def previewer(self, campaign_name: str) -> Previewer:
        """The kept one, unless a minute is over, or the campaign, a template or the model has changed since."""
        world = self._world
        with reading(world.database) as session:
            key = _key(find_campaign(session, campaign_name), world)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and world.clock() - kept.made_at < KEPT_FOR:
                return kept
            making, since = self._making.get(key, (None, 0.0))
            if making is None or making.done():
                making, since = _aside(lambda: self._make(campaign_name, key)), time.monotonic()
                self._making[key] = making, since
        try:
            made: Previewer = making.result(IMPATIENCE if kept else max(0.0, PATIENCE - (time.monotonic() - since)))
        except TooLong:
            if kept is None:
                raise BeingMade from None
            return kept
        return made

    def _make(self, campaign_name: str, key: Key) -> Previewer:
        world, now = self._world, self._world.clock()
        with reading(world.database) as session:
            background = self._background_for(session, now)
            campaign = find_campaign(session, campaign_name)
            made = Previewer(session, campaign, world.settings, world.secrets, now, background=background)
        with self._lock:
            self._making.pop(key, None)
            self._kept.pop(key, None)
            while len(self._kept) >= KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = made
        return made

    def _background_for(self, session: Session, now: datetime) -> Background:
        """The kept one, or a new one where there is none for the model in use, or where it is made quickly."""
        world, kept, seen = self._world, self._background, signs(session, self._world.settings)
        if kept is None or kept.name != seen.model:
            return self._read_everything(now)
        if not is_old(kept, seen, world.settings, now=now):
            return kept
        if self._took <= QUICK:
            return self._read_everything(now)
        if now - kept.made_at > timedelta(seconds=REST * self._took):
            with self._lock:
                if self._refreshing is None or self._refreshing.done():
                    self._refreshing = _aside(lambda: self._read_everything(now))
        return kept

    def _read_everything(self, now: datetime) -> Background:
        with _one_at_a_time:
            kept, begun = self._background, time.perf_counter()
            with reading(self._world.database) as session:
                settings = self._world.settings
                if kept is not None and not is_old(kept, signs(session, settings), settings, now=now):
                    return kept  # somebody was quicker
                made = make_background(session, self._world.settings, now=now, before=kept)
            self._took = time.perf_counter() - begun
            self._background = made
        return made


_one_at_a_time = Lock()


def _aside(work: Callable[[], Any]) -> Future[Any]:
    """Do it in a thread that keeps nobody from ending the studio."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=run, name="preview", daemon=True).start()
    return future


def _key(campaign: Campaign, world: World) -> Key:
    """What a previewer is made from, as far as it can be told without making it."""
    definition = campaign.model_dump_json(
        include={"name", "template", "subject", "preheader", "variables", "picks", "rules", "segments"}
    )
    return (definition, registry.current(world.settings.models), _newest_change(world.settings.templates.folders))


def _newest_change(folders: tuple[Path, ...]) -> str:
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return f"{len(files)} {max((path.stat().st_mtime_ns for path in files), default=0)}"
