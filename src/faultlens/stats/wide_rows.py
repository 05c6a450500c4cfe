"""Wide rows: rows with more columns than there are rows, of which most are seldom filled.

What a linear model needs of them is their inner products, once the columns are standardised by the
rows it is trained on: anew for every training set. Columns that are often filled are multiplied as
a dense matrix, the others as a sparse one, and they are told apart once for all training sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, issparse

OFTEN = 0.1  # of the rows: a column that more of them fill is multiplied as a dense one
CONSTANT = 1e-6  # of its mean: a column with a smaller standard deviation is rounding


@dataclass(frozen=True, eq=False)
class WideRows:
    """Rows, their columns in two parts; which column is which does not matter for products.

    Attributes:
        often: float64 `[n, columns]`.
        seldom: the others, float64 `[n, columns]`.
    """

    often: np.ndarray
    seldom: csr_matrix

    @classmethod
    def of(cls, rows: np.ndarray | csr_matrix, often: np.ndarray | None = None) -> WideRows:
        """Rows `[n, columns]`, dense or CSR.

        Args:
            often: which columns go to the dense part, boolean `[columns]`; None: those that are
                often filled in these rows.
        """
        often = often_filled(rows) if often is None else often
        if issparse(rows):
            by_column = csc_matrix(rows, dtype=np.float64)
            return cls(by_column[:, often].toarray(), csr_matrix(by_column[:, ~often]))
        every = np.asarray(rows, dtype=np.float64)
        return cls(every if often.all() else every[:, often], csr_matrix(every[:, ~often]))

    @property
    def shape(self) -> tuple[int, int]:
        """`(n, columns)`."""
        return len(self.often), self.often.shape[1] + self.seldom.shape[1]

    def __len__(self) -> int:
        return len(self.often)

    def __getitem__(self, rows: np.ndarray) -> WideRows:
        """Some of the rows."""
        return WideRows(self.often[rows], csr_matrix(self.seldom[rows]))


@dataclass(frozen=True, eq=False)
class Standardised:
    """Training rows, each column less its mean and over its standard deviation (1 / n).

    A column that is constant in them is 0.

    Attributes:
        often: the often filled columns, standardised, `[n, columns]`.
        seldom: the others over their standard deviation, their means still there.
        mean: of each column, the often filled ones first.
        weight: one over each column's standard deviation, or 0.
    """

    often: np.ndarray
    seldom: csr_matrix
    mean: tuple[np.ndarray, np.ndarray]
    weight: tuple[np.ndarray, np.ndarray]

    @classmethod
    def by_itself(cls, rows: WideRows) -> Standardised:
        """The rows, standardised by their own means."""
        mean = rows.often.mean(axis=0)
        centred = rows.often - mean
        weight = inverse_spread(mean, np.einsum("ij,ij->j", centred, centred) / len(rows))
        centred *= weight
        mean_seldom, variance = _moments(rows.seldom)
        weight_seldom = inverse_spread(mean_seldom, variance)
        return cls(
            centred, _scaled(rows.seldom, weight_seldom), (mean, mean_seldom),
            (weight, weight_seldom),
        )  # fmt: skip

    @property
    def varying(self) -> int:
        """How many columns are not constant."""
        return sum(int(np.count_nonzero(weight)) for weight in self.weight)

    def products(self, rows: WideRows | None = None) -> np.ndarray:
        """Inner products of other rows, standardised alike, with these, `[rows, n]`.

        Of the seldom filled columns, with `S = X / σ` and `s = S (μ / σ)`, they are
        `S Sᵀ − s 1ᵀ − 1 sᵀ + |μ / σ|²`.

        Args:
            rows: the others; None: these themselves.
        """
        if rows is None:
            often, seldom = self.often, self.seldom
        else:
            often = rows.often - self.mean[0]
            often *= self.weight[0]
            seldom = _scaled(rows.seldom, self.weight[1])
        shift = self.mean[1] * self.weight[1]
        found: np.ndarray = (seldom @ self.seldom.T).toarray()
        found += often @ self.often.T
        found += shift @ shift - (seldom @ shift)[:, None] - (self.seldom @ shift)[None, :]
        return found


def often_filled(rows: np.ndarray | csr_matrix) -> np.ndarray:
    """Which columns more than a tenth of the rows fill, boolean `[columns]`."""
    if issparse(rows):
        counts = np.bincount(rows.indices, minlength=rows.shape[1])
    else:
        counts = np.count_nonzero(rows, axis=0)
    often: np.ndarray = counts > OFTEN * rows.shape[0]
    return often


def inverse_spread(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """One over each column's standard deviation; 0 where that is only rounding of its mean."""
    spread = np.sqrt(np.maximum(variance, 0.0))
    varies = spread > CONSTANT * np.abs(mean)
    weight: np.ndarray = np.where(varies, 1 / np.where(varies, spread, 1.0), 0.0)
    return weight


def _moments(rows: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (1 / n) of each column."""
    sums, squares = (
        np.bincount(rows.indices, weights=values, minlength=rows.shape[1])
        for values in (rows.data, rows.data**2)
    )
    mean = sums / rows.shape[0]
    return mean, squares / rows.shape[0] - mean**2


def _scaled(rows: csr_matrix, weight: np.ndarray) -> csr_matrix:
    """Each column times its weight."""
    return csr_matrix((rows.data * weight[rows.indices], rows.indices, rows.indptr), rows.shape)
