"""What goes with failure within strata and not over all prompts is listed, and alpha is shared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from faultlens.auditing.config import FeatureTestConfig
from faultlens.auditing.factors.levels import held_levels
from faultlens.auditing.factors.selection import select_levels
from faultlens.auditing.feature_tests.findings import FeatureClass, FeatureFindings, find_features
from faultlens.auditing.feature_tests.strata import stratify
from faultlens.features.table import FeatureTable


def findings(values: np.ndarray, failed: np.ndarray, keys: np.ndarray) -> FeatureFindings:
    rows = pd.DataFrame({"text": [f"prompt {i}" for i in range(len(values))]})
    table = FeatureTable("8-res-x", csr_matrix(values.astype(np.float32)), rows, {}, 8)
    factors = {"object": np.where(keys, "keys", "book").tolist()}
    strata = stratify(held_levels(factors), failed, select_levels(factors, failed, 0.05))
    return find_features(
        {"8-res-x": table}, failed, strata, factors, {},
        config=FeatureTestConfig(permutations=199), alpha=0.05, seed=0,
    )  # fmt: skip


def noise(rng: np.random.Generator, n: int) -> np.ndarray:
    fires = rng.random((n, 20)) < rng.uniform(0.05, 0.6, 20)
    return np.asarray(fires * rng.lognormal(0.5, 0.8, (n, 20)))


def suppressed(seed: int, n: int = 800) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The last feature raises failure within each object, and avoids the object that fails."""
    rng = np.random.default_rng(seed)
    keys = rng.random(n) < 0.13
    values = noise(rng, n)
    fires = np.where(keys, rng.random(n) < 0.03, rng.random(n) < 0.4)
    values[:, -1] = fires * rng.lognormal(0.5, 0.8, n)
    failed = rng.random(n) < np.where(keys, 0.8, 0.04 + 0.21 * fires)
    return values, failed, keys


def of(found: FeatureFindings, index: int) -> list[FeatureClass]:
    return [c for c in found.classes if index in c.features.indices]


def test_a_suppressed_feature_is_listed_with_what_it_says_within_strata() -> None:
    listed = 0
    for seed in range(8):
        found = findings(*suppressed(seed))
        classes = of(found, 19)
        if not classes or classes[0].significant:
            continue
        listed += 1
        (reading,) = classes
        assert reading.p_deciding > 0.05 >= reading.p_suppressed
        assert reading.p_suppressed == pytest.approx(min(reading.p_conditional / 0.2, 1))
        assert reading.confounds.firing.low > 0
        assert reading.flagged_by == []
    assert listed >= 3


def test_the_deciding_tests_give_up_a_fifth_of_alpha_where_factors_are_held() -> None:
    values, failed, keys = suppressed(0)
    found = findings(values, failed, keys)
    first = found.classes[0]
    smaller = min(first.p_min_p, first.p_max_t)
    assert first.p_deciding == pytest.approx(min(2 * smaller / 0.8, 1))
    rng = np.random.default_rng(1)
    plain = findings(values, rng.random(800) < 0.2, keys)  # no factor goes with it
    first = plain.classes[0]
    assert first.p_deciding == pytest.approx(min(2 * min(first.p_min_p, first.p_max_t), 1))
    assert first.p_suppressed is None


def test_where_nothing_but_the_factor_matters_either_is_found_by_chance_only() -> None:
    found = 0
    for seed in range(40):
        rng = np.random.default_rng([2, seed])
        keys = rng.random(200) < 0.3
        failed = rng.random(200) < np.where(keys, 0.8, 0.1)
        classes = findings(noise(rng, 200), failed, keys).classes
        found += any(c.significant or c.p_suppressed is not None for c in classes)
    assert found <= 5  # P(more than 5 of 40 | .05) = .014
