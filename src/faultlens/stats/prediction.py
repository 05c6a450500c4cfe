"""What predicts an outcome: penalised logistic regression whose every choice is made in training.

The estimators are scikit-learn's kind (`clone`, `fit`, `decision_function`), so that whoever holds
prompts out, holds them out of scaling, rotation, selection and tuning alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from faultlens.stats.effects import auroc_of_scores, ties_kept
from faultlens.stats.logistic import Fits, Matrix, balanced, fit
from faultlens.stats.rotation import Rotation
from faultlens.stats.wide_rows import CONSTANT, WideRows

CS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Values tried for C, the inverse strength of the penalty, on rows of mean square length one."""

KS = (5, 20, 100)
"""Numbers of features tried where the strongest are selected."""

BLOCK = 512  # columns of a dense matrix correlated at once: what the cache holds
INNER_FOLDS = 5
TUNED_TO = 1e-4  # tolerance of the fits that are only compared: liblinear's own in scikit-learn


def balanced_logistic(c: float = 1.0) -> LogisticRegression:
    """L2-penalised logistic regression with classes weighted equally, by liblinear.

    Minimises `|w|² / 2 + C Σ_i u_i log(1 + exp(−y_i (w·x_i + b)))`, `u_i = n / (2 n_class(i))`;
    liblinear's penalty holds the intercept b too. Reference: Fan et al. (2008). It stops early, at
    scikit-learn's tolerance, as the reference study's did; `logistic.fit` goes to the minimum.
    """
    return LogisticRegression(C=c, solver="liblinear", class_weight="balanced", max_iter=1000)


def correlations(
    values: Matrix | WideRows, failed: np.ndarray, among: np.ndarray | None = None
) -> np.ndarray:
    """|Pearson's r| of each column with the outcome: how features are put in order.

    `|m₁ − m₀| sqrt(p (1 − p)) / s`, p the share of failures and s the standard deviation (1 / n) of
    all rows. The order is that of |Cohen's d| and of the pooled t, since `t² / (n − 2) = r² /
    (1 − r²)`. (Welch's t would put features first that are silent on all failures, whose variance
    it takes for 0.) It uses the labels, so it may see only prompts that are trained on; it ranks
    and tests nothing. Reference: Pearson (1895).

    Args:
        values: `[n, features]`, dense, CSR or wide.
        failed: boolean, `[n]`, at least one of each.
        among: sets of rows to take it over, each with both outcomes, boolean `[sets, n]`; None: all
            rows.

    Returns:
        `[features]`, or `[sets, features]`, 0 to 1; 0 for a constant column.

    >>> values = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [7.0, 1.0]])
    >>> correlations(values, np.array([False, False, False, True, True])).round(4).tolist()
    [0.8109, 0.0]
    """
    if among is None:
        every: np.ndarray = correlations(values, failed, np.ones((1, len(failed)), dtype=bool))[0]
        return every
    share = among / among.sum(axis=1, keepdims=True)
    if isinstance(values, WideRows):
        held, of_all = values.columns, np.zeros((len(among), len(values.columns.often)))
        of_all[:, values.rows] = share
        outcome = np.zeros(of_all.shape[1])
        outcome[values.rows] = failed
        often = _of_dense(held.often, outcome, of_all)
        seldom = _correlations(held.seldom, held.squares, outcome, of_all)
        return np.concatenate([often, seldom], axis=1)[:, held.place]
    if issparse(values):
        columns = csr_matrix(values.T, dtype=np.float64)
        return _correlations(columns, columns.power(2), failed, share)
    return _of_dense(values, failed, share)


