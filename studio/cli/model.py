"""`handpicked train`, `evaluate` and `recommend`: the model, its quality, and what it picks for one person."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from studio.cli.options import DEFAULT_WORKSPACE, Address, AsJson, Workspace, open_workspace
from studio.cli.output import progress, say, say_json, table


def train(workspace: Workspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> None:
    """Train the model on everything known by now, measure it, and use it from the next plan on."""
    from campaigns.view import train_model
    from subscribers.database import reading

    world = open_workspace(workspace)
    with progress("training"), reading(world.database) as session:
        card = train_model(session, world.settings.models, now=world.clock())
    if as_json:
        say_json(card.summary())
        return
    say(f"model {card.name}: learnt from {card.people:,} people and {card.products:,} products")
    if card.metrics:
        ours, trend = card.metrics["ndcg@10 ours"], card.metrics["ndcg@10 recent popular"]
        say(
            f"on the last 30 days, {card.metrics['customers']:,.0f} people: NDCG@10 {ours:.3f}, bestsellers {trend:.3f}"
        )


def evaluate(
    split_at: Annotated[
        str, typer.Option("--split-at", metavar="DATE", help="Known before, to be guessed after: 2011-11-01.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=366, help="Length of the window to be guessed.")] = 30,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """Is it better than bestsellers? Splits the signals in time and compares with what people bought afterwards."""
    from campaigns.errors import CampaignInvalid
    from engine.assortment import read_catalog
    from engine.errors import NothingToTrainOn
    from engine.recommend import evaluate as evaluation
    from engine.recommend.factors import Recipe
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
    with progress("training and comparing"):
        found = evaluation.evaluate(signals, catalog, Recipe(), split_at=split, days=days)
    plain = {
        "split_at": datetime.fromtimestamp(split, UTC).date().isoformat(),
        "days": days,
        "customers": found.customers,
        "models": [score.summary() for score in found.scores],
    }
    if as_json:
        say_json(plain)
        return
    if not found.customers:
        say(f"nobody with a history bought anything new to them in the {days} days from {plain['split_at']}")
        raise typer.Exit(1)
    say(f"{found.customers:,} people; purchases new to them in the {days} days from {plain['split_at']}")
    rows = [(s.name, f"{s.ndcg:.4f}", f"{s.recall:.4f}", f"{s.coverage:.1%}") for s in found.scores]
    table(("model", "NDCG@10", "recall@10", "coverage"), rows)


def recommend(
    address: Address,
    count: Annotated[int, typer.Option("-k", min=1, max=100, help="How many products.")] = 6,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: AsJson = False,
) -> None:
    """The picks of one person, best first, and why."""
    from campaigns.view import picks_of_one
    from subscribers.database import reading

    world = open_workspace(workspace)
    with reading(world.database) as session:
        found = picks_of_one(session, world.settings.models, world.secrets, address, count, now=world.clock())
    if as_json:
        say_json([pick.summary() for pick in found])
        return
    if not found:
        say("nothing is left to recommend to this person")
        return
    rows = [
        (place, pick.code, pick.title, pick.price, f"{pick.score:.3f}", pick.reason, pick.sentence)
        for place, pick in enumerate(found, start=1)
    ]
    table(("", "product", "title", "price", "score", "reason", "in the mail"), rows)
