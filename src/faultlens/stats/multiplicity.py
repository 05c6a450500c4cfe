"""Holm's correction for testing many hypotheses at once; SciPy has Benjamini and Hochberg's."""

from __future__ import annotations

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values, family-wise error controlled under any dependence.

    `p` is `[hypotheses]`; so is the result, in the same order. Reference: Holm (1979).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    adjusted = np.minimum(np.maximum.accumulate(p[order] * np.arange(m, 0, -1)), 1.0)
    back = np.empty(m)
    back[order] = adjusted
    return back
