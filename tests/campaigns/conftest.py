"""A small sample shop with a trained model, made once and copied for each test; a mail server that can misbehave."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from campaigns.deliver import send_run
from campaigns.edit import Definition, save_campaign
from campaigns.execute import World, open_world, start_run
from campaigns.plan import plan_run
from campaigns.smtp.pool import Smtp
from campaigns.training import train_model
from campaigns.transports import Memory, Transport
from engine.recommend.recipe import Recipe
from studio.sample import write_sample_shop
from subscribers import consent
from subscribers.database import reading, writing
from tests.sample_shops import bring_in
from tests.stores import Store

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SETTINGS = """
sender_name = "Oat & Amber"
sender_address = "hello@oat-amber.example"
postal_address = "1 Mill Lane, Ambleford AM1 1AA"
website = "https://oat-amber.example"
"""


@dataclass
class Shop:
    """A world whose clock stands still until it is moved, and what tests ask of it."""

    world: World
    now: datetime = NOW
    sink: Memory = field(default_factory=Memory)

    def pass_time(self, **length: float) -> None:
        self.now += timedelta(**length)

    def begin(self, campaign: str = "weekly") -> int:
        """Claim an occurrence of this very moment; each call is a new one."""
        self.pass_time(seconds=1)
        run = start_run(self.world, campaign)
        assert run is not None
        assert run.id is not None
        return run.id

    def plan(self, campaign: str = "weekly") -> int:
        number = self.begin(campaign)
        plan_run(self.world.database, number, self.world.settings, self.world.secrets)
        return number

    def send(self, run: int, transport: Transport | Smtp | None = None, **options: Any) -> dict[str, int]:
        def sleep(seconds: float) -> None:
            self.pass_time(seconds=seconds)

        return send_run(
            self.world.database, run, transport or self.sink, clock=lambda: self.now, sleep=sleep, **options
        )

    def opt_out(self, address: str) -> None:
        with writing(self.world.database) as session:
            consent.opt_out(session, self.world.secrets.key_of(address), at=self.now, how="test")

    def query(self, sql: str, **values: object) -> list[tuple[object, ...]]:
        with reading(self.world.database) as session:
            return [tuple(row) for row in session.execute(text(sql), values)]

    def execute(self, sql: str, **values: object) -> None:
        with writing(self.world.database) as session:
            session.execute(text(sql), values)
            session.commit()

    def mailable(self) -> list[str]:
        return [str(row[0]) for row in self.query("SELECT address FROM subscriber WHERE may_mail ORDER BY id")]


@pytest.fixture(scope="session")
def made_shop(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("campaigns") / "shop"
    folder.mkdir()
    with store.workspace() as where:
        (folder / "handpicked.toml").write_text(SETTINGS + where)
        _fill(folder)
        yield folder


def _fill(folder: Path) -> None:
    world = open_world(folder, lambda: NOW)
    sample = write_sample_shop(folder / "sample", seed=3, until=NOW, products=40, subscribers=60, signals=1_500)
    with writing(world.database) as session:
        bring_in(world, session, sample, folder, now=NOW)
        train_model(session, world.settings, now=NOW, recipe=Recipe(components=8, epochs=3))
        save_campaign(session, Definition("weekly"), world.settings, now=NOW)
    world.close()


@pytest.fixture
def shop(store: Store, made_shop: Path, tmp_path: Path) -> Iterator[Shop]:
    yield from _copy(store, made_shop, tmp_path / "workspace")


@pytest.fixture
def another_shop(store: Store, made_shop: Path, tmp_path: Path) -> Iterator[Shop]:
    """The same shop once more, with the same secrets, to do something else with."""
    yield from _copy(store, made_shop, tmp_path / "another")


def _copy(store: Store, made_shop: Path, folder: Path) -> Iterator[Shop]:
    with store.copied_workspace(made_shop, folder):
        made = Shop(open_world(folder, lambda: made.now))
        yield made
        made.world.close()


class ScriptedServer(socketserver.ThreadingTCPServer):
    """An SMTP server on a loopback port that answers as it is told.

    replies: what to answer to a command (its first word, "." for the end of the data) instead of 250; "drop" closes
    the connection there. Each list is used up from the front, then 250 again.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.replies: dict[str, list[str]] = {}
        self.commands: list[str] = []
        self.received: list[bytes] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def reply_to(self, word: str, usual: str) -> str:
        waiting = self.replies.get(word)
        return waiting.pop(0) if waiting else usual


class _Conversation(socketserver.StreamRequestHandler):
    server: ScriptedServer

    def handle(self) -> None:
        if not self.say(self.server.reply_to("CONNECT", "220 ready")):
            return
        while line := self.rfile.readline():
            word = line.split()[0].decode().upper()
            self.server.commands.append(line.decode().strip())
            if word == "DATA":
                if not self.take_data():
                    return
            elif not self.say(self.server.reply_to(word, "221 bye" if word == "QUIT" else "250 fine")):
                return

    def take_data(self) -> bool:
        answer = self.server.reply_to("DATA", "354 go on")
        if not self.say(answer) or not answer.startswith("354"):
            return not answer.startswith("drop")
        message = b""
        if self.server.replies.get("MIDDLE"):
            self.server.replies["MIDDLE"].pop()
            self.rfile.readline()
            return False
        while (line := self.rfile.readline()) and line != b".\r\n":
            message += line[1:] if line.startswith(b".") else line
        answer = self.server.reply_to(".", "250 accepted")
        if answer.startswith("250"):
            self.server.received.append(message)
        return self.say(answer)

    def say(self, answer: str) -> bool:
        if answer == "drop":
            return False
        self.wfile.write(answer.encode() + b"\r\n")
        return not answer.startswith("221")


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def smtp_settings(shop: Shop, server: ScriptedServer) -> Callable[[], object]:
    """The shop's settings with this server in them."""
    return lambda: shop.world.settings.model_copy(
        update={"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none", "smtp_connections": 1}
    )
