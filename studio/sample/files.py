"""The sample shop as files: three that a marketer would export, and one with the truth behind them."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from studio.sample.behaviour import KIND_NAMES, Signals, draw_signals
from studio.sample.catalogue import Product, draw_catalogue
from studio.sample.habits import Habits, draw_habits, truth
from studio.sample.people import Person, draw_people
from studio.sample.words import BRANDS

PRODUCT_COLUMNS = (
    "id",
    "title",
    "description",
    "link",
    "image_link",
    "price",
    "availability",
    "product_type",
    "brand",
    "labels",
    "color",
)
SUBSCRIBER_COLUMNS = (
    "address",
    "given_name",
    "language",
    "time_zone",
    "country",
    "mail",
    "personalise",
    "track",
    "consented_at",
    "how",
)
SIGNAL_COLUMNS = ("id", "address", "product", "kind", "at", "quantity", "price")
HABIT_COLUMNS = ("address", "habit", "concern", "changed_to")


@dataclass(frozen=True)
class Shop:
    """Everything about a sample shop, in memory, hidden truth included."""

    products: list[Product]
    people: list[Person]
    habits: Habits
    signals: Signals


@dataclass(frozen=True)
class SampleShop:
    """Where the files are, and how many rows each has."""

    products: Path
    subscribers: Path
    signals: Path
    habits: Path
    """The truth behind the signals, for tests and for curious readers. Never import it."""
    product_count: int
    subscriber_count: int
    signal_count: int


def draw_shop(
    *, seed: int, until: datetime, products: int = 300, subscribers: int = 5_000, signals: int = 150_000
) -> Shop:
    """A shop as it stands at `until` (UTC, aware). Products, people and signals have a random stream each.

    Raises ValueError for a naive `until`, and for sizes that no shop has.
    """
    if until.utcoffset() is None:
        raise ValueError("until must say its time zone, for example datetime(2026, 6, 1, tzinfo=UTC)")
    if products < 20 or subscribers < 20 or signals < 100:
        raise ValueError("a sample shop needs at least 20 products, 20 subscribers and 100 signals")
    until = until.astimezone(UTC)
    for_products, for_people, for_habits, for_signals = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(4)
    )
    catalogue = draw_catalogue(for_products, count=products, until=until)
    people = draw_people(for_people, count=subscribers, until=until)
    habits = draw_habits(for_habits, people, until=until)
    drawn = draw_signals(for_signals, catalogue, people, habits, count=signals, until=until)
    return Shop(catalogue, people, habits, drawn)


def write_sample_shop(
    folder: Path,
    *,
    seed: int,
    until: datetime,
    products: int = 300,
    subscribers: int = 5_000,
    signals: int = 150_000,
) -> SampleShop:
    """Write products.csv, subscribers.csv, signals.csv.gz and habits.csv into `folder`, which is made if need be.

    The same arguments give the same bytes. All four are finished before the first gets its final name.
    """
    shop = draw_shop(seed=seed, until=until, products=products, subscribers=subscribers, signals=signals)
    sample = SampleShop(
        products=folder / "products.csv",
        subscribers=folder / "subscribers.csv",
        signals=folder / "signals.csv.gz",
        habits=folder / "habits.csv",
        product_count=len(shop.products),
        subscriber_count=len(shop.people),
        signal_count=len(shop.signals.at),
    )
    _write_whole(
        {
            sample.products: _table(PRODUCT_COLUMNS, map(_product_row, shop.products)),
            sample.subscribers: _table(SUBSCRIBER_COLUMNS, map(_subscriber_row, shop.people)),
            sample.signals: _zipped(_signal_lines(shop)),
            sample.habits: _table(HABIT_COLUMNS, _habit_rows(shop)),
        }
    )
    return sample


def _product_row(product: Product) -> tuple[str, ...]:
    """As a Google Merchant feed says it."""
    return (
        product.id,
        product.title,
        product.description,
        product.link,
        product.image_link,
        f"{_euros(product.cents)} EUR",
        product.availability,
        product.kind.path,
        BRANDS[product.brand].name,
        ",".join(product.labels),
        product.color,
    )


def _subscriber_row(person: Person) -> tuple[str, ...]:
    return (
        person.address,
        person.given_name,
        person.language,
        person.place.time_zone,
        person.place.country,
        _yes_or_no(person.mail),
        _yes_or_no(person.personalise),
        _yes_or_no(person.track),
        f"{person.consented_at:%Y-%m-%dT%H:%M:%SZ}",
        person.how,
    )


def _habit_rows(shop: Shop) -> Iterable[tuple[str, ...]]:
    return ((person.address, *truth(shop.habits, row)) for row, person in enumerate(shop.people))


def _signal_lines(shop: Shop) -> str:
    """The whole table at once: no value here needs quotes, and a csv.writer takes three times as long."""
    signals = shop.signals
    addresses = [person.address for person in shop.people]
    ids = [product.id for product in shop.products]
    moments = np.datetime_as_string(signals.at.astype("datetime64[s]"), unit="s").tolist()
    rows = zip(
        signals.person.tolist(),
        signals.product.tolist(),
        signals.kind.tolist(),
        moments,
        signals.quantity.tolist(),
        signals.cents.tolist(),
        strict=True,
    )
    lines = [
        f"sig-{number:07d},{addresses[person]},{ids[product]},{KIND_NAMES[kind]},{moment}Z,"
        + (f"{quantity},{_euros(cents)}\n" if quantity else ",\n")
        for number, (person, product, kind, moment, quantity, cents) in enumerate(rows, start=1)
    ]
    return ",".join(SIGNAL_COLUMNS) + "\n" + "".join(lines)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """A UTF-8 CSV file with a header and plain line feeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _zipped(text: str) -> bytes:
    """gzip without a time or a name inside, so that equal text gives equal bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as file:
        file.write(text.encode())
    return packed.getvalue()


def _write_whole(contents: dict[Path, bytes]) -> None:
    """Write every file beside its final name, then rename them all; what goes wrong leaves nothing behind."""
    unfinished = {path: path.with_name(f".{path.name}.unfinished") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished[path].write_bytes(content)
        for path in contents:
            os.replace(unfinished[path], path)
    finally:
        for path in unfinished.values():
            path.unlink(missing_ok=True)


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _yes_or_no(allowed: bool) -> str:
    return "yes" if allowed else "no"
