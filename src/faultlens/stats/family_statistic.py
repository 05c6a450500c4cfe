"""What min-P and max-T ask of the statistic that they follow over a family of features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np


class FamilyStatistic(Protocol):
    """A statistic of each feature and outcome: never negative, larger where more extreme.

    A random outcome is given as the set of prompts that fail in it.
    """

    features: int

    def observed(self, failed: np.ndarray) -> np.ndarray:
        """Of every feature under the outcome `failed [n]`: `[features]`."""

    def least_equal(self, observed: np.ndarray) -> np.ndarray:
        """The least permuted value that counts as at least `observed`, rounding allowed for."""

    def require_margins(self, sets: np.ndarray) -> None:
        """`ValueError` unless failure sets `[sets, n]` have the margins that this is made for."""

    def of_sets(self, columns: np.ndarray, members: np.ndarray) -> Iterator[np.ndarray]:
        """Of some features under each failure set.

        Args:
            columns: indices of features.
            members: float32 0/1, `[n, sets]`.

        Yields:
            of each feature in turn `[sets]`, the caller's to write over: while it is in the cache.
        """
