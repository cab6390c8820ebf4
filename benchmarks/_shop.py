"""A sample shop of any size in a workspace of its own, ready to plan and to send: in memory where there is /dev/shm.

In memory, since a file on this or that disk takes 100 to 900 µs of CPU, which is nobody's doing here.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from campaigns.edit import Definition, save_campaign
from campaigns.execute import World, open_world
from campaigns.pictures import draw_missing
from campaigns.settings import SETTINGS_FILE, Settings
from campaigns.training import train_model
from engine.catalog import PRODUCT_COLUMNS, import_products
from engine.recommend.recipe import Recipe
from studio.sample import write_sample_shop
from subscribers import roster, signals
from subscribers.csv_files import Columns, CsvFile
from subscribers.database import writing
from subscribers.import_report import ImportReport

CAMPAIGN = "weekly"
SHOP_ENDS = datetime(2026, 6, 1, tzinfo=UTC)
_SETTINGS = 'sender_name = "Shop"\nsender_address = "shop@example.com"\npostal_address = "1 Mill Lane, Ambleford"\n'
_MEMORY = Path("/dev/shm")


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def settings_for(settings: Settings, port: int, connections: int) -> Settings:
    """These settings, to send by SMTP to a sink on this machine."""
    sink = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none", "smtp_connections": connections}
    return settings.model_copy(update=sink)


def make_shop(folder: Path, people: int, *, signals_each: int = 30, epochs: int = 5) -> World:
    """A sample shop of that many people with everything imported, a model trained, and the campaign `weekly`."""
    (folder / SETTINGS_FILE).write_text(_SETTINGS)
    world = open_world(folder, lambda: datetime.now(UTC))
    shop = write_sample_shop(
        folder / "sample", seed=7, until=SHOP_ENDS, subscribers=people, signals=people * signals_each
    )
    now = world.clock()
    secrets = world.secrets
    with writing(world.database) as session:

        def bring(file: Path, columns: Columns, importer: Callable[[CsvFile, ImportReport], None]) -> None:
            source = CsvFile(file, columns)
            with ImportReport(source, folder / "rejects.csv") as counted:
                importer(source, counted)

        bring(shop.products, PRODUCT_COLUMNS, lambda f, r: import_products(session, f, r, now=now))
        bring(
            shop.subscribers,
            roster.SUBSCRIBER_COLUMNS,
            lambda f, r: roster.import_subscribers(session, f, r, secrets, now=now),
        )
        bring(
            shop.signals, signals.SIGNAL_COLUMNS, lambda f, r: signals.import_signals(session, f, r, secrets, now=now)
        )
        draw_missing(session, world.settings.media)
        train_model(session, world.settings, now=now, recipe=Recipe(epochs=epochs))
        save_campaign(session, Definition(CAMPAIGN), world.settings, now=now)
    return world
