"""Balanced, L2-penalised logistic regressions on the same rows, fitted together.

Each minimises `(|w|² + b²) / 2 + C Σ_i u_i log(1 + exp(−y_i (w·x_i + b)))`, `y_i` = 1 of a failure
and −1 of a success, `u_i = n / (2 n_class(i))`: LIBLINEAR's objective, which penalises the
intercept b too (Fan et al. 2008), with the classes weighted equally. Rows that a regression leaves
out weigh nothing in it, so that all inner folds and all strengths of one training set are one call.

The method is Newton's, its directions by conjugate gradients with the Hessian's diagonal as
preconditioner, its steps halved until the objective falls enough (Nocedal & Wright 2006, section
7.1; Hsia et al. 2018). Where coefficients are few, the directions are solved for instead. All
regressions go in step, and one matrix product serves them all; what has converged is left out of
the next one. Rows may also come as several designs of one shape, each with its own regressions,
whose products are made in one call.

Why not scikit-learn's own: a ladder makes fifteen thousand fits of 200 rows, and three quarters of
their time went into checking the input of each.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack, issparse
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
SOLVED = 32  # coefficients up to which a step is solved for directly, whatever the number of fits
SOLVED_ALONE = 400  # and up to which it is where one regression is fitted
SOLVED_TIMES = 3  # what an operation of solving costs, in operations of searching
SEARCHED_AT_LEAST = 1_500_000  # operations in whose time one conjugate gradient is taken care of
WORTH_LEAVING = 0.75  # of the fits: once fewer are unfinished, the finished ones are left out


@dataclass(frozen=True, eq=False)
class Fits:
    """Regressions fitted on the same rows.

    Attributes:
        weights: `[features, fits]`; of several designs `[designs, features, fits]`.
        intercepts: `[fits]`, or `[designs, fits]`.
        scores: log odds of failure of all rows given, those left out too, `[rows, fits]`, or
            `[designs, rows, fits]`.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    scores: np.ndarray

    @property
    def coefficients(self) -> np.ndarray:
        """Weights and below them the intercept, `[features + 1, fits]`."""
        return np.concatenate([self.weights, self.intercepts[..., None, :]], axis=-2)

    def of(self, rows: Matrix) -> np.ndarray:
        """Log odds of failure of other rows, `[rows, fits]`; of a fit to one design."""
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


def fit(
    rows: Matrix,
    failed: np.ndarray,
    weights: np.ndarray,
    cs: np.ndarray,
    tolerance: float = TOLERANCE,
    start: np.ndarray | None = None,
    single: bool = False,
) -> Fits:
    """Fit as many regressions as there are columns of weights.

    Args:
        rows: `[n, features]`, dense or CSR; or several designs, dense `[designs, n, features]`.
        failed: boolean, `[n]`.
        weights: of every row in every regression, 0 or more, `[n, fits]`; of several designs
            `[designs, n, fits]`.
        cs: C of each, `[fits]`.
        tolerance: of the gradient's norm at zero, below which a fit has arrived.
        start: weights and below them the intercept, `[features + 1, fits]`, from which the search
            begins; None: zero.
        single: in single precision, which halves the time, for a tolerance of 1e-5 or more; what
            does not arrive there is fitted again in double.

    Raises:
        FloatingPointError: a gradient is not finite, in double precision either.

    Warns:
        ConvergenceWarning: some gradient is still above the tolerance after the last step.
    """
    kinds = (np.float32, np.float64) if single else (np.float64,)
    for kind in kinds:
        x = _Design.of(rows, kind)
        y = np.where(failed, kind(1.0), kind(-1.0))[:, None]
        # OpenBLAS computes cells beyond a matrix and leaves the flag of an invalid operation behind
        # (numpy issue 24067). What is really not finite is found by its gradient.
        with np.errstate(invalid="ignore"):
            found, unfinished = _minimised(x, y, (weights * cs).astype(kind), tolerance, start)
        if not unfinished:
            return found
    if not np.isfinite(found.scores).all():
        raise FloatingPointError("the gradient of a logistic regression is not finite")
    warnings.warn(
        f"{unfinished} of {len(cs)} logistic regressions have not converged after "
        f"{MOST_STEPS} steps: their rows may differ too much in size",
        ConvergenceWarning,
        stacklevel=2,
    )
    return found


