"""Every screen, in a real browser: at a desk's and at a phone's width, light and dark, by axe-core, and without script.

With SCREENS=folder the pictures are kept there, for a person to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from studio.app import make_app
from studio.roles import Role

from .conftest import COOKIE, Shop
from .furnish import furnish
from .screens import OPEN, Screen, screens_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEEP = os.environ.get("SCREENS", "")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
GRAVE = ("serious", "critical")


@pytest.fixture
def shown(shop: Shop, live: str) -> tuple[list[Screen], str]:
    """(the screens of a shop that has something to show on each, where they are)."""
    known = furnish(shop)
    return [screen for screen in screens_of(make_app(shop.world), known) if screen.route not in OPEN], live


def entered(browser: Browser, shop: Shop, live: str, **options: Any) -> BrowserContext:
    """A browser of somebody who may do everything."""
    context = browser.new_context(**options)
    port = live.rsplit(":", 1)[1]
    secret = shop.cookie_of(Role.ADMIN)
    context.add_cookies([{"name": COOKIE.replace("8025", port), "value": secret, "url": live}])
    return context


def pages_of(context: BrowserContext, screens: list[Screen], live: str) -> Iterator[tuple[Screen, Page]]:
    """Each screen that is a whole page of ours; downloads, mails and parts of pages are no screens."""
    page = context.new_page()
    for screen in screens:
        asked = context.request.get(live + screen.address)
        assert asked.status == 200, (screen.address, asked.status, asked.text()[:300])
        if "text/html" in asked.headers["content-type"] and '<main id="main"' in asked.text():
            page.goto(live + screen.address)
            yield screen, page


def overflow_of(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


def keep(page: Page, name: str) -> None:
    if KEEP:
        page.screenshot(path=Path(KEEP) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light")], ids=["desk", "dark", "phone"]
)
def test_every_screen_is_sound(browser, shown, shop, size, scheme):
    screens, live = shown
    context = entered(browser, shop, live, viewport=size, color_scheme=scheme)
    problems, looked_at = list[str](), 0
    for screen, page in pages_of(context, screens, live):
        looked_at += 1
        if (wider := overflow_of(page)) > 0:
            problems.append(f"{screen.route}: {wider} pixels wider than {size['width']}")
        if page.locator("h1").count() != 1:
            problems.append(f"{screen.route}: {page.locator('h1').count()} headings of the first level")
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in GRAVE:
                where = [node["html"][:120] for node in violation["nodes"][:3]]
                problems.append(f"{screen.route}: {violation['id']}: {where}")
        keep(page, f"{screen.name}-{size['width']}{'-dark' if scheme == 'dark' else ''}")
    context.close()
    assert looked_at > 10
    assert problems == []


def test_axe_would_find_something(browser_page):
    """The check above can fail: a page with grave faults has them found."""
    browser_page.set_content(
        "<html><body><img src='x.png'><input><p style='color:#eee;background:#fff'>pale</p></body>"
    )
    found = {one["id"] for one in Axe().run(browser_page).response["violations"] if one["impact"] in GRAVE}
    assert {"image-alt", "label", "color-contrast"} <= found


def test_every_screen_works_without_script(browser, shown, shop):
    screens, live = shown
    context = entered(browser, shop, live, java_script_enabled=False, viewport=DESK)
    problems = list[str]()
    for screen, page in pages_of(context, screens, live):
        if not page.locator("h1").first.is_visible():
            problems.append(f"{screen.route}: no heading is seen")
        for form in page.locator("form").all():
            if not any(button.is_visible() for button in form.locator("button").all()):
                problems.append(f"{screen.route}: a form without a button: {form.get_attribute('action')}")
    context.close()
    assert problems == []
