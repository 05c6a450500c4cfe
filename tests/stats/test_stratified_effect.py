"""The effect within strata. The referee is statsmodels' least squares with a column a stratum."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from faultlens.stats.effects import cohens_d
from faultlens.stats.strata import informative
from faultlens.stats.stratified_effect import stratified_d


def sample(seed: int, n: int = 120, strata: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unequal strata and spreads, ties and zeros; some strata hold one group, or one value."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(strata, n, p=rng.dirichlet(np.full(strata, 2.0)))
    codes = np.unique(codes, return_inverse=True)[1]
    first = rng.random(n) < rng.choice([0.0, 0.1, 0.5, 0.9, 1.0], codes.max() + 1)[codes]
    first[:2], codes[:2] = (True, False), 0
    spread = np.where(first, 3.0, 1.0)
    values = np.round(codes + first + spread * rng.gamma(1.0, 1.0, n), 1)
    values[rng.random(n) < 0.3] = 0.0
    values[codes == codes.max()] = 2.5
    return values, first, codes


def pooled_sd(values: np.ndarray, first: np.ndarray) -> float:
    """From Cohen's d, which has it below the line."""
    difference = values[first].mean() - values[~first].mean()
    return float(difference / cohens_d(values[:, None], first)[0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_it_is_least_squares_with_a_constant_for_every_stratum(seed: int, level: float) -> None:
    values, first, codes = sample(seed)
    telling = informative(first, codes, values)
    assert 1 < telling.sum() < len(telling), "some strata tell nothing"
    kept = telling[codes]
    dummies = codes[kept][:, None] == np.flatnonzero(telling)
    design = np.column_stack([first[kept], dummies]).astype(float)
    fit = sm.OLS(values[kept], design).fit()
    error = max(fit.bse[0], fit.HC3_se[0])
    spread = pooled_sd(values, first)
    effect, low, high = stratified_d(values, first, codes, level)
    assert effect == pytest.approx(fit.params[0] / spread, rel=1e-10)
    half = student.ppf((1 + level) / 2, fit.df_resid) * error / spread
    assert (high - effect, effect - low) == pytest.approx((half, half), rel=1e-9)


def test_either_standard_error_may_be_the_larger() -> None:
    """Where the small group varies more, HC3's is; where it varies less, the usual one."""
    codes = np.zeros(60, dtype=int)
    first = np.arange(60) < 8
    errors = {}
    for name, spreads in (("small group varies", (5.0, 1.0)), ("large group varies", (1.0, 5.0))):
        rng = np.random.default_rng(1)
        values = rng.normal(size=60) * np.where(first, *spreads)
        fit = sm.OLS(values, sm.add_constant(first.astype(float))).fit()
        errors[name] = fit.HC3_se[1] > fit.bse[1]
        _, low, high = stratified_d(values, first, codes)
        half = student.ppf(0.975, 58) * max(fit.HC3_se[1], fit.bse[1])
        assert (high - low) / 2 == pytest.approx(half / pooled_sd(values, first))
    assert errors == {"small group varies": True, "large group varies": False}


def test_in_one_stratum_it_is_cohens_d() -> None:
    values, first, _ = sample(7)
    effect, _, _ = stratified_d(values, first, np.zeros(len(values), dtype=int))
    assert effect == pytest.approx(cohens_d(values[:, None], first)[0])


def test_what_the_strata_explain_is_not_an_effect() -> None:
    """Failures lie in one stratum, where the values are high; within strata there is nothing."""
    rng = np.random.default_rng(2)
    codes = np.repeat([0, 1], 400)
    first = rng.random(800) < np.where(codes == 0, 0.7, 0.1)
    values = np.where(codes == 0, 4.0, 0.0) + rng.normal(size=800)
    effect, low, high = stratified_d(values, first, codes)
    assert low < 0 < high and abs(effect) < 0.1
    assert cohens_d(values[:, None], first)[0] > 1
    effect, low, high = stratified_d(values + first, first, codes)
    assert low > 0.3, "and what is planted within them is found"


def test_the_interval_covers_at_unequal_spreads() -> None:
    """20 failures spread three times as wide as 180 successes: the usual error alone covers .67."""
    rng = np.random.default_rng(3)
    codes = np.arange(200) % 5
    first = np.arange(200) < 20
    covered = 0
    for _ in range(400):
        values = codes + rng.normal(size=200) * np.where(first, 3.0, 1.0)
        _, low, high = stratified_d(values, first, codes)
        covered += low <= 0 <= high
    assert covered / 400 >= 0.92


@pytest.mark.parametrize(
    ("values", "first", "codes"),
    [
        ([1, 2, 3, 4, 5, 6], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]),
        ([1, 1, 1, 2, 2, 2], [1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 1, 1]),
        ([1, 2, 3, 3, 3, 3], [1, 0, 1, 1, 0, 0], [0, 0, 1, 1, 2, 2]),
        ([0.7, 0.7, 0.7, 0.1, 0.1, 0.1], [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 0, 1]),
        ([1, 2], [1, 0], [0, 0]),
        ([1, 2, 3], [0, 0, 0], [0, 0, 1]),
    ],
    ids=[
        "one group a stratum",
        "one value a stratum",
        "two rows",
        "two constant groups",
        "two rows in all",
        "one group",
    ],
)
def test_where_nothing_can_be_estimated_there_is_no_effect(
    values: list[float], first: list[int], codes: list[int]
) -> None:
    assert stratified_d(np.array(values, float), np.array(first) > 0, np.array(codes)) is None


def test_the_rounding_of_constants_is_no_spread() -> None:
    """The mean of 61 times 0.7 is not 0.7 in float64: an effect of 4e15 SD would come of it."""
    first = np.arange(300) < 61
    values = np.where(first, 0.7, 0.1)
    assert values[first].mean() != 0.7
    assert stratified_d(values, first, np.arange(300) % 4) is None


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 50), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_strata_change_nothing(
    seed: int, random: object
) -> None:
    values, first, codes = sample(seed, n=40, strata=4)
    order, names = np.arange(40), np.arange(codes.max() + 4)  # some codes name no stratum
    random.shuffle(order)  # type: ignore[attr-defined]
    random.shuffle(names)  # type: ignore[attr-defined]
    expected = stratified_d(values, first, codes)
    moved = stratified_d(values[order], first[order], names[codes][order])
    assert (moved is None) is (expected is None)
    if expected is not None:
        np.testing.assert_allclose(moved, expected, rtol=1e-9, atol=1e-12)
        assert expected[1] <= expected[0] <= expected[2]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 50), st.sampled_from([0.01, 3.0, 1e4]), st.sampled_from([-7.0, 0.0, 2.0]))
def test_units_change_nothing_and_swapping_groups_changes_the_sign(
    seed: int, unit: float, shift: float
) -> None:
    values, first, codes = sample(seed, n=40, strata=4)
    expected = stratified_d(values, first, codes)
    other_units = stratified_d(unit * values + shift, first, codes)
    swapped = stratified_d(values, ~first, codes)
    assert (other_units is None) is (swapped is None) is (expected is None)
    if expected is not None:
        np.testing.assert_allclose(other_units, expected, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(
            [-swapped[0], -swapped[2], -swapped[1]], expected, rtol=1e-9, atol=1e-12
        )
