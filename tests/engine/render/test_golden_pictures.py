"""How the shipped mails look, in a real browser, against pictures somebody has looked at and found good.

Taken anew with `python tests/engine/render/test_golden_pictures.py --retake`; look at every changed one before it is
committed. A picture depends on Chromium and on five font files, which are given to it by name, so that it does not
matter what else is installed: Liberation for Latin letters, as wide as the fonts most readers have, DejaVu for Arabic.
"""

import io
import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.engine.render import postcards

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GOLDEN = Path(__file__).parent / "golden"
SHOP = "https://oat-amber.example"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    *("--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb", "--hide-scrollbars"),
)
FONTS = Path("/usr/share/fonts")
ARABIC = "unicode-range: U+0600-06FF, U+200E-200F, U+FB50-FDFF, U+FE70-FEFF"
FACES = (  # family as the mails ask for it, how it is to look, file, what else
    ("Georgia", "font-style: normal", "LiberationSerif-Regular.ttf", ""),
    ("Georgia", "font-style: italic", "LiberationSerif-Italic.ttf", ""),
    ("Helvetica", "font-weight: 400", "LiberationSans-Regular.ttf", ""),
    ("Helvetica", "font-weight: 700", "LiberationSans-Bold.ttf", ""),
    ("Courier New", "font-weight: 700", "LiberationMono-Bold.ttf", ""),
    ("Georgia", "font-style: normal", "DejaVuSans.ttf", ARABIC),
    ("Helvetica", "font-weight: 400", "DejaVuSans.ttf", ARABIC),
    ("Helvetica", "font-weight: 700", "DejaVuSans-Bold.ttf", ARABIC),
)

BANNER = {"words": "Richer creams for cold days", "link": f"{SHOP}/winter"}
OFFERS = {"come-back": {"offer_code": "HELLO10"}, "announcement": {"offer_code": "SPRING"}}
VIEWS: dict[str, tuple[str, int, str]] = {  # language, width, colours
    "light": ("en", 700, "light"),
    "dark": ("en", 700, "dark"),
    "phone": ("en", 390, "light"),
    "right-to-left": ("ar", 700, "light"),
}

# Pictures are kept and compared at half the size, in all their colours: 20 of them are 1.2 MB. Fewer colours would make
# them 0.4 MB, and differ by up to 32 levels of 255 in the mean of a tile, more than a headline that moved by 1 px (25).
# Measured, with tiles of 10 × 10 such pixels: small capitals in another colour 15, a price that is no longer bold 17,
# a button in another dark colour 32, a block that moved by 3 px 55. Letters drawn a little softer differ by 6.
TILE = 10
TOLERANCE = 10.0
SOFTER = 0.4  # px of blur: about what another version of FreeType does to small type


@cache
def fonts() -> dict[str, bytes]:
    """The font files, by the address they are served at. Raises FileNotFoundError."""
    found = {}
    for name in {file for _, _, file, _ in FACES}:
        path = next(iter(sorted(FONTS.rglob(name))), None)
        if path is None:
            raise FileNotFoundError(f"there is no font {name}; apt-get install fonts-liberation fonts-dejavu-core")
        found[f"{SHOP}/fonts/{name}"] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """The system's Chromium. Without it or its fonts the tests are skipped, and under CI they fail."""
    try:
        fonts()
        assert CHROMIUM, "there is no Chromium; apt-get install chromium"
    except (AssertionError, FileNotFoundError) as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))
    with opened() as browser:
        yield browser


class opened:  # noqa: N801 - reads as what it does: with opened() as browser
    """A browser, closed in the end."""

    def __enter__(self) -> "Browser":
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        return self._browser

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()


@cache
def served() -> dict[str, bytes]:
    """Everything a mail may ask for, by address."""
    return postcards.drawn() | fonts()


def face(family: str, look: str, file: str, more: str) -> str:
    return f"@font-face {{ font-family: '{family}'; src: url({SHOP}/fonts/{file}); {look}; {more} }}"


