"""Firth's penalised logistic regression: finite where a factor separates the outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit
from scipy.stats import chi2

ALIASED = 1e-9  # of a column's length: what the others leave of it when they contain it
LARGEST_STEP = 5.0  # in any linear predictor
LAST_STEP = 1e-9  # in any linear predictor: the maximum is reached
NEWTON_STEPS = 200
HALVINGS = 40
ROOT_STEPS = 100  # until an interval's end is found
WIDENING = 1.5  # of the reach, where the end lies farther off
LAST_MOVE = 1e-9  # of an interval's end: it is found
ROUNDING = 1e-12  # of the penalised log-likelihood
FARTHEST = 1e6  # stands for a fall that is infinite in float64


@dataclass(frozen=True)
class FirthFit:
    """A fit, and what it says of one column."""

    intercept: float
    coefficients: tuple[float | None, ...]
    """Log odds ratios, one a column; None for a column left out."""
    low: float
    high: float
    """Profile penalised-likelihood interval of the column asked for."""
    p: float
    """Penalised likelihood-ratio p of that column."""
    converged: bool
    """Whether every maximisation behind these numbers met its tolerance."""


def firth_logistic(X: np.ndarray, y: np.ndarray, *, of: int = 0, level: float = 0.95) -> FirthFit:
    """Logistic regression with an intercept, its likelihood penalised by Jeffreys' prior.

    Maximises `l*(β) = Σ log P(y_i | x_i, β) + ½ log |XᵀWX|`, `W = diag(π_i (1 − π_i))`, by Newton
    steps on the modified score `Xᵀ (y − π + h (½ − π))`, h the diagonal of the hat matrix
    `W^½ X (XᵀWX)⁻¹ Xᵀ W^½`. The estimate is finite for all data, separated ones included. For one
    column, the interval holds the values b for which twice the fall of `l*`, maximised over all
    else with the column's coefficient held at b, is at most the chi-square quantile of `level`
    (one degree of freedom), and p is that of the fall at b = 0. The penalty is the whole model's
    throughout.

    Args:
        X: columns without the intercept, finite, `[n, p]`. A column that the intercept and the
            columns before it contain (the last level of a one-hot factor, say) is left out; the
            column asked for counts as the last.
        y: the outcome, boolean `[n]`.
        of: the column whose interval and p are wanted.
        level: of the interval.

    Raises:
        ValueError: if the intercept and the other columns contain the column asked for: then its
            effect is not defined.

    References: Firth (1993); Heinze & Schemper (2002).

    For a 2 × 2 table the odds ratio is that of the cells with ½ added to each, also where one is 0:

    >>> X = np.array([[1], [1], [1], [1], [0], [0], [0], [0]])
    >>> fit = firth_logistic(X, np.array([1, 1, 1, 1, 1, 0, 0, 0]) > 0)
    >>> round(fit.coefficients[0], 6), round(float(np.log(4.5 * 3.5 / (0.5 * 1.5))), 6)
    (3.044522, 3.044522)
    >>> round(fit.low, 3), round(fit.high, 3), round(fit.p, 4)
    (0.088, 8.186, 0.0429)
    """
    n, p = X.shape
    of = range(p)[of]
    order = np.array([column for column in range(p) if column != of] + [of])
    design = np.column_stack([np.ones(n), X[:, order]])
    kept = _independent(design)
    if kept[-1] != p:
        raise ValueError(
            f"column {of} is constant or a combination of the others: it has no effect of its own"
        )
    Q, R = np.linalg.qr(design[:, kept])
    profile = _Profile(_Rows.distinct(design[:, kept], Q * np.sqrt(n), np.asarray(y, dtype=bool)))
    scale = R / np.sqrt(n)
    solved = np.linalg.solve(scale, profile.best.point)
    coefficients: list[float | None] = [None] * p
    for place, value in zip(kept[1:], solved[1:].tolist(), strict=True):
        coefficients[order[place - 1]] = value
    ends = [end / scale[-1, -1] for end in profile.interval(float(chi2.ppf(level, df=1)))]
    p_value = float(chi2.sf(profile.fall(0.0), df=1))
    return FirthFit(
        float(solved[0]),
        tuple(coefficients),
        float(min(ends)),
        float(max(ends)),
        p_value,
        profile.converged,
    )


def _independent(design: np.ndarray) -> list[int]:
    """The columns that those before them do not contain, by Gram–Schmidt, twice for accuracy."""
    basis = np.empty((len(design), 0))
    kept = []
    for column, raw in enumerate(design.T.astype(np.float64)):
        rest = raw - basis @ (basis.T @ raw)
        rest -= basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > ALIASED * np.linalg.norm(raw):
            basis = np.column_stack([basis, rest / length])
            kept.append(column)
    return kept


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a design and their outcomes, equal ones once: where all is 0 or 1, few differ.

    Attributes:
        Q: `[rows, p]`.
        y: boolean `[rows]`.
        times: how often each occurs, `[rows]`.
    """

    Q: np.ndarray
    y: np.ndarray
    times: np.ndarray

    @classmethod
    def distinct(cls, design: np.ndarray, Q: np.ndarray, y: np.ndarray) -> _Rows:
        """The rows of `Q` at which those of the design, or their outcomes, differ."""
        _, first, times = np.unique(
            np.column_stack([design, y]), axis=0, return_index=True, return_counts=True
        )
        return cls(Q[first], y[first], times.astype(np.float64))


