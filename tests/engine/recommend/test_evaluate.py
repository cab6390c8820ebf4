"""The measuring stick, against numbers worked out by hand."""

from math import log2

import numpy as np
import pytest
import scipy.sparse as sp

from engine.errors import NothingToTrainOn
from engine.recommend.evaluate import CUT, Evaluation, _score, _truth, evaluate
from engine.recommend.features import FloatArray
from subscribers.models import Kind
from subscribers.signals import NOBODY, Signals
from tests.engine.shops import DAY, NOW, QUICK, Row, busy_shop, catalog, history, signals

BOUGHT, VIEWED = Kind.PURCHASE, Kind.VIEW
SPLIT = NOW - 30 * DAY


def scored(
    scores: list[list[float]], bought: list[list[int]], truth: list[list[int]], candidates: list[bool] | None = None
) -> tuple[float, ...]:
    matrix: FloatArray = np.array(scores, dtype=np.float32)
    allowed = np.array(candidates or [True] * matrix.shape[1])
    result = _score("x", matrix, sp.csr_matrix(np.array(bought)), sp.csr_matrix(np.array(truth)), allowed)
    return result.ndcg, result.recall, result.coverage


def test_ndcg_and_recall_of_two_people_worked_out_by_hand() -> None:
    # places 1 and 3 hit of two truths; place 2 hit of one
    ndcg, recall, coverage = scored([[4, 3, 2, 1], [4, 3, 2, 1]], [[0] * 4, [0] * 4], [[1, 0, 1, 0], [0, 1, 0, 0]])
    first = (1 + 1 / log2(4)) / (1 + 1 / log2(3))
    second = 1 / log2(3)
    assert ndcg == pytest.approx((first + second) / 2, abs=1e-4)
    assert (recall, coverage) == (1.0, 1.0)


def test_a_perfect_list_scores_one_and_a_list_of_misses_nothing() -> None:
    scores = [[float(20 - n) for n in range(20)]]
    assert scored(scores, [[0] * 20], [[1] * 12 + [0] * 8])[:2] == (1.0, 1.0)  # the ideal is cut at ten
    assert scored(scores, [[0] * 20], [[0] * 12 + [1] * 8])[:2] == (0.0, 0.0)
    assert scored(scores, [[0] * 20], [[0] * 9 + [1] + [0] * 10])[0] == pytest.approx(1 / log2(CUT + 1), abs=1e-4)


def test_what_a_person_has_bought_or_nobody_could_have_bought_takes_no_place_in_the_list() -> None:
    scores = [[float(20 - n) for n in range(20)]]
    assert scored(scores, [[1] * 10 + [0] * 10], [[0] * 10 + [1] * 10])[0] == 1.0
    assert scored(scores, [[0] * 20], [[0] * 10 + [1] * 10], [False] * 10 + [True] * 10)[0] == 1.0


def test_coverage_is_the_share_of_candidates_in_anybodys_list() -> None:
    scores = [[float(40 - n) for n in range(40)]] * 2
    assert scored(scores, [[0] * 40] * 2, [[1] + [0] * 39] * 2)[2] == 0.25
    assert scored(scores, [[0] * 40] * 2, [[1] + [0] * 39] * 2, [True] * 20 + [False] * 20)[2] == 0.5


def truth(rows: list[Row], size: int = 6, days: int = 30) -> dict[int, set[int]]:
    shop, known = catalog(size), signals(rows)
    before = known.where(known.at < SPLIT)
    past = history(shop, before)
    positions = shop.positions(known.sku)
    matrix = _truth(known, positions, past.people, past.bought, split_at=SPLIT, days=days)
    assert set(matrix.data.tolist()) <= {1}
    return {int(who): {(c + 1) * 10 for c in matrix[[row]].indices.tolist()} for row, who in enumerate(past.people)}


SOLD: list[Row] = [(9, sku, BOUGHT, 100) for sku in (10, 20, 30, 40)]


