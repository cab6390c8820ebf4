"""Pictures drawn for products without one: always valid, always the same, never mistaken for each other."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.render.image_forms import FORM_OF_WORD, FORMS, NEUTRAL, PALETTES, choose_form, choose_palette
from engine.render.images import MAX_LINES, draw_product_image, fit_title, image_name, printable

ROOT = Path(__file__).parents[3]
SMALL = 96  # the drawing code is the same at every size; a small one keeps the tests quick


def opened(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture))
    image.load()
    return image


@pytest.mark.parametrize("size", [32, 96, 600])
def test_a_picture_is_a_square_png_of_the_size_asked_for(size: int) -> None:
    image = opened(draw_product_image("Rose & Oat Day Cream", "moisturiser", size=size))
    assert image.format == "PNG"
    assert image.size == (size, size)


def test_the_default_picture_is_small_enough_to_mail() -> None:
    assert len(draw_product_image("White Hanging Heart T-Light Holder", "lights")) < 40_000


def test_a_picture_too_small_to_draw_is_refused_with_the_limit() -> None:
    with pytest.raises(ValueError, match="at least 32 pixels wide, not 31"):
        draw_product_image("Soap", "bath", size=31)


def test_same_inputs_same_bytes_also_in_another_process() -> None:
    program = (
        "import hashlib; from engine.render.images import draw_product_image as draw;"
        f"print(hashlib.sha256(draw('Night Balm', 'balms', size={SMALL})).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": seed}, check=True, capture_output=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_drawing_one_product_leaves_no_trace_on_the_next() -> None:
    before = draw_product_image("Night Balm", "balms", size=SMALL)
    draw_product_image("Day Balm", "balms", size=SMALL)
    assert draw_product_image("Night Balm", "balms", size=SMALL) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rose Cream", "Oat Cream"),
        ("Crème", "Creme"),  # the same letters once accents are dropped
        ("MUG", "Mug"),
        ("كريم", "عطر"),  # no letter of either is in the font
        ("", " "),
        ("A very long title " * 20 + "one", "A very long title " * 20 + "two"),  # equal up to the ellipsis
    ],
)
def test_two_titles_give_two_pictures(one: str, other: str) -> None:
    first, second = (opened(draw_product_image(title, "family")).convert("RGB") for title in (one, other))
    assert first.tobytes() != second.tobytes()


@settings(max_examples=150, deadline=None)
@given(title=st.text(st.characters(), max_size=120), family=st.text(max_size=20))
@example(title="\x00\x1b[31m\r\n\t", family="\x00")
@example(title="\ud800 lone surrogate", family="\udfff")
@example(title="🧴🕯️👩‍🚀", family="🎁")
@example(title="شمعة برائحة الأرز", family="שלום")
@example(title="\u202eevil\u202c \ufdfa" * 50, family="")
@example(title="W" * 5_000, family="W" * 5_000)
@example(title="a " * 5_000, family="…")
def test_every_title_draws(title: str, family: str) -> None:
    assert opened(draw_product_image(title, family, size=SMALL)).size == (SMALL, SMALL)
    assert re.fullmatch(r"[0-9a-f]{20}\.png", image_name(title, family))


@settings(max_examples=200, deadline=None)
@given(title=st.text(max_size=400))
def test_a_title_takes_three_lines_at_most_and_stays_in_the_font(title: str) -> None:
    lines, _ = fit_title(printable(title), (0, 0, 240, 180))
    assert len(lines) <= MAX_LINES
    assert all(line == line.strip() and line for line in lines)


def test_a_title_that_fits_is_complete_and_one_that_does_not_says_so() -> None:
    words = (0, 0, 240, 180)
    lines, size = fit_title("Rose Cream", words)
    assert (" ".join(lines), size) == ("Rose Cream", 46)
    lines, smallest = fit_title("One Thing After Another " * 8, words)
    assert smallest < size
    assert lines[-1].endswith("…")
    assert fit_title("", words)[0] == []


def test_letters_the_font_lacks_become_their_nearest_or_go() -> None:
    assert printable("Crème brûlée – Süße Öle") == "Creme brulee - Susse Ole"
    assert printable("SET OF 3 CAKE TINS") == "Set Of 3 Cake Tins"
    assert printable("\u200fكريم rose") == "rose"


@pytest.mark.parametrize(
    ("title", "family", "form"),
    [
        ("Rose & Oat Day Cream", "", "jar"),
        ("Gentle Cleanser for dry skin", "creams", "bottle"),
        ("Day cream with rose oil", "", "jar"),  # what follows a preposition describes, it is not the thing
        ("CREAM HEART CARD HOLDER", "", "candle"),
        ("JUMBO BAG RED RETROSPOT", "", "bag"),
        ("Speckled", "Mugs", "mug"),
    ],
)
def test_the_form_follows_the_words(title: str, family: str, form: str) -> None:
    assert choose_form(title, family) == form


def test_a_product_of_no_known_kind_gets_a_neutral_form() -> None:
    assert {choose_form(f"Qwerty {number}", "") for number in range(60)} == set(NEUTRAL)


def test_every_form_can_be_asked_for_and_draws() -> None:
    assert set(FORM_OF_WORD.values()) == set(FORMS)
    for word in {form: word for word, form in FORM_OF_WORD.items()}.values():
        assert opened(draw_product_image(word, "any", size=SMALL)).mode == "P"


def test_families_share_a_palette_whatever_their_spelling_and_spread_over_all() -> None:
    assert choose_palette(" Night Care ") == choose_palette("night care")
    assert {choose_palette(f"family {number}") for number in range(300)} == set(PALETTES)


def test_a_name_depends_on_title_and_family_and_keeps_them_apart() -> None:
    names = {image_name("ab", "c"), image_name("a", "bc"), image_name("abc", ""), image_name("", "abc")}
    assert len(names) == 4
    assert image_name("Night Balm", "balms") == image_name("Night Balm", "balms")
