"""One consistent look at everything a plan needs: catalogue, newest signals and the model in use."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlmodel import Session, col, select

from engine.assortment import CatalogColumns, read_catalog
from engine.catalog import Product
from engine.errors import NothingToTrainOn
from engine.recommend import evaluate, registry
from engine.recommend.factors import Recipe, train
from engine.recommend.features import describe
from engine.recommend.profile import histories
from engine.recommend.recommender import Recommender
from engine.recommend.registry import ModelCard
from engine.recommend.trend import SECONDS_A_DAY
from engine.render.cards import money
from subscribers import roster
from subscribers.secrets import Secrets
from subscribers.signals import Signals, read_signals

VALIDATION_DAYS = 30


@dataclass(frozen=True)
class ShownPick:
    """A pick with what a person wants to read about it."""

    code: str
    title: str
    price: str
    score: float
    reason: str
    sentence: str

    def summary(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


def recommender(session: Session, models: Path, *, now: datetime) -> tuple[Recommender, str]:
    """(a recommender for the moment `now`, the name of its model). Raises ModelMissing, ModelDamaged."""
    name = registry.current(models)
    factors = registry.load(models, name)
    catalog, signals = read_catalog(session), read_signals(session, until=now)
    return Recommender(catalog, signals, factors, now=_newest(signals, now)), name


def picks_of_one(
    session: Session, models: Path, secrets: Secrets, address: str, count: int, *, now: datetime
) -> list[ShownPick]:
    """The picks of one person, exactly as a plan would make them now. Raises SubscriberUnknown, ModelMissing."""
    person = roster.find(session, address, secrets)
    view, _ = recommender(session, models, now=now)
    (found,) = view.picks_for(np.array([person.id]), np.array([person.may_personalise]), count)
    products = session.exec(select(Product).where(col(Product.sku_id).in_([pick.sku_id for pick in found.picks])))
    by_id = {product.sku_id: product for product in products}
    return [
        ShownPick(
            code=by_id[pick.sku_id].code,
            title=by_id[pick.sku_id].title,
            price=money(by_id[pick.sku_id].price_minor, by_id[pick.sku_id].currency),
            score=pick.score,
            reason=pick.why.reason,
            sentence=pick.why.sentence,
        )
        for pick in found.picks
    ]


def train_model(session: Session, models: Path, *, now: datetime, recipe: Recipe | None = None) -> ModelCard:
    """Measure on the last 30 days, train on everything, write the model down and make it current.

    Ages count from the newest signal, so that training again without new signals gives the same bytes.
    Raises NothingToTrainOn.
    """
    recipe = recipe or Recipe()
    catalog, signals = read_catalog(session), read_signals(session, until=now)
    if not len(catalog):
        raise NothingToTrainOn("there are no products yet; import products or orders first")
    cutoff = _newest(signals, now)
    metrics = _measured(signals, catalog, recipe, cutoff)
    history = histories(signals, catalog.positions(signals.sku), len(catalog), now=cutoff)
    factors = train(history, catalog.sku, describe(catalog), recipe)
    cutoff_at = datetime.fromtimestamp(cutoff, UTC)
    return registry.save(models, factors, metrics, cutoff=cutoff_at, now=now, make_current=True)


def _measured(signals: Signals, catalog: CatalogColumns, recipe: Recipe, cutoff: int) -> dict[str, float]:
    """NDCG@10 of the model and of recent popularity on the last 30 days; empty when there is too little to tell."""
    try:
        split_at = cutoff - VALIDATION_DAYS * SECONDS_A_DAY
        scores = evaluate.evaluate(signals, catalog, recipe, split_at=split_at, days=VALIDATION_DAYS + 1)
    except NothingToTrainOn:
        return {}
    if not scores.customers:
        return {}
    return {"customers": float(scores.customers)} | {f"ndcg@10 {score.name}": score.ndcg for score in scores.scores}


def _newest(signals: Signals, now: datetime) -> int:
    return int(signals.at[-1]) if len(signals) else int(now.timestamp())
