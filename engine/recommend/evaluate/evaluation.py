"""The comparison: every model's lists for every question, measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.recommend.evaluate.contenders import OURS, Contender, Ours, baselines, popularity
from engine.recommend.evaluate.measures import CUT, NOTHING, Measures, measure, ndcg_of
from engine.recommend.evaluate.split import PROTOCOL, Question, Split, split
from engine.recommend.history import select_rows
from engine.recommend.model import Model, learn
from engine.recommend.rank import NEVER, best
from engine.recommend.recipe import Recipe
from engine.recommend.recommender import Recommender
from engine.recommend.rules import Rules
from engine.recommend.sparse import rows_of, stands_in
from subscribers.signals import Signals

PEOPLE_A_BATCH = 500
SCORES_ALONE = Rules(hero_share=1, diversity=0, exploration=0)


@dataclass(frozen=True)
class Result:
    """What one model reached. repeat: NDCG@10 of repeat purchases. cold: NDCG@10 of people without a history.

    fresh_hit_rate: of the people who bought a product first sold in the last 14 days, those in whose list one of them
    stood; fresh_alone: the same if only such products could be listed.
    """

    name: str
    measures: Measures
    repeat: float
    cold: float
    fresh_hit_rate: float
    fresh_alone: float

    def summary(self) -> dict[str, object]:
        """The result as plain data."""
        return {
            "name": self.name,
            **self.measures.summary(),
            f"repeat_ndcg@{CUT}": self.repeat,
            f"cold_ndcg@{CUT}": self.cold,
            f"new_products_hit_rate@{CUT}": self.fresh_hit_rate,
            f"new_products_alone_hit_rate@{CUT}": self.fresh_alone,
        }


@dataclass(frozen=True)
class Evaluation:
    """The models side by side. customers, repeaters, newcomers, of_fresh: how many people each question has."""

    split_at: int
    days: int
    customers: int
    repeaters: int
    newcomers: int
    of_fresh: int
    candidates: int
    results: tuple[Result, ...]
    trade_off: tuple[tuple[float, float, float], ...] = ()

    def of(self, name: str) -> Result:
        return next(result for result in self.results if result.name == name)

    def summary(self) -> dict[str, object]:
        """Everything as plain data. trade_off: how far the trend is followed, against coverage and NDCG@10."""
        return {
            "split_at": datetime.fromtimestamp(self.split_at, UTC).date().isoformat(),
            "days": self.days,
            "customers": self.customers,
            "repeat_customers": self.repeaters,
            "cold_customers": self.newcomers,
            "new_product_customers": self.of_fresh,
            "candidates": self.candidates,
            "protocol": PROTOCOL,
            "models": [result.summary() for result in self.results],
            "trade_off": [
                {"trend": trend, "coverage": coverage, f"ndcg@{CUT}": ndcg} for trend, coverage, ndcg in self.trade_off
            ],
        }


def evaluate(
    signals: Signals,
    catalog: CatalogColumns,
    recipe: Recipe,
    *,
    split_at: int,
    days: int,
    rules: Rules | None = None,
    trends: Sequence[float] = (),
    only: Sequence[str] = (),
) -> Evaluation:
    """Train on what was known at `split_at` (seconds since 1970) and compare what was bought in the `days` after.

    rules: those our picks are made by; the defaults if None. trends: shares of the recipe's trend weight for the
    trade-off of accuracy against coverage. only: names of the baselines to compare with; all if empty.
    Raises NothingToTrainOn.
    """
    asked = split(signals, catalog, at=split_at, days=days)
    model = learn(asked.history, asked.catalog, recipe)
    view = recommender(asked, model, rules or Rules())
    free = recommender(asked, model, SCORES_ALONE)
    contenders = [*baselines(asked, recipe, only), Ours(asked, free.moment)]
    results = [_result(asked, each.name, _lists_of(asked, each)) for each in contenders]
    results.append(_result(asked, OURS, _picks(asked, view, Ours(asked, view.moment))))
    return Evaluation(
        split_at,
        days,
        customers=len(asked.new),
        repeaters=len(asked.again),
        newcomers=len(asked.cold),
        of_fresh=len(asked.fresh),
        candidates=len(asked.catalog),
        results=tuple(results),
        trade_off=tuple(_trade_off(asked, model, share) for share in trends),
    )


def recommender(asked: Split, model: Model, rules: Rules) -> Recommender:
    """The picks as they would have been made at the split."""
    return Recommender(asked.catalog, asked.known, model, asked.at, rules, seed=str(asked.at))


Lister = Callable[[str, NDArray[np.int64]], NDArray[np.int64]]
"""Called with (question, people): "new", "again" or "fresh"; returns (n, 10) candidates, −1 for none."""


def _result(asked: Split, name: str, lister: Lister) -> Result:
    new = lister("new", asked.new.people)
    measures = measure(new, asked.new.truth, popularity(asked))
    rows = np.searchsorted(asked.new.people, asked.fresh.people)
    alone = lister("fresh", asked.fresh.people)
    return Result(
        name,
        measures,
        repeat=_ndcg(asked.again, lister("again", asked.again.people)),
        cold=_ndcg(asked.cold, lister("new", asked.cold.people)),
        fresh_hit_rate=_hit_rate(asked.fresh, new[rows]),
        fresh_alone=_hit_rate(asked.fresh, alone),
    )


def _lists_of(asked: Split, contender: Contender) -> Lister:
    """The lists of a model that has scores only: what the question excludes is taken out, the best 10 are left."""

    def lister(question: str, people: NDArray[np.int64]) -> NDArray[np.int64]:
        parts = [np.empty((0, min(CUT, len(asked.catalog))), dtype=np.int64)]
        for start in range(0, len(people), PEOPLE_A_BATCH):
            some = people[start : start + PEOPLE_A_BATCH]
            scores = np.array(contender.scores(some), dtype=np.float32)
            silent = ~scores.any(axis=1)
            parts.append(best(_allowed(asked, question, some, scores), CUT))
            parts[-1][silent] = -1  # all scores 0: it has nothing to say
        return np.concatenate(parts)

    return lister


def _allowed(asked: Split, question: str, people: NDArray[np.int64], scores: np.ndarray) -> np.ndarray:
    """−inf for what may not be an answer: what was bought (for "again": what was not; for "fresh": all but the new)."""
    bought = select_rows(asked.history.bought, asked.history.rows_of(people))
    rows = rows_of(bought.indptr)
    if question == "again":
        kept = np.full_like(scores, NEVER)
        kept[rows, bought.indices] = scores[rows, bought.indices]
        return kept
    scores[rows, bought.indices] = NEVER
    if question == "fresh":
        scores[:, ~asked.is_fresh] = NEVER
    return scores


def _picks(asked: Split, view: Recommender, alone: Ours) -> Lister:
    """The lists our rules make; for repeat purchases and new products alone, which no campaign asks for, our scores."""
    by_score = _lists_of(asked, alone)

    def lister(question: str, people: NDArray[np.int64]) -> NDArray[np.int64]:
        if question != "new":
            return by_score(question, people)
        lists = np.full((len(people), min(CUT, len(asked.catalog))), -1, dtype=np.int64)
        for row, picks in enumerate(view.picks_for(people, np.ones(len(people), dtype=np.bool_), lists.shape[1])):
            sku = np.array([pick.sku_id for pick in picks.picks], dtype=np.int64)
            lists[row, : len(sku)] = asked.catalog.positions(sku)
        return lists

    return lister


def _trade_off(asked: Split, model: Model, share: float) -> tuple[float, float, float]:
    """(share of the trend's weight, coverage, NDCG@10)."""
    recipe = replace(
        model.recipe,
        trend_weight=model.recipe.trend_weight * share,
        settled_weight=model.recipe.settled_weight * share,
    )
    view = recommender(asked, replace(model, recipe=recipe), SCORES_ALONE)
    lists = _lists_of(asked, Ours(asked, view.moment))("new", asked.new.people)
    found = measure(lists, asked.new.truth, popularity(asked)) if len(asked.new) else NOTHING
    return share, found.coverage, found.ndcg


def _ndcg(question: Question, lists: NDArray[np.int64]) -> float:
    if not len(question):
        return 0.0
    return round(float(ndcg_of(stands_in(question.truth, lists), np.diff(question.truth.indptr)).mean()), 4)


def _hit_rate(question: Question, lists: NDArray[np.int64]) -> float:
    return round(float(stands_in(question.truth, lists).any(axis=1).mean()), 4) if len(question) else 0.0
