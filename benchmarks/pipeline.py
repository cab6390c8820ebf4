"""The headline: from a subscriber's history to a mail in the outbox, as most would write it, and as we do.

Naive: ORM rows, `model.predict` per person, Jinja, premailer per mail, EmailMessage, one commit each. Ours: plan
with every mail checked, send with the ledger and consent read again per mail. Same people, products and template, both
into a Maildir, in interleaved rounds of one run. CPU is that of
all processes: ours renders in a worker of its own. What the naive pipeline costs is the same for every mail, so it
mails every tenth person; ours has costs that are paid once a run, and mails everybody. Both keep database and Maildir
in memory where there is /dev/shm: a file on this or that disk takes 100 to 900 µs of CPU, which is neither's doing.
"""

import gc
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from _harness import arguments, interleaved, median, note, once, report
from _naive import NaivePipeline

from campaigns.deliver import send_run
from campaigns.edit import Definition, save_campaign
from campaigns.execute import World, open_world, start_run, transport_of
from campaigns.pictures import draw_missing
from campaigns.plan import plan_run
from campaigns.settings import SETTINGS_FILE
from campaigns.training import train_model
from engine.catalog import PRODUCT_COLUMNS, import_products
from engine.recommend.recipe import Recipe
from engine.render.bounded import cpu_spent
from studio.sample import write_sample_shop
from subscribers import roster, signals
from subscribers.csv_files import Columns, CsvFile
from subscribers.database import writing
from subscribers.import_report import ImportReport

SHOP_ENDS = datetime(2026, 6, 1, tzinfo=UTC)
_SETTINGS = 'sender_name = "Shop"\nsender_address = "shop@example.com"\npostal_address = "1 Mill Lane, Ambleford"\n'


def make_shop(folder: Path, people: int) -> World:
    """A sample shop of that many people with everything imported and a model trained."""
    (folder / SETTINGS_FILE).write_text(_SETTINGS)
    world = open_world(folder, lambda: datetime.now(UTC))
    shop = write_sample_shop(folder / "sample", seed=7, until=SHOP_ENDS, subscribers=people, signals=people * 30)
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
        train_model(session, world.settings, now=now, recipe=Recipe(epochs=5))
        save_campaign(session, Definition("weekly"), world.settings, now=now)
    return world


def ours(world: World, stages: dict[str, list[float]]) -> Callable[[], object]:
    """One whole run of the campaign: plan, send."""

    def work() -> None:
        run = start_run(world, "weekly")
        assert run is not None
        assert run.id is not None
        number = run.id
        for name, stage in (
            ("plan", lambda: plan_run(world.database, number, world.settings, world.secrets)),
            ("send", lambda: send_run(world.database, number, transport_of(world, number), clock=world.clock)),
        ):
            stages.setdefault(name, []).append(once(stage, elsewhere=cpu_spent).cpu)

    return work


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "", people=5_000, rounds=3, naive=500)
    every = max(options.people // options.naive, 1)
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        note("making a shop and training")
        world = make_shop(Path(folder), options.people)
        naive = NaivePipeline(world, Path(folder) / "naive-outbox")
        gc.collect()
        gc.freeze()  # neither walks through the other's objects when it looks for garbage
        stages: dict[str, list[float]] = {}
        unmeasured: dict[str, list[float]] = {}
        outbox = Path(folder) / "outbox" / "new"

        def warm() -> None:
            ours(world, unmeasured)()
            for path in outbox.iterdir():  # so that the measured run finds as much room as each before it
                path.unlink()

        found = interleaved(
            options.rounds,
            {"naive": lambda: naive.run(every), "ours": ours(world, stages)},
            elsewhere=cpu_spent,
            warm={"naive": lambda: naive.run(every * 5), "ours": warm},
        )
        mails = len(list(outbox.iterdir()))  # of the last run
        assert abs(naive.mails * every - mails) < mails / 20, f"not the same people: {naive.mails} and {mails} mails"
    slow, fast = median(found["naive"]), median(found["ours"])
    naive_cpu, naive_wall = slow.cpu / naive.mails, slow.wall / naive.mails
    rows = [
        ("people mailed", float(mails), "people"),
        ("of them by the naive pipeline, evenly chosen", float(naive.mails), "people"),
        ("naive", 1 / naive_cpu, "mails/s/core"),
        ("ours: plan with every mail checked, send", mails / fast.cpu, "mails/s/core"),
        ("naive, wall", 1 / naive_wall, "mails/s"),
        ("ours, wall", mails / fast.wall, "mails/s"),
        *(
            (f"ours: {name}", sorted(values)[len(values) // 2] / mails * 1e6, "µs/mail")
            for name, values in stages.items()
        ),
    ]
    report("pipeline", rows, {"vs_naive": naive_cpu / (fast.cpu / mails)}, as_json=options.json)


if __name__ == "__main__":
    main()
