"""A sample shop's files brought into a workspace, as tests of sending need one."""

from datetime import datetime
from pathlib import Path

from sqlmodel import Session

from campaigns.execute import World
from campaigns.pictures import draw_missing
from engine.catalog import PRODUCT_COLUMNS, import_products
from studio.sample import SampleShop
from subscribers import roster, signals
from subscribers.csv_files import CsvFile
from subscribers.import_report import ImportReport


def bring_in(world: World, session: Session, sample: SampleShop, folder: Path, *, now: datetime) -> None:
    """Import products, people and signals, none of them rejected, and draw the pictures."""
    for path, columns, bring in (
        (sample.products, PRODUCT_COLUMNS, lambda f, r: import_products(session, f, r, now=now)),
        (
            sample.subscribers,
            roster.SUBSCRIBER_COLUMNS,
            lambda f, r: roster.import_subscribers(session, f, r, world.secrets, now=now),
        ),
        (
            sample.signals,
            signals.SIGNAL_COLUMNS,
            lambda f, r: signals.import_signals(session, f, r, world.secrets, now=now),
        ),
    ):
        source = CsvFile(path, columns)
        with ImportReport(source, folder / "rejects.csv") as report:
            bring(source, report)
        assert not report.rejected
    draw_missing(session, world.settings.media)
