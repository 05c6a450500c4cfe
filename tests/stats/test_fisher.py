"""Fisher's exact test, against SciPy and against whole-number arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.contingency import odds_ratio as scipy_odds_ratio

from faultlens.stats.fisher import attainable_p, fisher_exact, least_attainable, odds_ratio
from faultlens.stats.multiplicity import holm

SHAPES = [(19, 255), (61, 300), (4, 8), (3, 11), (7, 7)]


def attainable(active: int, failures: int, n: int) -> range:
    return range(max(0, failures + active - n), min(failures, active) + 1)


def cells(fail_active: int, active: int, failures: int, n: int) -> list[list[int]]:
    success_active = active - fail_active
    return [
        [fail_active, failures - fail_active],
        [success_active, n - failures - success_active],
    ]


def exact_p(fail_active: int, active: int, failures: int, n: int) -> float:
    """The definition, in whole numbers: the share of tables no likelier than the observed."""
    ways = {
        k: math.comb(failures, k) * math.comb(n - failures, active - k)
        for k in attainable(active, failures, n)
    }
    no_likelier = sum(way for way in ways.values() if way <= ways[fail_active])
    return float(Fraction(no_likelier, math.comb(n, active)))


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    n = draw(st.integers(1, 300))
    failures, active = draw(st.integers(0, n)), draw(st.integers(0, n))
    fail_active = draw(st.sampled_from(attainable(active, failures, n)))
    return fail_active, active, failures, n


@pytest.mark.parametrize(("failures", "n"), SHAPES)
def test_p_is_scipys_for_every_table_of_a_margin(failures: int, n: int) -> None:
    for active in {0, 1, 2, n // 3, n // 2, n - 1, n}:
        counts = np.array(attainable(active, failures, n))
        ours = fisher_exact(counts, np.full(len(counts), active), failures, n)
        theirs = [stats.fisher_exact(cells(k, active, failures, n)).pvalue for k in counts]
        np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@settings(deadline=None, max_examples=100)
@given(tables())
def test_p_is_the_exact_share_of_tables_no_likelier(table: tuple[int, int, int, int]) -> None:
    fail_active, active, failures, n = table
    ours = fisher_exact(np.array([fail_active]), np.array([active]), failures, n)[0]
    assert ours == pytest.approx(exact_p(*table), rel=1e-8)
    assert 0 < ours <= 1


@settings(deadline=None, max_examples=50)
@given(tables())
def test_firing_and_silence_carry_the_same_p(table: tuple[int, int, int, int]) -> None:
    fail_active, active, failures, n = table
    both = fisher_exact(
        np.array([fail_active, failures - fail_active]), np.array([active, n - active]), failures, n
    )
    assert both[0] == pytest.approx(both[1], rel=1e-8)


def test_tables_as_likely_as_the_observed_count() -> None:
    """Doubling one tail, or counting only likelier-than, would give other numbers."""
    p = fisher_exact(np.array([4, 3]), np.array([4, 4]), failures=4, n=8)
    np.testing.assert_allclose(p, [2 / 70, 34 / 70])


def test_permuting_features_permutes_p() -> None:
    rng = np.random.default_rng(0)
    active = rng.integers(0, 256, size=40)
    fail_active = rng.hypergeometric(19, 236, active)
    order = rng.permutation(40)
    p = fisher_exact(fail_active, active, 19, 255)
    np.testing.assert_array_equal(
        fisher_exact(fail_active[order], active[order], 19, 255), p[order]
    )


@pytest.mark.parametrize(("failures", "n"), SHAPES)
def test_every_attainable_count_has_its_p_and_no_other_is_listed(failures: int, n: int) -> None:
    for active in {0, 1, n // 2, n - 1, n}:
        counts = attainable(active, failures, n)
        low, p = attainable_p(active, failures, n)
        assert range(low, low + len(p)) == counts
        np.testing.assert_allclose(p, [exact_p(k, active, failures, n) for k in counts], rtol=1e-8)


@pytest.mark.parametrize(("count", "active"), [(3, 2), (0, 7), (-1, 2), (9, 10)])
def test_a_count_that_its_margins_do_not_allow_is_refused(count: int, active: int) -> None:
    with pytest.raises(ValueError, match="more or fewer failures than its margins allow"):
        fisher_exact(np.array([1, count, 1]), np.array([3, active, 4]), failures=4, n=10)


@pytest.mark.parametrize(("failures", "n"), SHAPES)
def test_least_attainable_p_is_the_least_over_all_tables(failures: int, n: int) -> None:
    active = np.array([n // 2, 1, n, 0, 1])
    least = [min(exact_p(k, a, failures, n) for k in attainable(a, failures, n)) for a in active]
    np.testing.assert_allclose(least_attainable(active, failures, n), least, rtol=1e-8)


def test_a_feature_on_one_prompt_of_300_can_prove_nothing() -> None:
    assert least_attainable(np.array([1]), 61, 300)[0] == pytest.approx(61 / 300)


@settings(deadline=None, max_examples=100)
@given(tables())
def test_odds_ratio_is_scipys(table: tuple[int, int, int, int]) -> None:
    theirs = scipy_odds_ratio(cells(*table), kind="sample").statistic
    assert odds_ratio(*table) == pytest.approx(theirs, nan_ok=True)


def test_odds_ratio_without_a_counterexample_is_infinite() -> None:
    assert odds_ratio(5, 5, 19, 255) == math.inf
    assert odds_ratio(0, 5, 19, 255) == 0
    assert math.isnan(odds_ratio(0, 0, 19, 255))


def test_the_keys_of_the_reference_study() -> None:
    p = fisher_exact(np.array([42]), np.array([45]), failures=61, n=300)[0]
    assert f"{p:.2e}" == "8.79e-33"
    assert f"{odds_ratio(42, 45, 61, 300):.1f}" == "173.9"


def test_reference_study_fisher_with_holm_finds_157_features(reference_data: Path) -> None:
    table = pd.read_csv(reference_data / "ioi_audit" / "feature_stats.csv")
    fail_active = table["n_fail_active"].to_numpy()
    active = fail_active + table["n_succ_active"].to_numpy()
    p = fisher_exact(fail_active, active, failures=61, n=300)
    assert len(p) == 24_576
    assert np.count_nonzero(holm(p) <= 0.05) == 157
    supported = active >= 5
    assert np.count_nonzero(supported) == 787
    assert np.count_nonzero(holm(p[supported]) <= 0.05) == 197


def test_reference_study_without_the_keys_fisher_with_holm_finds_none(reference_data: Path) -> None:
    """Negative control: there the study's own rule flags five."""
    table = pd.read_csv(reference_data / "ioi_audit" / "feature_stats_no_keys.csv")
    fail_active = table["n_fail_active"].to_numpy()
    active = fail_active + table["n_succ_active"].to_numpy()
    assert np.count_nonzero(table["p_holm"] <= 0.05) == 5
    assert holm(fisher_exact(fail_active, active, failures=19, n=255)).min() > 0.05
