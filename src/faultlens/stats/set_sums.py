"""Sums of many columns over many sets of rows: what every permutation test here comes down to.

A sum over a set is a matrix product. Where a column is mostly zeros, going through its stored
values is quicker and holds nothing dense; elsewhere the dense product is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix

SPARSE = 0.04  # share of rows: a column that fewer of them fill is summed by its stored values
MEMBER_CELLS = 16_000_000  # rows × sets held at once as float32: 64 MB
SUM_CELLS = 2_500_000  # columns × sets, and rows × columns, held at once as float32: 10 MB


def set_blocks(sets: np.ndarray) -> Iterator[np.ndarray]:
    """Sets of rows, some at a time, as products need them.

    Args:
        sets: 0/1 or boolean, `[sets, n]`.

    Yields:
        float32 0/1, `[n, sets of the block]`.
    """
    step = max(1, MEMBER_CELLS // max(1, sets.shape[1]))
    for start in range(0, len(sets), step):
        yield np.ascontiguousarray(sets[start : start + step].T, dtype=np.float32)


def column_blocks(order: np.ndarray, rows: int, sets: int) -> Iterator[np.ndarray]:
    """`order [columns]` in parts of which the sums, and the dense columns, may be held at once."""
    step = max(1, SUM_CELLS // max(1, rows, sets))
    for start in range(0, len(order), step):
        yield order[start : start + step]


def sparse_sums(columns: csc_matrix, members: np.ndarray) -> np.ndarray:
    """Sums by the stored values, float32 `[columns, sets]`.

    Args:
        columns: float32, `[n, columns]`.
        members: float32 0/1, `[n, sets]`.

    >>> columns = csc_matrix(np.array([[2.0, 0.0], [0.0, 1.0], [5.0, 0.0]], dtype=np.float32))
    >>> sparse_sums(columns, np.array([[1, 0], [1, 1], [0, 1]], dtype=np.float32)).tolist()
    [[2.0, 5.0], [1.0, 1.0]]
    """
    sums: np.ndarray = csr_matrix(columns.T) @ members
    return sums


def is_sparse(support: np.ndarray, n: int) -> np.ndarray:
    """Which columns are quicker summed by their stored values, boolean `[columns]`.

    Args:
        support: stored values of each column, `[columns]`.
        n: rows.
    """
    few: np.ndarray = support <= SPARSE * n
    return few


def in_turn(few: np.ndarray, by_stored: np.ndarray, by_all: np.ndarray) -> Iterator[np.ndarray]:
    """The sums of columns of both kinds, in the order of the columns.

    Args:
        few: which columns are summed by their stored values, boolean `[columns]`.
        by_stored: the sums of these, `[few, sets]`.
        by_all: those of the others, `[others, sets]`.

    Yields:
        `[sets]`.

    >>> stored, dense = np.array([[1.0], [3.0]]), np.array([[2.0]])
    >>> [float(x[0]) for x in in_turn(np.array([True, False, True]), stored, dense)]
    [1.0, 2.0, 3.0]
    """
    stored, others = iter(by_stored), iter(by_all)
    for is_few in few.tolist():
        yield next(stored if is_few else others)