def _of_dense(values: np.ndarray, failed: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The same of a dense matrix, block by block."""
    found = np.zeros((len(share), values.shape[1]))
    for start in range(0, values.shape[1], BLOCK):
        columns = np.asarray(values[:, start : start + BLOCK], float).T
        found[:, start : start + BLOCK] = _correlations(columns, columns**2, failed, share)
    return found


def _correlations(
    columns: Matrix, squares: Matrix, failed: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """The same of some columns.

    Args:
        columns: `[features, n]`.
        squares: of their values.
        failed: the outcome, `[n]`.
        share: of each set that a row makes up, `[sets, n]`.

    Returns:
        `[sets, features]`.
    """
    mean, of_failures = np.split(np.asarray(columns @ np.vstack([share, share * failed]).T).T, 2)
    variance = np.asarray(squares @ share.T).T - mean**2
    spread = np.sqrt(np.maximum(variance, 0.0))
    varies = spread > CONSTANT * np.abs(mean)
    failing = (share @ failed)[:, None]
    # p (m₁ − mean) = p (1 − p) (m₁ − m₀)
    difference = np.abs(of_failures - failing * mean)
    scale = np.where(varies, spread, 1.0) * np.sqrt(failing * (1 - failing))
    result: np.ndarray = np.where(varies, np.minimum(difference / scale, 1.0), 0.0)
    return result


def _strongest(of_sets: np.ndarray, most: int) -> np.ndarray:
    """Of each set the features with the largest values, in falling order, `[sets, most]`.

    The first of equals comes first, as if all were sorted.
    """
    if most >= of_sets.shape[1]:
        return np.argsort(-of_sets, axis=1, kind="stable")
    least = np.partition(of_sets, -most, axis=1)[:, -most]
    found = np.empty((len(of_sets), most), dtype=int)
    for order, values, bound in zip(found, of_sets, least, strict=True):
        among = np.flatnonzero(values >= bound)
        order[:] = among[np.argsort(-values[among], kind="stable")[:most]]
    return found


class TunedLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Balanced logistic regression; C, and k where features are selected, chosen by inner folds.

    The rows that `fit` receives are split into five stratified folds (fewer where a class has fewer
    members). In each, features are put in order by `correlations` on the other four, the k
    strongest standardised and a regression fitted for every k and C; the pair with the largest mean
    AUROC wins, the smaller k and C among equals. Then all rows are fitted with it. A class with one
    member cannot be split: the first k and the middle C are taken untried.

    Args:
        ks: numbers of features to try; None: all, as they come.
        cs: values of C to try.
        scaled: whether selected features are standardised.
        seed: of the inner folds.
    """

    def __init__(
        self,
        ks: tuple[int, ...] | None = None,
        cs: tuple[float, ...] = CS,
        scaled: bool = True,
        seed: int = 0,
    ) -> None:
        self.ks, self.cs, self.scaled, self.seed = ks, cs, scaled, seed

    def fit(self, X: Matrix | WideRows, y: np.ndarray) -> TunedLogistic:
        failed = np.asarray(y, dtype=bool)
        self.classes_ = np.array([False, True])
        trained = self._inner_folds(failed)
        sets = np.vstack([trained, np.ones((1, len(failed)), dtype=bool)])
        orders = None if self.ks is None else self._orders(X, failed, sets)
        size, strength, start = 0, len(self.cs) // 2, None
        if len(trained):
            weights = np.stack([balanced(failed, np.flatnonzero(rows)) for rows in sets])
            if orders is None:
                together = self._together(_columns(X, None), failed, weights)
                scores = [np.stack(np.split(together.scores, len(sets), axis=1))[:-1]]
            else:
                strongest = [_columns(X, of_set) for of_set in orders[:-1]]
                scores = [
                    self._selected([rows[:, :k] for rows in strongest], failed, trained, weights)
                    for k in self.ks or ()
                ]
            reached = np.concatenate([_mean_auroc(of_k, failed, trained) for of_k in scores])
            size, strength = divmod(int(np.argmax(reached.round(12))), len(self.cs))
            if orders is None:
                start = together.coefficients[:, [strength - len(self.cs)]]
        self.k_ = None if self.ks is None else self.ks[size]
        self.c_ = self.cs[strength]
        self.columns_ = None if orders is None else orders[-1, : self.k_]
        self.scaler_ = Rotation() if self.scaled and self.ks is not None else None
        rows = _columns(X, self.columns_)
        if self.scaler_ is not None:
            rows = self.scaler_.fit_transform(rows)
        everyone = balanced(failed, np.arange(len(failed)))
        self.fits_ = fit(rows, failed, everyone[:, None], np.array([self.c_]), start=start)
        return self

    def decision_function(self, X: Matrix | WideRows) -> np.ndarray:
        """Log odds of failure, `[rows]`."""
        rows = _columns(X, self.columns_)
        if self.scaler_ is not None:
            rows = self.scaler_.transform(rows)
        scores: np.ndarray = self.fits_.of(rows)[:, 0]
        return scores

    def predict(self, X: Matrix | WideRows) -> np.ndarray:
        return self.decision_function(X) > 0

    def _inner_folds(self, failed: np.ndarray) -> np.ndarray:
        """Which rows each inner fold trains on, boolean `[folds, n]`; none: nothing is chosen."""
        folds = min(INNER_FOLDS, int(failed.sum()), int((~failed).sum()))
        sizes = 1 if self.ks is None else len(self.ks)
        if sizes * len(self.cs) == 1 or folds < 2:
            return np.zeros((0, len(failed)), dtype=bool)
        return _stratified(failed.tobytes(), folds, self.seed)

    def _orders(self, X: Matrix | WideRows, failed: np.ndarray, sets: np.ndarray) -> np.ndarray:
        """Of each set of rows the features, strongest first, as many as may be selected."""
        return _strongest(correlations(X, failed, sets), max(self.ks or (0,)))

    def _together(self, X: Matrix, failed: np.ndarray, weights: np.ndarray) -> Fits:
        """Of each set of rows the fits for every C, `[features, sets * cs]`, by one call."""
        per_fit = np.repeat(weights.T, len(self.cs), axis=1)
        return fit(X, failed, per_fit, np.tile(self.cs, len(weights)), TUNED_TO, single=True)

    def _selected(
        self,
        selected: Sequence[Matrix],
        failed: np.ndarray,
        trained: np.ndarray,
        weights: np.ndarray,
    ) -> np.ndarray:
        """The scores of all rows in each inner fold for every C, `[folds, n, cs]`.

        Args:
            selected: of each inner fold the values of its features, `[n, k]`.
        """
        designs = np.zeros((*trained.shape, selected[0].shape[1]))
        for design, rows, seen in zip(designs, trained, selected, strict=True):
            if self.scaled:
                scaler = Rotation()
                scaler.fit(seen[rows])
                seen = scaler.transform(seen)
            design[:, : seen.shape[1]] = seen  # rotation may leave fewer columns
        per_fold = np.repeat(weights[: len(trained), :, None], len(self.cs), axis=2)
        return fit(designs, failed, per_fold, np.array(self.cs), TUNED_TO, single=True).scores


@lru_cache(maxsize=256)  # every rung asks for the inner folds of the same rows
def _stratified(failed: bytes, folds: int, seed: int) -> np.ndarray:
    """Which rows each of the stratified folds trains on, boolean `[folds, n]`."""
    labels = np.frombuffer(failed, dtype=bool)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    trained = np.ones((folds, len(labels)), dtype=bool)
    for fold, (_, test) in enumerate(split.split(np.zeros(len(labels)), labels)):
        trained[fold, test] = False
    trained.setflags(write=False)
    return trained


def _mean_auroc(scores: np.ndarray, failed: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """AUROC of scores `[folds, n, fits]` on the rows not trained on, mean over the folds."""
    of_folds = [
        auroc_of_scores(ties_kept(of_fold[~rows]), failed[~rows])
        for of_fold, rows in zip(scores, trained, strict=True)
    ]
    mean: np.ndarray = np.mean(of_folds, axis=0)
    return mean


def _columns(X: Matrix | WideRows, columns: np.ndarray | None) -> Matrix:
    """Selected columns of all rows, dense; everything where none are selected."""
    if isinstance(X, WideRows):
        return X.dense(columns)
    if columns is None:
        return X
    return X[:, columns].toarray() if issparse(X) else X[:, columns]
