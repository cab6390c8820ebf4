"""The comparison as a whole: the same people, the same questions, nothing from after the split."""

from dataclasses import replace
from math import log2

import numpy as np
import pytest

from engine.errors import NothingToTrainOn
from engine.recommend.evaluate.contenders import ALL_TIME, KNN, OURS, OURS_FREE, OWN, PLAIN, RECENT
from engine.recommend.evaluate.evaluation import Evaluation, evaluate
from engine.recommend.recipe import Recipe
from engine.recommend.rules import Rules
from subscribers.models import Kind
from subscribers.signals import Signals
from tests.engine.shops import DAY, NOW, QUICK, Row, busy_shop, catalog, signals

BOUGHT, VIEWED = Kind.PURCHASE, Kind.VIEW
AT = NOW - 30 * DAY
TINY = Recipe(components=4, epochs=1)
SHOP, KNOWN = busy_shop(people=60, products=40, each=12)


def evaluated(known: Signals = KNOWN, only: tuple[str, ...] = (), trends: tuple[float, ...] = ()) -> Evaluation:
    return evaluate(known, SHOP, QUICK, split_at=AT, days=31, only=only, trends=trends)


def test_an_evaluation_puts_seven_models_side_by_side_and_gives_the_same_numbers_again() -> None:
    found = evaluated()
    assert [result.name for result in found.results] == [ALL_TIME, RECENT, OWN, KNN, PLAIN, OURS_FREE, OURS]
    assert min(found.customers, found.candidates) > 10
    for result in found.results:
        values = [result.repeat, result.cold, result.fresh_hit_rate, result.fresh_alone]
        values += [value for name, value in vars(result.measures).items() if name != "novelty"]
        assert all(0 <= value <= 1 for value in values)
    assert evaluated() == found
    assert found.of(OURS) is found.results[-1]


def test_only_the_baselines_asked_for_are_compared_and_ours_always() -> None:
    found = evaluated(only=(RECENT,))
    assert [result.name for result in found.results] == [RECENT, OURS_FREE, OURS]
    whole = evaluated()
    assert [whole.of(result.name) for result in found.results] == list(found.results)


def test_what_happened_after_the_split_teaches_no_model_anything() -> None:
    late = KNOWN.at >= AT
    looked = np.where(late & (KNOWN.kind != BOUGHT), int(Kind.CART), KNOWN.kind).astype(np.int8)
    other = Signals(KNOWN.subscriber, KNOWN.sku, looked, KNOWN.at, KNOWN.quantity)
    assert evaluated(other) == evaluated()


# 10 is the bestseller, then 20 and 30; 40 is new, and bought by one
SALES: list[Row] = [
    *[(person, 10, BOUGHT, 100.0) for person in range(10, 16)],
    *[(person, 20, BOUGHT, 101.0) for person in range(10, 14)],
    *[(person, 30, BOUGHT, 102.0) for person in range(10, 13)],
    (15, 40, BOUGHT, 35.0),
]


def numbers(rows: list[Row]) -> Evaluation:
    return evaluate(signals([*SALES, *rows]), catalog(5), TINY, split_at=AT, days=30, only=(ALL_TIME, OWN))


def test_the_numbers_of_bestsellers_worked_out_by_hand() -> None:
    """Person 14 has the first: their list is 20, 30, 40. Person 13 has the first two: 30, 40. New people: all four."""
    found = numbers(
        [
            (14, 30, BOUGHT, 20.0),  # second of the list of 14
            *[(13, 30, BOUGHT, 20.0), (13, 20, BOUGHT, 20.0)],  # first of the list of 13; 20 again
            (14, 40, BOUGHT, 20.0),  # a new product, third of the list of 14
            (99, 20, BOUGHT, 20.0),  # a newcomer: second
        ]
    )
    assert (found.customers, found.repeaters, found.newcomers, found.of_fresh, found.candidates) == (2, 1, 1, 1, 4)
    best = found.of(ALL_TIME)
    of_14 = (1 / log2(3) + 1 / log2(4)) / (1 + 1 / log2(3))
    assert best.measures.ndcg == pytest.approx((1 + of_14) / 2, abs=5e-5)
    assert (best.measures.recall, best.measures.hit_rate, best.measures.coverage) == (1.0, 1.0, 0.75)
    assert best.repeat == pytest.approx(1 / log2(3), abs=5e-5)  # of what they have, 10 is bought more often
    assert best.cold == pytest.approx(1 / log2(3), abs=5e-5)
    assert (best.fresh_hit_rate, best.fresh_alone) == (1.0, 1.0)


