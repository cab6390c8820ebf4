"""The products on sale: their table, product feeds, and products known only from order lines."""

import re
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlmodel import Field, Session, SQLModel, col

from subscribers import cells
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.database import insert_new
from subscribers.errors import RowRejected
from subscribers.import_report import ImportReport
from subscribers.models import utc_column
from subscribers.orders import SeenProduct
from subscribers.roster import BATCH
from subscribers.signals import sku_ids

IN_STOCK, OUT_OF_STOCK, PREORDER, BACKORDER = "in_stock", "out_of_stock", "preorder", "backorder"
AVAILABILITIES = (IN_STOCK, OUT_OF_STOCK, PREORDER, BACKORDER)
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_LINK = 150, 5_000, 2_000  # Google Merchant product data specification
LONGEST_LABELS = 1_000  # ten custom labels of 100 characters each


class Product(SQLModel, table=True):
    """A product of the shop, under Google Merchant's names. `sku_id` is the number signals know it by.

    price_minor: cents. product_type: a path such as "Skin care > Moisturisers". labels: skin concerns, traits; comma
    separated. image_link: where a mail finds the picture; "media/<name>" for one we drew.
    """

    sku_id: int = Field(primary_key=True, foreign_key="sku.id")
    code: str = Field(max_length=100, unique=True)
    title: str = Field(max_length=LONGEST_TITLE)
    description: str = Field(default="", max_length=LONGEST_DESCRIPTION)
    link: str = Field(default="", max_length=LONGEST_LINK)
    image_link: str = Field(default="", max_length=LONGEST_LINK)
    price_minor: int
    currency: str = Field(default="EUR", max_length=3)
    availability: str = Field(default=IN_STOCK, max_length=16)
    product_type: str = Field(default="", max_length=750)
    brand: str = Field(default="", max_length=150)
    labels: str = Field(default="", max_length=1_000)
    added_at: datetime = utc_column()

    @property
    def family(self) -> str:
        """The part of the product type that is wide enough to share a colour: its second level, or its first."""
        levels = [level.strip() for level in self.product_type.split(">")]
        return levels[1] if len(levels) > 1 else levels[0]


PRODUCT_COLUMNS = Columns(
    required=("id", "title", "link", "price", "availability"),
    optional=("description", "image_link", "product_type", "brand", "labels", "color"),
    also={"custom_label_0": "labels", "image link": "image_link", "product type": "product_type", "url": "link"},
)
_PRICE = re.compile(r"(-?[\d.,]+)\s*([A-Za-z]{3})?|([A-Za-z]{3})\s*(-?[\d.,]+)")
# what a thing is like is not what it is: without these, "Vintage Mug Red" would be a kind of red
_QUALITY_WORDS = """
    red pink blue green white black ivory cream silver gold copper brown grey purple orange yellow turquoise
    multicolour colour small large medium mini big tall long round square assorted design set vintage retro
    retrospot polkadot christmas and with the for of in on cm wood wooden metal glass ceramic paper cotton felt
    crystal pack pcs piece england paris union jack skull rose spot stripe print pattern natural clear heart star
    flower love
"""
_QUALITIES = frozenset(_QUALITY_WORDS.split())
# bidirectional controls, zero-width characters and other invisible ones: they make a title read as something else
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def import_products(session: Session, source: CsvFile, report: ImportReport, *, now: datetime) -> None:
    """Bring a product feed in; every 5,000 rows are one transaction. A product already there is brought up to date."""
    batch: dict[str, dict[str, object]] = {}

    def flush() -> None:
        added, changed = save_products(session, batch, now=now)
        report.count("added", added)
        report.count("updated", changed)
        report.count("already there", len(batch) - added - changed)
        batch.clear()

    seen: set[str] = set()
    for row in source:
        try:
            if isinstance(row, RowRejected):
                raise row
            code, product = row.cells["id"], product_in(row)
            if code in seen:
                raise row.reject("id", "stands in this file twice; the first row counts")
        except RowRejected as rejected:
            report.reject(rejected)
            continue
        seen.add(code)
        batch[code] = product
        if len(batch) >= BATCH:
            flush()
    flush()