def _minimised(
    x: _Design, y: np.ndarray, costs: np.ndarray, tolerance: float, start: np.ndarray | None
) -> tuple[Fits, int]:
    """The fits, and how many of them have not arrived.

    Those that have not arrived because a gradient is not finite have no finite scores.

    Args:
        y: 1 or −1, `[n, 1]`.
        costs: C times the weight of every row in every regression, `[…, n, fits]`.
    """
    at_zero = _norms(x.back(costs * y / 2))
    # Where the rows cancel out at zero, only rounding is left of that gradient.
    at_zero = np.maximum(at_zero, CANCELLED * np.sqrt(x.back_squared(costs**2).sum(axis=-2)))
    goal = np.where(at_zero > 0, at_zero, 1.0)
    beta = np.zeros((*costs.shape[:-2], x.width, costs.shape[-1]), costs.dtype)
    if start is not None:
        beta += start
    margins = y * x.forward(beta)
    miss = expit(-margins)  # the share by which each row is still wrong
    every, of_every = beta.copy(), margins.copy()
    open_, searched = np.arange(costs.shape[-1]), 0
    for _ in range(MOST_STEPS):
        gradient = beta - x.back(costs * miss * y)
        rest = _norms(gradient) / goal
        if not np.isfinite(rest).all():
            margins[...] = np.nan
            break
        far = ~(rest <= tolerance).reshape(-1, len(open_)).all(axis=0)
        if not far.all():
            every[..., open_], of_every[..., open_] = beta, margins
            open_, costs, goal, beta, margins, miss, gradient, rest = (
                of_fits[..., far]
                for of_fits in (open_, costs, goal, beta, margins, miss, gradient, rest)
            )
        if not len(open_):
            break
        curvature = costs * miss * (1 - miss)
        if x.solves(len(open_), searched):
            step = _solved_step(x, curvature, gradient)
        else:
            accuracy = np.minimum(0.1, np.sqrt(rest))
            step, searched = _newton_step(x, curvature, gradient, accuracy)
        moved = y * x.forward(step)
        size, miss = _line_search(margins, moved, costs, beta, step, gradient)
        beta += size * step
        margins += size * moved
    every[..., open_], of_every[..., open_] = beta, margins
    return Fits(every[..., :-1, :], every[..., -1, :], y * of_every), len(open_)


@dataclass(frozen=True, eq=False)
class _Design:
    """The rows with a column of ones behind them."""

    rows: Matrix
    across: Matrix  # transposed
    squared: Matrix  # transposed, each value squared

    @classmethod
    def of(cls, rows: Matrix, kind: type[np.floating[Any]]) -> _Design:
        if issparse(rows):
            if rows.shape[0] * rows.shape[1] > DENSE:
                ones = csr_matrix(np.ones((rows.shape[0], 1)))
                design = csr_matrix(hstack([csr_matrix(rows), ones], format="csr"), dtype=kind)
                return cls(design, csr_matrix(design.T), csr_matrix(design.multiply(design).T))
            rows = rows.toarray()
        dense = np.ones((*rows.shape[:-1], rows.shape[-1] + 1), kind)
        dense[..., :-1] = rows
        return cls(dense, np.swapaxes(dense, -1, -2), np.swapaxes(dense * dense, -1, -2))

    @property
    def width(self) -> int:
        return int(self.rows.shape[-1])

    def solves(self, fits: int, searched: int) -> bool:
        """Whether so many fits' Newton steps are sooner solved for than searched for.

        Args:
            searched: how many conjugate gradients the last step took; 0: there was none.
        """
        if issparse(self.rows):
            return False
        n, width = self.rows.shape[-2:]
        hessians = fits * int(np.prod(self.rows.shape[:-2]))
        if width <= (SOLVED_ALONE if hessians == 1 else SOLVED):
            return True
        solving = SOLVED_TIMES * hessians * width**2 * (n + width)
        return solving < searched * (4 * hessians * n * width + SEARCHED_AT_LEAST)

    def forward(self, beta: np.ndarray) -> np.ndarray:
        """`[…, n, fits]` of coefficients."""
        return np.asarray(self.rows @ beta)

    def back(self, of_rows: np.ndarray) -> np.ndarray:
        """Sums over the rows, each by its values: `[…, features + 1, fits]`."""
        return np.asarray(self.across @ of_rows)

    def back_squared(self, of_rows: np.ndarray) -> np.ndarray:
        """The same by its values' squares."""
        return np.asarray(self.squared @ of_rows)


