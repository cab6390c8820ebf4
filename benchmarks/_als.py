"""Alternating least squares (Hu, Koren and Volinsky, 2008) by `implicit`: run by the Python that has it.

Called with two files. The first says, as an .npz: configurations (c, 4) float: factors, regularisation, alpha and
half-life in days; rows (n,) the people to list for; bought_ends, bought: what each of them must not be listed, as CSR;
shape, and for every half-life H `ends_H`, `columns_H`, `values_H`: the interest of all people, as CSR. The second gets,
as an .npy, (c, n, 10) int32: the lists of each configuration.
"""

import os
import sys

os.environ.update(OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_NUM_THREADS="1")  # `implicit` asks for it

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares

CUT, ITERATIONS, SEED = 10, 15, 1


def main(problem: str, answer: str) -> None:
    """Fit every configuration and list."""
    asked = np.load(problem)
    rows, bought = (
        asked["rows"],
        (np.repeat(np.arange(len(asked["rows"])), np.diff(asked["bought_ends"])), asked["bought"]),
    )
    found = np.empty((len(asked["configurations"]), len(rows), CUT), dtype=np.int32)
    for place, (factors, regularisation, alpha, half_life) in enumerate(asked["configurations"].tolist()):
        cells = tuple(asked[f"{name}_{half_life:g}"] for name in ("values", "columns", "ends"))
        model = AlternatingLeastSquares(
            factors=int(factors),
            regularization=regularisation,
            alpha=alpha,
            iterations=ITERATIONS,
            random_state=SEED,
            num_threads=1,
        )
        model.fit(sp.csr_matrix(cells, shape=tuple(asked["shape"])), show_progress=False)
        scores = model.user_factors[rows] @ model.item_factors.T
        scores[bought] = -np.inf
        found[place] = np.argsort(-scores, axis=1, kind="stable")[:, :CUT]
    np.save(answer, found)


if __name__ == "__main__":
    main(*sys.argv[1:])