def test_the_truth_is_what_was_bought_in_the_window_and_never_before() -> None:
    rows: list[Row] = [
        *SOLD,
        *[(1, 10, BOUGHT, 90), (1, 10, BOUGHT, 20), (1, 20, BOUGHT, 20)],
        *[(1, 30, VIEWED, 20), (1, 40, BOUGHT, 30)],
    ]
    assert truth(rows)[1] == {20, 40}


@pytest.mark.parametrize("times", [1, 2, 3, 255, 256, 257])
def test_a_thing_bought_often_before_is_never_a_truth(times: int) -> None:
    rows: list[Row] = [*SOLD, *[(1, 10, BOUGHT, 90.0)] * times, (1, 10, BOUGHT, 20), (1, 20, BOUGHT, 20)]
    assert truth(rows)[1] == {20}


@pytest.mark.parametrize("times", [1, 2, 130, 256])
def test_a_thing_bought_often_afterwards_is_one_truth(times: int) -> None:
    assert truth([*SOLD, (1, 10, VIEWED, 90), *[(1, 20, BOUGHT, 20.0)] * times])[1] == {20}


def test_a_thing_nobody_had_before_the_split_is_no_truth() -> None:
    assert truth([*SOLD, (1, 10, VIEWED, 90), (1, 50, BOUGHT, 20), (1, 999, BOUGHT, 20)])[1] == set()


def test_the_window_ends() -> None:
    assert truth([*SOLD, (1, 10, VIEWED, 90), (1, 20, BOUGHT, 20), (1, 30, BOUGHT, 9)], days=20)[1] == {20}


def test_people_without_a_history_or_a_name_are_not_measured() -> None:
    assert truth([*SOLD, (NOBODY, 20, BOUGHT, 20), (3, 20, BOUGHT, 20)]) == {9: set()}


def shop_evaluated() -> Evaluation:
    shop, known = busy_shop(people=60, products=40, each=12)
    return evaluate(known, shop, QUICK, split_at=SPLIT, days=31)


def test_an_evaluation_puts_three_models_side_by_side_and_gives_the_same_numbers_again() -> None:
    result = shop_evaluated()
    assert [score.name for score in result.scores] == ["all-time popular", "recent popular", "ours"]
    assert result.customers > 10
    assert all(0 <= value <= 1 for score in result.scores for value in (score.ndcg, score.recall, score.coverage))
    assert shop_evaluated() == result
    assert result.of("ours").summary().keys() == {"name", "ndcg@10", "recall@10", "coverage"}


def test_what_happened_after_the_split_teaches_the_model_nothing() -> None:
    shop, known = busy_shop(people=60, products=40, each=12)
    late = known.at >= SPLIT
    looked = np.where(late & (known.kind != BOUGHT), int(Kind.CART), known.kind).astype(np.int8)
    other = Signals(known.subscriber, known.sku, looked, known.at, known.quantity)
    assert evaluate(other, shop, QUICK, split_at=SPLIT, days=31) == evaluate(
        known, shop, QUICK, split_at=SPLIT, days=31
    )


def test_where_nobody_bought_anything_new_nobody_is_measured() -> None:
    result = evaluate(signals(SOLD), catalog(6), QUICK, split_at=SPLIT, days=30)
    assert (result.customers, [score.ndcg for score in result.scores]) == (0, [0.0, 0.0])


def test_people_with_nothing_to_learn_from_cannot_be_measured() -> None:
    with pytest.raises(NothingToTrainOn):
        evaluate(signals([(1, 10, VIEWED, 90), (1, 10, BOUGHT, 5)]), catalog(1), QUICK, split_at=SPLIT, days=30)


@pytest.mark.parametrize("size", [0, 3])
def test_without_signals_there_is_nothing_to_measure(size: int) -> None:
    assert evaluate(signals([]), catalog(size), QUICK, split_at=SPLIT, days=30).customers == 0
