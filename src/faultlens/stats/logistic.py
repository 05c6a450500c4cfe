"""Balanced, L2-penalised logistic regressions on the same rows, fitted together.

Each minimises `(|w|² + b²) / 2 + C Σ_i u_i log(1 + exp(−y_i (w·x_i + b)))`, `y_i` = 1 of a failure
and −1 of a success, `u_i = n / (2 n_class(i))`: LIBLINEAR's objective, which penalises the
intercept b too (Fan et al. 2008), with the classes weighted equally. Rows that a regression leaves
out weigh nothing in it, so that all inner folds and all strengths of one training set are one call.

The method is Newton's, its directions by conjugate gradients with the Hessian's diagonal as
preconditioner, its steps halved until the objective falls enough (Nocedal & Wright 2006, section
7.1; Hsia et al. 2018). Where coefficients are few, or the last search took longer than solving
would, the directions are solved for instead. All regressions go in step, and one matrix product
serves them all; what has converged is left out of the next one. Rows may also come as several
designs of one shape, each with its own regressions, whose products are made in one call. Inside,
each regression is a row of its arrays.

Why not scikit-learn's own: a ladder makes fifteen thousand fits of 200 rows, and three quarters of
their time went into checking the input of each.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack, issparse
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

Matrix = np.ndarray | csr_matrix

TOLERANCE = 1e-8  # of the gradient's norm at zero, below which a fit has arrived
CANCELLED = 1e-6  # of what the rows' parts of it would come to if they were independent
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
    sign = np.where(failed, 1, -1)
    for kind in kinds:
        x = _Design.of(rows, sign, kind)
        costs = np.ascontiguousarray(np.swapaxes(weights * cs, -1, -2), kind)
        # OpenBLAS computes cells beyond a matrix and leaves the flag of an invalid operation behind
        # (numpy issue 24067). What is really not finite is found by its gradient.
        with np.errstate(invalid="ignore"):
            beta, margins, unfinished = _minimised(x, costs, tolerance, start)
        if not unfinished:
            break
    margins *= sign.astype(kind)
    coefficients, scores = (np.swapaxes(of_fits, -1, -2) for of_fits in (beta, margins))
    found = Fits(coefficients[..., :-1, :], coefficients[..., -1, :], scores)
    if not np.isfinite(margins).all():
        raise FloatingPointError("the gradient of a logistic regression is not finite")
    if unfinished:
        warnings.warn(
            f"{unfinished} of {len(cs)} logistic regressions have not converged after "
            f"{MOST_STEPS} steps: their rows may differ too much in size",
            ConvergenceWarning,
            stacklevel=2,
        )
    return found


def _minimised(
    x: _Design, costs: np.ndarray, tolerance: float, start: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """Coefficients `[…, fits, features + 1]`, margins `[…, fits, n]`, and how many are unfinished.

    Where a gradient is not finite, nor are the margins.

    Args:
        costs: C times the weight of every row in every regression, `[…, fits, n]`.
        start: as in `fit`.
    """
    beta = np.zeros((*costs.shape[:-1], x.width), costs.dtype)
    gradient = at_zero = -x.back(costs / 2)
    margins, miss = np.zeros_like(costs), np.full_like(costs, 0.5)
    if start is not None:
        beta += start.T
        margins = x.forward(beta)
        miss = expit(-margins)  # the share by which each row is still wrong
        gradient = beta - x.back(costs * miss)
    goal = _scale(x, costs, at_zero)
    every, of_every = beta.copy(), margins.copy()
    open_, searched = np.arange(costs.shape[-2]), 0
    for _ in range(MOST_STEPS):
        rest = _norms(gradient) / goal
        if not np.isfinite(rest).all():
            margins[...] = np.nan
            break
        far = ~(rest <= tolerance).reshape(-1, len(open_)).all(axis=0)
        if not far.all():
            every[..., open_, :], of_every[..., open_, :] = beta, margins
            open_, goal, rest = open_[far], goal[..., far], rest[..., far]
            costs, beta, margins, miss, gradient = (
                of_fits[..., far, :] for of_fits in (costs, beta, margins, miss, gradient)
            )
        if not len(open_):
            break
        curvature = costs * miss * (1 - miss)
        if x.solves(len(open_), searched):
            step = _solved_step(x, curvature, gradient)
        else:
            accuracy = np.minimum(0.1, np.sqrt(rest))
            step, searched = _newton_step(x, curvature, gradient, accuracy)
        moved = x.forward(step)
        size, miss = _line_search(margins, moved, costs, beta, step, gradient)
        beta += size * step
        margins += size * moved
        gradient = beta - x.back(costs * miss)
    every[..., open_, :], of_every[..., open_, :] = beta, margins
    return every, of_every, len(open_)


def _scale(x: _Design, costs: np.ndarray, at_zero: np.ndarray) -> np.ndarray:
    """What the norm of each fit's gradient is measured by, `[…, fits]`: its norm at zero.

    Where the rows cancel out there, only rounding is left of it.
    """
    independent = np.sqrt(np.vecdot(costs**2, x.lengths[..., None, :]))
    scale: np.ndarray = np.maximum(_norms(at_zero), CANCELLED * independent)
    scale[scale == 0] = 1.0
    return scale


@dataclass(frozen=True, eq=False)
class _Design:
    """The rows with a column of ones behind them, those of successes times −1."""

    rows: Matrix  # […, n, width]
    across: Matrix  # transposed

    @classmethod
    def of(cls, rows: Matrix, sign: np.ndarray, kind: type[np.floating[Any]]) -> _Design:
        if issparse(rows):
            if rows.shape[0] * rows.shape[1] > DENSE:
                ones = csr_matrix(np.ones((rows.shape[0], 1)))
                design = csr_matrix(hstack([csr_matrix(rows), ones], format="csr"), dtype=kind)
                design.data *= np.repeat(sign, np.diff(design.indptr))
                return cls(design, csr_matrix(design.T))
            rows = rows.toarray()
        dense = np.empty((*rows.shape[:-1], rows.shape[-1] + 1), kind)
        np.multiply(rows, sign[:, None], out=dense[..., :-1], casting="same_kind")
        dense[..., -1] = sign
        return cls(dense, np.ascontiguousarray(np.swapaxes(dense, -1, -2)))

    @cached_property
    def squared(self) -> Matrix:
        """Each value squared."""
        return self.rows.power(2) if issparse(self.rows) else self.rows**2

    @cached_property
    def lengths(self) -> np.ndarray:
        """The squared length of each row, `[…, n]`."""
        return np.asarray(self.squared.sum(axis=-1)).reshape(self.rows.shape[:-1])

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
        *designs, n, width = self.rows.shape
        hessians = fits * prod(designs)
        if width <= (SOLVED_ALONE if hessians == 1 else SOLVED):
            return True
        solving = SOLVED_TIMES * hessians * width**2 * (n + width)
        return bool(solving < searched * (4 * hessians * n * width + SEARCHED_AT_LEAST))

    def forward(self, beta: np.ndarray) -> np.ndarray:
        """`[…, fits, n]` of coefficients."""
        return np.asarray(beta @ self.across)

    def back(self, of_rows: np.ndarray) -> np.ndarray:
        """Sums over the rows, each by its values: `[…, fits, width]`."""
        return np.asarray(of_rows @ self.rows)

    def back_squared(self, of_rows: np.ndarray) -> np.ndarray:
        """The same by its values' squares."""
        return np.asarray(of_rows @ self.squared)


