"""Simpler procedures on the same sets: which features each finds, and which it puts first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from faultlens.stats.effects import cohens_d_of_moments
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.moments import moments
from faultlens.stats.multiplicity import holm
from faultlens.stats.two_sample import welch

ALPHA = 0.05
PENALTY = 0.1  # liblinear's C of the L1-penalised regression, on standardised features


@dataclass(frozen=True, eq=False)
class Ranking:
    """What a procedure says of all features.

    Attributes:
        order: how high each is ranked: larger is higher, `[features]`.
        found: which it calls findings, boolean `[features]`; None: it only ranks.
    """

    order: np.ndarray
    found: np.ndarray | None

    def first(self, left_out: tuple[int, ...]) -> int:
        """The feature that it puts first, those left out passed over."""
        order = self.order.astype(float).copy()
        order[list(left_out)] = -np.inf
        return int(np.argmax(order))


def published(values: csr_matrix, failed: np.ndarray) -> Ranking:
    """The published audit's: Welch's t with df = min(n) − 1, Holm over all features, then |d|."""
    first, rest = moments(values, failed), moments(values, ~failed)
    found = holm(welch(first, rest, rule="study").p) <= ALPHA
    d = np.nan_to_num(np.abs(cohens_d_of_moments(first, rest)), posinf=1e9)
    return Ranking(np.where(found, 1e12, 0) + d, found)


def fisher_holm(values: csr_matrix, failed: np.ndarray) -> Ranking:
    """Fisher's exact test on firing, Holm over the features that fire on five prompts or more."""
    fires = (values > 0).toarray()
    active = fires.sum(axis=0)
    p = fisher_exact(fires[failed].sum(axis=0), active, int(failed.sum()), len(failed))
    adjusted = np.ones(len(p))
    able = active >= 5
    adjusted[able] = holm(p[able])
    return Ranking(-np.log(p), adjusted <= ALPHA)


def l1_logistic(values: csr_matrix, failed: np.ndarray) -> Ranking:
    """The weights of one L1-penalised logistic regression on standardised features. It only ranks:
    some weight is never 0."""
    dense = values.toarray().astype(float)
    spread = dense.std(axis=0)
    scaled = (dense - dense.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    model = LogisticRegression(
        l1_ratio=1.0, C=PENALTY, solver="liblinear", class_weight="balanced", random_state=0
    )
    return Ranking(np.abs(model.fit(scaled, failed).coef_[0]), None)


def difference_of_means(values: csr_matrix, failed: np.ndarray) -> Ranking:
    """|Mean over failures − mean over successes|, as activations come. It only ranks."""
    gap = moments(values, failed).mean - moments(values, ~failed).mean
    return Ranking(np.abs(gap), None)


RIVALS: dict[str, Callable[[csr_matrix, np.ndarray], Ranking]] = {
    "published procedure": published,
    "Fisher + Holm": fisher_holm,
    "L1-logistic weight": l1_logistic,
    "difference of means": difference_of_means,
}
"""By name."""
