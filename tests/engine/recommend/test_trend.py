"""What everybody has been buying lately: half-lives, growth, newcomers, and shops where nobody buys."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.recommend.trend import (
    ANONYMOUS,
    HALF_LIFE_DAYS,
    NEVER_SEEN,
    first_seen,
    newcomers_trend,
    rate,
    recent_popularity,
    standardised,
    trend,
)
from subscribers.models import Kind
from subscribers.signals import NOBODY
from tests.engine.shops import DAY, NOW, Row, catalog, signals


def popularity(rows: list[Row], size: int = 3, **changes: float) -> list[float]:
    known = signals(rows)
    found = recent_popularity(known, catalog(size).positions(known.sku), size, now=NOW, **changes)
    return [float(each) for each in found]


def test_a_purchase_counts_half_after_each_half_life() -> None:
    rows: list[Row] = [
        (1, 10, Kind.PURCHASE, 0),
        (1, 20, Kind.PURCHASE, HALF_LIFE_DAYS),
        (2, 20, Kind.PURCHASE, 2 * HALF_LIFE_DAYS),
    ]
    assert popularity(rows) == [1.0, 0.75, 0.0]
    assert popularity([(1, 10, Kind.PURCHASE, 14)], half_life_days=7) == [0.25, 0, 0]


def test_a_purchase_in_the_future_counts_as_one_now() -> None:
    assert popularity([(1, 10, Kind.PURCHASE, -400)]) == [1.0, 0, 0]


def test_purchases_of_people_without_a_name_count_a_tenth() -> None:
    rows: list[Row] = [(NOBODY, 10, Kind.PURCHASE, 0), (1, 10, Kind.PURCHASE, 0)]
    assert popularity(rows) == pytest.approx([1 + ANONYMOUS, 0, 0])


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
    nothing = signals([])
    assert newcomers_trend(nothing, nothing.sku, size, now=NOW, half_life_days=14.0).tolist() == [0.0] * size
    assert trend(nothing, nothing.sku, size, now=NOW, short=(1, 5), long=(1, 60)).tolist() == [0.0] * size


def test_first_seen_is_the_first_signal_of_any_kind() -> None:
    known = signals(
        [(1, 10, Kind.VIEW, 9), (1, 10, Kind.PURCHASE, 3), (NOBODY, 20, Kind.PURCHASE, 5), (1, 99, Kind.VIEW, 1)]
    )
    first = first_seen(known, catalog(3).positions(known.sku), 3)
    assert first.tolist() == [NOW - 9 * DAY, NOW - 5 * DAY, NEVER_SEEN]


def test_a_rate_makes_up_for_the_days_a_product_was_not_on_sale() -> None:
    """Both sold at one a day: the second came four half-lives ago at most, the first has always been there."""
    first = np.array([NOW - 4000 * DAY, NOW - 7 * DAY, NEVER_SEEN])
    found = rate(np.array([3.0, 3.0, 3.0], dtype=np.float32), first, now=NOW, half_life_days=10.0)
    assert found.tolist() == pytest.approx([3.0, 3.0 / 0.5, 3.0 / (1 - 0.5**0.3)], rel=1e-5)  # 3 days to settle in


def test_what_grows_counts_more_than_what_always_sells() -> None:
    rows: list[Row] = [(n, 10, Kind.PURCHASE, float(3 * n)) for n in range(60)]  # steadily, over half a year
    rows += [(n, 20, Kind.PURCHASE, n / 4 + 100.0 * (n % 2)) for n in range(60)]  # as often, half of it just now
    known = signals(rows)
    found = trend(known, catalog(3).positions(known.sku), 3, now=NOW, short=(1.0, 5.0), long=(0.5, 60.0))
    assert found[1] > found[0] > found[2]
    alone = trend(known, catalog(3).positions(known.sku), 3, now=NOW, short=(1.0, 5.0), long=(0.0, 60.0))
    assert (found[1] - found[0]) > (alone[1] - alone[0]) / 2


def test_the_long_view_is_taken_off_the_short_one() -> None:
    known = signals([(1, 10, Kind.PURCHASE, 1), (1, 20, Kind.PURCHASE, 100), (1, 20, Kind.PURCHASE, 101)])
    positions = catalog(3).positions(known.sku)
    short = trend(known, positions, 3, now=NOW, short=(1.0, 5.0), long=(0.0, 60.0))
    long = trend(known, positions, 3, now=NOW, short=(0.0, 5.0), long=(1.0, 60.0))
    both = trend(known, positions, 3, now=NOW, short=(2.0, 5.0), long=(3.0, 60.0))
    np.testing.assert_allclose(both, 2 * short + 3 * long, rtol=1e-5)


def test_one_bestseller_counts_no_more_than_the_most_there_is_to_count() -> None:
    rows: list[Row] = [(n, 10, Kind.PURCHASE, 1.0) for n in range(500)]
    rows += [(n, 20 + 10 * (n % 40), Kind.PURCHASE, 50.0 + n % 3) for n in range(120)]
    known = signals(rows)
    positions = catalog(41).positions(known.sku)

    def demand(most: float) -> NDArray[np.float32]:
        return trend(known, positions, 41, now=NOW, short=(1.0, 5.0), long=(0.0, 60.0), most=most)

    free, held = demand(np.inf), demand(2.0)
    assert free[0] > 4
    assert held[0] == 2
    np.testing.assert_array_equal(held[1:], free[1:])


def test_newcomers_are_offered_what_newcomers_buy_as_much_as_what_everybody_buys() -> None:
    first: list[Row] = [(person, 10, Kind.PURCHASE, 2.0) for person in range(1, 5)]
    later: list[Row] = [(9, 30, Kind.PURCHASE, 90.0)] + [(9, 20, Kind.PURCHASE, float(n % 3)) for n in range(12)]
    known = signals([*first, *later])
    positions = catalog(3).positions(known.sku)
    found = newcomers_trend(known, positions, 3, now=NOW, half_life_days=14.0)
    assert found[0] > found[1] > found[2]
    everybody = standardised(recent_popularity(known, positions, 3, now=NOW, half_life_days=14.0))
    assert everybody[1] > everybody[0]


def test_where_nobody_has_a_name_newcomers_are_offered_what_everybody_buys() -> None:
    known = signals([(NOBODY, 10, Kind.PURCHASE, 1), (NOBODY, 20, Kind.PURCHASE, 30)])
    positions = catalog(3).positions(known.sku)
    everybody = standardised(recent_popularity(known, positions, 3, now=NOW, half_life_days=14.0))
    np.testing.assert_array_equal(newcomers_trend(known, positions, 3, now=NOW, half_life_days=14.0), everybody)


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


@example(np.array([0, 1e-24, 0], dtype=np.float32))  # one purchase of long ago: the square of that is nought
@given(arrays.arrays(np.float32, st.integers(0, 9), elements=st.floats(0, 2.0**99, width=32)))
def test_a_trend_is_a_number_however_odd_the_sales(sales: NDArray[np.float32]) -> None:
    assert np.isfinite(standardised(sales)).all()
