"""Bootstraps against SciPy and the list of all resamples."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from faultlens.stats.intervals import (
    bootstrap_mean,
    nadeau_bengio,
    paired_bootstrap,
)


def test_bootstrap_agrees_with_all_resamples() -> None:
    """Skewed, so that the basic and the normal interval lie elsewhere."""
    values = np.array([0.0, 0.0, 0.3, 1.1, 2.5, 9.7])
    every = values[np.indices((6,) * 6).reshape(6, -1)].mean(axis=0)
    low, high = bootstrap_mean(values, np.random.default_rng(0), level=0.9, resamples=40_000)
    assert (low, high) == pytest.approx(tuple(np.quantile(every, [0.05, 0.95])), rel=0.05)
    basic = 2 * values.mean() - high, 2 * values.mean() - low
    assert basic != pytest.approx((low, high), rel=0.3)


def test_bootstrap_of_many_values_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(1).exponential(size=400)
    half = 1.96 * values.std() / 20
    interval = bootstrap_mean(values, np.random.default_rng(2), resamples=4000)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), rel=0.03)


def test_bootstrap_moves_and_stretches_with_its_values() -> None:
    values = np.random.default_rng(3).lognormal(size=19)
    low, high = bootstrap_mean(values, np.random.default_rng(4), resamples=500)
    moved = bootstrap_mean(3 * values - 7, np.random.default_rng(4), resamples=500)
    assert moved == pytest.approx((3 * low - 7, 3 * high - 7))


def test_a_higher_level_gives_a_wider_bootstrap_interval() -> None:
    values = np.random.default_rng(5).lognormal(size=61)
    inner = bootstrap_mean(values, np.random.default_rng(6), level=0.9, resamples=2000)
    outer = bootstrap_mean(values, np.random.default_rng(6), level=0.95, resamples=2000)
    assert outer[0] < inner[0] < values.mean() < inner[1] < outer[1]


def test_bootstrap_of_equal_values_has_no_width() -> None:
    assert bootstrap_mean(np.full(8, 0.5), np.random.default_rng(7), resamples=50) == (0.5, 0.5)


@pytest.mark.parametrize(("repeats", "folds"), [(1, 5), (10, 5), (3, 2), (2, 10)])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_nadeau_bengio_is_the_t_interval_of_its_corrected_error(
    repeats: int, folds: int, level: float
) -> None:
    values = np.random.default_rng(8).beta(8, 2, (repeats, folds))
    error = np.sqrt(stats.sem(values, axis=None) ** 2 + values.var(ddof=1) / (folds - 1))
    expected = stats.t.interval(level, df=folds - 1, loc=values.mean(), scale=error)
    assert nadeau_bengio(values, level) == pytest.approx((values.mean(), *expected))


@pytest.mark.parametrize("repeats", [1, 10])
def test_nadeau_bengio_covers_folds_that_share_training_prompts(repeats: int) -> None:
    """Fold values with the correlation 1/K that the correction stands for. With one repeat the
    cover is exactly the level; the uncorrected t interval is far below it."""
    rng, k, draws = np.random.default_rng(9), 5, 2000
    shared = rng.normal(size=(draws, 1, 1))
    values = np.sqrt(1 / k) * shared + np.sqrt(1 - 1 / k) * rng.normal(size=(draws, repeats, k))
    bounds = np.array([nadeau_bengio(each)[1:] for each in values])
    cover = np.mean((bounds[:, 0] <= 0) & (bounds[:, 1] >= 0))
    error = 3 * np.sqrt(0.05 * 0.95 / draws)
    assert cover >= 0.95 - error
    if repeats == 1:
        assert cover <= 0.95 + error
    flat = values.reshape(draws, -1)
    naive = stats.ttest_1samp(flat, 0, axis=1).pvalue > 0.05
    assert naive.mean() < 0.9


def test_more_repeats_narrow_nadeau_bengio_only_so_far() -> None:
    once = np.array([[0.9, 0.7, 0.8, 0.6, 0.85]])
    widths = [np.diff(nadeau_bengio(np.tile(once, (r, 1)))[1:])[0] for r in (1, 10, 1000)]
    assert widths[0] > widths[1] > widths[2] > 0.5 * widths[0]


@pytest.mark.parametrize("shape", [(3, 1), (0, 5), (5,)])
def test_nadeau_bengio_without_folds_is_refused(shape: tuple[int, ...]) -> None:
    message = f"shape {shape}: expected [repeats, folds] with at least 2 folds"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        nadeau_bengio(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nadeau_bengio_refuses_a_fold_that_was_not_scored(value: float) -> None:
    message = "a fold's value is not finite: leave out what could not be scored"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        nadeau_bengio(np.array([[0.5, value]]))


BEFORE = np.array([0.2, 0.9, 1.1, 2.5, 9.7, 3.1])
AFTER = np.array([0.31, 1.57, 1.02, 4.63, 12.79, 3.36])


def test_paired_bootstrap_agrees_with_all_resamples() -> None:
    """Were the members of a pair drawn apart, the interval would hold 0."""
    every = np.indices((6,) * 6).reshape(6, -1)
    means = (AFTER - BEFORE)[every].mean(axis=0)
    found = paired_bootstrap(
        lambda rows: float(AFTER[rows].mean() - BEFORE[rows].mean()),
        6,
        np.random.default_rng(10),
        level=0.9,
        resamples=20_000,
    )
    error = 3 * np.sqrt(0.05 * 0.95 / 20_000)
    for bound, share in zip(found, (0.05, 0.95), strict=True):
        assert np.mean(means < bound - 1e-9) <= share + error
        assert np.mean(means <= bound + 1e-9) >= share - error
    assert found[0] > 0
    apart = AFTER[every].mean(axis=0)[:, None] - BEFORE[every].mean(axis=0)[None, ::97]
    assert np.quantile(apart, 0.05) < 0


def test_paired_bootstrap_is_scipys() -> None:
    rng = np.random.default_rng(11)
    one = rng.lognormal(size=40)
    two = one + rng.normal(size=40)
    theirs = stats.bootstrap(
        (one, two),
        lambda x, y: np.corrcoef(x, y)[0, 1],
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=6000,
        rng=np.random.default_rng(12),
    ).confidence_interval
    ours = paired_bootstrap(
        lambda rows: float(np.corrcoef(one[rows], two[rows])[0, 1]),
        40,
        np.random.default_rng(13),
        resamples=6000,
    )
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.015)


@pytest.mark.parametrize("undefined", [None, np.nan])
def test_resamples_without_a_statistic_are_drawn_again(undefined: float | None) -> None:
    """The area under the curve of seven rows, two of them failures: one resample in eleven has
    no failure. All resamples that have both outcomes give the expected bounds."""
    score = np.array([0.9, 0.4, 0.6, 0.5, 0.3, 0.2, 0.1])
    failed = np.arange(7) < 2

    def area(rows: np.ndarray) -> float | None:
        if failed[rows].all() or not failed[rows].any():
            return undefined
        one, other = score[rows][failed[rows], None], score[rows][~failed[rows]]
        return float(((one > other) + 0.5 * (one == other)).mean())

    found = paired_bootstrap(area, 7, np.random.default_rng(14), level=0.8, resamples=3000)
    rng = np.random.default_rng(15)
    kept = [area(rows) for rows in rng.integers(0, 7, size=(3000, 7))]
    defined = [value for value in kept if value is not None and not np.isnan(value)]
    assert 0.08 < 1 - len(defined) / 3000 < 0.11
    assert found == pytest.approx(tuple(np.quantile(defined, [0.1, 0.9])), abs=0.02)


def test_a_statistic_that_is_mostly_undefined_is_refused() -> None:
    message = "101 of 101 resamples leave the statistic undefined: too few rows bear on it"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        paired_bootstrap(lambda rows: None, 5, np.random.default_rng(16), resamples=100)
    with pytest.raises(ValueError, match=r"^0 rows: a bootstrap needs at least 1$"):
        paired_bootstrap(lambda rows: 0.0, 0, np.random.default_rng(17))


def test_the_same_seed_gives_the_same_bootstrap() -> None:
    found = [
        paired_bootstrap(
            lambda rows: float(AFTER[rows].mean()), 6, np.random.default_rng(18), resamples=200
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
