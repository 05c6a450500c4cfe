"""What predicts an outcome: penalised logistic regression whose every choice is made in training.

The estimators are scikit-learn's kind (`clone`, `fit`, `decision_function`), so that whoever holds
prompts out, holds them out of scaling, rotation, selection and tuning alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.sparsefuncs import mean_variance_axis

from faultlens.stats.effects import auroc, midranks
from faultlens.stats.logistic import Matrix, balanced, fit

CS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Values tried for C, the inverse strength of the penalty, on rows of mean square length one."""

KS = (5, 20, 100)
"""Numbers of features tried where the strongest are selected."""

INNER_FOLDS = 5
ROUNDING = 1e-12  # of the largest eigenvalue: a smaller one is rounding
DIGITS = 10  # of the largest score, to which scores are compared
OFTEN = 0.1  # of the rows: a column that more of them fill is multiplied as a dense one
CONSTANT = 1e-6  # of its mean: a column with a smaller standard deviation is rounding


def balanced_logistic(c: float = 1.0) -> LogisticRegression:
    """L2-penalised logistic regression with classes weighted equally, by liblinear.

    Minimises `|w|² / 2 + C Σ_i u_i log(1 + exp(−y_i (w·x_i + b)))`, `u_i = n / (2 n_class(i))`;
    liblinear's penalty holds the intercept b too. Reference: Fan et al. (2008). It stops early, at
    scikit-learn's tolerance, as the reference study's did; `logistic.fit` goes to the minimum.
    """
    return LogisticRegression(C=c, solver="liblinear", class_weight="balanced", max_iter=1000)


def correlations(values: Matrix, failed: np.ndarray) -> np.ndarray:
    """|Pearson's r| of each column with the outcome: how features are put in order.

    `|m₁ − m₀| sqrt(p (1 − p)) / s`, p the share of failures and s the standard deviation (1 / n) of
    all rows. The order is that of |Cohen's d| and of the pooled t, since `t² / (n − 2) = r² /
    (1 − r²)`. (Welch's t would put features first that are silent on all failures, whose variance
    it takes for 0.) It uses the labels, so it may see only prompts that are trained on; it ranks
    and tests nothing. Reference: Pearson (1895).

    Args:
        values: `[n, features]`, dense or CSR.
        failed: boolean, `[n]`, at least one of each.

    Returns:
        `[features]`, 0 to 1; 0 for a constant column.

    >>> values = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [7.0, 1.0]])
    >>> correlations(values, np.array([False, False, False, True, True])).round(4).tolist()
    [0.8109, 0.0]
    """
    mean, variance = _moments(values)
    spread = np.sqrt(variance)
    varies = spread > CONSTANT * np.abs(mean)
    share = float(failed.mean())
    # p (m₁ − mean) = p (1 − p) (m₁ − m₀)
    difference = np.abs(np.asarray(values.T @ failed) / len(failed) - share * mean)
    scale = np.where(varies, spread, 1.0) * np.sqrt(share * (1 - share))
    result: np.ndarray = np.where(varies, np.minimum(difference / scale, 1.0), 0.0)
    return result


