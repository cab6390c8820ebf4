"""Takes the pictures in docs/pictures: two mails as they lie in the outbox of the sample shop, the studio, and one mail
of each shipped template, from the pictures that tests/engine/render compares with.

First `handpicked demo --workspace DIR --no-studio`, then: .venv/bin/python docs/take_pictures.py DIR
"""

from __future__ import annotations

import email
import io
import shutil
import sys
import threading
from email import policy
from pathlib import Path

from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, sync_playwright

from campaigns.execute import World
from studio.app import serve
from studio.cli.options import open_workspace

PICTURES = Path(__file__).parent / "pictures"
GOLDEN = Path(__file__).parents[1] / "tests" / "engine" / "render" / "golden"
TEMPLATES = ("picked-for-you", "new-arrivals", "come-back", "replenishment", "announcement")
SHOWN_OF_A_TEMPLATE = 960  # pixels from the top
GROUND = "#f2efe8"  # what is behind the mails
PEOPLE = ("mei.ibrahim@example.net", "farah.visser78@example.com")  # of the sample shop
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]


def main(workspace: Path) -> None:
    """Take them all."""
    world = open_workspace(workspace)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *QUIET])
        context = browser.new_context(viewport={"width": 1280, "height": 960})
        context.route("**/media/*.png", lambda route: _from_folder(route, world.settings.media))
        _mails(context, world)
        _studio(context, world)
        browser.close()
    _templates()


def _mails(context: BrowserContext, world: World) -> None:
    """The mails of two people side by side, as a mail program would show them."""
    found = []
    for person in PEOPLE:
        page = context.new_page()
        page.set_viewport_size({"width": 640, "height": 1500})
        page.set_content(_html_to(person, world.settings.outbox), wait_until="networkidle")
        found.append(Image.open(io.BytesIO(page.screenshot())))
    both = Image.new("RGB", (sum(picture.width for picture in found), found[0].height))
    for place, picture in enumerate(found):
        both.paste(picture, (place * picture.width, 0))
    _save(both, "mails.png")


def _studio(context: BrowserContext, world: World) -> None:
    """The studio's preview of one of them."""
    said: list[str] = []
    ready = threading.Event()

    def announce(line: str) -> None:
        said.append(line)
        ready.set()

    threading.Thread(target=serve, args=(world,), kwargs={"port": 0, "announce": announce}, daemon=True).start()
    assert ready.wait(30), "the studio did not start"
    page: Page = context.new_page()
    address = said[0].rpartition(" ")[2]
    page.goto(address)
    if "/setup" in address:
        page.get_by_label("Name").fill("ana")
        page.get_by_label("Password").fill("four words make one")
        page.get_by_label("The same once more").fill("four words make one")
        page.get_by_role("button", name="Make the account").click()
        page.wait_for_url("**/")
    page.goto(f"{address.partition('/setup')[0].rstrip('/')}/campaigns/weekly/preview?address={PEOPLE[0]}")
    page.wait_for_load_state("networkidle")
    _save(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), "studio.png")


def _templates() -> None:
    """The five shipped templates side by side, each as far down as there is room."""
    pictures = [Image.open(GOLDEN / f"{name}-light.png").convert("RGB") for name in TEMPLATES]
    all_of_them = Image.new("RGB", (sum(picture.width for picture in pictures), SHOWN_OF_A_TEMPLATE), GROUND)
    place = 0
    for picture in pictures:
        all_of_them.paste(picture.crop((0, 0, picture.width, min(picture.height, SHOWN_OF_A_TEMPLATE))), (place, 0))
        place += picture.width
    _save(all_of_them.quantize(256), "templates.png")  # 256 colours: half the size, and nobody sees it


def _html_to(person: str, outbox: Path) -> str:
    mail = next(
        mail
        for path in (outbox / "new").glob("*.eml")
        if f"\r\nTo: {person}\r\n".encode() in (mail := path.read_bytes())
    )
    body = email.message_from_bytes(mail, policy=policy.default).get_body(("html",))
    assert body is not None
    return str(body.get_content())


def _from_folder(route: Route, media: Path) -> None:
    route.fulfill(path=media / route.request.url.rpartition("/")[2])


def _save(picture: Image.Image, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    picture.save(PICTURES / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
