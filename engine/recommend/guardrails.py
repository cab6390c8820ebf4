"""What must not be picked, whatever the scores say. Each rule marks cells with −inf and says how many it marked."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.recommend.features import FloatArray
from engine.recommend.rank import NEVER


@dataclass(frozen=True)
class Guardrails:
    """The rules of one plan. sellable: (m,) bool: in stock, with a picture, not withdrawn."""

    sellable: NDArray[np.bool_]

    def apply(self, scores: FloatArray, bought: sp.csr_matrix | None) -> dict[str, int]:
        """Mark what must not be picked, in place. Returns how many cells each rule took out.

        scores: (n, m). bought: (n, m), what each person has bought; None when nobody may be known to have.
        """
        scores[:, ~self.sellable] = NEVER
        removed = {"not on sale": int(len(scores) * (~self.sellable).sum())}
        if bought is not None and bought.nnz:
            rows = np.repeat(np.arange(bought.shape[0]), np.diff(bought.indptr))
            removed["already bought"] = int(np.isfinite(scores[rows, bought.indices]).sum())
            scores[rows, bought.indices] = NEVER
        return removed