class Rotation(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Standardises by the training rows, then turns wide matrices into at most n dimensions.

    With X the training rows, μ and σ their column means and standard deviations (1 / n) and
    `Z = (X − μ) / σ`, the Gram matrix `Z Zᵀ = V Λ Vᵀ` gives the coordinates `V Λ^½` of the training
    rows on their own principal axes, and `z Zᵀ V Λ^−½` those of any other row z. What a row has
    outside their span is lost, and an L2-penalised linear model cannot use it: its weights lie in
    the span, and its penalty and predictions do not change under rotation. Sparse rows stay sparse:
    `Z Zᵀ = S Sᵀ − s 1ᵀ − 1 sᵀ + |μ / σ|²` with `S = X / σ`, `s = S (μ / σ)`. Columns that are
    constant in training count nothing. Last, all is divided by one number so that the training
    rows have mean square length 1, which makes one grid of penalties serve every width.

    With no more columns than rows there is nothing to win, and Z is only standardised and scaled.
    Reference: Hastie & Tibshirani (2004), section 3.
    """

    def fit(self, X: Matrix, y: np.ndarray | None = None) -> Rotation:
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Matrix, y: np.ndarray | None = None) -> np.ndarray:
        mean, variance = _moments(X)
        spread = np.sqrt(variance)
        varies = spread > CONSTANT * np.abs(mean)
        self.weight_ = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
        self.mean_ = mean
        self.length_ = float(np.sqrt(max(int(varies.sum()), 1)))  # of a standardised row
        if X.shape[1] <= X.shape[0]:
            self.training_: Matrix | None = None
            return self._standardised(X)
        self.training_ = X
        gram = self._products(X, X)
        eigenvalues, vectors = np.linalg.eigh(gram)
        kept = eigenvalues > ROUNDING * eigenvalues[-1]
        roots = np.sqrt(eigenvalues[kept])
        self.axes_ = vectors[:, kept] / (roots * self.length_)
        coordinates: np.ndarray = vectors[:, kept] * roots / self.length_
        return coordinates if kept.any() else np.zeros((X.shape[0], 1))

    def transform(self, X: Matrix) -> np.ndarray:
        if self.training_ is None:
            return self._standardised(X)
        coordinates: np.ndarray = self._products(X, self.training_) @ self.axes_
        return coordinates if coordinates.shape[1] else np.zeros((X.shape[0], 1))

    def _standardised(self, X: Matrix) -> np.ndarray:
        dense = X.toarray() if issparse(X) else X
        result: np.ndarray = (dense - self.mean_) * (self.weight_ / self.length_)
        return result

    def _products(self, X: Matrix, training: Matrix) -> np.ndarray:
        """Inner products of standardised rows with those of training, `[rows, n]`."""
        if isinstance(X, np.ndarray) or isinstance(training, np.ndarray):
            rows, others = ((m - self.mean_) * self.weight_ for m in (X, training))
            products: np.ndarray = rows @ others.T
            return products
        shift = self.mean_ * self.weight_
        scaled, others = (
            csr_matrix((m.data * self.weight_[m.indices], m.indices, m.indptr), shape=m.shape)
            for m in (X, training)
        )
        often = (
            np.bincount(training.indices, minlength=training.shape[1]) > OFTEN * training.shape[0]
        )
        raw = scaled[:, often].toarray() @ others[:, often].toarray().T
        raw += (scaled[:, ~often] @ others[:, ~often].T).toarray()
        result: np.ndarray = (
            raw - (scaled @ shift)[:, None] - (others @ shift)[None, :] + shift @ shift
        )
        return result


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

    def fit(self, X: Matrix, y: np.ndarray) -> TunedLogistic:
        failed = np.asarray(y, dtype=bool)
        self.classes_ = np.array([False, True])
        folds = min(INNER_FOLDS, int(failed.sum()), int((~failed).sum()))
        sizes = 1 if self.ks is None else len(self.ks)
        if sizes * len(self.cs) == 1 or folds < 2:
            size, strength = 0, len(self.cs) // 2
        else:
            reached = self._inner_aurocs(X, failed, folds)
            size, strength = divmod(int(np.argmax(reached.round(12))), len(self.cs))
        self.k_ = None if self.ks is None else self.ks[size]
        self.c_ = self.cs[strength]
        ks = None if self.k_ is None else (self.k_,)
        rows, self.columns_, self.scaler_ = next(self._views(X, failed, ks))
        everyone = balanced(failed, np.arange(len(failed)))
        self.fits_ = fit(rows, failed, everyone[:, None], np.array([self.c_]))
        return self

    def decision_function(self, X: Matrix) -> np.ndarray:
        """Log odds of failure, `[rows]`."""
        scores: np.ndarray = self.fits_.of(self._seen(X, self.columns_, self.scaler_))[:, 0]
        return scores

    def predict(self, X: Matrix) -> np.ndarray:
        return self.decision_function(X) > 0

    def _inner_aurocs(self, X: Matrix, failed: np.ndarray, folds: int) -> np.ndarray:
        """Mean AUROC over the inner folds, `[ks * cs]`, k outermost."""
        split = StratifiedKFold(folds, shuffle=True, random_state=self.seed)
        pairs = list(split.split(np.zeros(len(failed)), failed))
        scores = self._together(X, failed, pairs) if self.ks is None else [
            self._selected(X, failed, train) for train, _ in pairs
        ]  # fmt: skip
        total = np.zeros(scores[0].shape[1])
        for (_, test), of_fold in zip(pairs, scores, strict=True):
            total += auroc(midranks(ties_kept(of_fold[test])), failed[test]) / folds
        return total

    def _together(
        self, X: Matrix, failed: np.ndarray, pairs: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> list[np.ndarray]:
        """For each inner fold the scores of all rows for every C, `[n, cs]`: one call fits all."""
        weights = [balanced(failed, train) for train, _ in pairs]
        per_fold = np.repeat(np.stack(weights, axis=1), len(self.cs), axis=1)
        fitted = fit(X, failed, per_fold, np.tile(self.cs, len(pairs)))
        return np.split(fitted.scores, len(pairs), axis=1)

    def _selected(self, X: Matrix, failed: np.ndarray, train: np.ndarray) -> np.ndarray:
        """One inner fold's scores of all rows for every k and C, `[n, ks * cs]`."""
        found = []
        for _, columns, scaler in self._views(X[train], failed[train], self.ks):
            rows = self._seen(X, columns, scaler)
            weights = np.repeat(balanced(failed, train)[:, None], len(self.cs), axis=1)
            found.append(fit(rows, failed, weights, np.array(self.cs)).scores)
        return np.hstack(found)

    def _views(
        self, X: Matrix, failed: np.ndarray, ks: tuple[int, ...] | None
    ) -> Iterator[tuple[Matrix, np.ndarray | None, Rotation | None]]:
        """For each k the training rows as fitted, the columns selected, and what scaled them."""
        if ks is None:
            yield X, None, None
            return
        order = np.argsort(-correlations(X, failed), kind="stable")
        for k in ks:
            rows = self._seen(X, order[:k], None)
            scaler = Rotation() if self.scaled else None
            yield rows if scaler is None else scaler.fit_transform(rows), order[:k], scaler

    @staticmethod
    def _seen(X: Matrix, columns: np.ndarray | None, scaler: Rotation | None) -> Matrix:
        if columns is None:
            return X
        rows = X[:, columns].toarray() if issparse(X) else X[:, columns]
        return rows if scaler is None else scaler.transform(rows)


def ties_kept(scores: np.ndarray) -> np.ndarray:
    """Scores without the last digits, by which equal rows may differ: `[rows, fits]`.

    >>> ties_kept(np.array([[0.3], [0.1 + 0.2], [0.4]])).ravel().tolist()
    [0.75, 0.75, 1.0]
    """
    largest = np.abs(scores).max(axis=0)
    rounded: np.ndarray = (scores / np.where(largest > 0, largest, 1.0)).round(DIGITS)
    return rounded


def _moments(values: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (1 / n) of each column, in float64."""
    if issparse(values):
        mean, variance = mean_variance_axis(csr_matrix(values, dtype=np.float64), axis=0)
        return np.asarray(mean), np.asarray(variance)
    dense = np.asarray(values, dtype=np.float64)
    return dense.mean(axis=0), dense.var(axis=0)
