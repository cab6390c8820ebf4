"""How a model is made and how its parts are weighed: every number in one place, kept with the model."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Recipe:
    """The defaults were chosen on validation windows that end before every test window we report
    (`benchmarks/weights.py` repeats the search; docs/decisions.md has its figures).

    Factors: the LightFM model. Neighbours: see `engine.recommend.neighbours`; own says how strongly a product that
    somebody looked at, but did not buy, speaks for itself. Attention: by how much louder a history speaks that has
    `attention_full` of interest (two purchases, ten looks) from the last `attention_days`; one with less than
    `trusted_from` of interest in all speaks softer. Trend: weights in standard
    deviations of the logarithm of popularity, half-lives in days; the long one is taken off, so that growth counts; no
    product is more than `trend_most` deviations in demand. Newcomers: what people are offered of whom nothing is known.
    """

    components: int = 64
    epochs: int = 20  # 30 take half as long again for 0.0005 of NDCG@10
    learning_rate: float = 0.05
    regularisation: float = 1e-5
    max_sampled: int = 50
    seed: int = 20

    neighbour_weight: float = 0.4
    attention: float = 1.0
    attention_days: float = 30.0
    attention_full: float = 2.0
    trusted_from: float = 0.5
    ridge: float = 120.0
    by_behaviour: int = 20
    by_content: int = 10
    content_weight: float = 0.05
    own: float = 0.1

    trend_weight: float = 1.6
    trend_most: float = 3.5
    trend_half_life: float = 5.0
    settled_weight: float = 0.2
    settled_half_life: float = 60.0
    newcomers_half_life: float = 14.0

    def fields(self) -> dict[str, float]:
        """The recipe as plain data."""
        return asdict(self)
