"""A model: the factors, the neighbours and the price bands of one training, and what they say of today's catalogue."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns, positions_in
from engine.recommend import factors, neighbours
from engine.recommend.factors import Factors
from engine.recommend.features import Attributes, FloatArray, describe, price_limits
from engine.recommend.history import Histories
from engine.recommend.profile import profiles, shared_labels
from engine.recommend.recipe import Recipe

LEAST_PEOPLE = 5


@dataclass(frozen=True)
class Model:
    """What training leaves behind. m products at training, in the order of factors.sku.

    neighbours: (m, m) float32 CSR. limits: (4,) float64, the borders between the price bands, in cents: kept, so that
    "budget" means the same tomorrow, when the prices of other products have changed.
    """

    factors: Factors
    neighbours: sp.csr_matrix
    limits: NDArray[np.float64]
    recipe: Recipe

    def describe(self, catalog: CatalogColumns) -> Attributes:
        """The attributes of today's products, with this model's price bands."""
        return describe(catalog, self.limits)

    def products(self, catalog: CatalogColumns, attributes: Attributes) -> tuple[FloatArray, FloatArray]:
        """((m', d) vectors, (m',) biases) of today's products, less those of the average product.

        So a score says how much more than an average product a person likes one.
        """
        vectors, bias = self.factors.items(catalog.sku, attributes)
        if not len(catalog):
            return vectors, bias
        centre = vectors.mean(axis=0, dtype=np.float64)
        return (
            (vectors - centre).astype(np.float32),
            (bias - bias.mean(dtype=np.float64)).astype(np.float32),
        )

    def neighbours_in(self, catalog: CatalogColumns, attributes: Attributes) -> sp.csr_matrix:
        """(m', m') the neighbours among today's products; those new since training have what their content says."""
        there = positions_in(self.factors.sku, catalog.sku)
        return neighbours.realigned(self.neighbours, there, attributes, self.recipe)


def learn(history: Histories, catalog: CatalogColumns, recipe: Recipe, *, least_people: int = LEAST_PEOPLE) -> Model:
    """Train everything on one history. The same history gives the same bytes. Raises NothingToTrainOn.

    least_people: how many must share a label for it to be used in anybody's profile.
    """
    limits = price_limits(catalog)
    attributes = describe(catalog, limits)
    shared = shared_labels(history.interest, attributes, least_people)
    profile = profiles(history.interest, attributes, shared)
    trained = factors.train(history, profile, catalog.sku, attributes, recipe)
    return Model(trained, neighbours.learn(history.interest, attributes, recipe), limits, recipe)