def _norms(of_fits: np.ndarray) -> np.ndarray:
    norms: np.ndarray = np.sqrt(np.vecdot(of_fits, of_fits))
    return norms


def _solved_step(x: _Design, curvature: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Solves `(1 + Xᵀ diag(curvature) X) step = −gradient` for every fit, exactly."""
    weighted = np.sqrt(curvature)[..., None] * np.asarray(x.rows)[..., None, :, :]
    hessian = np.swapaxes(weighted, -1, -2) @ weighted  # […, fits, width, width]
    at = np.arange(x.width)
    hessian[..., at, at] += 1
    step: np.ndarray = np.linalg.solve(hessian, -gradient[..., None])[..., 0]
    return step


def _newton_step(
    x: _Design, curvature: np.ndarray, gradient: np.ndarray, accuracy: np.ndarray
) -> tuple[np.ndarray, int]:
    """Solves `(1 + Xᵀ diag(curvature) X) step = −gradient` for every fit, by conjugate gradients.

    Args:
        accuracy: the residual left, as a share of the first one in the preconditioned norm,
            `[…, fits]`.

    Returns:
        the steps, and how many conjugate gradients were taken.
    """
    found, tiny = np.zeros_like(gradient), np.finfo(gradient.dtype).tiny
    scale = 1 / (1 + x.back_squared(curvature))
    step, residual = np.zeros_like(gradient), -gradient
    scaled = scale * residual
    along = scaled.copy()
    size = np.vecdot(residual, scaled)
    enough = accuracy**2 * size
    at = np.arange(gradient.shape[-2])
    taken = 0
    while taken < MOST_INNER:
        taken += 1
        bent = x.forward(along)
        bent *= curvature
        bent = x.back(bent)
        bent += along
        length = (size / np.maximum(np.vecdot(along, bent), tiny))[..., None]
        step += length * along
        bent *= length
        residual -= bent
        np.multiply(scale, residual, out=scaled)
        before, size = size, np.vecdot(residual, scaled)
        far = (size > enough).reshape(-1, len(at))
        far = far[0] if len(far) == 1 else far.any(axis=0)
        unfinished = np.count_nonzero(far)
        if not unfinished:
            break
        along *= (size / np.maximum(before, tiny))[..., None]
        along += scaled
        if unfinished < WORTH_LEAVING * len(at):
            found[..., at, :] = step
            at, size, enough = at[far], size[..., far], enough[..., far]
            step, residual, along, scaled, curvature, scale = (
                of_fits[..., far, :]
                for of_fits in (step, residual, along, scaled, curvature, scale)
            )
    found[..., at, :] = step
    return found, taken


def _line_search(
    margins: np.ndarray,
    moved: np.ndarray,
    costs: np.ndarray,
    beta: np.ndarray,
    step: np.ndarray,
    gradient: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """How much of its step each fit takes, `[…, fits, 1]`, and the rows' misses after it.

    All of it where the objective, which is convex, still falls at its end; otherwise half of it as
    often as is needed for it to have fallen enough.
    """
    miss = expit(-(margins + moved))
    slope_at_end = np.vecdot(beta + step, step) - np.vecdot(costs * miss, moved)
    size = np.ones_like(slope_at_end)
    rising = np.flatnonzero((slope_at_end > 0).reshape(-1, size.shape[-1]).any(axis=0))
    if not len(rising):
        return size[..., None], miss
    margins, moved, costs, beta, step, gradient = (
        of_fits[..., rising, :] for of_fits in (margins, moved, costs, beta, step, gradient)
    )

    def objective(size: np.ndarray) -> np.ndarray:
        taken = size[..., None]
        loss = costs * np.logaddexp(0.0, -(margins + taken * moved))
        value: np.ndarray = ((beta + taken * step) ** 2).sum(axis=-1) / 2 + loss.sum(axis=-1)
        return value

    part, rises = size[..., rising], slope_at_end[..., rising] > 0
    slope, now = np.vecdot(gradient, step), objective(np.zeros_like(part))
    rounding = 50 * np.finfo(now.dtype).eps * np.abs(now)
    for _ in range(HALVINGS):
        short = rises & (objective(part) > now + FALLS_BY * part * slope + rounding)
        if not short.any():
            break
        part[short] /= 2
    if (part < 1).any():
        size[..., rising] = part
        miss[..., rising, :] = expit(-(margins + part[..., None] * moved))
    return size[..., None], miss
