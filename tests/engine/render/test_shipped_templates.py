"""The email templates that ship: complete for every reader, safe for every text, and fit to be inlined once."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lxml.html
import pytest
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.render.locale import Words
from tests.engine.mails import dom
from tests.engine.render import postcards

pytestmark = pytest.mark.slow  # quick one by one, but there are many


FOLDER = Path(__file__).parents[3] / "templates" / "email"
NAMES = sorted(path.stem for path in FOLDER.glob("*.html"))
SOURCES = sorted(FOLDER.rglob("*.html"))
HOSTILE = """"><script>alert('x')</script>{{ 7 * 7 }}<img src=x onerror="alert(1)">&amp;"""
UNSUBSCRIBE = "https://shop.example/unsubscribe/signed-token"
ADDRESS = "14 Orchard Lane, Galway H91 X2P3, Ireland"

STATEMENT = re.compile(r"{%-?\s*(\w+).*?%}", re.DOTALL)
INCLUDE = re.compile(r'{% include "([^"]+)" %}')
BLOCK = re.compile(r"{% block (\w+) %}(.*?){% endblock %}", re.DOTALL)
OUTLOOK = re.compile(r"<!--\[if mso\]>.*?<!\[endif\]-->", re.DOTALL)

ENVIRONMENT = ImmutableSandboxedEnvironment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
TEXTS = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
WORDS = Words("en")
for environment in (ENVIRONMENT, TEXTS):
    environment.globals |= {"_": WORDS.gettext, "ngettext": WORDS.ngettext}


def card(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "title": f"Product {number}",
        "description": "Calms within minutes.",
        "link": f"https://shop.example/p/{number}",
        "image": f"https://shop.example/i/{number}.png",
        "image_width": 600,
        "image_height": 450,
        "alt": f"A jar, number {number}",
        "price": "€24.50",
        "brand": "Maren",
        "reason": "Gentle care for dry skin",
    } | changes


def context(name: str, *, picks: int = 5, given_name: str = "Ana", direction: str = "ltr") -> dict[str, Any]:
    """What a mail is rendered from, with the template's own defaults for the marketer's words."""
    description = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    values: dict[str, Any] = {
        "language": "en",
        "direction": direction,
        "subscriber": {"given_name": given_name},
        "campaign": {key: variable["default"] for key, variable in description["variables"].items()},
        "hero": card(0),
        "picks": [card(number) for number in range(1, picks + 1)],
        "banner": {"words": "", "link": ""},
        "sender": {"name": "Linden & Vale", "postal_address": ADDRESS, "website": "https://shop.example"},
        "links": {"unsubscribe": UNSUBSCRIBE, "home": "https://shop.example/home"},
    }
    for line in ("subject", "preheader"):
        values[line] = TEXTS.from_string(description[line]).render(values)
    return values


def rendered(name: str, values: dict[str, Any]) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(ENVIRONMENT.get_template(f"{name}.html").render(values))


def flattened(name: str) -> str:
    """A template's source in one piece: literal includes and extends resolved, as the inliner does."""
    source = (FOLDER / name).read_text("utf-8")
    if extends := re.match(r'{% extends "([^"]+)" %}', source):
        blocks: dict[str, str] = dict(BLOCK.findall(source))
        parent = (FOLDER / extends[1]).read_text("utf-8")
        source = BLOCK.sub(lambda found: blocks.get(found[1], found[2]), parent)
    return INCLUDE.sub(lambda found: flattened(found[1]), source)


def statement_groups(source: str) -> list[list[int]]:
    """The numbers of the statements that belong together: for … endfor, if … elif … else … endif."""
    groups: list[list[int]] = []
    open_groups: list[list[int]] = []
    for number, found in enumerate(STATEMENT.finditer(source)):
        if found[1] in ("for", "if"):
            open_groups.append([number])
        else:
            open_groups[-1].append(number)
        if found[1] in ("endfor", "endif"):
            groups.append(open_groups.pop())
    assert not open_groups
    return groups


def with_comments(source: str) -> str:
    numbers = iter(range(10_000))
    return STATEMENT.sub(lambda found: f"<!--statement {next(numbers)}-->", source)


