"""Effects found in one half shrink in the other: fully where nothing is there, not where it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from faultlens.auditing.config import FeatureTestConfig
from faultlens.auditing.replication.split_half import HalfReplication, halves, replicate
from faultlens.features.table import FeatureTable

FAILED = np.arange(200) < 60


def table(matrix: np.ndarray) -> dict[str, FeatureTable]:
    rows = pd.DataFrame({"text": [str(i) for i in range(len(matrix))]})
    return {"8-res": FeatureTable("8-res", csr_matrix(matrix.astype(np.float32)), rows, {}, 8)}


def noise(rng: np.random.Generator, features: int) -> np.ndarray:
    fires = rng.random((200, features)) < 0.3
    return np.where(fires, rng.gamma(2.0, 1.0, (200, features)), 0.0)


def test_each_half_has_half_of_the_failures() -> None:
    first, second = halves(FAILED, seed=3)
    assert sorted([*first, *second]) == list(range(200))
    assert FAILED[first].sum() == FAILED[second].sum() == 30
    assert not np.array_equal(halves(FAILED, seed=4)[0], first)


def test_a_planted_class_replicates() -> None:
    rng = np.random.default_rng(0)
    matrix = noise(rng, 50)
    fires = rng.random(200) < np.where(FAILED, 0.9, 0.3)
    matrix[:, 7] = np.where(fires, rng.normal(3.0, 0.3, 200), 0.0)
    done = replicate(
        table(matrix),
        FAILED,
        config=FeatureTestConfig(permutations=999),
        alpha=0.05,
        seed=0,
    )
    found, shrinkage = done.readings, done.shrinkage
    assert found[0].features == ["8-res/7"]
    top = found[0]
    assert top.replication is not None
    assert top.discovery is not None
    assert top.replication.low < top.discovery
    assert top.replication.low > 0.5
    assert top.p_replication is not None
    assert top.p_replication < 0.001
    assert top.rate_replication > 0.3
    assert shrinkage == pytest.approx(1.0, abs=0.35)


def test_what_noise_brings_up_shrinks_to_nothing() -> None:
    """A level of .9 lets noise through, as looking at many features does."""
    ratios = []
    for seed in range(12):
        matrix = noise(np.random.default_rng(seed), 200)
        done = replicate(
            table(matrix),
            FAILED,
            config=FeatureTestConfig(permutations=199),
            alpha=0.999,
            seed=seed,
        )
        found, shrinkage = done.readings, done.shrinkage
        if found:
            assert shrinkage is not None
            assert all(r.discovery is not None and r.discovery > 0.4 for r in found)
            ratios.append(shrinkage)
    assert len(ratios) > 6
    assert np.mean(ratios) == pytest.approx(0.0, abs=0.15)


def test_too_few_failures_are_not_halved() -> None:
    few = np.arange(200) < 9
    found = replicate(
        table(noise(np.random.default_rng(0), 20)),
        few,
        config=FeatureTestConfig(permutations=99),
        alpha=0.05,
        seed=0,
    )
    assert found == HalfReplication([], None)


def test_there_is_no_share_of_an_effect_of_nothing() -> None:
    """Firing goes with failure, but the means are equal: d is 0, and nothing is divided by it."""
    values = np.ones(200)
    for half in halves(FAILED, seed=0):
        successes = half[~FAILED[half]]
        values[successes] = np.where(np.arange(len(successes)) % 5 == 0, 5.0, 0.0)
    done = replicate(
        table(values[:, None]),
        FAILED,
        config=FeatureTestConfig(permutations=199),
        alpha=0.05,
        seed=0,
    )
    assert [reading.discovery for reading in done.readings] == [0.0]
    assert done.shrinkage is None
