"""The products on sale: their table, product feeds, and products known only from order lines."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update
from sqlmodel import Field, Session, SQLModel, col

from subscribers import cells
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.database import insert_new, take_turns
from subscribers.errors import RowRejected
from subscribers.import_report import ImportReport
from subscribers.models import utc_column
from subscribers.roster import BATCH
from subscribers.signals import sku_ids

IN_STOCK, OUT_OF_STOCK, PREORDER, BACKORDER = "in_stock", "out_of_stock", "preorder", "backorder"
AVAILABILITIES = (IN_STOCK, OUT_OF_STOCK, PREORDER, BACKORDER)
WITHDRAWN = "withdrawn"  # no feed says so: a complete feed that leaves a product out does
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_LINK = 150, 5_000, 2_000  # Google Merchant product data specification
LONGEST_LABELS = 1_000  # ten custom labels of 100 characters each


class Product(SQLModel, table=True):
    """A product of the shop, under Google Merchant's names. `sku_id` is the number signals know it by.

    price_minor: cents. product_type: a path such as "Skin care > Moisturisers". labels: skin concerns, traits; comma
    separated. image_link: where a mail finds the picture; "media/<name>" for one we drew. stock: units left; None where
    the feed does not say.
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
    stock: int | None = Field(default=None)
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
    optional=("description", "image_link", "product_type", "brand", "labels", "color", "stock"),
    also={"custom_label_0": "labels", "image link": "image_link", "product type": "product_type", "url": "link"}
    | {"quantity": "stock", "sell_on_google_quantity": "stock", "inventory": "stock"},
)
MOST_MARKS = 4  # on one letter: Hebrew has up to 4, Vietnamese 2
_STACKED = re.compile(rf"[^\x00-\x7f\w\s]{{{MOST_MARKS + 1},}}")  # marks are no letters; so is other punctuation
_PRICE = re.compile(r"(-?[\d.,]+)\s*([A-Za-z]{3})?|([A-Za-z]{3})\s*(-?[\d.,]+)")
# bidirectional controls, zero-width characters and other invisible ones: they make a title read as something else
_INVISIBLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)

# after NFKC, as browsers read it: a fullwidth slash or ℀ would end the host elsewhere than it seems to
_HOST = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|(?:[^\W_][\w\u0300-\u036f-]*\.)*[^\W_][\w\u0300-\u036f-]*\.?)(?::[0-9]{1,5})?"
)


def import_products(
    session: Session, source: CsvFile, report: ImportReport, *, now: datetime, complete: bool = False
) -> int:
    """Bring a product feed in; every 5,000 rows are one transaction. A product already there is brought up to date.
    Returns how many products were withdrawn.

    complete: the file is the whole assortment, so that what it does not name is withdrawn from sale. Products of
    rejected rows are named too, and stay as they were.
    """
    batch: dict[str, dict[str, object]] = {}

    def flush() -> None:
        added, changed = save_products(session, batch, now=now)
        report.count("added", added)
        report.count("updated", changed)
        report.count("already there", len(batch) - added - changed)
        batch.clear()

    seen, named = set[str](), set[str]()
    for row in source:
        try:
            if isinstance(row, RowRejected):
                raise row
            named.add(row.cells["id"])
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
    return _withdraw_others(session, named) if complete and seen else 0


def _withdraw_others(session: Session, named: set[str]) -> int:
    """Withdraw the products not named, in one transaction, committed. Returns how many are withdrawn by that."""
    on_sale = session.scalars(select(col(Product.code)).where(col(Product.availability) != WITHDRAWN))
    gone = sorted(set(on_sale) - named)
    for start in range(0, len(gone), BATCH):
        codes = gone[start : start + BATCH]
        session.execute(update(Product).where(col(Product.code).in_(codes)).values(availability=WITHDRAWN))
    session.commit()
    return len(gone)


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
        "stock": _stock_in(row),
        "product_type": clean_text(row.cells.get("product_type", ""))[:750],
        "brand": clean_text(row.cells.get("brand", ""))[:150],
        "labels": _labels_in(row),
    }


def save_products(
    session: Session, products: Mapping[str, Mapping[str, object]], *, now: datetime, guessed: bool = False
) -> tuple[int, int]:
    """Add or update products by code, in one transaction, committed. Returns (added, changed).

    A picture we drew stays when the feed has none. guessed: these are made from order lines, which know less than a
    feed: a product that a feed brought (its link is another) stays as it is, and whether it is on sale is not touched.
    """
    ids = sku_ids(session, products)
    take_turns(session, Product)
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
        if guessed and "link" in differs:
            continue
        if differs.get("image_link") == "":
            del differs["image_link"]
        if guessed:
            differs.pop("availability", None)
        if differs:
            session.execute(update(Product).where(col(Product.code) == code).values(**differs))
            changed += 1
    session.commit()
    return len(fresh), changed


def clean_text(text: str) -> str:
    """Text on one line, without control, bidirectional and invisible characters, and not stacked over other lines."""
    return " ".join(_STACKED.sub(_flattened, _INVISIBLE.sub(" ", text)).split())


def _flattened(stacked: re.Match[str]) -> str:
    """Without the marks that are more than a letter of any language has."""
    kept, marks = list[str](), 0
    for character in stacked[0]:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


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


def _stock_in(row: Row) -> int | None:
    text = row.cells.get("stock", "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise row.reject("stock", "is no number of units, 0 or more")
    return int(text)


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
    found = re.match(r"https?://([^/@?#]+)(?:[/?#]|$)", link, re.IGNORECASE) if plain else None
    if not found or not _HOST.fullmatch(unicodedata.normalize("NFKC", found[1])):
        raise row.reject(column, "is no web address that starts with https://")
    if not found[1].isascii() and any(map(_mixes_scripts, re.split(r"[.:]", found[1]))):
        raise row.reject(column, "names a host in letters of two scripts that look alike; write it as xn--…")
    return link


def _mixes_scripts(label: str) -> bool:
    """Whether Latin letters stand beside Cyrillic or Greek ones, as in a name made to look like another."""
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha()}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
