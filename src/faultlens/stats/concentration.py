"""Concentration: how activation spreads over features."""

from __future__ import annotations

import numpy as np


def participation_ratio(totals: np.ndarray) -> float:
    """`(Σ a)² / Σ a²` of `totals [features]`, at least 0: how many features share the total.

    k equal features and nothing else give k. 0 if all are 0.
    Reference: Bell & Dean (1970), as the inverse participation ratio of normalised weights.

    >>> round(participation_ratio(np.array([3.0, 1.0, 0.0])), 3)
    1.6
    """
    a = np.asarray(totals, dtype=np.float64)
    squares = float(a @ a)
    return float(a.sum() ** 2 / squares) if squares else 0.0


def cumulative_share(totals: np.ndarray) -> np.ndarray:
    """Share of the total held by the features up to each rank, largest first; `[features]`.

    All 0 if the total is.

    >>> cumulative_share(np.array([1.0, 6.0, 3.0])).round(2).tolist()
    [0.6, 0.9, 1.0]
    """
    ordered = np.sort(np.asarray(totals, dtype=np.float64))[::-1]
    whole = ordered.sum()
    result: np.ndarray = np.cumsum(ordered) / whole if whole else np.zeros(len(ordered))
    return result


def features_for(cumulative: np.ndarray, share: float) -> int:
    """The fewest features whose `cumulative [features]` share is at least `share`; 0 if none is.

    >>> features_for(np.array([0.6, 0.9, 1.0]), 0.9)
    2
    """
    reached = np.flatnonzero(cumulative >= share - 1e-12)
    return int(reached[0]) + 1 if len(reached) else 0