def statement_comments(source: str) -> Iterator[tuple[int, lxml.html.HtmlElement]]:
    for comment in lxml.html.document_fromstring(with_comments(source)).xpath("//comment()"):
        if found := re.fullmatch(r"statement (\d+)", comment.text or ""):
            yield int(found[1]), comment.getparent()


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize("given_name", ["Ana", ""])
@pytest.mark.parametrize("picks", [0, 1, 2, 5, 11])
@pytest.mark.parametrize("name", NAMES)
def test_a_mail_is_complete_for_every_reader(name: str, picks: int, given_name: str, direction: str) -> None:
    values = context(name, picks=picks, given_name=given_name, direction=direction)
    mail = rendered(name, values)
    text = " ".join(mail.text_content().split())
    assert (mail.get("lang"), mail.get("dir")) == ("en", direction)
    assert mail.xpath("//body/table")[0].get("dir") == direction  # webmail drops <html> and keeps the table
    assert mail.findtext(".//title") == values["subject"] != ""
    assert ADDRESS in text
    ways_out = [link.text for link in mail.xpath(f"//a[@href='{UNSUBSCRIBE}']")]
    assert ways_out == ["No more emails, please"] * (name == "come-back") + ["Unsubscribe from these emails"]
    assert ("Hello Ana," if given_name else "Hello,") in text
    assert "Product 0" in text


@pytest.mark.parametrize("picks", [0, 1, 2, 5, 11])
@pytest.mark.parametrize("name", ["picked-for-you", "new-arrivals", "replenishment"])
def test_every_pick_is_shown_once_and_no_heading_stands_over_nothing(name: str, picks: int) -> None:
    values = context(name, picks=picks)
    mail = rendered(name, values)
    titles = [title.text_content() for title in mail.xpath("//h2[a] | //h3")]
    assert titles == [f"Product {number}" for number in range(picks + 1)]
    heading = values["campaign"].get("picks_heading")
    assert heading is None or (heading in mail.text_content()) == (picks > 0)


@pytest.mark.parametrize(("picks", "shown"), [(0, 1), (1, 2), (2, 3), (11, 3)])
@pytest.mark.parametrize("name", ["announcement", "come-back"])
def test_a_row_shows_three_at_most(name: str, picks: int, shown: int) -> None:
    mail = rendered(name, context(name, picks=picks))
    assert [title.text_content() for title in mail.xpath("//h3")] == [f"Product {number}" for number in range(shown)]


@pytest.mark.parametrize(
    ("picks", "subject"),
    [(0, "Product 0"), (1, "Product 0 and one more pick"), (5, "Product 0 and 5 more picks")],
)
def test_the_weekly_subject_counts_the_picks(picks: int, subject: str) -> None:
    assert context("picked-for-you", picks=picks)["subject"] == subject


def test_a_preheader_names_the_reader_or_nobody() -> None:
    assert context("picked-for-you")["preheader"] == "Gentle care for dry skin · Picked for Ana this week"
    assert context("picked-for-you", given_name="")["preheader"].endswith("Picked for you this week")


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_is_complete_without_the_words_a_marketer_may_leave_empty(name: str) -> None:
    values = context(name)
    values["campaign"] = dict.fromkeys(values["campaign"], " ") | {"offer_code": ""}
    for product in (values["hero"], *values["picks"]):
        product |= {"brand": "", "description": "", "reason": ""}
    mail = rendered(name, values)
    assert mail.xpath(f"//a[@href='{UNSUBSCRIBE}']")[-1].text == "Unsubscribe from these emails"
    values["campaign"] = dict.fromkeys(values["campaign"], "")
    assert not [p for p in rendered(name, values).xpath("//p | //h1 | //a") if not p.text_content() and not len(p)]


@pytest.mark.parametrize("name", NAMES)
def test_an_offer_code_is_shown_when_there_is_one(name: str) -> None:
    values = context(name)
    assert "SLOW10" not in rendered(name, values).text_content()
    values["campaign"] |= {"offer_code": "SLOW10"}
    assert rendered(name, values).xpath("//p[text()='SLOW10']")


@pytest.mark.parametrize("name", ["come-back", "picked-for-you", "replenishment"])
def test_a_banner_is_shown_when_one_suits(name: str) -> None:
    values = context(name)
    assert not rendered(name, values).xpath("//*[@class='banner']")
    values["banner"] = {"words": "Richer creams", "link": "https://shop.example/winter"}
    links = rendered(name, values).xpath("//a[@href='https://shop.example/winter']")
    assert [link.text for link in links] == ["Richer creams", "Have a look"]
    assert "https://shop.example/winter" in postcards.text_part(values, WORDS)


@pytest.mark.parametrize("name", NAMES)
def test_every_image_says_what_it_shows_and_how_large_it_is(name: str) -> None:
    images = rendered(name, context(name, picks=11)).xpath("//img")
    assert images
    for image in images:
        width, height = int(image.get("width")), int(image.get("height"))
        assert image.get("alt").startswith("A jar")
        assert abs(width * 450 / 600 - height) < 1  # the picture's own proportion: nothing jumps
        assert width <= 600


