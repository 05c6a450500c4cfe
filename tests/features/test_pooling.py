"""Pooling, against plain loops over dense arrays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from faultlens.errors import UserError
from faultlens.features.pooling import Pooling, pool


def by_hand(dense: np.ndarray, how: Pooling) -> np.ndarray:
    if how.kind == "max":
        return dense.max(axis=0)
    if how.kind == "last":
        return dense[-how.k :].mean(axis=0)
    return dense.sum(axis=0) if how.kind == "sum" else dense.mean(axis=0)


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    how=st.sampled_from(["max", "mean", "sum", "last", "last-3"]),
    density=st.sampled_from([0.0, 0.2, 0.7]),
    seed=st.integers(0, 1000),
)
def test_sparse_pooling_is_dense_pooling(
    lengths: list[int], how: str, density: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.random((sum(lengths), 5)) * (rng.random((sum(lengths), 5)) < density)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    pooled = pool(csr_matrix(dense.astype(np.float32)), offsets, Pooling.parse(how))
    parts = [dense[a:b] for a, b in pairwise(offsets)]
    expected = np.stack([by_hand(part, Pooling.parse(how)) for part in parts])
    np.testing.assert_allclose(pooled.toarray(), expected, rtol=1e-5, atol=1e-7)
    assert pooled.has_sorted_indices
    assert (pooled.data > 0).all()


def test_a_text_shorter_than_k_is_averaged_over_what_it_has() -> None:
    tokens = csr_matrix(np.array([[4.0], [1.0], [2.0], [6.0]], dtype=np.float32))
    pooled = pool(tokens, np.array([0, 1, 4]), Pooling.parse("last-2"))
    assert pooled.toarray().ravel().tolist() == [4.0, 4.0]


def test_a_text_without_tokens_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one token"):
        pool(csr_matrix(np.ones((2, 1))), np.array([0, 2, 2]), Pooling("max"))


@pytest.mark.parametrize("text", ["median", "last-0", "last-x", ""])
def test_an_unknown_pooling_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="unknown pooling .* expected max, mean, sum, last"):
        Pooling.parse(text)


@pytest.mark.parametrize("text", ["max", "mean", "sum", "last", "last-3"])
def test_poolings_are_written_as_they_are_read(text: str) -> None:
    assert str(Pooling.parse(text)) == text
