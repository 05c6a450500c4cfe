"""The score test by block: against its formula written out, and on planted nulls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact, t

from faultlens.stats.cluster_score import cluster_score_p


def test_it_is_the_formula_written_out() -> None:
    rng = np.random.default_rng(0)
    blocks, strata = rng.integers(0, 9, 70), rng.integers(0, 3, 70)
    member, failed = rng.random(70) < 0.4, rng.random(70) < 0.3
    parts = dict.fromkeys(range(9), 0.0)
    for i in range(70):
        same = strata == strata[i]
        parts[int(blocks[i])] += (member[i] - member[same].mean()) * (
            failed[i] - failed[same].mean()
        )
    z = sum(parts.values()) / np.sqrt(sum(part**2 for part in parts.values()))
    inside = len(set(blocks[member]))
    outside = len(set(blocks[~member]))
    expected = 2 * t.sf(abs(z), min(inside, outside) - 1)
    assert cluster_score_p(member[None], failed, blocks, strata)[0] == pytest.approx(expected)


def test_a_level_that_is_one_block_is_never_significant() -> None:
    blocks = np.repeat(np.arange(30), 10)
    failed = blocks == 4
    assert fisher_exact([[10, 0], [0, 290]]).pvalue < 1e-15
    assert cluster_score_p(failed[None], failed, blocks)[0] == 1.0, "one block holds all members"
    several = np.isin(blocks, range(12))  # of twelve blocks, all fail: that is told
    assert cluster_score_p(several[None], several, blocks)[0] < 1e-3


def test_a_level_of_blocks_is_found_by_chance_only() -> None:
    found = plain = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        blocks = np.repeat(np.arange(40), 8)
        rate = 1 / (1 + np.exp(1.5 - rng.normal(0, 1.5, 40)))
        failed = rng.random(320) < rate[blocks]
        member = (rng.random(40) < 0.4)[blocks]
        found += cluster_score_p(member[None], failed, blocks)[0] <= 0.05
        counts = [[(member & failed).sum(), (member & ~failed).sum()],
                  [(~member & failed).sum(), (~member & ~failed).sum()]]  # fmt: skip
        plain += fisher_exact(counts).pvalue <= 0.05
    assert found <= 18  # P(more than 18 of 200 | .05) = .004
    assert plain >= 40
