"""Outcomes permuted by block: against counting all arrangements, and on planted nulls."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from faultlens.stats import block_sets as block_set_module
from faultlens.stats.block_sets import block_sets, outcome_sets
from faultlens.stats.label_null import random_sets
from faultlens.stats.stepdown import max_t
from faultlens.stats.strata import stratified_sets

ONE = np.zeros(12, dtype=int)


def test_blocks_of_one_size_only_change_places_and_all_arrangements_are_equally_likely() -> None:
    failed = np.array([1, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]) > 0
    blocks = np.arange(12) // 3
    sets = block_sets(failed, blocks, ONE, 12_000, np.random.default_rng(0))
    counts = sets.reshape(-1, 4, 3).sum(axis=2)
    arrangements = {tuple(p) for p in permutations((3, 0, 1, 0))}
    seen, times = np.unique(counts, axis=0, return_counts=True)
    assert {tuple(row) for row in seen.tolist()} == arrangements
    assert np.abs(times / 12_000 - 1 / len(arrangements)).max() < 0.01


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_the_margins_of_every_stratum_are_those_of_the_outcome(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    failed, strata = rng.random(n) < rng.random(), rng.integers(0, 4, n)
    blocks = rng.integers(0, int(rng.integers(1, n + 1)), n)
    sets = block_sets(failed, blocks, strata, 30, rng)
    for stratum in np.unique(strata):
        rows = strata == stratum
        assert (sets[:, rows].sum(axis=1) == failed[rows].sum()).all()


def test_labels_of_one_block_stay_together_across_strata() -> None:
    """A block fails everywhere or nowhere; a random outcome has it so too."""
    blocks, strata = np.repeat(np.arange(40), 6), np.tile([0, 1, 2], 80)
    failed = np.isin(blocks, [0, 7, 20, 30])
    sets = block_sets(failed, blocks, strata, 200, np.random.default_rng(1))
    assert np.isin(sets.reshape(200, 40, 6).sum(axis=2), [0, 6]).all()


def test_without_blocks_the_draws_are_the_plain_ones() -> None:
    failed, strata = np.arange(30) % 4 == 0, np.arange(30) % 3
    plain = outcome_sets(failed, 50, np.random.default_rng(2))
    assert (plain == random_sets(30, 8, 50, np.random.default_rng(2))).all()
    within = outcome_sets(failed, 50, np.random.default_rng(2), strata=strata)
    assert (within == stratified_sets(failed, strata, 50, np.random.default_rng(2))).all()


def clustered(seed: int, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features and failures that both go with blocks, and not with one another."""
    rng = np.random.default_rng(seed)
    blocks = np.repeat(np.arange(len(sizes)), sizes)
    strength = 1 + 0.2 * rng.random((len(blocks), 20))
    values = (rng.random((len(sizes), 20)) < 0.4)[blocks] * strength
    rate = 1 / (1 + np.exp(1.5 - rng.normal(0, 1.5, len(sizes))))
    return values, rng.random(len(blocks)) < rate[blocks], blocks


@pytest.mark.parametrize("equal", [True, False])
def test_features_that_go_with_the_blocks_are_found_by_chance_only(equal: bool) -> None:
    """Of 60 sets; with labels dealt out one by one most have a significant feature."""
    by_block = one_by_one = 0
    for seed in range(60):
        sizes = np.full(30, 6) if equal else np.random.default_rng(seed).integers(1, 13, 30)
        values, failed, blocks = clustered(seed, sizes)
        for known in (True, False):
            rng = np.random.default_rng(seed)
            sets = outcome_sets(failed, 99, rng, blocks=blocks if known else None)
            found = bool(max_t(csr_matrix(values), sets, failed).min() <= 0.05)
            by_block += known and found
            one_by_one += not known and found
    assert by_block <= 7  # P(more than 7 of 60 | .05) = .008
    assert one_by_one >= 14


def test_what_goes_with_failure_inside_blocks_is_found() -> None:
    found = 0
    for seed in range(10):
        values, _, blocks = clustered(seed, np.full(30, 6))
        rng = np.random.default_rng([1, seed])
        inside = rng.random(180) < 0.3
        values[:, 0] = inside * rng.lognormal(size=180)
        failed = rng.random(180) < np.where(inside, 0.6, 0.1)
        sets = outcome_sets(failed, 99, rng, blocks=blocks)
        found += max_t(csr_matrix(values), sets, failed)[0] <= 0.05
    assert found >= 9


def test_blocks_that_lie_in_one_stratum_change_places_within_it() -> None:
    """Each prompt stands twice, in one stratum: both fail or neither, in every random outcome."""
    blocks, strata = np.arange(120) % 60, (np.arange(120) % 60) // 15
    failed = np.isin(blocks, [0, 3, 16, 31, 47, 48, 49])
    sets = block_sets(failed, blocks, strata, 300, np.random.default_rng(1))
    assert (sets[:, :60] == sets[:, 60:]).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_rows_that_repeat_one_another_get_one_label_in_blocks_of_any_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = int(rng.integers(12, 60))
    blocks = rng.integers(0, int(rng.integers(2, 12)), pairs)
    failed, strata = rng.random(pairs) < 0.3, rng.integers(0, int(rng.integers(1, 4)), pairs)
    twice = {"blocks": np.tile(blocks, 2), "strata": np.tile(strata, 2)}
    parts = np.tile(np.arange(pairs), 2)
    sets = block_sets(np.tile(failed, 2), **twice, permutations=100, rng=rng, parts=parts)
    one, other = sets[:, :pairs], sets[:, pairs:]
    assert (one == other).all()
    torn = block_sets(np.tile(failed, 2), **twice, permutations=100, rng=rng)
    if len(np.unique(np.bincount(blocks))) > 2 and failed.sum() > 2:
        assert (torn[:, :pairs] != torn[:, pairs:]).any()


def test_parts_of_one_row_are_no_parts() -> None:
    rng = np.random.default_rng(5)
    failed, blocks = rng.random(60) < 0.3, rng.integers(0, 9, 60)
    sets = block_sets(failed, blocks, np.zeros(60, dtype=int), 4_000, rng, np.arange(60))
    plain = block_sets(failed, blocks, np.zeros(60, dtype=int), 4_000, rng)
    assert np.abs(sets.mean(axis=0) - plain.mean(axis=0)).max() < 0.05


def test_how_many_are_dealt_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    failed, blocks = rng.random(60) < 0.3, rng.integers(0, 12, 60)
    strata, parts = rng.integers(0, 3, 60), rng.integers(0, 40, 60)
    whole = block_sets(failed, blocks, strata, 50, np.random.default_rng(9), parts)
    monkeypatch.setattr(block_set_module, "IN_CACHE", 60 * 7)
    in_turn = block_sets(failed, blocks, strata, 50, np.random.default_rng(9), parts)
    np.testing.assert_array_equal(in_turn, whole)
    assert len(np.unique(whole, axis=0)) > 40
