"""Order lines of a shop: customers, purchases, cancellations, and what they tell about the products.

A preset says how one shop's file is to be read. The one that ships reads the UCI "Online Retail" file (Chen, 2015,
doi 10.24432/C5BW33), which is as dirty as real files are.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlmodel import Session

from subscribers import cancellations, cells
from subscribers.csv_files import Columns, CsvFile, Row
from subscribers.errors import RowRejected
from subscribers.import_report import ImportReport
from subscribers.models import Kind, Purpose
from subscribers.roster import NewSubscriber, add_many, ids_by_key
from subscribers.secrets import Secrets
from subscribers.signals import NewSignal, record

LINES_A_BATCH = 10_000


@dataclass(frozen=True)
class OrderLine:
    """One line of an order. `quantity` is positive, also of a cancelled one. `customer` is empty for unknown people."""

    reference: str
    product: str
    title: str
    quantity: int
    at: datetime
    price_minor: int
    customer: str
    country: str
    cancelled: bool


@dataclass(frozen=True)
class Customer:
    """Somebody who ordered: their number in the shop, and where and when this line says so."""

    number: str
    country: str
    at: datetime


@dataclass
class SeenProduct:
    """What the order lines say about one product: its titles and prices, each with how often."""

    titles: Counter[str] = field(default_factory=Counter)
    prices: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True)
class OrderPreset:
    """How to read one shop's order file.

    line_in: None for a line that is no product (postage, fees). customer_in: who is named on a line that is no purchase
    (a fee, a free sample); they are customers all the same. Without it only purchases make a customer.
    """

    name: str
    columns: Columns
    line_in: Callable[[Row, datetime], OrderLine | None]
    address_of: Callable[[str], str]
    consent: frozenset[Purpose]
    how: str
    customer_in: Callable[[Row, datetime], Customer | None] | None = None


# Products are five digits and perhaps letters, or a gift-box code; all else is a service: POST, D (discount), M
# (manual), C2 (carriage), DOT, S (samples), AMAZONFEE, BANK CHARGES, B (bad debt), CRUK, PADS, gift vouchers.
_PRODUCT_CODE = re.compile(r"[0-9]{5}[A-Z]{0,3}|DCGS\w{0,20}", re.IGNORECASE | re.ASCII)
_WHOLE = re.compile(r"([0-9]{1,20})(?:\.0)?")


def _online_retail_line(row: Row, now: datetime) -> OrderLine | None:
    text = row.cells
    code = text["StockCode"].upper()
    if not code:
        raise row.reject("StockCode", "is empty")
    if not _PRODUCT_CODE.fullmatch(code):
        return None
    customer = _WHOLE.fullmatch(text["CustomerID"]) if text["CustomerID"] else None
    if text["CustomerID"] and customer is None:
        raise row.reject("CustomerID", "is no customer number")
    cancelled = text["InvoiceNo"].upper().startswith("C")
    try:
        quantity = int(text["Quantity"])
    except ValueError:
        raise row.reject("Quantity", "is no whole number") from None
    if abs(quantity) > cells.MOST:
        raise row.reject("Quantity", "is larger than any order")
    if cancelled != (quantity < 0) or quantity == 0:
        raise row.reject("Quantity", "is a stock correction, no order: negative without a cancelled invoice")
    price = cells.price_in(row, "UnitPrice")
    if not price:
        raise row.reject("UnitPrice", "is zero: a sample or a stock correction, no purchase")
    return OrderLine(
        reference=text["InvoiceNo"],
        product=code,
        title=" ".join(text["Description"].split()),
        quantity=abs(quantity),
        at=cells.time_in(row, "InvoiceDate", now=now),
        price_minor=price,
        customer=customer[1] if customer else "",
        country=text["Country"],
        cancelled=cancelled,
    )


def _online_retail_customer(row: Row, now: datetime) -> Customer | None:
    number = _WHOLE.fullmatch(row.cells["CustomerID"])
    if not number:
        return None
    return Customer(number[1], row.cells["Country"], cells.time_in(row, "InvoiceDate", now=now))


ONLINE_RETAIL = OrderPreset(
    name="online-retail",
    columns=Columns(
        required=(
            "InvoiceNo",
            "StockCode",
            "Description",
            "Quantity",
            "InvoiceDate",
            "UnitPrice",
            "CustomerID",
            "Country",
        )
    ),
    line_in=_online_retail_line,
    address_of=lambda customer: f"customer-{customer}@example.com",
    # the addresses are made up by us at example.com, so nobody real is presumed to have agreed to anything
    consent=frozenset({Purpose.MAIL, Purpose.PERSONALISE}),
    how="made-up address of the online-retail sample file",
    customer_in=_online_retail_customer,
)
PRESETS = {preset.name: preset for preset in (ONLINE_RETAIL,)}


class OrderImport:
    """One pass over an order file. After `run`, `products` holds what was seen of each product, by its code."""

    def __init__(
        self, session: Session, preset: OrderPreset, report: ImportReport, secrets: Secrets, now: datetime
    ) -> None:
        self._session, self._preset, self._report, self._secrets, self._now = session, preset, report, secrets, now
        self.products: defaultdict[str, SeenProduct] = defaultdict(SeenProduct)
        self.customers_added = 0
        self.units_cancelled = 0
        self._ids: dict[str, int] = {}
        self._repeats: Counter[str] = Counter()
        self._others: dict[str, Customer] = {}

    def run(self, source: CsvFile) -> None:
        """Read the file to its end; every 10,000 lines are one transaction. Cancellations are settled at the end."""
        batch: list[tuple[OrderLine, str]] = []
        for row in source:
            try:
                if isinstance(row, RowRejected):
                    raise row
                line = self._preset.line_in(row, self._now)
            except RowRejected as rejected:
                self._report.reject(rejected)
                self._note_customer(row)
                continue
            if line is None:
                self._report.count("no product (postage, fees, vouchers)")
                self._note_customer(row)
                continue
            self._note_product(line)
            batch.append((line, self._source_of(line)))
            if len(batch) >= LINES_A_BATCH:
                self._record(batch)
                batch = []
        self._record(batch)
        self._add_customers(list(self._others.values()))
        self.units_cancelled = cancellations.settle(self._session)

    def _source_of(self, line: OrderLine) -> str:
        """Where the line stands, the same whenever it is imported: two equal lines of one invoice are two lines.

        Quantity and price are in it: of two lines for one product, one may come later, corrected from the rejects.
        """
        same = f"{self._preset.name} {line.reference} {line.product} {line.quantity} {line.price_minor}"
        self._repeats[same] += 1
        return f"{same} {self._repeats[same]}"

    def _note_customer(self, row: Row | RowRejected) -> None:
        """Remember who is named on a line that is no purchase, if that can be read at all."""
        if isinstance(row, RowRejected) or self._preset.customer_in is None:
            return
        with suppress(RowRejected):
            customer = self._preset.customer_in(row, self._now)
            if customer is not None:
                self._others.setdefault(customer.number, customer)

    def _note_product(self, line: OrderLine) -> None:
        if not line.cancelled:
            seen = self.products[line.product]
            seen.titles[line.title] += 1
            seen.prices[line.price_minor] += 1

    def _record(self, batch: list[tuple[OrderLine, str]]) -> None:
        self._add_customers([Customer(line.customer, line.country, line.at) for line, _ in batch])
        groups: defaultdict[str, list[NewSignal]] = defaultdict(list)
        for line, source in batch:
            kind = Kind.CANCELLATION if line.cancelled else Kind.PURCHASE
            who = self._ids[line.customer] if line.customer else None
            name = (
                "cancellations" if line.cancelled else "purchases" if line.customer else "purchases by unknown people"
            )
            groups[name].append(NewSignal(who, line.product, kind, line.at, source, line.quantity, line.price_minor))
        for name, signals in groups.items():
            added = record(self._session, signals)
            self._report.count(name, added)
            self._report.count("already there", len(signals) - added)

    def _add_customers(self, customers: list[Customer]) -> None:
        first = {c.number: c for c in reversed(customers) if c.number and c.number not in self._ids}
        people = {number: self._person(customer) for number, customer in first.items()}
        self.customers_added += len(add_many(self._session, list(people.values()), now=self._now))
        ids = ids_by_key(self._session, [person.key for person in people.values()])
        self._ids |= {number: ids[person.key] for number, person in people.items()}

    def _person(self, customer: Customer) -> NewSubscriber:
        address = self._preset.address_of(customer.number)
        return NewSubscriber(
            address=address,
            key=self._secrets.key_of(address),
            country=customer.country[:80],
            answers={purpose: purpose in self._preset.consent for purpose in Purpose},
            consented_at=customer.at.astimezone(UTC),
            how=self._preset.how,
        )
