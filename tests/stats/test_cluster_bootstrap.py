"""Intervals over blocks cover; those over rows do not; and their parts are the plain effects."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from faultlens.stats.cluster_bootstrap import _weighted_auroc, cluster_bootstrap


def test_a_weighted_area_is_that_of_the_rows_repeated() -> None:
    rng = np.random.default_rng(0)
    values, first = rng.integers(0, 5, 30).astype(float), np.arange(30) < 11
    times = rng.integers(0, 4, (3, 30))
    weights = times.astype(float)
    found = _weighted_auroc(values[first], values[~first], weights[:, first], weights[:, ~first])
    for row, area in zip(times, found, strict=True):
        rows = np.repeat(np.arange(30), row)
        assert area == pytest.approx(roc_auc_score(first[rows], values[rows]))


def test_intervals_over_blocks_cover_and_intervals_over_rows_do_not() -> None:
    covered = rows = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        blocks = np.repeat(np.arange(40), 6)
        level = rng.normal(size=40)[blocks]
        values, first = np.abs(level + 0.3 * rng.normal(size=240)), (rng.random(40) < 0.4)[blocks]
        for known in (True, False):
            ends = cluster_bootstrap(values, first, blocks if known else np.arange(240))
            inside = ends.mean_difference[0] <= 0 <= ends.mean_difference[1]
            covered += known and inside
            rows += not known and inside
    assert covered >= 33
    assert rows <= 28
