"""Rotation: standardises rows, and turns wide matrices into as many columns as rows."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.sparsefuncs import mean_variance_axis

from faultlens.stats.logistic import Matrix

ROUNDING = 1e-12  # of the largest eigenvalue: a smaller one is rounding
OFTEN = 0.1  # of the rows: a column that more of them fill is multiplied as a dense one
CONSTANT = 1e-6  # of its mean: a column with a smaller standard deviation is rounding


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
        if issparse(X):
            self.mean_, variance = _moments(X)
            centred = None
        else:
            self.mean_ = X.mean(axis=0, dtype=np.float64)
            centred = X - self.mean_
            variance = np.einsum("ij,ij->j", centred, centred) / len(X)
        spread = np.sqrt(variance)
        varies = spread > CONSTANT * np.abs(self.mean_)
        self.weight_ = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
        self.length_ = float(np.sqrt(max(int(varies.sum()), 1)))  # of a standardised row
        self.training_: Matrix | None = None
        if X.shape[1] <= X.shape[0]:
            return self._standardised(X) / self.length_
        if centred is None:
            self.training_ = X
            gram = self._products(csr_matrix(X), csr_matrix(X))
        else:
            centred *= self.weight_
            self.training_ = centred
            gram = centred @ centred.T
        eigenvalues, vectors = np.linalg.eigh(gram)
        kept = eigenvalues > ROUNDING * eigenvalues[-1]
        roots = np.sqrt(eigenvalues[kept])
        self.axes_ = vectors[:, kept] / (roots * self.length_)
        coordinates: np.ndarray = vectors[:, kept] * roots / self.length_
        return coordinates if kept.any() else np.zeros((X.shape[0], 1))

    def transform(self, X: Matrix) -> np.ndarray:
        if self.training_ is None:
            return self._standardised(X) / self.length_
        if issparse(self.training_):
            products = self._products(csr_matrix(X), csr_matrix(self.training_))
        else:
            products = self._standardised(X) @ self.training_.T
        coordinates: np.ndarray = products @ self.axes_
        return coordinates if coordinates.shape[1] else np.zeros((X.shape[0], 1))

    def _standardised(self, X: Matrix) -> np.ndarray:
        found: np.ndarray = (X.toarray() if issparse(X) else X) - self.mean_
        found *= self.weight_
        return found

    def _products(self, X: csr_matrix, training: csr_matrix) -> np.ndarray:
        """Inner products of standardised sparse rows with those of training, `[rows, n]`."""
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


def _moments(values: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (1 / n) of each column, in float64."""
    mean, variance = mean_variance_axis(csr_matrix(values, dtype=np.float64), axis=0)
    return np.asarray(mean), np.asarray(variance)
