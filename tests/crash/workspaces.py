"""Workspaces with a planned run, made once for each store and copied for each case."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, text

from campaigns.edit import Definition, save_campaign
from campaigns.execute import World, open_world, start_run
from campaigns.plan import plan_run
from campaigns.settings import SETTINGS_FILE, load_settings
from campaigns.training import train_model
from engine.recommend.recipe import Recipe
from studio.sample import write_sample_shop
from subscribers.database import open_database, reading, writing
from tests.sample_shops import bring_in
from tests.stores import Store

CONNECTIONS = 8
SETTINGS: dict[str, object] = {
    "sender_name": "Oat & Amber",
    "sender_address": "hello@oat-amber.example",
    "postal_address": "1 Mill Lane, Ambleford AM1 1AA",
    "smtp_host": "127.0.0.1",
    "smtp_security": "none",
    "senders": 1,  # a label is passed in the process that is watched
}


@dataclass
class Case:
    """A workspace of one's own with a planned run. eligible: who must get it, by Message-ID: (address, sha256)."""

    folder: Path
    run: int
    database: Engine
    eligible: dict[str, tuple[str, str]]
    audience: int

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of the store, as they are now. :run is the run."""
        with reading(self.database) as session:
            return [tuple(row) for row in session.execute(text(sql), {"run": self.run})]

    def states(self) -> dict[str, int]:
        """How many messages are in each state."""
        counted = self.query("SELECT state, count(*) FROM message WHERE run_id = :run GROUP BY state")
        return {str(state): int(str(number)) for state, number in counted}

    @contextmanager
    def world(self) -> Iterator[World]:
        """Everything of this workspace, for a sender in this process."""
        world = open_world(self.folder, utc_now)
        try:
            yield world
        finally:
            world.close()


@dataclass
class Original:
    """A planned run of which cases are copies."""

    folder: Path
    run: int
    store: Store

    @contextmanager
    def copy(self, folder: Path, **settings: object) -> Iterator[Case]:
        """A workspace in this folder, with more settings."""
        with self.store.copied_workspace(self.folder, folder):
            with (folder / SETTINGS_FILE).open("a") as file:
                file.write(_as_toml({"smtp_connections": CONNECTIONS, **settings}))
            database = open_database(load_settings(folder).database)
            case = Case(folder, self.run, database, {}, 0)
            rows = case.query(
                "SELECT message_id, address, sha256 FROM message WHERE run_id = :run AND state = 'planned'"
            )
            case.eligible = {str(number): (str(address), str(sha256)) for number, address, sha256 in rows}
            case.audience = int(str(case.query("SELECT count(*) FROM subscriber")[0][0]))
            try:
                yield case
            finally:
                database.dispose()


@contextmanager
def make_original(folder: Path, people: int, store: Store) -> Iterator[Original]:
    """A small shop with that many people, and a run planned for all of them."""
    folder.mkdir(parents=True)
    with store.workspace() as lines:
        (folder / SETTINGS_FILE).write_text(_as_toml(SETTINGS) + lines)
        world = open_world(folder, utc_now)
        _fill(world, folder, people)
        run = start_run(world, "weekly")
        assert run is not None
        assert run.id is not None
        plan_run(world.database, run.id, world.settings, world.secrets)
        world.close()
        yield Original(folder, run.id, store)


def utc_now() -> datetime:
    """The wall clock: what is tried here are real processes that die in real time."""
    return datetime.now(UTC)


def _as_toml(settings: dict[str, object]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())  # JSON's values are TOML's


def _fill(world: World, folder: Path, people: int) -> None:
    now = world.clock()
    sample = write_sample_shop(
        folder / "sample", seed=3, until=now, products=30, subscribers=people, signals=max(people, 1_000)
    )
    with writing(world.database) as session:
        bring_in(world, session, sample, folder, now=now)
        train_model(session, world.settings, now=now, recipe=Recipe(components=4, epochs=1))
        save_campaign(session, Definition("weekly", transport="smtp"), world.settings, now=now)
