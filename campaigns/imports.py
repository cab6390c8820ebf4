"""Bring a file into a workspace, as the command line and the studio both do: people, products, signals or orders."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from campaigns.execute import World
from campaigns.pictures import draw_missing
from engine import catalog
from engine.order_products import products_from_orders
from subscribers import roster, signals
from subscribers.csv_files import Columns, CsvFile, Progress
from subscribers.database import writing
from subscribers.errors import FileRejected
from subscribers.import_report import ImportReport
from subscribers.models import Purpose
from subscribers.orders import PRESETS, OrderImport


class FileKind(StrEnum):
    """What a file holds."""

    SUBSCRIBERS = "subscribers"
    PRODUCTS = "products"
    SIGNALS = "signals"
    ORDERS = "orders"


@dataclass(frozen=True)
class Asked:
    """A file, and how it is to be read. path: where it is; rejects: where its rejected rows go.

    renames: its columns by their names in the file, with ours. presumed: purposes that everybody in it has agreed to.
    complete: it is the whole assortment, so that products it does not name are withdrawn. preset: of an order file.
    columns: what it must and may have, where that is not what files of its kind have.
    """

    kind: FileKind
    path: Path
    rejects: Path
    renames: Mapping[str, str] = field(default_factory=dict)
    encoding: str | None = None
    presumed: frozenset[Purpose] = frozenset()
    complete: bool = False
    preset: str = "online-retail"
    columns: Columns | None = None


def columns_of(kind: FileKind, preset: str = "online-retail") -> Columns:
    """What a file of this kind must and may have. Raises FileRejected for a preset that there is not."""
    if kind == FileKind.ORDERS:
        if preset not in PRESETS:
            raise FileRejected(f"there is no preset {preset!r}; there are: {', '.join(PRESETS)}")
        return PRESETS[preset].columns
    return {
        FileKind.SUBSCRIBERS: roster.SUBSCRIBER_COLUMNS,
        FileKind.PRODUCTS: catalog.PRODUCT_COLUMNS,
        FileKind.SIGNALS: signals.SIGNAL_COLUMNS,
    }[kind]


def import_file(world: World, asked: Asked, progress: Progress | None = None) -> tuple[ImportReport, dict[str, int]]:
    """Bring the file in; (the report, further figures). It commits in batches: a kill loses the last one, and the same
    file again changes nothing. Pictures are not drawn yet. Raises FileRejected."""
    columns = asked.columns or columns_of(asked.kind, asked.preset)
    source = CsvFile(asked.path, columns, renames=asked.renames, encoding=asked.encoding, progress=progress)
    with writing(world.database) as session, ImportReport(source, asked.rejects) as report:
        return report, _HOW[asked.kind](world, session, source, report, asked)


def draw_pictures(world: World, progress: Progress | None = None) -> int:
    """Draw what products lack a picture; returns how many."""
    with writing(world.database) as session:
        return draw_missing(session, world.settings.media, progress=progress)


def _subscribers(world: World, session: Session, source: CsvFile, report: ImportReport, asked: Asked) -> dict[str, int]:
    now = world.clock()
    roster.import_subscribers(session, source, report, world.secrets, now=now, presumed=asked.presumed)
    return {}


def _products(world: World, session: Session, source: CsvFile, report: ImportReport, asked: Asked) -> dict[str, int]:
    gone = catalog.import_products(session, source, report, now=world.clock(), complete=asked.complete)
    return {"products_withdrawn": gone}


def _signals(world: World, session: Session, source: CsvFile, report: ImportReport, asked: Asked) -> dict[str, int]:
    signals.import_signals(session, source, report, world.secrets, now=world.clock())
    return {}


def _orders(world: World, session: Session, source: CsvFile, report: ImportReport, asked: Asked) -> dict[str, int]:
    importing = OrderImport(session, PRESETS[asked.preset], report, world.secrets, world.clock())
    importing.run(source)
    shop = world.settings.website or world.settings.public_url
    found = products_from_orders(importing.products, currency=world.settings.currency, shop=shop)
    added, _ = catalog.save_products(session, found, now=world.clock(), guessed=True)
    people, units = importing.customers_added, importing.units_cancelled
    return {"customers_added": people, "products_added": added, "units_cancelled": units}


_HOW: dict[FileKind, Callable[[World, Session, CsvFile, ImportReport, Asked], dict[str, int]]] = {
    FileKind.SUBSCRIBERS: _subscribers,
    FileKind.PRODUCTS: _products,
    FileKind.SIGNALS: _signals,
    FileKind.ORDERS: _orders,
}