def _norms(of_fits: np.ndarray) -> np.ndarray:
    norms: np.ndarray = np.sqrt(_dot(of_fits, of_fits))
    return norms


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The inner product of each fit's column with the other's, `[…, fits]`."""
    found: np.ndarray = np.einsum("...ij,...ij->...j", one, other)
    return found


def _solved_step(x: _Design, curvature: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Solves `(1 + Xᵀ diag(curvature) X) step = −gradient` for every fit, exactly."""
    by_fit = np.moveaxis(np.sqrt(curvature), -1, -2)[..., None]  # […, fits, n, 1]
    weighted = np.asarray(x.rows)[..., None, :, :] * by_fit
    hessian = np.swapaxes(weighted, -1, -2) @ weighted
    at = np.arange(x.width)
    hessian[..., at, at] += 1
    right = np.moveaxis(gradient, -1, -2)[..., None]
    return -np.ascontiguousarray(np.moveaxis(np.linalg.solve(hessian, right)[..., 0], -1, -2))


def _newton_step(
    x: _Design, curvature: np.ndarray, gradient: np.ndarray, accuracy: np.ndarray
) -> tuple[np.ndarray, int]:
    """Solves `(1 + Xᵀ diag(curvature) X) step = −gradient` for every fit, by conjugate gradients.

    Args:
        accuracy: the residual left, as a share of the first one in the preconditioned norm.

    Returns:
        the steps, and how many conjugate gradients were taken.
    """
    found, tiny = np.zeros_like(gradient), np.finfo(gradient.dtype).tiny
    scale = 1 / (1 + x.back_squared(curvature))
    step, residual = np.zeros_like(gradient), -gradient
    scaled = scale * residual
    along = scaled.copy()
    size = _dot(residual, scaled)[..., None, :]
    enough = accuracy[..., None, :] ** 2 * size
    at = np.arange(gradient.shape[-1])
    for taken in range(1, MOST_INNER + 1):
        bent = x.forward(along)
        bent *= curvature
        bent = x.back(bent)
        bent += along
        length = size / np.maximum(_dot(along, bent)[..., None, :], tiny)
        step += length * along
        bent *= length
        residual -= bent
        scaled = scale * residual
        before, size = size, _dot(residual, scaled)[..., None, :]
        far = (size > enough).reshape(-1, len(at))
        far = far[0] if len(far) == 1 else far.any(axis=0)
        unfinished = np.count_nonzero(far)
        if not unfinished:
            break
        along *= size / np.maximum(before, tiny)
        along += scaled
        if unfinished < WORTH_LEAVING * len(at):
            found[..., at] = step
            at, (step, residual, along, size, enough, curvature, scale) = (
                at[far],
                (
                    of_fits[..., far]
                    for of_fits in (step, residual, along, size, enough, curvature, scale)
                ),
            )
    found[..., at] = step
    return found, taken


def _line_search(
    margins: np.ndarray,
    moved: np.ndarray,
    costs: np.ndarray,
    beta: np.ndarray,
    step: np.ndarray,
    gradient: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """How much of its step each fit takes, `[…, 1, fits]`, and the rows' misses after it.

    All of it where the objective, which is convex, still falls at its end; otherwise half of it as
    often as is needed for it to have fallen enough.
    """

    miss = expit(-(margins + moved))
    slope_at_end = (_dot(beta + step, step) - _dot(costs * miss, moved))[..., None, :]
    size = np.ones_like(slope_at_end)
    rising = np.flatnonzero((slope_at_end > 0).reshape(-1, size.shape[-1]).any(axis=0))
    if not len(rising):
        return size, miss
    margins, moved, costs, beta, step, gradient = (
        of_fits[..., rising] for of_fits in (margins, moved, costs, beta, step, gradient)
    )

    def objective(size: np.ndarray | float) -> np.ndarray:
        loss = costs * np.logaddexp(0.0, -(margins + size * moved))
        value: np.ndarray = ((beta + size * step) ** 2).sum(axis=-2, keepdims=True) / 2
        value += loss.sum(axis=-2, keepdims=True)
        return value

    slope, now = (gradient * step).sum(axis=-2, keepdims=True), objective(0.0)
    rounding = 50 * np.finfo(now.dtype).eps * np.abs(now)
    part, rises = size[..., rising], slope_at_end[..., rising] > 0
    for _ in range(HALVINGS):
        short = rises & (objective(part) > now + FALLS_BY * part * slope + rounding)
        if not short.any():
            break
        part[short] /= 2
    if (part < 1).any():
        size[..., rising] = part
        miss[..., rising] = expit(-(margins + part * moved))
    return size, miss
