"""The deciding tests under a true null: 500 outcome vectors that have nothing to do with features.

All tests' errors are in docs/calibration.md (`benchmarks/calibration_tests.py`); here the two that
decide, and the doubled smaller one of them, must hold their level.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import binom

import faultlens as fl
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.label_null import random_sets
from faultlens.stats.moments import moments
from faultlens.stats.multiplicity import holm
from faultlens.stats.stepdown import max_t_null, min_p_null
from faultlens.stats.two_sample import welch

VECTORS, PERMUTATIONS, ALPHA = 500, 10_000, 0.05
MOST = int(binom.ppf(0.99, VECTORS, ALPHA))  # 37 of 500


def family(matrix: csr_matrix) -> csr_matrix:
    support = np.asarray((matrix > 0).sum(axis=0)).ravel()
    return csr_matrix(matrix[:, np.flatnonzero(support >= 5)])


def errors(values: csr_matrix, failures: int, seed: int) -> dict[str, int]:
    """In how many of the vectors each test finds any feature at all."""
    rng = np.random.default_rng(seed)
    n = values.shape[0]
    groups = random_sets(n, failures, PERMUTATIONS, rng)
    firing = csr_matrix((values > 0).astype(np.float32))
    nulls = min_p_null(firing, groups), max_t_null(values, groups)
    vectors = random_sets(n, failures, VECTORS, rng) > 0
    p = np.array([[null.p_of(vector) for null in nulls] for vector in vectors])
    doubled = 2 * p.min(axis=1)
    return {
        "min-P": int((p[:, 0] <= ALPHA).sum()),
        "max-T": int((p[:, 1] <= ALPHA).sum()),
        "either, undoubled": int((p.min(axis=1) <= ALPHA).sum()),
        "either, doubled": int((doubled <= ALPHA).sum()),
    }


@pytest.mark.parametrize("failures", [35, 10, 5])
def test_the_deciding_tests_hold_their_level_on_published_features(
    reference_data: Path, failures: int
) -> None:
    folder = reference_data / "seven_categories"
    matrix = csr_matrix(np.load(folder / "layer08.npz")["features"].astype(np.float32))
    found = errors(family(matrix), failures, seed=failures)
    for test in ("min-P", "max-T", "either, doubled"):
        assert found[test] <= MOST, found


@pytest.fixture(scope="module")
def mini() -> csr_matrix:
    texts = [prompt.text for prompt in fl.tasks.mini_ioi(n=255).prompts]
    (table,) = fl.load("mini", layers=[4]).read(texts).values()
    return family(table.matrix)


def test_the_deciding_tests_hold_their_level_on_mini_at_19_against_236(mini: csr_matrix) -> None:
    found = errors(mini, 19, seed=19)
    for test in ("min-P", "max-T", "either, doubled"):
        assert found[test] <= MOST, found
    assert found["min-P"] + found["max-T"] > 0, "a test that never errs has no power either"


def test_the_described_welch_test_does_not_hold_it_which_is_why_it_does_not_decide(
    mini: csr_matrix,
) -> None:
    vectors = random_sets(255, 19, 100, np.random.default_rng(1)) > 0
    found = sum(holm(welch(moments(mini, v), moments(mini, ~v)).p).min() <= ALPHA for v in vectors)
    assert found > 50


def test_fisher_with_holm_is_the_conservative_one_beside(mini: csr_matrix) -> None:
    vectors = random_sets(255, 19, 200, np.random.default_rng(2)) > 0
    active = mini.getnnz(axis=0)
    found = 0
    for vector in vectors:
        failing = csr_matrix(mini[np.flatnonzero(vector)]).getnnz(axis=0)
        found += holm(fisher_exact(failing, active, 19, 255)).min() <= ALPHA
    assert found <= int(binom.ppf(0.99, 200, ALPHA))
