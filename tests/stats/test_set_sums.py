"""Sums over sets in blocks, against the plain product."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csc_matrix

from faultlens.stats import set_sums
from faultlens.stats.set_sums import column_blocks, set_blocks, sparse_sums


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float64])
def test_blocks_of_sets_are_all_sets_in_order(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    sets = np.random.default_rng(0).random((11, 7)) < 0.4
    monkeypatch.setattr(set_sums, "MEMBER_CELLS", 30)  # four at a time
    blocks = list(set_blocks(sets.astype(dtype)))
    assert [block.shape for block in blocks] == [(7, 4), (7, 4), (7, 3)]
    assert all(block.dtype == np.float32 for block in blocks)
    np.testing.assert_array_equal(np.hstack(blocks).T, sets)


def test_no_block_of_columns_holds_more_than_it_may() -> None:
    order = np.arange(10_000)[::-1]
    for rows, sets in ((300, 10_000), (30_000, 500), (3_000_000, 1)):
        blocks = list(column_blocks(order, rows, sets))
        assert max(map(len, blocks)) * max(rows, sets) <= set_sums.SUM_CELLS or len(blocks[0]) == 1
        np.testing.assert_array_equal(np.concatenate(blocks), order)


def test_sums_are_those_of_the_plain_product() -> None:
    rng = np.random.default_rng(1)
    values = (rng.lognormal(size=(90, 14)) * (rng.random((90, 14)) < 0.1)).astype(np.float32)
    members = (rng.random((90, 33)) < 0.3).astype(np.float32)
    found = sparse_sums(csc_matrix(values), members)
    np.testing.assert_allclose(found, values.T.astype(float) @ members, rtol=1e-5)