def test_a_hero_picture_is_never_blown_up() -> None:
    values = context("picked-for-you", picks=0)
    for natural, shown in ((300, "300"), (600, "600"), (1200, "600")):
        values["hero"] = card(0, image_width=natural, image_height=natural)
        image = rendered("picked-for-you", values).xpath("//img")[0]
        assert (image.get("width"), image.get("height")) == (shown, shown)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_text_in_any_field_stays_text(name: str) -> None:
    values = context(name, picks=5)
    values["banner"] = {"words": "Richer creams", "link": "https://shop.example/winter"}
    values["campaign"]["offer_code"] = "SLOW10"
    expected = {element.tag for element in rendered(name, values).iter() if isinstance(element.tag, str)}
    for fields in (values["campaign"], values["sender"], values["links"], values["subscriber"], values["banner"]):
        fields.update(dict.fromkeys(fields, HOSTILE))
    for product in (values["hero"], *values["picks"]):
        product.update({key: HOSTILE for key, value in product.items() if isinstance(value, str)})
    values |= {"subject": HOSTILE, "preheader": HOSTILE, "language": HOSTILE, "direction": HOSTILE}
    mail = rendered(name, values)
    assert {element.tag for element in mail.iter() if isinstance(element.tag, str)} <= expected
    assert not mail.xpath("//*[@onerror]")
    assert mail.xpath("//img/@alt") == [HOSTILE] * len(mail.xpath("//img"))
    assert "49" not in mail.text_content()
    assert mail.findtext(".//title") == HOSTILE


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_described_and_used_and_nothing_else_is(name: str) -> None:
    description = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
    assert {"title", "description", "subject", "preheader", "variables"} == set(description)
    for variable in description["variables"].values():
        assert set(variable) == {"label", "default", "help"}
        assert variable["label"]
        assert variable["help"]
    sources = (flattened(f"{name}.html"), description["subject"], description["preheader"])
    used = set(re.findall(r"campaign\.(\w+)", " ".join(sources)))
    if "banner.words" in sources[0]:
        used.add("banners")  # the composer reads it, and hands over the one that suits
    assert used == set(description["variables"])


@pytest.mark.parametrize("path", [*SOURCES, *sorted(FOLDER.glob("*.toml"))], ids=lambda path: path.name)
def test_the_words_speak_of_products_never_of_watching(path: Path) -> None:
    watched = (
        r"(?i)you(’ve|'ve| have)? (recently )?(look|view|brows|click|visit|search|abandon|left|b(ought|uy)|order|get)"
    )
    assert not re.search(watched, path.read_text("utf-8"))


def test_a_reminder_does_not_say_that_somebody_bought() -> None:
    _, page = postcards.mail("replenishment")
    bought = r"(?i)\b(bought|purchas\w*|again|last|your order|reorder|since)\b"
    said = lxml.html.document_fromstring(page).xpath("//body")[0].text_content()
    assert not re.search(bought, said.replace("A favourite of the last weeks", ""))


def test_a_hello_makes_nobody_feel_guilty() -> None:
    _, page = postcards.mail("come-back")
    reproach = r"(?i)miss(ed)? you|it has been|long time|been a while|where have|forg[eo]t|still there|last chance"
    assert not re.search(reproach, page)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_jinja_prints_only_text_and_plain_attributes(path: Path) -> None:
    source = path.read_text("utf-8")
    for attribute, value in re.findall(r'\s([\w:-]+)="([^"]*)"', source):
        if "{{" in value or "{%" in value:
            assert attribute in {"href", "src", "alt", "width", "height", "title", "lang", "dir"}
            assert "{%" not in value
    for style in re.findall(r"<style.*?</style>", source, re.DOTALL):
        assert "{{" not in style
        assert "{%" not in style
    for comment in OUTLOOK.findall(source):
        assert "{{" not in comment
        assert "{%" not in comment
    assert not re.search(r"\|\s*safe|{%-?\s*(macro|set|call|import|from|filter|autoescape)", source)


@pytest.mark.parametrize("name", NAMES)
def test_the_inlined_stylesheet_has_no_positional_selectors(name: str) -> None:
    style = re.search(r"<style>(.*?)</style>", flattened(f"{name}.html"), re.DOTALL)
    assert style
    for selector in re.findall(r"([^{}]+){", style[1]):
        assert re.fullmatch(r"\s*[.#]?[\w-]+\s*", selector), selector


@pytest.mark.parametrize("name", NAMES)
def test_statements_stay_in_order_and_share_a_parent(name: str) -> None:
    source = flattened(f"{name}.html")
    placed = list(statement_comments(source))
    parents = dict(placed)
    assert [number for number, _ in placed] == list(range(len(STATEMENT.findall(source))))
    groups = statement_groups(source)
    assert groups
    for group in groups:
        assert len({parents[number] for number in group}) == 1, group


