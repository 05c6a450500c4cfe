"""Forward selection over classes: copies fall out, and a cause hidden by another comes to light."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_tests.class_selection import _stratified_z, select_classes
from faultlens.auditing.feature_tests.classes import feature_classes
from faultlens.auditing.feature_tests.correlates import Correlates, correlate
from faultlens.auditing.result import BeyondClasses
from faultlens.auditing.study import audit_answers
from faultlens.corpus.answers import Answers
from faultlens.features.table import FeatureTable

N, NOISE = 400, 40
ALPHA = 0.05


def world(kind: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Activations `[prompts, features]`, the first three planted, and which prompts fail.

    `copy`: 0 causes failure, 1 mostly fires with it and does nothing; `or`: 0 and 1 both do, and 1
    seldom fires without 0; `none`: nothing does.
    """
    rng = np.random.default_rng(seed)
    fires = rng.random((N, NOISE)) < rng.uniform(0.05, 0.4, NOISE)
    fires[:, 0] = rng.random(N) < 0.3
    fires[:, 1] = np.where(fires[:, 0], rng.random(N) < 0.85, rng.random(N) < 0.08)
    values = fires * np.exp(rng.normal(0, 0.5, (N, NOISE)))
    chance = np.full(N, 0.2)
    if kind == "copy":
        chance = np.where(fires[:, 0], 0.8, 0.05)
    if kind == "or":
        chance = np.where(fires[:, 0] | fires[:, 1], 0.8, 0.05)
    return values, rng.random(N) < chance


def table(values: np.ndarray) -> FeatureTable:
    rows = pd.DataFrame({"text": [f"prompt {i}" for i in range(N)]})
    return FeatureTable("3-res-x", csr_matrix(values.astype(np.float32)), rows, {}, 3)


def correlates_of(values: np.ndarray, failed: np.ndarray) -> Correlates:
    return correlate({"3-res-x": table(values)}, failed, min_support=5, permutations=499, seed=0)


def taken(kind: str, seed: int = 0) -> list[int]:
    values, failed = world(kind, seed)
    found = correlates_of(values, failed)
    groups = feature_classes(found, ALPHA)
    chosen = select_classes(found, failed, groups, alpha=ALPHA, permutations=499, seed=0)
    return [int(found.column[one.members[0]]) for one in chosen]


def test_a_copy_of_a_cause_is_not_taken_though_it_is_significant_by_itself() -> None:
    values, failed = world("copy")
    found = correlates_of(values, failed)
    assert found.decisive[1] <= ALPHA
    assert taken("copy") == [0]


def test_a_second_cause_is_taken_beyond_the_first() -> None:
    assert [set(taken("or", seed)) for seed in range(3)] == [{0, 1}] * 3


def test_nothing_is_taken_where_nothing_is_significant_and_seldom_too_much_where_one_is() -> None:
    assert taken("none") == []
    assert sum(len(taken("copy", seed)) > 1 for seed in range(12)) <= 2


def test_the_z_within_strata_is_the_sum_over_them() -> None:
    """Against the permutation distribution itself."""
    values, failed = world("or", 3)
    codes = (values[:, 0] > 0).astype(int)
    rng = np.random.default_rng(0)
    sums = []
    for _ in range(2_000):
        shuffled = failed.copy()
        for stratum in (0, 1):
            rows = np.flatnonzero(codes == stratum)
            shuffled[rows] = failed[rng.permutation(rows)]
        sums.append(values[shuffled, 1].sum())
    by_chance = np.array(sums)
    z = abs(values[failed, 1].sum() - by_chance.mean()) / by_chance.std()
    found = _stratified_z(csr_matrix(values[:, [1]]), failed, codes)
    assert found[0] == pytest.approx(z, rel=0.06)


def test_a_cause_that_another_hides_is_a_class_of_the_audit_with_what_it_says_beyond() -> None:
    values, failed = world("or")
    records = [
        {"prompt": f"prompt {i}", "target": "Zed", "success": bool(not f)}
        for i, f in enumerate(failed)
    ]
    audit = audit_answers(
        Answers.from_records(records, "made"), {"3-res-x": table(values)},
        config=AuditConfig.of(permutations=499, baselines=False),
    )  # fmt: skip
    beyond = {c.features[0]: c.beyond for _, c in audit.classes}
    (second,) = [name for name, one in beyond.items() if one is not None]
    first = next(iter(name for name, one in beyond.items() if one is None))
    assert {first, second} == {"3-res-x/0", "3-res-x/1"}
    found = beyond[second]
    assert isinstance(found, BeyondClasses)
    assert found.classes == [first]
    assert found.p_value <= ALPHA
    assert 10 <= found.failures_in_them <= failed.sum()
