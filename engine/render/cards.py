"""Products as a template sees them: plain text and numbers, ready to print."""

from urllib.parse import quote, urljoin

from engine.catalog import Product
from engine.render.content import Card

IMAGE_SIZE = 600  # pixels; what we draw, and what a picture of unknown size is shown as
SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥"}
LONGEST_DESCRIPTION = 220
_ADDRESS = "\"#$%&+,/:;<=>?@[\\]^`{|}!*'()"  # all of ASCII that can be seen


def card(product: Product, *, public_url: str) -> Card:
    """The card of a product. A picture we drew ("media/…") gets its public address."""
    return {
        "title": product.title,
        "description": shortened(product.description),
        "link": web_address(product.link or public_url),
        "image": web_address(urljoin(public_url.rstrip("/") + "/", product.image_link)),
        "image_width": IMAGE_SIZE,
        "image_height": IMAGE_SIZE,
        "alt": product.title,
        "price_minor": product.price_minor,
        "currency": product.currency,
        "brand": product.brand,
    }


def web_address(address: str) -> str:
    """An address in ASCII, as premailer would write it too: a space or an ä in a link breaks it in some mail programs.

    >>> web_address("https://shop.example/p/crème?a=1&b=%20")
    'https://shop.example/p/cr%C3%A8me?a=1&b=%20'
    """
    return quote(address.strip(), safe=_ADDRESS)


def money(minor: int, currency: str) -> str:
    """An amount in words a reader knows.

    >>> money(2450, "EUR"), money(999, "CHF")
    ('€24.50', 'CHF 9.99')
    """
    amount = f"{minor // 100:,}.{minor % 100:02d}"
    return f"{SYMBOLS[currency]}{amount}" if currency in SYMBOLS else f"{currency} {amount}"


def shortened(text: str) -> str:
    """The description up to the end of a sentence, or of a word, within 220 characters."""
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    start = text[:LONGEST_DESCRIPTION]
    end = start.rfind(". ")
    return start[: end + 1] if end > 0 else start.rsplit(" ", 1)[0] + "…"
