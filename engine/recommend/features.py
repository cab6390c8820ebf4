"""What is known of a product, as columns of a sparse matrix: its type, labels, brand, price band and words.

The same vocabulary describes people (engine.recommend.profile), so that a person who keeps looking at products for
dry skin and a product for dry skin meet in one column.
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.assortment import CatalogColumns
from engine.order_products import singular

FloatArray = NDArray[np.float32]

# Measured on the real orders: features much lighter than the identity (1.0) kept the identity's signal.
WEIGHTS = {"type": 0.3, "label": 0.3, "brand": 0.3, "price": 0.3, "word": 0.2}
PRICE_BANDS = ("budget", "low", "middle", "high", "premium")
COMMON_WORD, RARE_WORD = 0.2, 3  # a word in more than a fifth, or fewer than three, of the titles tells nothing
NO_TYPES = ("", "other", "others", "misc", "miscellaneous", "various")  # shelves for what has no type
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Attributes:
    """Products described by named attributes: matrix is (m, a) float32 CSR, names has length a, sorted."""

    names: tuple[str, ...]
    matrix: sp.csr_matrix

    def aligned_to(self, names: tuple[str, ...]) -> sp.csr_matrix:
        """The matrix under another list of names: what a model was trained with. Unknown attributes are left out."""
        place = {name: index for index, name in enumerate(names)}
        kept = [(here, place[name]) for here, name in enumerate(self.names) if name in place]
        shape = (len(self.names), len(names))
        if not kept:
            return sp.csr_matrix((self.matrix.shape[0], len(names)), dtype=np.float32)
        rows, columns = np.array(kept).T
        selector = sp.csr_matrix((np.ones(len(kept), dtype=np.float32), (rows, columns)), shape=shape)
        return (self.matrix @ selector).tocsr()


def describe(catalog: CatalogColumns, limits: NDArray[np.float64] | None = None) -> Attributes:
    """The attributes of every product. limits: the four borders between price bands, from `price_limits`."""
    limits = price_limits(catalog) if limits is None else limits
    bands = np.searchsorted(limits, catalog.price_minor, side="right")
    named: list[dict[str, float]] = [{} for _ in range(len(catalog))]
    words = [_words(title) for title in catalog.title]
    telling = _telling_words(words)
    for place, row in enumerate(named):
        row[f"price:{PRICE_BANDS[bands[place]]}"] = WEIGHTS["price"]
        if (kind := catalog.product_type[place].split(">")[-1].strip().lower()) not in NO_TYPES:
            row[f"type:{kind}"] = WEIGHTS["type"]
        if brand := catalog.brand[place].strip().lower():
            row[f"brand:{brand}"] = WEIGHTS["brand"]
        row.update((f"label:{label.lower()}", WEIGHTS["label"]) for label in split_labels(catalog.labels[place]))
        row.update((f"word:{word}", WEIGHTS["word"]) for word in words[place] if word in telling)
    names = tuple(sorted({name for row in named for name in row}))
    index = {name: place for place, name in enumerate(names)}
    counts = [len(row) for row in named]
    matrix = sp.csr_matrix(
        (
            np.array([weight for row in named for weight in row.values()], dtype=np.float32),
            np.array([index[name] for row in named for name in row], dtype=np.int32),
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        ),
        shape=(len(catalog), len(names)),
    )
    matrix.sort_indices()
    return Attributes(names, matrix)


def price_limits(catalog: CatalogColumns) -> NDArray[np.float64]:
    """The borders between the five price bands, (4,), in cents: a fifth of the products in each."""
    if not len(catalog):
        return np.zeros(4)
    return np.quantile(catalog.price_minor, [0.2, 0.4, 0.6, 0.8])


def split_labels(labels: str) -> list[str]:
    """The labels in a product's comma-separated list."""
    return [label for part in labels.split(",") if (label := part.strip())]


def _words(title: str) -> list[str]:
    return sorted({singular(word) for word in _WORD.findall(title)})


def _telling_words(words: list[list[str]]) -> set[str]:
    counts = Counter(word for row in words for word in row)
    most = max(COMMON_WORD * len(words), RARE_WORD)
    return {word for word, count in counts.items() if RARE_WORD <= count <= most}
