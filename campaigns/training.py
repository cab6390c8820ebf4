"""Make a model, measure it, and use it from the next plan on, unless bestsellers would do better."""

from datetime import UTC, datetime

from sqlmodel import Session

from campaigns.pick_rules import shop_rules
from campaigns.settings import Settings
from engine.assortment import CatalogColumns, read_catalog
from engine.errors import ModelRefused, NothingToTrainOn
from engine.recommend import registry
from engine.recommend.evaluate.contenders import OURS, RECENT
from engine.recommend.evaluate.evaluation import evaluate
from engine.recommend.guardrails import admit
from engine.recommend.history import histories
from engine.recommend.model import learn
from engine.recommend.recipe import Recipe
from engine.recommend.registry import ModelCard
from engine.recommend.rules import Rules
from engine.recommend.trend import SECONDS_A_DAY
from subscribers.signals import Signals, read_signals

VALIDATION_DAYS = 30
ENOUGH_PEOPLE = 20  # in the validation window; with fewer, better or worse is chance


def train_model(
    session: Session, settings: Settings, *, now: datetime, recipe: Recipe | None = None, even_if_worse: bool = False
) -> ModelCard:
    """Measure on the last 30 days, train on everything, write the model down and make it current.

    Ages count from the newest signal, so that training again without new signals gives the same bytes.
    Raises NothingToTrainOn, and ModelRefused when recent popularity did better in those 30 days: the model is kept,
    but not used, unless `even_if_worse`.
    """
    recipe, rules = recipe or Recipe(), shop_rules(settings)
    catalog, signals = read_catalog(session), read_signals(session, until=now)
    if not len(catalog):
        raise NothingToTrainOn("there are no products yet; import products or orders first")
    admitted = admit(signals, catalog, rules, now=int(now.timestamp()))
    cutoff = int(admitted.signals.at[-1]) if len(admitted.signals) else int(now.timestamp())
    metrics = _measured(admitted.signals, catalog, recipe, rules, cutoff)
    history = histories(admitted.signals, admitted.positions, len(catalog), now=cutoff)
    model = learn(history, catalog, recipe, least_people=rules.label_people)
    worse = metrics.get("customers", 0) >= ENOUGH_PEOPLE and metrics[f"ndcg@10 {OURS}"] < metrics[f"ndcg@10 {RECENT}"]
    refused = worse and not even_if_worse
    card = registry.save(
        settings.models,
        model,
        metrics,
        cutoff=datetime.fromtimestamp(cutoff, UTC),
        now=now,
        make_current=not refused,
    )
    if refused:
        raise ModelRefused(
            f"model {card.name} is not used: on the last {VALIDATION_DAYS} days its NDCG@10 is "
            f"{metrics[f'ndcg@10 {OURS}']:.4f} and that of bestsellers {metrics[f'ndcg@10 {RECENT}']:.4f}; "
            f"`handpicked model promote {card.name}` uses it all the same"
        )
    return card


def _measured(signals: Signals, catalog: CatalogColumns, recipe: Recipe, rules: Rules, cutoff: int) -> dict[str, float]:
    """What the models reached on the last 30 days; empty when there is too little to tell."""
    try:
        split_at = cutoff - VALIDATION_DAYS * SECONDS_A_DAY
        found = evaluate(
            signals, catalog, recipe, split_at=split_at, days=VALIDATION_DAYS + 1, rules=rules, only=(RECENT,)
        )
    except NothingToTrainOn:
        return {}
    if not found.customers:
        return {}
    return {"customers": float(found.customers)} | {
        f"ndcg@10 {result.name}": result.measures.ndcg for result in found.results
    }
