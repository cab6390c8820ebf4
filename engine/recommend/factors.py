"""The LightFM hybrid model: trained once, kept as plain arrays, applied to whoever and whatever is there now.

A person or a product is the sum of its features' vectors: its identity, when it was there at training, and its
profile or attributes. So a new product and a changed person need no new training.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import positions_in
from engine.errors import NothingToTrainOn
from engine.recommend.features import Attributes, FloatArray
from engine.recommend.history import Histories
from engine.recommend.recipe import Recipe


@dataclass(frozen=True)
class Factors:
    """A trained model. d: components, p: people, m: products, a: attributes.

    people: (p,) int64 ids, ascending. sku: (m,) int64, ascending. names: the a attributes.
    user_vectors: (p + a, d) float32; item_vectors: (m + a, d) float32; item_bias: (m + a,) float32: identities first.
    """

    people: NDArray[np.int64]
    sku: NDArray[np.int64]
    names: tuple[str, ...]
    user_vectors: FloatArray
    item_vectors: FloatArray
    item_bias: FloatArray

    def users(self, people: NDArray[np.int64], profile: sp.csr_matrix) -> FloatArray:
        """(n, d) vectors of people. profile: (n, a) under this model's names."""
        vectors = np.asarray(profile @ self.user_vectors[len(self.people) :], dtype=np.float32)
        return vectors + _identity(self.people, people, self.user_vectors)

    def items(self, sku: NDArray[np.int64], attributes: Attributes) -> tuple[FloatArray, FloatArray]:
        """((m', d) vectors, (m',) biases) of products, also of those that were not there at training."""
        described = attributes.aligned_to(self.names)
        vectors = np.asarray(described @ self.item_vectors[len(self.sku) :], dtype=np.float32)
        bias = np.asarray(described @ self.item_bias[len(self.sku) :], dtype=np.float32)
        own = _identity(self.sku, sku, np.column_stack([self.item_vectors, self.item_bias]))
        return vectors + own[:, :-1], bias + own[:, -1]


def train(
    history: Histories, profile: sp.csr_matrix, sku: NDArray[np.int64], attributes: Attributes, recipe: Recipe
) -> Factors:
    """Fit the model: WARP loss, one thread, fixed seed, so that the same history gives the same bytes.

    history: rows are the people to learn from. profile: (p, a), theirs. sku: (m,), the columns of the history.
    Raises NothingToTrainOn.
    """
    positive = history.interest.tocoo()
    if not positive.nnz:
        raise NothingToTrainOn("there are no signals to learn from yet; import signals or orders first")
    if len(sku) < 2:
        raise NothingToTrainOn("one product leaves nothing to choose from; import more products first")
    from lightfm import LightFM

    people, products = history.interest.shape
    user_features = sp.hstack([sp.identity(people, dtype=np.float32), profile]).tocsr()
    item_features = sp.hstack([sp.identity(products, dtype=np.float32), attributes.matrix]).tocsr()
    model = LightFM(
        no_components=recipe.components,
        loss="warp",
        learning_rate=recipe.learning_rate,
        user_alpha=recipe.regularisation,
        item_alpha=recipe.regularisation,
        max_sampled=min(recipe.max_sampled, max(products - 1, 1)),
        random_state=recipe.seed,
    )
    ones = sp.coo_matrix((np.ones(positive.nnz, dtype=np.float32), (positive.row, positive.col)), positive.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # scipy matrices against arrays, inside the library
        model.fit(
            ones,
            sample_weight=sp.coo_matrix(
                (positive.data.astype(np.float32), (positive.row, positive.col)), positive.shape
            ),
            user_features=user_features,
            item_features=item_features,
            epochs=recipe.epochs,
            num_threads=1,  # two threads race on the vectors and give other bytes each time
        )
    return Factors(
        people=history.people,
        sku=sku,
        names=attributes.names,
        user_vectors=np.ascontiguousarray(model.user_embeddings, dtype=np.float32),
        item_vectors=np.ascontiguousarray(model.item_embeddings, dtype=np.float32),
        item_bias=np.ascontiguousarray(model.item_biases, dtype=np.float32),
    )


def _identity(known: NDArray[np.int64], wanted: NDArray[np.int64], vectors: FloatArray) -> FloatArray:
    """The identity vectors of `wanted`; zeros for those not `known`."""
    found = np.zeros((len(wanted), vectors.shape[1]), dtype=np.float32)
    place = positions_in(known, wanted)
    found[place >= 0] = vectors[place[place >= 0]]
    return found