def photograph(
    browser: "Browser", name: str, view: str, *, style: str = "", pictures: bool = True, **changes: Any
) -> Image.Image:
    """The whole mail as a reader sees it. style: CSS to change it with. pictures: False when they are blocked."""
    language, width, colours = VIEWS[view]
    changes = {"banner": BANNER, "campaign": OFFERS.get(name, {})} | changes
    _, html = postcards.mail(name, language, **changes)
    faces = "\n".join(face(*one) for one in FACES)
    html = html.replace("</head>", f"<style>{faces}\n{style}</style></head>")

    def answer(route: "Route") -> None:
        address = route.request.url
        if address == f"{SHOP}/mail":
            route.fulfill(body=html, content_type="text/html; charset=utf-8")
        elif address in served() and (pictures or "/fonts/" in address):
            route.fulfill(body=served()[address])
        else:
            route.abort()

    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=colours)  # type: ignore[arg-type]
    try:
        page = context.new_page()
        page.route("**/*", answer)
        page.goto(f"{SHOP}/mail")
        page.evaluate("document.fonts.ready")
        assert page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out
        return Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    finally:
        context.close()


def halved(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)


def path_of(name: str, view: str) -> Path:
    return GOLDEN / f"{name}-{view}.png"


def difference(picture: Image.Image, golden: Image.Image) -> tuple[float, tuple[int, int]]:
    """How far the two are apart where they are furthest: the mean of a tile, and its place in the mail in pixels."""
    assert picture.size == golden.size, f"the mail is {picture.size}, the picture {golden.size} at half the size"
    apart = np.abs(np.asarray(picture, dtype=np.int16) - np.asarray(golden.convert("RGB"), dtype=np.int16))
    high, wide = (apart.shape[0] // TILE, apart.shape[1] // TILE)
    tiles = apart[: high * TILE, : wide * TILE].reshape(high, TILE, wide, TILE, 3).mean(axis=(1, 3)).max(axis=2)
    row, column = np.unravel_index(tiles.argmax(), tiles.shape)
    return float(tiles.max()), (int(column) * TILE * 2, int(row) * TILE * 2)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", postcards.NAMES)
def test_a_mail_looks_as_it_was_found_good(browser: "Browser", name: str, view: str, tmp_path: Path) -> None:
    taken = halved(photograph(browser, name, view))
    with Image.open(path_of(name, view)) as golden:
        apart, (left, top) = difference(taken, golden)
    taken.save(tmp_path / "taken.png")
    assert apart <= TOLERANCE, f"{name}, {view}: differs at {left} px, {top} px; see {tmp_path / 'taken.png'}"


@pytest.mark.parametrize(
    "style",
    [
        ".headline { position: relative; top: 1px }",
        ".section-title { position: relative; left: 4px }",
        ".card-picture { position: relative; top: 3px }",
        ".button { background-color: #1f3b53 !important }",
        ".eyebrow { color: #2a5ab0 !important }",
        ".price { font-weight: normal !important }",
        ".hero-reason { font-style: normal !important }",
        ".sheet { background-color: #fbf4e4 !important }",
    ],
)
def test_a_moved_block_and_another_colour_are_noticed(browser: "Browser", style: str) -> None:
    taken = halved(photograph(browser, "picked-for-you", "light", style=style))
    with Image.open(path_of("picked-for-you", "light")) as golden:
        assert difference(taken, golden)[0] > TOLERANCE


def test_letters_drawn_a_little_softer_are_not(browser: "Browser") -> None:
    taken = photograph(browser, "picked-for-you", "light").filter(ImageFilter.GaussianBlur(SOFTER))
    with Image.open(path_of("picked-for-you", "light")) as golden:
        assert 1 < difference(halved(taken), golden)[0] <= TOLERANCE


def test_a_mail_of_another_height_is_noticed(browser: "Browser") -> None:
    taken = halved(photograph(browser, "picked-for-you", "light", style=".letter { padding-top: 50px !important }"))
    with Image.open(path_of("picked-for-you", "light")) as golden, pytest.raises(AssertionError, match="at half"):
        difference(taken, golden)


def test_there_is_a_picture_of_every_mail_and_they_stay_small() -> None:
    wanted = {path_of(name, view) for name in postcards.NAMES for view in VIEWS}
    assert set(GOLDEN.glob("*")) == wanted
    assert sum(path.stat().st_size for path in wanted) < 2_500_000


def retake() -> None:
    """Take all pictures, and say which changed."""
    GOLDEN.mkdir(exist_ok=True)
    with opened() as browser:
        for name in postcards.NAMES:
            for view in VIEWS:
                path = path_of(name, view)
                before = path.read_bytes() if path.exists() else b""
                halved(photograph(browser, name, view)).save(path, optimize=True)
                print(
                    f"{path.name}: {path.stat().st_size // 1000} kB{'' if path.read_bytes() == before else ', changed'}"
                )


if __name__ == "__main__":
    if sys.argv[1:] != ["--retake"]:
        sys.exit(__doc__)
    retake()
