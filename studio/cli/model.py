"""`handpicked train`, `evaluate` and `model`: the model, its quality, and which one is in use."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, AsJson, Workspace, open_workspace
from studio.cli.output import progress, say, say_json, table

if TYPE_CHECKING:
    from engine.recommend.evaluate.evaluation import Evaluation
    from engine.recommend.evaluate.measures import Measures
    from engine.recommend.registry import ModelCard

app = typer.Typer(help="List models, look at one, use another, go back.", no_args_is_help=True)

ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="A model's name, as `handpicked model list` shows it.")]
TRADE_OFF = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def train(
    even_if_worse: Annotated[
        bool,
        typer.Option("--even-if-worse", help="Use the model even when bestsellers did better in the last 30 days."),
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Train the model on everything known by now, measure it, and use it from the next plan on."""
    from campaigns.training import train_model
    from subscribers.database import reading

    world = open_workspace(workspace)
    with progress("training"), reading(world.database) as session:
        card = train_model(session, world.settings, now=world.clock(), even_if_worse=even_if_worse)
    if as_json:
        say_json(card.summary())
        return
    say(f"model {card.name}: learnt from {card.people:,} people and {card.products:,} products")
    if card.metrics:
        say(f"on the last 30 days, {card.metrics['customers']:,.0f} people: {_against_bestsellers(card)}")


def evaluate(
    split_at: Annotated[
        str, typer.Option("--split-at", metavar="DATE", help="Known before, to be guessed after: 2011-11-01.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="Length of the window to be guessed.")] = 30,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw accuracy against coverage into this SVG file.")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Is it better than bestsellers? Splits the signals in time and compares with what people bought afterwards."""
    from campaigns.errors import CampaignInvalid
    from campaigns.pick_rules import shop_rules
    from engine.assortment import read_catalog
    from engine.errors import NothingToTrainOn
    from engine.recommend.evaluate.evaluation import evaluate as compare
    from engine.recommend.evaluate.plot import plot as draw
    from engine.recommend.recipe import Recipe
    from engine.recommend.trend import SECONDS_A_DAY
    from subscribers.database import reading
    from subscribers.signals import read_signals

    world = open_workspace(workspace)
    with reading(world.database) as session:
        catalog, signals = read_catalog(session), read_signals(session, until=world.clock())
    if not len(signals):
        raise NothingToTrainOn("there are no signals yet; import signals or orders first")
    try:
        day = datetime.fromisoformat(split_at).replace(tzinfo=UTC) if split_at else None
    except ValueError:
        raise CampaignInvalid(f"--split-at {split_at!r} is no date such as 2011-11-01") from None
    split = int(day.timestamp()) if day else int(signals.at[-1]) - days * SECONDS_A_DAY
    trends = TRADE_OFF if plot or as_json else ()
    with progress("training and comparing"):
        rules = shop_rules(world.settings)
        found = compare(signals, catalog, Recipe(), split_at=split, days=days, rules=rules, trends=trends)
    if plot:
        plot.write_text(draw(found), encoding="utf-8")
    if as_json:
        say_json(found.summary())
    else:
        _tell(found)
    if not found.customers:
        raise typer.Exit(1)


@app.command(name="list")
def list_all(workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Every model there is, the newest first, and which one is in use."""
    from engine.errors import ModelMissing
    from engine.recommend import registry

    folder = open_workspace(workspace).settings.models
    cards = registry.cards(folder)
    try:
        used = registry.current(folder)
    except ModelMissing:
        used = ""
    if as_json:
        say_json([card.summary() | {"current": card.name == used} for card in cards])
    elif not cards:
        say("no model is trained yet; run `handpicked train`")
    else:
        rows = [
            (
                "in use" if card.name == used else "",
                card.name,
                f"{card.trained_at:%Y-%m-%d %H:%M}",
                _against_bestsellers(card),
            )
            for card in cards
        ]
        table(("", "model", "trained (UTC)", "last 30 days before"), rows)


@app.command()
def show(model: ModelName, workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """What is known of one model: what it learnt from, what it reached, how it was made."""
    from engine.recommend import registry

    card = registry.card(open_workspace(workspace).settings.models, model)
    if as_json:
        say_json(card.summary())
        return
    for name, value in card.summary().items():
        shown = ", ".join(f"{key} {number:g}" for key, number in value.items()) if isinstance(value, dict) else value
        say(f"{name}: {shown}")


@app.command()
def promote(model: ModelName, workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Use this model from the next plan on, whatever it was measured at."""
    from engine.recommend import registry

    registry.promote(open_workspace(workspace).settings.models, model)
    say(f"model {model} is in use from the next plan on")


@app.command(name="roll-back")
def roll_back(workspace: Workspace = DEFAULT_WORKSPACE) -> None:
    """Use the model again that was in use before this one; once more goes one further back."""
    from engine.recommend import registry

    name = registry.roll_back(open_workspace(workspace).settings.models)
    say(f"model {name} is in use again from the next plan on")


def _against_bestsellers(card: "ModelCard") -> str:
    if "ndcg@10 ours" not in card.metrics:
        return "not measured: too few signals"
    ours, trend = card.metrics["ndcg@10 ours"], card.metrics["ndcg@10 recent popular"]
    return f"NDCG@10 {ours:.3f}, bestsellers {trend:.3f}"


def _tell(found: "Evaluation") -> None:
    from engine.recommend.evaluate.split import PROTOCOL

    day = found.summary()["split_at"]
    if not found.customers:
        say(f"nobody with a history bought anything new to them in the {found.days} days from {day}")
        return
    say(f"{found.customers:,} people and {found.candidates:,} products; the {found.days} days from {day}")
    say(f"({PROTOCOL})")
    say("products new to the person:")
    columns = ("model", "NDCG@10", "recall@10", "hit rate", "coverage", "novelty", "full lists", "commonest hero")
    table(columns, [(each.name, *_measured(each.measures)) for each in found.results])
    say(
        f"apart: {found.repeaters:,} people's repeat purchases, {found.newcomers:,} people without a history, and "
        f"{found.of_fresh:,} buyers of products first sold in the last 14 days (hit rate; and if only those are listed)"
    )
    apart = [
        (each.name, f"{each.repeat:.4f}", f"{each.cold:.4f}", f"{each.fresh_hit_rate:.4f}", f"{each.fresh_alone:.4f}")
        for each in found.results
    ]
    table(("model", "repeat NDCG@10", "cold NDCG@10", "new products", "among new alone"), apart)


def _measured(found: "Measures") -> tuple[str, ...]:
    return (
        f"{found.ndcg:.4f}",
        f"{found.recall:.4f}",
        f"{found.hit_rate:.4f}",
        f"{found.coverage:.1%}",
        f"{found.novelty:.1f} bits",
        f"{found.full_lists:.0%}",
        f"{found.top_hero:.1%}",
    )
