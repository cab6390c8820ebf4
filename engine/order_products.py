"""Products known only from order lines: a readable title, the price at which most lines agree, a type."""

from collections.abc import Mapping
from urllib.parse import quote

from engine.catalog import IN_STOCK, LONGEST_TITLE, clean_text
from subscribers.orders import SeenProduct

# what a thing is like is not what it is: without these, "Vintage Mug Red" would be a kind of red
_QUALITY_WORDS = """
    red pink blue green white black ivory cream silver gold copper brown grey purple orange yellow turquoise
    multicolour colour small large medium mini big tall long round square assorted design set vintage retro
    retrospot polkadot christmas and with the for of in on cm wood wooden metal glass ceramic paper cotton felt
    crystal pack pcs piece england paris union jack skull rose spot stripe print pattern natural clear heart star
    flower love
"""
_QUALITIES = frozenset(_QUALITY_WORDS.split())


def products_from_orders(seen: Mapping[str, SeenProduct], *, currency: str, shop: str) -> dict[str, dict[str, object]]:
    """What order lines tell about products, as columns by code: one clean title, the median price, a type.

    seen: titles and prices by product code. The commonest title wins; among equals the longest, then the alphabet.
    """
    titles = {code: clean_title(product.titles) for code, product in seen.items() if product.titles}
    titles = {code: title for code, title in titles.items() if title}
    types = types_from_titles(titles)
    return {
        code: {
            "title": title,
            "description": "",
            "link": f"{shop}/p/{quote(code.lower(), safe='')}",
            "image_link": "",
            "price_minor": median_price(seen[code].prices),
            "currency": currency,
            "availability": IN_STOCK,
            "product_type": types[code],
            "brand": "",
            "labels": "",
        }
        for code, title in titles.items()
    }


def clean_title(titles: Mapping[str, int]) -> str:
    """One readable title from messy descriptions: the commonest that is a title and no note of the warehouse.

    Titles in the order file are in capitals; notes ("damaged", "wrongly coded", "?") are not.

    >>> clean_title({"RED RETROSPOT  MUG .": 9, "damages": 20})
    'Red Retrospot Mug'
    """
    proper = {title: count for title, count in titles.items() if title.isupper() and len(title) > 3} or {
        title: count for title, count in titles.items() if len(title) > 3
    }
    if not proper:
        return ""
    best = min(proper, key=lambda title: (-proper[title], -len(title), title))
    words = [word.strip('.,;*?"') for word in clean_text(best).replace(" ,", ", ").split()]
    return " ".join(_capitalised(word) for word in words if word)[:LONGEST_TITLE].rstrip()


def median_price(prices: Mapping[int, int]) -> int:
    """The price at which most lines agree the middle lies, in cents. prices: how often each was paid, not empty.

    >>> median_price({255: 10, 210: 3, 9999: 1})
    255
    """
    middle, so_far = sum(prices.values()) / 2, 0
    for price in sorted(prices):
        so_far += prices[price]
        if so_far >= middle:
            return price
    raise ValueError("no prices")


def types_from_titles(titles: Mapping[str, str], *, at_least: int = 8) -> dict[str, str]:
    """A product type for products that come without one: the last word of the title that many titles share.

    "Red Retrospot Mug" is a mug. A word must close, or stand in, at least `at_least` titles to be a type.
    """
    heads: dict[str, int] = {}
    for title in titles.values():
        words = title.split()
        heads[singular(words[-1])] = heads.get(singular(words[-1]), 0) + 1
    types: dict[str, str] = {}
    for code, title in titles.items():
        words = [singular(word) for word in reversed(title.split())]
        known = [word for word in words if heads.get(word, 0) >= at_least and word not in _QUALITIES and word.isalpha()]
        types[code] = f"Gifts > {known[0].capitalize()}" if known else "Gifts > Other"
    return types


def singular(word: str) -> str:
    """A word in lower case without its plural ending: near enough to tell types apart.

    >>> singular("Boxes"), singular("Mugs"), singular("Glass")
    ('box', 'mug', 'glass')
    """
    lower = word.lower().strip(",.;")
    if lower.endswith(("xes", "shes", "ches", "sses")):
        return lower[:-2]
    return lower[:-1] if lower.endswith("s") and not lower.endswith(("ss", "as", "us", "is")) else lower


def _capitalised(word: str) -> str:
    return word.upper() if len(word) <= 2 and any(c.isdigit() for c in word) else word[:1].upper() + word[1:].lower()
