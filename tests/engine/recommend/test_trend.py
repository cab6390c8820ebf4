"""What everybody has been buying lately: half-lives, and shops where nobody buys."""

import numpy as np
import pytest

from engine.recommend.trend import HALF_LIFE_DAYS, recent_popularity, standardised
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.shops import NOW, Row, catalog, signals


def popularity(rows: list[Row], size: int = 3, **changes: float) -> list[float]:
    known = signals(rows)
    return recent_popularity(known, catalog(size).positions(known.sku), size, now=NOW, **changes).tolist()


def test_a_purchase_counts_half_after_each_half_life() -> None:
    rows = [
        (1, 10, Kind.PURCHASE, 0),
        (1, 20, Kind.PURCHASE, HALF_LIFE_DAYS),
        (2, 20, Kind.PURCHASE, 2 * HALF_LIFE_DAYS),
    ]
    assert popularity(rows) == [1.0, 0.75, 0.0]
    assert popularity([(1, 10, Kind.PURCHASE, 14)], half_life_days=7) == [0.25, 0, 0]


def test_a_purchase_in_the_future_counts_as_one_now() -> None:
    assert popularity([(1, 10, Kind.PURCHASE, -400)]) == [1.0, 0, 0]


def test_purchases_of_people_without_a_name_count_like_any_other() -> None:
    assert popularity([(NOBODY, 10, Kind.PURCHASE, 0), (1, 10, Kind.PURCHASE, 0)]) == [2.0, 0, 0]


@pytest.mark.parametrize("kind", [Kind.VIEW, Kind.CLICK, Kind.CART])
def test_views_stand_in_only_where_nobody_has_bought_anything(kind: Kind) -> None:
    looked: list[Row] = [(1, 20, kind, 0)]
    assert popularity(looked) == [0, 1.0, 0]
    assert popularity([*looked, (1, 10, Kind.PURCHASE, 0)]) == [1.0, 0, 0]


def test_a_purchase_of_what_is_no_longer_sold_hides_no_views() -> None:
    assert popularity([(1, 99, Kind.PURCHASE, 0), (1, 20, Kind.VIEW, 0)]) == [0, 1.0, 0]


@pytest.mark.parametrize("size", [0, 1, 5])
def test_without_signals_nothing_is_popular(size: int) -> None:
    assert popularity([], size) == [0.0] * size


def test_standardised_has_mean_nought_and_deviation_one() -> None:
    standard = standardised(np.array([0, 1, 5, 100], dtype=np.float32))
    assert standard.dtype == np.float32
    assert abs(standard.mean()) < 1e-6
    assert abs(standard.std() - 1) < 1e-6
    assert (np.diff(standard) > 0).all()


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 0.7, 12345.678])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 1000])
def test_where_all_are_equally_popular_the_trend_says_nothing(value: float, size: int) -> None:
    assert standardised(np.full(size, value, dtype=np.float32)).tolist() == [0.0] * size