@dataclass(frozen=True, eq=False)
class _Place:
    """The penalised log-likelihood, its modified score and the information at one point."""

    point: np.ndarray
    value: float
    score: np.ndarray
    information: np.ndarray


def _place(rows: _Rows, point: np.ndarray) -> _Place:
    """Value -inf, and no score, where the information is singular in float64."""
    Q, y, times = rows.Q, rows.y, rows.times
    predictor = Q @ point
    chance = expit(predictor)
    weight = times * chance * expit(-predictor)
    information = Q.T @ (weight[:, None] * Q)
    sign, log_determinant = np.linalg.slogdet(information)
    if sign <= 0:
        return _Place(point, -np.inf, np.zeros_like(point), information)
    hat = weight * np.einsum("ij,ji->i", Q, np.linalg.solve(information, Q.T))
    value = times @ log_expit(np.where(y, predictor, -predictor)) + log_determinant / 2
    score = Q.T @ (times * (y - chance) + hat * (0.5 - chance))
    return _Place(point, float(value), score, information)


def _maximum(rows: _Rows, now: _Place, free: slice) -> tuple[_Place, bool]:
    """Climb from a place in the `free` coordinates; whether the modified score came to 0."""
    share, before = 1.0, np.zeros(len(rows.Q))
    for _ in range(NEWTON_STEPS):
        if not np.isfinite(now.value):
            return now, False
        step = np.zeros_like(now.point)
        step[free] = np.linalg.solve(now.information[free, free], now.score[free])
        moved = rows.Q @ step
        change = np.abs(moved).max()
        if change <= LAST_STEP:
            return now, True
        # Near the maximum the steps may swing from side to side of it: shorter ones come to rest.
        share = share / 2 if (rows.times * moved) @ before < 0 else min(1.0, 1.5 * share)
        before = moved
        step *= min(share, LARGEST_STEP / change)
        for _ in range(HALVINGS):
            following = _place(rows, now.point + step)
            if following.value >= now.value - ROUNDING * (1 + abs(now.value)):
                break
            step /= 2
        else:
            return now, False
        now = following
    return now, False


class _Profile:
    """The fall of the penalised log-likelihood as the last coordinate is held ever farther off."""

    def __init__(self, rows: _Rows) -> None:
        self.rows = rows
        start = _place(rows, np.zeros(rows.Q.shape[1]))
        self.best, self.converged = _maximum(rows, start, slice(None))
        self.nearest = self.best  # where the next maximisation starts

    def fall(self, held: float) -> float:
        """Twice the fall of the maximum, the last coordinate being `held`."""
        found, converged = _maximum(self.rows, self._start(held), slice(-1))
        if not np.isfinite(found.value):
            return FARTHEST
        self.nearest = found
        self.converged &= converged
        return float(2 * max(self.best.value - found.value, 0.0))

    def _start(self, held: float) -> _Place:
        """The other coordinates as they were, or as they move to first order; what is likelier."""
        near = self.nearest
        as_they_were = np.append(near.point[:-1], held)
        ahead = as_they_were.copy()
        try:
            moves = np.linalg.solve(near.information[:-1, :-1], near.information[:-1, -1])
        except np.linalg.LinAlgError:
            return _place(self.rows, as_they_were)
        ahead[:-1] -= (held - near.point[-1]) * moves
        here, there = (_place(self.rows, point) for point in (as_they_were, ahead))
        return there if there.value > here.value else here

    def interval(self, most: float) -> tuple[float, float]:
        """Where the fall is `most`, below and above the maximum."""
        error = np.sqrt(np.linalg.inv(self.best.information)[-1, -1])
        low, high = (self._end(most, side * error * np.sqrt(most)) for side in (-1, 1))
        return low, high

    def _end(self, most: float, reach: float) -> float:
        """By Newton's method on the root of the fall, which is nearly straight, in a bracket."""
        self.nearest = self.best
        inner, outer = float(self.best.point[-1]), None
        held, side = inner + reach, np.sign(reach)
        for _ in range(ROOT_STEPS):
            fall = self.fall(held)
            if fall > most:
                outer = held
            else:
                inner = held
            straight = np.nan
            if 0 < fall < FARTHEST and self.nearest.score[-1] * side < 0:
                slope = -self.nearest.score[-1] / np.sqrt(fall)
                straight = held - (np.sqrt(fall) - np.sqrt(most)) / slope
                if abs(straight - held) <= LAST_MOVE * abs(held):
                    return float(straight)
            if outer is not None and abs(outer - inner) <= LAST_MOVE * abs(outer):
                return float(outer)
            farthest = inner + WIDENING * abs(reach) * side if outer is None else outer
            if outer is None:
                reach *= WIDENING
            between = (straight - inner) * side > 0 and (farthest - straight) * side > 0
            held = straight if between else farthest if outer is None else (inner + outer) / 2
        self.converged = False
        return inner
