"""Balanced, L2-penalised logistic regressions on the same rows, fitted together.

Each minimises `(|w|² + b²) / 2 + C Σ_i u_i log(1 + exp(−y_i (w·x_i + b)))`, `y_i` = 1 of a failure
and −1 of a success, `u_i = n / (2 n_class(i))`: LIBLINEAR's objective, which penalises the
intercept b too (Fan et al. 2008), with the classes weighted equally. Rows that a regression leaves
out weigh nothing in it, so that all inner folds and all strengths of one training set are one call.

The method is Newton's, its directions by conjugate gradients with the Hessian's diagonal as
preconditioner, its steps halved until the objective falls enough (Nocedal & Wright 2006, section
7.1; Hsia et al. 2018). All regressions go in step, and one matrix product serves them all.

Why not scikit-learn's own: a ladder makes fifteen thousand fits of 200 rows, and three quarters of
their time went into checking the input of each.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, issparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

Matrix = np.ndarray | csr_matrix

TOLERANCE = 1e-8  # of the gradient's norm at zero, below which a fit has arrived
CANCELLED = 1e-6  # of what the rows' parts of it would have if they were independent
MOST_STEPS = 100
MOST_INNER = 200  # conjugate gradients a step
FALLS_BY = 1e-4  # share of the slope by which a step must lower the objective (Armijo)
HALVINGS = 40
DENSE = 20_000_000  # cells up to which sparse rows are made dense: 160 MB


@dataclass(frozen=True, eq=False)
class Fits:
    """Regressions fitted on the same rows.

    Attributes:
        weights: `[features, fits]`.
        intercepts: `[fits]`.
        scores: log odds of failure of all rows given, those left out too, `[rows, fits]`.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    scores: np.ndarray

    def of(self, rows: Matrix) -> np.ndarray:
        """Log odds of failure of other rows, `[rows, fits]`."""
        scores: np.ndarray = np.asarray(rows @ self.weights) + self.intercepts
        return scores


def balanced(failed: np.ndarray, among: np.ndarray) -> np.ndarray:
    """What each row weighs, `[n]`: n / (2 n_class) over the rows `among`, which others are not of.

    >>> balanced(np.array([True, False, False, False]), np.array([0, 1, 2])).tolist()
    [1.5, 0.75, 0.75, 0.0]
    """
    weights = np.zeros(len(failed))
    counts = np.bincount(failed[among].astype(int), minlength=2)
    weights[among] = len(among) / (2 * counts[failed[among].astype(int)])
    return weights


def fit(rows: Matrix, failed: np.ndarray, weights: np.ndarray, cs: np.ndarray) -> Fits:
    """Fit as many regressions as there are columns of weights.

    Args:
        rows: `[n, features]`, dense or CSR.
        failed: boolean, `[n]`.
        weights: of every row in every regression, 0 or more, `[n, fits]`.
        cs: C of each, `[fits]`.

    Warns:
        ConvergenceWarning: some gradient is still above the tolerance after the last step.
    """
    x = _Design.of(rows)
    y = np.where(failed, 1.0, -1.0)[:, None]
    costs = weights * cs
    beta, scores = np.zeros((x.width, len(cs))), np.zeros((len(y), len(cs)))
    at_zero = np.sqrt((x.back(costs * y / 2) ** 2).sum(axis=0))
    # Where the rows cancel out at zero, only rounding is left of that gradient.
    at_zero = np.maximum(at_zero, CANCELLED * np.sqrt(x.back_squared(costs**2).sum(axis=0)))
    open_ = np.flatnonzero(at_zero > 0)
    for _ in range(MOST_STEPS):
        miss = expit(-y * scores[:, open_])  # the share by which each row is still wrong
        gradient = beta[:, open_] - x.back(costs[:, open_] * miss * y)
        rest = np.sqrt((gradient**2).sum(axis=0)) / at_zero[open_]
        far = rest > TOLERANCE
        open_, miss, gradient, rest = open_[far], miss[:, far], gradient[:, far], rest[far]
        if not len(open_):
            break
        curvature = costs[:, open_] * miss * (1 - miss)
        step = _newton_step(x, curvature, gradient, np.minimum(0.1, np.sqrt(rest)))
        moved = x.forward(step)
        size = _step_sizes(
            y * scores[:, open_], y * moved, costs[:, open_], beta[:, open_], step, gradient
        )
        beta[:, open_] += size * step
        scores[:, open_] += size * moved
    else:
        warnings.warn(
            f"{len(open_)} of {len(cs)} logistic regressions have not converged after "
            f"{MOST_STEPS} steps: their rows may differ too much in size",
            ConvergenceWarning,
            stacklevel=2,
        )
    return Fits(beta[:-1], beta[-1], scores)


