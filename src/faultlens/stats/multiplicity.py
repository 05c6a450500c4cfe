"""Corrections for testing many hypotheses at once."""

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


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjusted p-values: false discovery rate under positive dependence.

    `p` is `[hypotheses]`; so is the result, in the same order.
    Reference: Benjamini & Hochberg (1995).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    m = len(p)
    order = np.argsort(p, kind="stable")[::-1]
    scaled = p[order] * m / np.arange(m, 0, -1)
    adjusted = np.minimum(np.minimum.accumulate(scaled), 1.0)
    back = np.empty(m)
    back[order] = adjusted
    return back