def product_in(row: Row) -> dict[str, object]:
    """The product in a feed row, as columns. Raises RowRejected; hostile text comes out harmless or not at all."""
    if not (1 <= len(row.cells["id"]) <= 100 and row.cells["id"].isprintable()):
        raise row.reject("id", "must have 1 to 100 characters, all of them visible")
    price, currency = _price_in(row)
    availability = row.cells["availability"].lower().replace(" ", "_")
    if availability not in AVAILABILITIES:
        raise row.reject("availability", f"is none of {', '.join(AVAILABILITIES)}")
    title = clean_text(row.cells["title"])
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise row.reject("title", f"must have 1 to {LONGEST_TITLE} characters")
    return {
        "title": title,
        "description": clean_text(row.cells.get("description", ""))[:LONGEST_DESCRIPTION],
        "link": _link_in(row, "link", required=True),
        "image_link": _link_in(row, "image_link", required=False),
        "price_minor": price,
        "currency": currency,
        "availability": availability,
        "product_type": clean_text(row.cells.get("product_type", ""))[:750],
        "brand": clean_text(row.cells.get("brand", ""))[:150],
        "labels": _labels_in(row),
    }


def save_products(session: Session, products: Mapping[str, Mapping[str, object]], *, now: datetime) -> tuple[int, int]:
    """Add or update products by code, in one transaction, committed. Returns (added, changed).

    A picture we drew stays when the feed has none.
    """
    ids = sku_ids(session, products)
    there = {
        product.code: product for product in session.scalars(select(Product).where(col(Product.code).in_(products)))
    }
    fresh = [
        {"sku_id": ids[code], "code": code, "added_at": now, **columns}
        for code, columns in products.items()
        if code not in there
    ]
    if fresh:
        insert_new(session, Product, fresh)
    changed = 0
    for code, product in there.items():
        differs = {name: value for name, value in products[code].items() if getattr(product, name) != value}
        if differs.get("image_link") == "":
            del differs["image_link"]
        if differs:
            session.execute(update(Product).where(col(Product.code) == code).values(**differs))
            changed += 1
    session.commit()
    return len(fresh), changed


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
            "link": f"{shop}/p/{code.lower()}",
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


def clean_text(text: str) -> str:
    """Text on one line, without control, bidirectional and invisible characters."""
    return " ".join(_INVISIBLE.sub(" ", text).split())


def _capitalised(word: str) -> str:
    return word.upper() if len(word) <= 2 and any(c.isdigit() for c in word) else word[:1].upper() + word[1:].lower()


def _price_in(row: Row) -> tuple[int, str]:
    text = row.cells["price"]
    found = _PRICE.fullmatch(text)
    if not found:
        raise row.reject("price", "is no price such as 24.50 EUR")
    amount, currency = found[1] or found[4], found[2] or found[3] or "EUR"
    try:
        price = cells.minor_units(amount)
    except ValueError:
        raise row.reject("price", "is no price such as 24.50 EUR") from None
    if price < 0:
        raise row.reject("price", "is negative")
    return price, currency.upper()


def _labels_in(row: Row) -> str:
    """The labels and colours once each, as many as fit. Merchant parts the colours of one product by a slash."""
    colours = row.cells.get("color", "").replace("/", ",")
    text, labels = "", clean_text(f"{row.cells.get('labels', '')},{colours}").split(",")
    for label in dict.fromkeys(label.strip() for label in labels):
        longer = f"{text}, {label}" if text else label
        if label and len(longer) <= LONGEST_LABELS:
            text = longer
    return text


def _link_in(row: Row, column: str, *, required: bool) -> str:
    link = row.cells.get(column, "")
    if not link and not required:
        return ""
    plain = link.isprintable() and not re.search(r"[\s<>\"'`\\]", link) and len(link) <= LONGEST_LINK
    if not (plain and re.match(r"https?://[^/@?#]+(?:[/?#]|$)", link, re.IGNORECASE)):
        raise row.reject(column, "is no web address that starts with https://")
    return link
