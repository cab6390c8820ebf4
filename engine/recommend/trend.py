"""What everybody has been buying lately."""

import numpy as np
from numpy.typing import NDArray

from engine.recommend.features import FloatArray
from subscribers.models import Kind
from subscribers.signals import Signals

HALF_LIFE_DAYS = 21.0  # of 7, 14, 21, 30 and 60 days the best on the real orders (NDCG@10 0.070; all time 0.038)
SECONDS_A_DAY = 86_400


def recent_popularity(
    signals: Signals, positions: NDArray[np.int64], size: int, *, now: int, half_life_days: float = HALF_LIFE_DAYS
) -> FloatArray:
    """Purchases of each product, (size,) float32, newest loudest.

    positions: where each signal's product stands, −1 for none. now: seconds since 1970. Without any purchase, views
    and clicks and carts stand in.
    """
    bought = (signals.kind == Kind.PURCHASE) & (positions >= 0)
    chosen = bought if bought.any() else positions >= 0
    ages = np.maximum(now - signals.at[chosen], 0) / SECONDS_A_DAY
    return np.bincount(positions[chosen], 0.5 ** (ages / half_life_days), minlength=size).astype(np.float32)


def standardised(popularity: FloatArray) -> FloatArray:
    """The logarithm of popularity with mean 0 and deviation 1, so that one weight suits every shop.

    0 where all are equally popular.
    """
    logged: FloatArray = np.log1p(popularity)
    if not len(logged) or logged.min() == logged.max():  # the deviation of equal numbers is 0 but for rounding
        return np.zeros_like(logged)
    standard: FloatArray = ((logged - logged.mean()) / logged.std()).astype(np.float32)
    return standard