@dataclass(frozen=True, eq=False)
class _Design:
    """The rows with a column of ones behind them, which is never written out."""

    rows: Matrix
    across: Matrix  # transposed
    squared: Matrix  # transposed, each value squared

    @classmethod
    def of(cls, rows: Matrix) -> _Design:
        if issparse(rows):
            rows = csr_matrix(rows) if rows.shape[0] * rows.shape[1] > DENSE else rows.toarray()
        if isinstance(rows, csr_matrix):
            sparse = csr_matrix(rows.T, dtype=np.float64)
            return cls(rows, sparse, csr_matrix(sparse.multiply(sparse)))
        dense = np.ascontiguousarray(rows.T, dtype=np.float64)
        return cls(np.ascontiguousarray(rows, dtype=np.float64), dense, dense * dense)

    @property
    def width(self) -> int:
        return int(self.rows.shape[1]) + 1

    def forward(self, beta: np.ndarray) -> np.ndarray:
        """`[n, fits]` of coefficients."""
        found: np.ndarray = self.rows @ beta[:-1] + beta[-1]
        return found

    def back(self, of_rows: np.ndarray) -> np.ndarray:
        """Sums over the rows, each by its values: `[features + 1, fits]`."""
        return np.vstack([self.across @ of_rows, of_rows.sum(axis=0)])

    def back_squared(self, of_rows: np.ndarray) -> np.ndarray:
        """The same by its values' squares."""
        return np.vstack([self.squared @ of_rows, of_rows.sum(axis=0)])


def _newton_step(
    x: _Design, curvature: np.ndarray, gradient: np.ndarray, accuracy: np.ndarray
) -> np.ndarray:
    """Solves `(1 + Xᵀ diag(curvature) X) step = −gradient` for every fit, by conjugate gradients.

    Args:
        accuracy: the residual left, as a share of the first one in the preconditioned norm.
    """
    scale = 1 / (1 + x.back_squared(curvature))
    step, residual = np.zeros_like(gradient), -gradient
    scaled = scale * residual
    along = scaled.copy()
    size = (residual * scaled).sum(axis=0)
    enough = accuracy**2 * size
    for _ in range(MOST_INNER):
        bent = along + x.back(curvature * x.forward(along))
        length = size / np.maximum((along * bent).sum(axis=0), np.finfo(float).tiny)
        step += length * along
        residual -= length * bent
        scaled = scale * residual
        before, size = size, (residual * scaled).sum(axis=0)
        if (size <= enough).all():
            break
        along = scaled + size / np.maximum(before, np.finfo(float).tiny) * along
    return step


def _step_sizes(
    margins: np.ndarray,
    moved: np.ndarray,
    costs: np.ndarray,
    beta: np.ndarray,
    step: np.ndarray,
    gradient: np.ndarray,
) -> np.ndarray:
    """How much of its step each fit takes, `[fits]`: all, or half as often as it has to be."""

    def objective(size: np.ndarray | float) -> np.ndarray:
        loss = costs * np.logaddexp(0.0, -(margins + size * moved))
        value: np.ndarray = ((beta + size * step) ** 2).sum(axis=0) / 2 + loss.sum(axis=0)
        return value

    size, slope, now = np.ones(len(gradient[0])), (gradient * step).sum(axis=0), objective(0.0)
    rounding = 1e-14 * np.abs(now)
    for _ in range(HALVINGS):
        short = objective(size) > now + FALLS_BY * size * slope + rounding
        if not short.any():
            break
        size[short] /= 2
    return size
