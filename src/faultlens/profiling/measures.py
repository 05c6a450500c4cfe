"""The quantities of a profile at one site, as plain functions of its matrix and the labels.

Definitions follow the published seven-category study where it is sound. `SiteMeasures` holds what
all of them share, so that each method reads as its formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faultlens.features.table import FeatureTable
from faultlens.stats.effects import auroc, gini, midranks

DEFAULT_PERCENTILE = 99.5  # of the positive pooled values: the default threshold


def default_threshold(table: FeatureTable) -> float:
    """The 99.5th percentile of the site's positive pooled values; 0 where nothing fires."""
    positive = table.matrix.data[table.matrix.data > 0]
    return float(np.percentile(positive, DEFAULT_PERCENTILE)) if len(positive) else 0.0


@dataclass(frozen=True)
class Best:
    """The best feature by some measure: its column, the value, and how many features tie."""

    column: int
    value: float
    ties: int


@dataclass(frozen=True, eq=False)
class SiteMeasures:
    """The features of one site that fire on any text, as a dense matrix, and the threshold.

    Attributes:
        columns: indices of the features that fire on any text, `[firing]`.
        values: their pooled activations, float32 `[texts, firing]`.
        threshold: τ.
    """

    columns: np.ndarray
    values: np.ndarray
    threshold: float

    @classmethod
    def of(cls, table: FeatureTable, threshold: float | None) -> SiteMeasures:
        columns = np.unique(table.matrix.indices[table.matrix.data > 0])
        tau = default_threshold(table) if threshold is None else threshold
        return cls(columns, table.matrix[:, columns].toarray(), tau)

    def feature(self, table: FeatureTable, column: int) -> str:
        """The name of the feature in one of the columns kept here."""
        return table.feature(int(self.columns[column]))

    @cached_property
    def above(self) -> np.ndarray:
        """Whether each activation exceeds the threshold, float32 0/1 `[texts, firing]`."""
        return (self.values > self.threshold).astype(np.float32)

    @cached_property
    def ranks(self) -> np.ndarray:
        """Midranks of the activations, `[texts, firing]`."""
        return midranks(self.values)

    def best(self, measure: np.ndarray, inside: np.ndarray) -> Best:
        """The largest of `measure [firing]`; ties: larger maximum inside, then lower index."""
        tied = np.flatnonzero(np.isclose(measure, measure.max(), rtol=0, atol=1e-9))
        peaks = self.values[inside][:, tied].max(axis=0)
        winner = tied[np.argmax(peaks)]
        return Best(int(winner), float(measure[winner]), len(tied))

    def selectivity(self, inside: np.ndarray) -> np.ndarray:
        """AUROC of each feature, in-category against out; `[firing]`."""
        return auroc(self.ranks, inside)

    def score(self, inside: np.ndarray) -> np.ndarray:
        """n_in(A > τ) − n_out(A > τ) of each feature; `[firing]`."""
        within = inside.astype(np.float32) @ self.above  # whole numbers: exact
        result: np.ndarray = 2 * within - self.above.sum(axis=0)
        return result

    def leaders(self, inside: np.ndarray, k: int) -> np.ndarray:
        """The columns with the k largest maxima inside, the largest first; ties: lower index."""
        return np.argsort(-self.values[inside].max(axis=0), kind="stable")[:k]

    def shortlist(self, inside: np.ndarray, k: int) -> int:
        """The column with the best score among the k leaders: the published study's rule."""
        leaders = self.leaders(inside, k)
        return int(leaders[np.argmax(self.score(inside)[leaders])])

    def top_peaks(self, inside: np.ndarray, k: int) -> tuple[float, float, float]:
        """Σ of the k largest per-feature maxima, its share of all maxima, and their Gini."""
        peaks = np.sort(self.values[inside].max(axis=0).astype(np.float64))[::-1]
        top = peaks[:k]
        if len(top) < k:
            top = np.pad(top, (0, k - len(top)))
        total = peaks.sum()
        return float(top.sum()), float(top.sum() / total) if total else 0.0, gini(top)
