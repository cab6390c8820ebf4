"""From a history to a profile: which types, labels, brands and prices a person keeps coming back to.

Profiles are computed from the newest signals whenever they are needed and never stored.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import Attributes
from engine.recommend.history import keep_strongest

LABELS_A_PERSON = 6  # with the identity and the price band 8 non-zeros; wide dense rows train 25 times slower
LEAST_SHARE = 0.1  # of a person's interest: what is rarer is chance
PEOPLE_A_BATCH = 20_000


def profiles(interest: sp.csr_matrix, attributes: Attributes, shared: NDArray[np.bool_] | None = None) -> sp.csr_matrix:
    """The strongest labels of each person, (people, attributes) float32 CSR, at most 6 a row, as shares of the
    person's interest. Words are left out: they are for products.

    interest: (people, products). shared: (attributes,) which labels may be used, from `shared_labels`; None for all.
    """
    return keep_strongest(_shares(interest, attributes, shared), LABELS_A_PERSON, LEAST_SHARE)


def shared_labels(interest: sp.csr_matrix, attributes: Attributes, least: int) -> NDArray[np.bool_]:
    """(attributes,) which labels at least `least` people have: one that few share would single them out."""
    counts = np.zeros(len(attributes.names), dtype=np.int64)
    for start in range(0, interest.shape[0], PEOPLE_A_BATCH):
        part = _shares(interest[start : start + PEOPLE_A_BATCH], attributes, None)
        counts += np.bincount(part.indices[part.data >= LEAST_SHARE], minlength=len(counts))
    return counts >= least


def _shares(interest: sp.csr_matrix, attributes: Attributes, shared: NDArray[np.bool_] | None) -> sp.csr_matrix:
    """What share of each person's interest has each label."""
    telling = np.array([not name.startswith("word:") for name in attributes.names], dtype=np.bool_)
    allowed = telling if shared is None else telling & shared
    present = attributes.matrix.copy()
    present.data = allowed[present.indices].astype(np.float32)
    present.eliminate_zeros()
    shares = (interest @ present).tocsr()
    totals = np.asarray(interest.sum(axis=1)).ravel()
    shares.data /= np.repeat(np.maximum(totals, 1e-9), np.diff(shares.indptr)).astype(np.float32)
    return shares
