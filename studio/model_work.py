"""The long work about models and runs: to train, to compare with the baselines, to send those in doubt again."""

from typing import Any

from campaigns.errors import WrongState
from campaigns.execute import World, send
from campaigns.pick_rules import shop_rules
from campaigns.training import VALIDATION_DAYS, train_model
from engine.assortment import read_catalog
from engine.errors import ModelRefused, NothingToTrainOn
from engine.recommend.evaluate.evaluation import evaluate
from engine.recommend.recipe import Recipe
from engine.recommend.trend import SECONDS_A_DAY
from studio.jobs import Progress
from subscribers.database import reading
from subscribers.signals import read_signals

TRADE_OFF = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)  # shares of the trend's weight, as `handpicked evaluate` draws them


def train_now(world: World, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Train, and use the model unless bestsellers did better; that is told, and no failure. Raises NothingToTrainOn."""
    with reading(world.database) as session:
        try:
            return {"card": train_model(session, world.settings, now=world.clock()).summary()}
        except ModelRefused as error:
            return {"refused": str(error)}


def evaluate_now(world: World, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The comparison over the newest 30 days, as plain data. Raises NothingToTrainOn."""
    with reading(world.database) as session:
        catalog, signals = read_catalog(session), read_signals(session, until=world.clock())
    if not len(signals):
        raise NothingToTrainOn("there are no signals yet; import signals or orders first")
    split_at = int(signals.at[-1]) - VALIDATION_DAYS * SECONDS_A_DAY
    rules = shop_rules(world.settings)
    found = evaluate(signals, catalog, Recipe(), split_at=split_at, days=VALIDATION_DAYS, rules=rules, trends=TRADE_OFF)
    return found.summary()


def send_again(world: World, asked: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Send what is due of the run: those in doubt were planned again when this was asked for. Raises WrongState."""
    run_id = int(asked["run"])
    try:
        totals = send(world, run_id, progress=lambda done, _: progress(done))
    except WrongState as error:  # the scheduler was quicker, and sends them
        return {"run": run_id, "elsewhere": str(error)}
    return {"run": run_id, "totals": totals}