@pytest.mark.parametrize("language", ["en", "de", "ar"])
@pytest.mark.parametrize("picks", [0, 1, 2, 5, 11])
@pytest.mark.parametrize("name", NAMES)
def test_inlined_once_a_page_is_the_mail_that_premailer_makes(name: str, picks: int, language: str) -> None:
    words = postcards.words_of(language)
    prepared = postcards.prepared(name)
    assert prepared.once, prepared.reason
    for changes in (
        {},
        {"given_name": "", "campaign": {"offer_code": "SLOW10"}, "banner": {"words": "Richer creams", "link": "/w"}},
    ):
        values = postcards.with_lines(name, postcards.context(name, language, picks=picks, **changes), words)
        fast, slow = postcards.fast_page(name, values, words), postcards.slow_page(name, values, words)
        assert dom(fast) == dom(slow)


@pytest.mark.parametrize("language", ["de", "ar"])
@pytest.mark.parametrize("name", NAMES)
def test_a_mail_in_another_language_has_no_english_left(name: str, language: str) -> None:
    values, page = postcards.mail(name, language, campaign={"offer_code": "SLOW10"})
    body = lxml.html.document_fromstring(page).xpath("//body")[0].text_content()
    text = postcards.text_part(values, postcards.words_of(language))
    for english in filter(None, postcards.FOLDERS.sheet(name).defaults().values()):
        assert english.splitlines()[0] not in body
        assert english.splitlines()[0] not in text


@pytest.mark.parametrize("name", NAMES)
def test_a_mail_of_five_picks_stays_light(name: str) -> None:
    _, page = postcards.mail(name, banner={"words": "Richer creams", "link": "/w"}, campaign={"offer_code": "SLOW10"})
    assert len(page.encode()) < 45_000


def test_nothing_is_set_left_or_right() -> None:
    """A mail that is read from the right is laid out from the right, by dir="rtl" alone."""
    for path in SOURCES:
        assert not re.search(r"\b(left|right|float)\b", path.read_text("utf-8")), path.name
    styles = re.findall(r"padding: ([^;]+?)(?: !important)?;", (FOLDER / "layouts/base.html").read_text("utf-8"))
    sides = [style.split() for style in styles]
    assert all(len(edges) < 4 or edges[1] == edges[3] for edges in sides)


def test_letters_are_set_apart_and_slanted_only_from_left_to_right() -> None:
    _, page = postcards.mail("picked-for-you", "ar", campaign={"offer_code": "SLOW10"})
    assert "italic" not in " ".join(re.findall(r'style="([^"]*)"', page))
    assert re.findall(r'<p class="([\w-]+)"[^>]*letter-spacing', page) == ["offer-code"]  # Latin letters, dir="ltr"


def test_every_colour_of_dark_mode_is_known_to_outlook_too() -> None:
    """Outlook.com and its apps take no media query, only [data-ogsc] for text and [data-ogsb] for grounds."""
    source = (FOLDER / "layouts/base.html").read_text("utf-8")
    dark = source[source.index("@media (prefers-color-scheme: dark)") : source.index("[data-ogsc]")]
    alternatives = {"border-color": None, "background-color": "data-ogsb", "color": "data-ogsc"}
    for selectors, rule, _ in re.findall(r"\n  ([^{]+) { ([\w-]+): ([^}]*)}", dark):
        for selector in set(selectors.split(", ")) - {"body"}:  # whose ground .page covers
            if alternatives[rule]:
                assert f"[{alternatives[rule]}] {selector}" in source, selector


def test_the_text_part_reads_as_a_mail_of_its_own() -> None:
    for name in NAMES:
        for language in ("en", "de", "ar"):
            values, _ = postcards.mail(name, language, campaign={"offer_code": "SLOW10"})
            text = postcards.text_part(values, postcards.words_of(language))
            lines = text.splitlines()
            assert all(len(line) <= 72 for line in lines)
            assert not re.search(r"\n\n\n|[<>{}]|&amp;", text)
            for product in (values["hero"], *values["picks"]):
                at = lines.index(f"* {product['title']}")
                wanted = [*filter(None, (product["price"], product["reason"], product["link"]))]
                assert [line.strip() for line in lines[at + 1 : at + 1 + len(wanted)]] == wanted
            assert lines.count(postcards.UNSUBSCRIBE) == 1 + (name == "come-back")
            assert postcards.ADDRESS in text
            assert values["subscriber"]["given_name"] in lines[2]
            assert "    SLOW10" in lines
