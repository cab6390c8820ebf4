"""A shop of six products and eight people, planned and sent once, as small as a shop can be and still have all of it.

It is made once and copied for each test, so that a test may change whatever it likes.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from campaigns.edit import Definition, save_campaign, schedule
from campaigns.execute import World, carry_on, open_world, start_run
from campaigns.pictures import draw_missing
from campaigns.training import train_model
from engine.catalog import save_products
from engine.recommend.recipe import Recipe
from studio.accounts import list_accounts
from studio.app import make_app
from studio.cli.main import main
from studio.cli.options import close_workspaces
from studio.logins import begin_login
from studio.models import Account
from studio.public import make_public
from studio.roles import Role
from subscribers import signals
from subscribers.consent import opt_out
from subscribers.database import reading, writing
from subscribers.links import UNSUBSCRIBE, LinkSigner
from subscribers.models import Kind, Purpose
from subscribers.roster import NewSubscriber, add_many

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
CHROMIUM = Path("/usr/bin/chromium")
COOKIE = "handpicked_8025"
NO_PASSWORD = "*"  # no digest, so it opens nothing
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")

SETTINGS = """
sender_name = "Oat & Amber"
sender_address = "hello@oat-amber.example"
postal_address = "1 Mill Lane, Bath BA1 1AA, United Kingdom"
website = "https://oat-amber.example"
"""
PRODUCTS = {
    "oil": ("Rosehip Face Oil", "Skin care > Oils", "dry skin"),
    "balm": ("Oat Balm", "Skin care > Balms", "dry skin, fragrance free"),
    "clay": ("Green Clay Mask", "Skin care > Masks", "oily skin"),
    "gel": ("Cucumber Gel <b>&</b> Mint", "Skin care > Gels", "oily skin"),
    "soap": ("Bath Soap", "Body > Soaps", "vegan"),
    "brush": ("Dry Brush", "Body > Tools", "vegan"),
}
PEOPLE = ("ana", "ben", "cleo", "dan", "eva", "finn", "gina", "hugo")
BOUGHT = {
    "ana": ("oil", "soap"), "ben": ("clay", "soap"), "cleo": ("oil", "balm"), "dan": ("clay", "gel"),
    "eva": ("oil", "balm", "brush"), "finn": ("gel", "clay", "brush"),
}  # fmt: skip


@dataclass
class Shop:
    """A world whose clock stands still until it is moved, and what tests ask of it."""

    world: World
    now: datetime = NOW
    one_time_token: str = "the-one-time-token"
    base: str = "http://127.0.0.1:8025"

    @property
    def public(self) -> TestClient:
        """A stranger on the internet."""
        return TestClient(make_public(self.world), base_url="https://mail.example", follow_redirects=False)

    @property
    def stranger(self) -> TestClient:
        """Somebody at this machine who is not logged in."""
        app = make_app(self.world, setup=self.one_time_token)
        return TestClient(app, base_url=self.base, follow_redirects=False, headers={"Origin": self.base})

    @property
    def studio(self) -> TestClient:
        """Somebody who is logged in and may do everything."""
        return self.studio_of(Role.ADMIN)

    def studio_of(self, role: Role) -> TestClient:
        """Somebody of this role who is logged in, by a session that is put into the database: argon2 takes 50 ms."""
        client = self.stranger
        client.cookies.set(COOKIE, self.cookie_of(role))
        return client

    def cookie_of(self, role: Role) -> str:
        """What the cookie of somebody of this role holds; their account is made at the first call."""
        with writing(self.world.database) as session:
            found = [account for account in list_accounts(session) if account.name == role.value]
            account = (
                found[0] if found else Account(name=role.value, role=role, password=NO_PASSWORD, created_at=self.now)
            )
            session.add(account)
            session.flush()
            secret = begin_login(session, account, browser="a test", now=self.now)
            session.commit()
        return secret

    def key(self, name: str) -> str:
        return self.world.secrets.key_of(f"{name}@example.com")

    def token(self, name: str) -> str:
        return LinkSigner(self.world.secrets, UNSUBSCRIBE).sign(self.key(name))

    def everything(self) -> list[str]:
        """Every row of every table, to see whether anything changed."""
        with self.world.database.connect() as connection:
            return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]

    def mail_of(self, name: str) -> bytes:
        """The message in the outbox for this person."""
        letters = [path.read_bytes() for path in self.world.settings.outbox.rglob("*") if path.is_file()]
        return next(letter for letter in letters if f"To: {name}@example.com".encode() in letter)


@pytest.fixture(scope="session")
def made_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = tmp_path_factory.mktemp("made") / "shop"
    workspace.mkdir()
    (workspace / "handpicked.toml").write_text(SETTINGS)
    world = open_world(workspace, lambda: NOW)
    _fill(world)
    run = start_run(world, "weekly", NOW)
    assert run is not None
    assert run.id is not None
    assert carry_on(world, run.id).state == "finished"
    world.database.dispose()
    return workspace


@pytest.fixture
def shop(made_shop: Path, tmp_path: Path) -> Iterator[Shop]:
    workspace = tmp_path / "shop"
    shutil.copytree(made_shop, workspace)
    shop = Shop(open_world(workspace, lambda: shop.now))
    yield shop
    shop.world.database.dispose()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run `handpicked …` in this process, with these bytes as its stdin; gives (exit code, stdout, stderr)."""

    def run(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["handpicked", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            close_workspaces()
        captured = capsys.readouterr()
        return int(str(code)), captured.out, captured.err

    return run


@pytest.fixture
def empty_world(tmp_path: Path) -> Iterator[World]:
    world = open_world(tmp_path / "empty", lambda: NOW)
    yield world
    world.database.dispose()


@pytest.fixture
def live(shop: Shop) -> Iterator[str]:
    """The studio on a real port of this machine; gives the address of its first page."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            make_app(shop.world, setup=shop.one_time_token),
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=3,  # as `serve` has it: a browser that is still there keeps its connections
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """The system's Chromium. Without one the test is skipped, and under CI it fails."""
    if not CHROMIUM.exists():
        why = f"there is no {CHROMIUM}; apt-get install chromium"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--no-first-run"])
        yield browser
        browser.close()


@pytest.fixture
def browser_page(browser: Browser) -> Page:
    """A new page of it, as wide as a desk's."""
    return browser.new_page(viewport={"width": 1280, "height": 900})


def _fill(world: World) -> None:
    with writing(world.database) as session:
        save_products(session, {code: _product(*columns) for code, columns in PRODUCTS.items()}, now=NOW)
        draw_missing(session, world.settings.media)
        add_many(session, [_person(world, name) for name in PEOPLE], now=NOW - timedelta(days=90))
        opt_out(session, world.secrets.key_of("gina@example.com"), at=NOW, how="said so")
        signals.record(session, list(_purchases(world)))
    with reading(world.database) as session:
        train_model(session, world.settings, now=NOW, recipe=Recipe(components=4, epochs=2))
    with writing(world.database) as session:
        definition = Definition("weekly", picks=3, subject="{{ subscriber.given_name }}: {{ hero.title }}")
        save_campaign(session, definition, world.settings, now=NOW)
        schedule(session, "weekly", now=NOW, cron="0 9 * * 1", time_zone="Europe/Berlin")


def _product(title: str, product_type: str, labels: str) -> dict[str, Any]:
    plain = {"title": title, "product_type": product_type, "labels": labels, "price_minor": 1250, "currency": "GBP"}
    link = f"https://oat-amber.example/{re.sub('[^a-z]', '-', title.lower())}"
    return plain | {"description": "", "link": link, "image_link": "", "availability": "in_stock", "brand": ""}


def _person(world: World, name: str) -> NewSubscriber:
    answers = dict.fromkeys(Purpose, True) | ({Purpose.MAIL: False} if name == "hugo" else {})
    address = f"{name}@example.com"
    given_name = f"Finn {SCRIPT}" if name == "finn" else name.capitalize()
    return NewSubscriber(address, world.secrets.key_of(address), given_name, answers=answers)


def _purchases(world: World) -> Iterator[signals.NewSignal]:
    with reading(world.database) as session:
        ids = signals.ids_by_key(session, [world.secrets.key_of(f"{name}@example.com") for name in PEOPLE])
    for day, (name, codes) in enumerate(BOUGHT.items(), start=1):
        for code in codes:
            who = ids[world.secrets.key_of(f"{name}@example.com")]
            yield signals.NewSignal(who, code, Kind.PURCHASE, NOW - timedelta(days=day), f"{name} {code}")
