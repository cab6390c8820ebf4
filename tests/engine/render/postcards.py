"""The shipped templates as mails of a shop one could know: its products, its readers, its words in three languages."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from engine.render.cards import web_address
from engine.render.environment import SHIPPED, TemplateFolders, compiled
from engine.render.images import draw_product_image, image_name
from engine.render.inline import inline_html
from engine.render.locale import Words, catalogues, spoken
from engine.render.sandbox import Sandbox
from tests.engine.mails import prepared, rendered

FOLDERS = TemplateFolders((SHIPPED,))
NAMES = FOLDERS.names()
PICTURES = "https://oat-amber.example/media"
UNSUBSCRIBE = "https://oat-amber.example/u/token-of-ana"
ADDRESS = "1 Mill Lane, Bath BA1 1AA, United Kingdom"

# title, brand, family, price in hundredths, the sentence why and its value
SHELF: tuple[tuple[str, str, str, int, str, str], ...] = (
    ("Rosehip Face Oil, 30 ml", "Maren", "Oils", 2450, "A good choice for %(value)s", "dry skin"),
    ("Oat & Honey Balm", "Heath", "Balms", 1200, "Good to have at hand", ""),
    ("Aloe Sun Fluid SPF 50, 50 ml", "Salt & Fern", "Sun care", 3180, "New in our shop", ""),
    ("Green Clay Mask", "", "Masks", 1890, "A favourite of the last weeks", ""),
    ("Chamomile Night Cream for Sensitive Skin, 75 ml", "Maren", "Creams", 124900, "New ideas from %(value)s", "Maren"),
    ("Linden Hand Soap", "Heath", "Soaps", 650, "", ""),
)
DESCRIPTION = (
    "Cold pressed from wild rosehips and left as it is: a light oil that sinks in within minutes and leaves skin calm, "
    "soft and faintly scented of late summer."
)
GIVEN_NAMES = {"en": "Ana", "de": "Johanna", "ar": "ليلى"}


@cache
def words_of(language: str) -> Words:
    """The words of a language that ships, as the composer makes them."""
    offered = catalogues((SHIPPED,))
    return Words(language, offered.get(spoken(language, offered), ""))


def speaking(environment: Sandbox, words: Words) -> Sandbox:
    """The environment, saying its texts in this language."""
    environment.globals |= {"_": words.gettext, "ngettext": words.ngettext}
    environment.filters["date"] = words.date
    return environment


def card(number: int, words: Words) -> dict[str, Any]:
    """A product of the shelf as a template sees it."""
    title, brand, family, minor, reason, value = SHELF[number % len(SHELF)]
    return {
        "title": title,
        "description": DESCRIPTION,
        "link": f"https://oat-amber.example/p/{number}",
        "image": web_address(f"{PICTURES}/{image_name(title, family)}"),
        "image_width": 600,
        "image_height": 600,
        "alt": title,
        "price": words.money(minor, "GBP"),
        "brand": brand,
        "reason": (words.gettext(reason, value=value) if value else words.gettext(reason)) if reason else "",
    }


def drawn() -> dict[str, bytes]:
    """The pictures of the shelf, by address."""
    return {
        f"{PICTURES}/{image_name(title, family)}": draw_product_image(title, family) for title, _, family, *_ in SHELF
    }


def context(name: str, language: str = "en", *, picks: int = 5, **changes: Any) -> dict[str, Any]:
    """What a mail is made from. The marketer left all variables as they are, but for those in `changes["campaign"]`."""
    words = words_of(language)
    defaults = {key: words.gettext(text) if text else "" for key, text in FOLDERS.sheet(name).defaults().items()}
    cards = [card(number, words) for number in range(picks + 1)]
    return {
        "language": words.language,
        "direction": words.direction,
        "subscriber": {"given_name": changes.get("given_name", GIVEN_NAMES[language])},
        "campaign": defaults | changes.get("campaign", {}),
        "hero": cards[0],
        "picks": cards[1:],
        "banner": changes.get("banner", {"words": "", "link": ""}),
        "sender": {"name": "Oat & Amber", "postal_address": ADDRESS, "website": "https://oat-amber.example"},
        "links": {"unsubscribe": UNSUBSCRIBE, "home": "https://oat-amber.example/home"},
    }


def with_lines(name: str, values: dict[str, Any], words: Words) -> dict[str, Any]:
    """The context with its subject and preheader, rendered as the composer does."""
    sheet = FOLDERS.sheet(name)
    sandbox = speaking(Sandbox(autoescape=False), words)
    lines = {line: rendered(compiled(sandbox, getattr(sheet, line), name), values) for line in ("subject", "preheader")}
    return values | {name: " ".join(line.split()) for name, line in lines.items()}


def fast_page(name: str, values: Mapping[str, Any], words: Words) -> str:
    """The mail from the page inlined once."""
    return rendered(compiled(speaking(Sandbox(), words), prepared(name).source, name), values, name)


def slow_page(name: str, values: Mapping[str, Any], words: Words) -> str:
    """The mail inlined by itself, which is right by definition."""
    return inline_html(rendered(speaking(FOLDERS.sandbox(), words).get_template(f"{name}.html"), values, name))


def text_part(values: Mapping[str, Any], words: Words, name: str = "layouts/plain.txt") -> str:
    """The text part."""
    sandbox = speaking(Sandbox(autoescape=False), words)
    return rendered(compiled(sandbox, FOLDERS.source(name), name), values, name).strip() + "\n"


def mail(name: str, language: str = "en", **changes: Any) -> tuple[dict[str, Any], str]:
    """(the context, the page) of a mail as it would be sent."""
    words = words_of(language)
    values = with_lines(name, context(name, language, **changes), words)
    return values, fast_page(name, values, words)
