"""Rotation: standardises rows, and turns wide matrices into as many columns as rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.sparsefuncs import mean_variance_axis

from faultlens.stats.logistic import Matrix

ROUNDING = 1e-12  # of the largest eigenvalue: a smaller one is rounding
OFTEN = 0.1  # of the rows: a column that more of them fill is multiplied as a dense one
BLOCK = 512  # columns of a dense matrix worked on at once: few hundred rows of them fit the cache
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
        wide = X.shape[1] > X.shape[0]
        gram = np.zeros((X.shape[0], X.shape[0]))
        if issparse(X):
            self.mean_, variance = _moments(X)
            self.weight_ = _weights(self.mean_, variance)
        else:
            self.mean_, self.weight_ = np.zeros(X.shape[1]), np.zeros(X.shape[1])
            for columns in column_blocks(X):
                self.mean_[columns] = X[:, columns].mean(axis=0, dtype=np.float64)
                centred = X[:, columns] - self.mean_[columns]
                variance = np.einsum("ij,ij->j", centred, centred) / len(X)
                self.weight_[columns] = _weights(self.mean_[columns], variance)
                if wide:
                    centred *= self.weight_[columns]
                    gram += centred @ centred.T
        self.length_ = float(
            np.sqrt(max(int((self.weight_ > 0).sum()), 1))
        )  # of a standardised row
        self.training_: Matrix | None = X if wide else None
        if not wide:
            return self._standardised(X) / self.length_
        if issparse(X):
            gram = self._products(csr_matrix(X), csr_matrix(X))
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
            products = np.zeros((X.shape[0], self.training_.shape[0]))
            for columns in column_blocks(self.training_):
                rows, training = (
                    self._standardised(matrix[:, columns], columns)
                    for matrix in (X, self.training_)
                )
                products += rows @ training.T
        coordinates: np.ndarray = products @ self.axes_
        return coordinates if coordinates.shape[1] else np.zeros((X.shape[0], 1))

    def _standardised(self, X: Matrix, columns: slice = slice(None)) -> np.ndarray:
        found: np.ndarray = (X.toarray() if issparse(X) else X) - self.mean_[columns]
        found *= self.weight_[columns]
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


def _weights(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """One over each column's standard deviation; 0 of a constant one."""
    spread = np.sqrt(variance)
    varies = spread > CONSTANT * np.abs(mean)
    found: np.ndarray = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
    return found


def column_blocks(values: np.ndarray) -> Iterator[slice]:
    """The columns of a dense matrix, a block after the other."""
    for start in range(0, values.shape[1], BLOCK):
        yield slice(start, min(start + BLOCK, values.shape[1]))
