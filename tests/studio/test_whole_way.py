"""The whole way of a marketer, in a real browser, with the studio and the scheduler as processes of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(600)]
KEEP = os.environ.get("SCREENS", "")
PASSWORD = "four words make one"
ROSTER = """\
email,first,language,newsletter,from history
ivy@example.com,Ivy,en,yes,yes
jon@example.com,Jon,en,no,yes
not-an-address,Kim,en,yes,yes
"""


@pytest.fixture
def workspace(made_shop: Path, tmp_path: Path) -> Path:
    """The sample shop, on the clock of this machine, where nothing goes out unapproved."""
    place = tmp_path / "shop"
    shutil.copytree(made_shop, place)
    with (place / "handpicked.toml").open("a") as settings:
        settings.write("require_approval = true\n")
    (tmp_path / "roster.csv").write_text(ROSTER)
    return place


@contextmanager
def command(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`handpicked …` while it lasts, ended as an operator ends it."""
    process = subprocess.Popen(
        [Path(sys.executable).with_name("handpicked"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def keep(page: Page, name: str) -> None:
    if KEEP:
        page.screenshot(path=Path(KEEP) / f"way-{name}.png", full_page=True)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def first_account(page: Page, address: str) -> None:
    """Made at the address from the terminal, then left and entered again by name and password."""
    page.goto(address)
    page.get_by_label("Name").fill("mara")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("The same once more").fill(PASSWORD)
    press(page, "Make the account")
    press(page, "Log out")
    page.get_by_label("Name").fill("mara")
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Log in")


def import_roster(page: Page, file: Path) -> None:
    """Two people come in, and the third is told of: it has no address."""
    page.get_by_role("link", name="Subscribers").click()
    page.get_by_role("link", name="Import").first.click()
    if page.get_by_role("link", name="Import a file").count():
        page.get_by_role("link", name="Import a file").first.click()
    page.get_by_label("The file").set_input_files(file)
    press(page, "Look at its columns")
    keep(page, "columns")
    for field, column in (("Given name", "first"), ("Mail", "newsletter"), ("Personalise", "from history")):
        page.get_by_label(f"{field} (optional)", exact=True).select_option(label=column)
    press(page, "Take it in")
    page.get_by_text("Columns", exact=True).wait_for(state="detached")
    page.get_by_text("not-an-address").first.wait_for(timeout=30_000)
    keep(page, "imported")


def make_campaign(page: Page) -> None:
    """From a template, with a subject of its own."""
    page.get_by_role("link", name="Campaigns", exact=True).first.click()
    page.get_by_role("link", name="New campaign").first.click()
    page.get_by_role("link", name=re.compile("^Use the template .*icked")).first.click()
    page.get_by_label("Name", exact=True).fill("friday")
    page.get_by_label("Subject", exact=True).fill("{{ subscriber.given_name }}, the {{ hero.title }} is here")
    assert "of 60" in page.locator(".length").first.inner_text()
    page.get_by_label("Products in each mail").fill("3")
    keep(page, "new-campaign")
    press(page, "Make the campaign")
    page.get_by_role("heading", name="friday", exact=True).wait_for()


def preview_three(page: Page) -> list[str]:
    """The hero of three people's mails, and each mail on a phone and in the dark."""
    page.get_by_role("link", name="Preview anybody").click()
    heroes = list[str]()
    for name in ("ana", "ben", "cleo"):
        field = page.get_by_label("Whose mail?")
        field.fill("")
        field.press_sequentially(name)
        page.get_by_role("link", name=re.compile(f"{name}@example.com")).first.click()
        page.get_by_text(f"{name}@example.com").first.wait_for()
        heroes.append(page.frame_locator("iframe").locator("img").first.get_attribute("src") or "")
        page.get_by_role("link", name="Phone").click()
        page.wait_for_url("**width=phone*")
        page.get_by_role("link", name="Dark").click()
        page.wait_for_url(re.compile("(?=.*width=phone).*look=dark"))
        page.wait_for_load_state("networkidle")
        assert page.locator("iframe").bounding_box()["width"] == 390  # type: ignore[index]
        keep(page, f"preview-{name}")
        page.get_by_role("link", name="Desktop").click()
    return heroes


def schedule_for_the_next_minute(page: Page, address: str) -> None:
    page.goto(f"{address}/campaigns/friday/schedule")
    due = datetime.now(UTC) + timedelta(seconds=75)
    page.get_by_label("Day", exact=True).fill(f"{due:%Y-%m-%d}")
    page.get_by_label("At", exact=True).fill(f"{due:%H:%M}")
    page.get_by_label("Time zone", exact=True).fill("UTC")
    keep(page, "schedule")
    press(page, "Schedule")
    page.get_by_text("is not approved").first.wait_for()
    press(page, "Approve it as it stands")
    page.get_by_text("mara approved it").wait_for()
    keep(page, "approved")


def watch_it_run(page: Page) -> None:
    """From the campaign's page to the run's, which changes by itself until all is sent."""
    for _ in range(60):
        page.reload()
        link = page.get_by_role("link", name=re.compile(r"^Run \d+$|^\d+$")).first
        if link.count():
            link.click()
            break
        page.wait_for_timeout(2_000)
    page.locator("[data-ended]").wait_for(timeout=90_000, state="attached")
    page.reload()
    page.get_by_text("finished").first.wait_for()
    keep(page, "run")


def test_from_the_first_login_to_who_was_left_out_and_why(browser_page, workspace, tmp_path):
    port, page = free_port(), browser_page
    with (workspace / "handpicked.toml").open("a") as settings:
        settings.write(f'public_url = "http://127.0.0.1:{port}"\n')  # the pictures come from there
    with (
        command("studio", "--port", str(port), "--workspace", str(workspace)) as studio,
        command("scheduler", "--workspace", str(workspace)),
    ):
        assert studio.stdout is not None
        address = re.search(r"http://\S+", studio.stdout.readline())[0]  # type: ignore[index]
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            page.wait_for_timeout(100)
        home = f"http://127.0.0.1:{port}"
        first_account(page, address)
        keep(page, "home")
        import_roster(page, tmp_path / "roster.csv")
        make_campaign(page)
        heroes = preview_three(page)
        assert len(set(heroes)) == 3, heroes
        schedule_for_the_next_minute(page, home)
        watch_it_run(page)
        page.get_by_role("link", name="no consent to mail").click()
        page.get_by_text("jon@example.com").wait_for()
        assert page.get_by_text("ivy@example.com").count() == 0
        keep(page, "left-out")
    letters = [path.read_bytes() for path in (workspace / "outbox").rglob("*") if path.is_file()]
    assert any(b"To: ivy@example.com" in letter for letter in letters)
    assert not any(b"jon@example.com" in letter for letter in letters)
