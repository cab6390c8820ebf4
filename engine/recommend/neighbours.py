"""Which products go with which: what moves a person's picks the moment they do something, without training.

Two kinds of neighbours in one sparse matrix. By behaviour: the linear model that best foretells each product of a
history from the others (EASE; Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019), of which each
product keeps its strongest. By content: the products most alike in type, labels, brand and words, so that a product
nobody has bought yet has neighbours too.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import Attributes, FloatArray
from engine.recommend.rank import best
from engine.recommend.recipe import Recipe

MOST_PRODUCTS = 6_000  # the behaviour of the most popular ones: the solution takes 8 × m² bytes, here 288 MB, and 10 s
ROWS_A_BLOCK = 256  # of similarities at a time: 51 MB at 50,000 products
DECIMALS = 5  # kept of a weight: what the last bits of a matrix product are depends on the machine


def learn(interest: sp.csr_matrix, attributes: Attributes, recipe: Recipe) -> sp.csr_matrix:
    """(m, m) float32 CSR: how much interest in the row's product speaks for the column's.

    interest: (people, m), as in `histories`.
    """
    everyone = np.arange(interest.shape[1])
    alike = by_content(attributes, everyone, recipe)
    own = sp.diags_array(np.full(interest.shape[1], recipe.own, dtype=np.float32))
    found = (_by_behaviour(interest, recipe) + alike + own).tocsr().astype(np.float32)
    found.sort_indices()
    return found


def by_content(attributes: Attributes, rows: NDArray[np.int64], recipe: Recipe) -> sp.csr_matrix:
    """(m, m) CSR with the most similar products of each of the given rows; the other rows are empty.

    Similarity is the cosine of the attributes, the rarer the heavier; prices are left out: one price is no likeness.
    """
    size = attributes.matrix.shape[0]
    described = _weighted(attributes)
    turned = described.T.tocsr()
    rows_found, columns_found, weights = [], [], []
    for start in range(0, len(rows), ROWS_A_BLOCK):
        block = rows[start : start + ROWS_A_BLOCK]
        likeness = np.asarray((described[block] @ turned).todense(), dtype=np.float32)
        likeness[np.arange(len(block)), block] = 0.0
        chosen = best(likeness, recipe.by_content)
        values = np.take_along_axis(likeness, chosen, axis=1)
        there = values > 0.0
        rows_found.append(np.repeat(block, there.sum(axis=1)))
        columns_found.append(chosen[there])
        weights.append(values[there])
    if not rows_found:
        return sp.csr_matrix((size, size), dtype=np.float32)
    data = np.round(recipe.content_weight * np.concatenate(weights), DECIMALS)
    return sp.csr_matrix((data, (np.concatenate(rows_found), np.concatenate(columns_found))), shape=(size, size))


def realigned(matrix: sp.csr_matrix, there: NDArray[np.int64], attributes: Attributes, recipe: Recipe) -> sp.csr_matrix:
    """The neighbours for today's catalogue. there: (m',) where each of its products stood at training, −1 for new ones.

    New products get the neighbours their content gives them, in both directions.
    """
    size, known = len(there), np.flatnonzero(there >= 0)
    if size == matrix.shape[0] and len(known) == size and (there == np.arange(size)).all():
        return matrix
    selector = sp.csr_matrix(
        (np.ones(len(known), dtype=np.float32), (known, there[known])), shape=(size, matrix.shape[0])
    )
    old = selector @ matrix @ selector.T
    alike = by_content(attributes, np.flatnonzero(there < 0), recipe)
    own = sp.diags_array(np.where(there < 0, recipe.own, 0.0).astype(np.float32))
    found = (old + alike.maximum(alike.T) + own).tocsr().astype(np.float32)
    found.sort_indices()
    return found


def _by_behaviour(interest: sp.csr_matrix, recipe: Recipe) -> sp.csr_matrix:
    size = interest.shape[1]
    weight = np.asarray(interest.sum(axis=0)).ravel()
    chosen = np.sort(np.argsort(-weight, kind="stable")[: min(MOST_PRODUCTS, int((weight > 0).sum()))])
    if len(chosen) < 2:
        return sp.csr_matrix((size, size), dtype=np.float32)
    part = interest[:, chosen].astype(np.float64)
    gram = (part.T @ part).toarray()
    gram[np.diag_indices(len(chosen))] += recipe.ridge
    inverse = np.linalg.inv(gram)
    solution = (inverse / -np.diag(inverse)).astype(np.float32)
    solution[np.diag_indices(len(chosen))] = 0.0
    strongest = best(np.abs(solution), min(recipe.by_behaviour, len(chosen) - 1))
    values = np.round(np.take_along_axis(solution, strongest, axis=1), DECIMALS)
    rows = np.repeat(chosen, strongest.shape[1])
    found = sp.csr_matrix((values.ravel(), (rows, chosen[strongest].ravel())), shape=(size, size))
    found.eliminate_zeros()
    return found


def _weighted(attributes: Attributes) -> sp.csr_matrix:
    """Attributes of length 1 a product, the rare ones heavier by the logarithm of their rarity."""
    matrix = attributes.matrix.copy()
    size = matrix.shape[0]
    common = np.bincount(matrix.indices, minlength=matrix.shape[1])
    telling = np.array([not name.startswith("price:") for name in attributes.names], dtype=np.float32)
    rarity: FloatArray = telling * np.log(max(size, 1) / np.maximum(common, 1)).astype(np.float32)
    matrix.data = matrix.data * rarity[matrix.indices]
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix.data /= np.repeat(np.maximum(lengths, 1e-9), np.diff(matrix.indptr)).astype(np.float32)
    return matrix
