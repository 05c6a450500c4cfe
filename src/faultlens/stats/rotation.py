"""Rotation: standardises rows, and turns wide matrices into as many columns as rows."""

from __future__ import annotations

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin

from faultlens.stats.logistic import Matrix
from faultlens.stats.wide_rows import WideRows, inverse_spread

ROUNDING = 1e-12  # of the largest eigenvalue: a smaller one is rounding


class Rotation(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Standardises by the training rows, then turns wide matrices into at most n dimensions.

    With X the training rows, μ and σ their column means and standard deviations (1 / n) and
    `Z = (X − μ) / σ`, the Gram matrix `Z Zᵀ = V Λ Vᵀ` gives the coordinates `V Λ^½` of the training
    rows on their own principal axes, and `z Zᵀ V Λ^−½` those of any other row z. What a row has
    outside their span is lost, and an L2-penalised linear model cannot use it: its weights lie in
    the span, and its penalty and predictions do not change under rotation. Columns that are
    constant in training count nothing. Last, all is divided by one number so that the training
    rows have mean square length 1, which makes one grid of penalties serve every width.

    With no more columns than rows there is nothing to win, and Z is only standardised and scaled.
    Reference: Hastie & Tibshirani (2004), section 3.
    """

    def fit(self, X: Matrix | WideRows, y: np.ndarray | None = None) -> Rotation:
        self.fit_transform(X)
        return self

    def fit_transform(self, X: Matrix | WideRows, y: np.ndarray | None = None) -> np.ndarray:
        self.training_: Matrix | WideRows | None = None
        if X.shape[1] <= X.shape[0]:
            return self._fit_narrow(_dense(X))
        self.training_, wide = X, X if isinstance(X, WideRows) else WideRows.of(X)
        products, varying = wide.standardised_products()
        self.products_ = products[:, wide.rows]  # of all rows that the training rows are among
        self.length_ = float(np.sqrt(max(varying, 1)))  # of a standardised row
        eigenvalues, vectors = np.linalg.eigh(self.products_[wide.rows])
        kept = eigenvalues > ROUNDING * eigenvalues[-1]
        roots = np.sqrt(eigenvalues[kept])
        self.axes_ = vectors[:, kept] / (roots * self.length_)
        coordinates: np.ndarray = vectors[:, kept] * roots / self.length_
        return coordinates if kept.any() else np.zeros((X.shape[0], 1))

    def transform(self, X: Matrix | WideRows) -> np.ndarray:
        if self.training_ is None:
            narrow: np.ndarray = self._standardised(_dense(X)) / self.length_
            return narrow
        coordinates: np.ndarray = self._products(X, self.training_) @ self.axes_
        return coordinates if coordinates.shape[1] else np.zeros((X.shape[0], 1))

    def _products(self, X: Matrix | WideRows, training: Matrix | WideRows) -> np.ndarray:
        """Inner products of rows with the training rows, `[rows, n]`."""
        held = training.columns if isinstance(training, WideRows) else None
        if isinstance(X, WideRows) and X.columns is held:
            of_rows: np.ndarray = self.products_[X.rows]
            return of_rows
        n = training.shape[0]
        together = WideRows.of(np.vstack([_dense(training), _dense(X)]))
        products, _ = together[np.arange(n)].standardised_products()
        return products[n:, :n]

    def _fit_narrow(self, X: np.ndarray) -> np.ndarray:
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        centred = X - self.mean_
        variance = np.einsum("ij,ij->j", centred, centred) / len(X)
        self.weight_ = inverse_spread(self.mean_, variance)
        self.length_ = float(np.sqrt(max(int(np.count_nonzero(self.weight_)), 1)))
        centred *= self.weight_ / self.length_
        found: np.ndarray = centred
        return found

    def _standardised(self, X: np.ndarray) -> np.ndarray:
        found: np.ndarray = X - self.mean_
        found *= self.weight_
        return found


def _dense(X: Matrix | WideRows) -> np.ndarray:
    if isinstance(X, WideRows):
        return X.dense()
    return np.asarray(X.toarray() if issparse(X) else X)