def test_own_history_is_strong_for_repeats_and_silent_about_anything_new() -> None:
    own = numbers([(14, 30, BOUGHT, 20.0), (13, 10, BOUGHT, 20.0), (99, 20, BOUGHT, 20.0)]).of(OWN)
    assert own.repeat == 1.0  # of what 13 has, 10 was bought last
    assert (own.measures.ndcg, own.cold, own.measures.coverage) == (0.0, 0.0, 0.0)


def test_ours_obeys_the_rules_it_is_given() -> None:
    rules = Rules(highest_price=1_000)
    found = evaluate(KNOWN, SHOP, QUICK, split_at=AT, days=31, rules=rules, only=(RECENT,))
    cheap = (SHOP.price_minor <= 1_000).sum() / len(SHOP)
    assert found.of(OURS).measures.coverage <= cheap + 1e-4
    assert found.of(OURS_FREE).measures.coverage > cheap
    assert found.of(OURS).measures.full_lists == 0.0


def test_the_hero_cap_shows_in_the_commonest_hero() -> None:
    capped = evaluate(KNOWN, SHOP, QUICK, split_at=AT, days=31, rules=Rules(hero_share=0.05), only=(RECENT,))
    free = evaluate(KNOWN, SHOP, QUICK, split_at=AT, days=31, rules=Rules(hero_share=1), only=(RECENT,))
    assert capped.of(OURS).measures.top_hero <= 0.05 + 1e-4
    assert capped.of(OURS).measures.top_hero <= free.of(OURS).measures.top_hero


def test_the_trade_off_follows_the_trend_as_far_as_it_is_told() -> None:
    found = evaluated(only=(RECENT,), trends=(0.0, 1.0, 3.0))
    assert [trend for trend, _, _ in found.trade_off] == [0.0, 1.0, 3.0]
    free = found.of(OURS_FREE).measures
    assert found.trade_off[1][1:] == (free.coverage, free.ndcg)  # the recipe's own weight
    assert found.trade_off[0][1] >= found.trade_off[2][1]  # the more trend, the fewer products
    without = replace(QUICK, trend_weight=0.0, settled_weight=0.0)
    flat = evaluate(KNOWN, SHOP, without, split_at=AT, days=31, only=(RECENT,)).of(OURS_FREE).measures
    assert found.trade_off[0][1:] == (flat.coverage, flat.ndcg)


def test_an_evaluation_as_plain_data() -> None:
    found = evaluated(only=(RECENT,), trends=(1.0,)).summary()
    assert {"split_at", "days", "customers", "candidates", "protocol", "models", "trade_off"} <= set(found)
    assert found["split_at"] == "2026-04-28"
    models = found["models"]
    assert isinstance(models, list)
    assert [model["name"] for model in models] == [RECENT, OURS_FREE, OURS]
    assert {"ndcg@10", "recall@10", "coverage", "repeat_ndcg@10", "cold_ndcg@10", "new_products_hit_rate@10"} <= set(
        models[0]
    )


def test_where_nobody_bought_anything_new_nobody_is_measured() -> None:
    found = numbers([])
    assert found.customers == 0
    assert {result.measures.ndcg for result in found.results} == {0.0}


@pytest.mark.parametrize("rows", [[], [(1, 10, VIEWED, 90), (1, 10, BOUGHT, 5)], [(1, 990, BOUGHT, 90)]])
@pytest.mark.parametrize("size", [0, 1, 3])
def test_where_there_is_nothing_to_train_on_nothing_is_measured(rows: list[Row], size: int) -> None:
    with pytest.raises(NothingToTrainOn):
        evaluate(signals(rows), catalog(size), TINY, split_at=AT, days=30)
