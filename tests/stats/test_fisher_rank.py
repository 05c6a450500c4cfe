"""Fisher's p as a rank, against SciPy's p and against the dense way of counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix

from faultlens.stats import set_sums
from faultlens.stats.fisher_rank import FisherRank
from faultlens.stats.label_null import random_sets


def fisher_p(column: np.ndarray, failed: np.ndarray) -> float:
    table = [[np.sum(column & failed), np.sum(column & ~failed)]]
    table.append([np.sum(~column & failed), np.sum(~column & ~failed)])
    return float(stats.fisher_exact(table).pvalue)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), failures=st.integers(0, 15))
def test_ranks_order_and_tie_as_fishers_p_does(seed: int, failures: int) -> None:
    rng = np.random.default_rng(seed)
    failed = rng.permutation(np.arange(15) < failures)
    firing = rng.random((15, 30)) < rng.random(30)
    rank = FisherRank(csr_matrix(firing), failures).observed(failed)
    p = np.array([fisher_p(column, failed) for column in firing.T])
    equal = np.isclose(p[:, None], p[None], rtol=1e-9)
    np.testing.assert_array_equal(rank[:, None] == rank[None], equal)
    np.testing.assert_array_equal(rank[:, None] > rank[None], (p[:, None] < p[None]) & ~equal)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), failures=st.integers(0, 60))
def test_counting_stored_firings_or_all_prompts_gives_one_rank(seed: int, failures: int) -> None:
    rng = np.random.default_rng(seed)
    firing = csr_matrix(rng.random((60, 40)) < rng.uniform(0, 0.2, 40))
    sets = random_sets(60, failures, 30, rng)
    members, columns = sets.T.astype(np.float32), rng.permutation(40)
    drawn = []
    for share in (0.0, 1.0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(set_sums, "SPARSE", share)
            drawn.append(np.stack(list(FisherRank(firing, failures).of_sets(columns, members))))
    np.testing.assert_array_equal(*drawn)
    observed = np.array([FisherRank(firing, failures).observed(one) for one in sets])
    np.testing.assert_array_equal(drawn[0], observed.T[columns])


def test_stored_zeros_do_not_fire() -> None:
    firing = csr_matrix((np.array([1.0, 0.0, 1.0]), np.array([0, 1, 1]), np.array([0, 2, 3, 3])))
    failed = np.array([True, False, True])
    assert FisherRank(firing, 2).support.tolist() == [1, 1]
    assert FisherRank(firing, 2).observed(failed).tolist() == [0, 1]


def test_outcomes_all_alike_have_rank_0() -> None:
    firing = csr_matrix(np.arange(8.0).reshape(4, 2) > 0)
    for failed in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        assert FisherRank(firing, int(failed.sum())).observed(failed).tolist() == [0, 0]
