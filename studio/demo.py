"""The whole job once, on a sample shop or on an order file: import, train, plan, review, send to the outbox."""

from datetime import datetime
from pathlib import Path

from campaigns.edit import Definition, save_campaign
from campaigns.execute import World, open_world
from campaigns.fresh_start import start_over
from campaigns.settings import SETTINGS_FILE
from campaigns.status import Status
from campaigns.training import train_model
from scheduler import utc_now
from studio.cli import imports, runs
from studio.cli.output import listed, progress, say
from studio.sample import write_sample_shop
from subscribers.database import reading, writing
from subscribers.import_report import ImportReport

SEED = 7
CAMPAIGN = "weekly"
SAMPLE, ORDERS = "the sample shop Oat & Amber", "orders"
_SETTINGS = """\
# The settings of this workspace. docs/settings.md describes them all.
sender_name = "{name}"
sender_address = "hello@example.com"
postal_address = "1 Mill Lane, Ambleford AM1 1AA"
website = "https://shop.example"
currency = "{currency}"
"""


def run_demo(workspace: Path, data: Path | None) -> World:
    """Do it all and say what became of it. Raises what any of its steps raises."""
    shop = str(data.name) if data else SAMPLE
    began = start_over(workspace, shop, now=utc_now())
    _write_settings(workspace, data)
    world = open_world(workspace, utc_now)
    say(f"Handpicked demo: {shop}, in {workspace}/")
    if data:
        report, facts = imports.import_orders(world, data, "online-retail")
        _show(report, **facts)
    else:
        _import_sample(world, began)
    with progress("training"), reading(world.database) as session:
        card = train_model(session, world.settings, now=world.clock())
    compared = (
        f"; on the last 30 days NDCG@10 {card.metrics['ndcg@10 ours']:.3f}, recent bestsellers "
        f"{card.metrics['ndcg@10 recent popular']:.3f}"
        if card.metrics
        else ""
    )
    say(f"model {card.name}: learnt from {card.people:,} people{compared}")
    with writing(world.database) as session:
        save_campaign(session, Definition(CAMPAIGN), world.settings, now=world.clock())
    planned = runs.planned(world, CAMPAIGN)
    review = runs.reviewed(world, planned.run)
    _summary(world, runs.sent(world, planned.run), review.largest)
    return world


def _import_sample(world: World, began: datetime) -> None:
    until = began.replace(hour=0, minute=0, second=0, microsecond=0)
    shop = write_sample_shop(world.settings.workspace / "sample", seed=SEED, until=until)
    for kind, file in (("products", shop.products), ("subscribers", shop.subscribers), ("signals", shop.signals)):
        report, _ = imports.import_file(world, kind, file)
        _show(report)
    imports.draw_pictures(world)


def _write_settings(workspace: Path, data: Path | None) -> None:
    path = workspace / SETTINGS_FILE
    if not path.exists():
        name, currency = ("The Gift Shop", "GBP") if data else ("Oat & Amber", "EUR")
        path.write_text(_SETTINGS.format(name=name, currency=currency), encoding="utf-8")


def _show(report: ImportReport, **facts: int) -> None:
    for line in imports.describe(report, **facts):
        say(line)


def _summary(world: World, status: Status, largest: int) -> None:
    """What a marketer wants to know at the end."""
    title, count = status.heroes[0] if status.heroes else ("none", 0)
    mails = max(status.mails, 1)
    say("")
    say(
        f"Done: {status.messages['accepted']:,} of {status.audience:,} people got a mail, each with picks of their own."
    )
    say(f"  Left out: {listed(status.skipped)}.")
    say(f"  {status.different_heroes:,} different hero products; the commonest, {title}: {count / mails:.1%} of mails.")
    say(f"  Every mail was checked before it went; the largest has {largest / 1024:.0f} KB.")
    say(f"  The mails: {world.settings.outbox / 'new'}/ (open one with any mail program)")
    say(f"  Look closer: handpicked studio --workspace {world.settings.workspace}")
