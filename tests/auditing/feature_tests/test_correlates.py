"""The family of tested features: against dense referees, and what it asks of memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix
from sklearn.metrics import roc_auc_score

from faultlens.auditing.feature_tests import correlates
from faultlens.auditing.feature_tests.correlates import Correlates, correlate
from faultlens.errors import UserError
from faultlens.features.table import FeatureTable
from faultlens.stats import set_sums


def table_of(values: np.ndarray) -> FeatureTable:
    rows = pd.DataFrame({"text": [f"prompt {i}" for i in range(len(values))]})
    return FeatureTable("8-res-x", csr_matrix(values.astype(np.float32)), rows, {}, 8)


def correlated(values: np.ndarray, failed: np.ndarray, permutations: int = 199) -> Correlates:
    tables = {"8-res-x": table_of(values)}
    return correlate(tables, failed, min_support=2, permutations=permutations, seed=3)


def mixed(n: int, rng: np.random.Generator) -> np.ndarray:
    """Features that fire rarely, often and always, some of them with ties."""
    values = rng.lognormal(size=(n, 40)) * (rng.random((n, 40)) < rng.uniform(0.02, 1, 40) ** 2)
    values[:, ::4] = values[:, ::4].round()
    values[:, 5] = 5 + rng.random(n)
    return np.asarray(values, dtype=np.float32)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_what_is_summed_sparsely_is_what_dense_ranks_and_sums_give(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, failed = mixed(150, rng), rng.permutation(np.arange(150) < 31)
    found = correlated(values, failed)
    family = values[:, found.column].astype(float)
    areas = [roc_auc_score(failed, column) for column in family.T]
    np.testing.assert_allclose(found.auroc, areas, rtol=1e-12)
    u = stats.mannwhitneyu(family[failed], family[~failed], method="asymptotic")
    np.testing.assert_allclose(found.p_mann_whitney, u.pvalue, rtol=1e-9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(set_sums, "SPARSE", 0.0)
        dense = correlated(values, failed)
    np.testing.assert_array_equal(found.p_min_p, dense.p_min_p)
    np.testing.assert_array_equal(found.p_max_t, dense.p_max_t)


def test_what_will_not_fit_is_said_with_its_size_before_anything_is_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    values, failed = mixed(60, rng), np.arange(60) < 20
    monkeypatch.setattr(correlates, "free_memory", lambda: 1_230_000_000)
    monkeypatch.setattr(correlates, "moments", None)  # nothing is computed
    with pytest.raises(UserError) as refused:
        correlated(values, failed, permutations=10_000_000)
    activations = np.count_nonzero(values)
    assert str(refused.value) == (
        f"testing 40 features on 60 prompts, with {activations:,} activations and 10,000,000 "
        "permutations, needs about 1.7 GB of memory, and 1.2 GB are free: bring fewer features or "
        "prompts, or lower --permutations"
    )


def test_where_nothing_says_what_is_free_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(correlates, "free_memory", lambda: None)
    found = correlated(mixed(60, np.random.default_rng(1)), np.arange(60) < 20)
    assert len(found.column)


def test_between_features_at_the_floor_of_the_permutations_the_stronger_comes_first() -> None:
    """A dense cause fires everywhere: Fisher's p is 1, its reflections' is not."""
    for seed in range(8):
        rng = np.random.default_rng([8, seed])
        cause = 5 + rng.normal(size=300)
        failed = rng.random(300) < 1 / (1 + np.exp(2.2 - 2.4 * (cause - 5)))
        reflections = (0.7 * (cause - 5)[:, None] + rng.normal(size=(300, 6)) > 0.9) * 1.0
        found = correlated(np.column_stack([reflections, cause]), failed)
        assert (found.decisive == found.decisive.min()).sum() > 1
        assert found.p_fisher[6] == 1
        assert found.rank(np.arange(7))[0] == 6


def test_z_is_that_of_the_permuted_sum() -> None:
    rng = np.random.default_rng(2)
    values, failed = mixed(90, rng), np.arange(90) < 25
    found = correlated(values, failed)
    dense = values[:, found.column].astype(float)
    spread = np.sqrt(25 * 65 / (90 * 89) * ((dense - dense.mean(0)) ** 2).sum(0))
    z = np.abs(dense[failed].sum(0) - 25 * dense.mean(0)) / spread
    np.testing.assert_allclose(found.z, z, rtol=1e-5)


def test_effects_too_large_for_a_p_are_still_put_in_order() -> None:
    """Normal p of z = 40 and 45 are both 0 in float64."""
    failed = np.arange(4000) < 2000
    first = failed + np.where(np.arange(4000) % 9, 0.0, 0.8) + 3
    second = failed + np.where(np.arange(4000) % 19, 0.0, 0.8) + 3
    found = correlated(np.column_stack([first, second]), failed, 99)
    assert found.z.min() > 39
    assert found.rank(np.arange(2)).tolist() == [1, 0]
