"""Wide rows: rows with more columns than there are rows, of which most are seldom filled.

What a linear model needs of them is their inner products, once the columns are standardised by the
rows it is trained on: anew for every training set. Columns that are often filled are multiplied as
a dense matrix. Of the others, the products of any two values that stand in one column are made once
for all training sets, which then only weigh them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, issparse

OFTEN = 0.2  # of the rows: a column that more of them fill is multiplied as a dense one
CONSTANT = 1e-6  # of its mean: a column with a smaller standard deviation is rounding
BLOCK = 512  # dense columns standardised and multiplied at once: what the cache holds
PAIRS = 16_000_000  # products of two values of one column up to which they are kept: 200 MB


@dataclass(frozen=True, eq=False)
class Columns:
    """All rows of a wide matrix, its columns in two parts.

    Attributes:
        often: those that are often filled, float64 `[n, columns]`.
        seldom: the others, transposed, float64 `[columns, n]`.
        place: where each column of the matrix stands, the often filled ones first, `[columns]`.
    """

    often: np.ndarray
    seldom: csr_matrix
    place: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray | csr_matrix) -> Columns:
        """Of rows `[n, columns]`, dense or CSR."""
        often = often_filled(rows)
        place = np.empty(len(often), dtype=int)
        place[often] = np.arange(often.sum())
        place[~often] = np.arange(often.sum(), len(often))
        by_column = csc_matrix(rows, dtype=np.float64) if issparse(rows) else np.asarray(rows)
        dense, seldom = by_column[:, often], csr_matrix(by_column[:, ~often].T, dtype=np.float64)
        seldom.sum_duplicates()
        seldom.eliminate_zeros()
        return cls(np.array(dense.toarray() if issparse(dense) else dense, float), seldom, place)

    @cached_property
    def squares(self) -> csr_matrix:
        """The values of the seldom filled columns, squared, `[columns, n]`."""
        return self.seldom.power(2)

    @cached_property
    def pairs(self) -> csc_matrix | None:
        """Products of two values of one seldom filled column, `[n · n, columns]`.

        Row `i n + k` is of the rows i and k, i ≤ k; of a row with itself it is half the square, so
        that the sum with its transpose is whole. None: there are too many to be kept.
        """
        values, n = self.seldom, len(self.often)
        place = np.arange(values.nnz, dtype=np.int32)
        # Each value is paired with itself and with those behind it in its column.
        behind = np.repeat(values.indptr[1:], np.diff(values.indptr)) - place
        start = np.concatenate([[0], np.cumsum(behind, dtype=np.int64)])
        if start[-1] > PAIRS or n**2 > np.iinfo(np.int32).max:
            return None
        start = start.astype(np.int32)
        other = np.arange(start[-1], dtype=np.int32) + np.repeat(place - start[:-1], behind)
        products = np.repeat(values.data, behind) * values.data[other]
        products[start[:-1]] /= 2
        at = np.repeat(values.indices * np.int32(n), behind) + values.indices[other]
        return csc_matrix((products, at, start[values.indptr]), (n**2, values.shape[0]))

    def seldom_products(self, weight: np.ndarray) -> np.ndarray:
        """Inner products of the rows' seldom filled columns, each weighted, `[n, n]`."""
        n, pairs = len(self.often), self.pairs
        if pairs is None:
            by_row = self.seldom.T.tocsr()
            weighted = csr_matrix(
                (by_row.data * weight[by_row.indices], by_row.indices, by_row.indptr), by_row.shape
            )
            found: np.ndarray = (weighted @ self.seldom).toarray()
            return found
        half = (pairs @ weight).reshape(n, n)
        whole: np.ndarray = half + half.T
        return whole


@dataclass(frozen=True, eq=False)
class WideRows:
    """Some rows of a wide matrix, by number, `rows [n]`; its columns are held once for all."""

    columns: Columns
    rows: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray | csr_matrix) -> WideRows:
        """All of the rows `[n, columns]`, dense or CSR."""
        return cls(Columns.of(rows), np.arange(rows.shape[0]))

    @property
    def shape(self) -> tuple[int, int]:
        """`(n, columns)`."""
        return len(self.rows), len(self.columns.place)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: np.ndarray) -> WideRows:
        """Some of these rows."""
        return WideRows(self.columns, self.rows[rows])

    def dense(self, columns: np.ndarray | None = None) -> np.ndarray:
        """Some columns of the rows, or all, `[n, columns]`."""
        held, place = self.columns, self.columns.place
        place = place if columns is None else place[columns]
        found, often = np.empty((len(place), len(held.often))), place < held.often.shape[1]
        found[often] = held.often.T[place[often]]
        found[~often] = held.seldom[place[~often] - held.often.shape[1]].toarray()
        return np.ascontiguousarray(found.T[self.rows])

    def standardised_products(self) -> tuple[np.ndarray, int]:
        """Inner products of all rows of the columns, each column standardised by these rows.

        Standardised: less its mean in these rows and over its standard deviation in them (1 / n); a
        column that is constant in them is 0. Of the seldom filled columns, with `S = X / σ` and
        `s = S (μ / σ)`, the products are `S Sᵀ − s 1ᵀ − 1 sᵀ + |μ / σ|²`.

        Returns:
            `[all rows, all rows]`, and how many columns are not constant.
        """
        held = self.columns
        share = np.bincount(self.rows, minlength=len(held.often)) / len(self.rows)
        mean, squares = held.seldom @ share, held.squares @ share
        weight = inverse_spread(mean, squares - mean**2) ** 2
        shift = held.seldom.T @ (weight * mean)
        found = held.seldom_products(weight)
        found += weight @ mean**2 - shift[:, None] - shift[None, :]
        varying = int(np.count_nonzero(weight))
        for start in range(0, held.often.shape[1], BLOCK):
            block = held.often[:, start : start + BLOCK]
            mean = share @ block
            block = block - mean
            spread = inverse_spread(mean, share @ block**2)
            block *= spread
            found += block @ block.T
            varying += int(np.count_nonzero(spread))
        return found, varying


def often_filled(rows: np.ndarray | csr_matrix) -> np.ndarray:
    """Which columns are often filled, boolean `[columns]`."""
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
