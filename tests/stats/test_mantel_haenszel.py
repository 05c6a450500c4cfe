"""The Cochran–Mantel–Haenszel test and odds ratio, against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable

from faultlens.stats.mantel_haenszel import MantelHaenszel, mantel_haenszel


def referee(active: np.ndarray, failed: np.ndarray, codes: np.ndarray) -> StratifiedTable:
    tables = []
    for s in np.unique(codes):
        cells = [[(a, f) for f in (True, False)] for a in (True, False)]
        here = [
            [np.sum((active == a) & (failed == f) & (codes == s)) for a, f in row] for row in cells
        ]
        tables.append(np.array(here, dtype=float))
    return StratifiedTable(tables)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), strata=st.integers(1, 6), level=st.sampled_from([0.8, 0.95]))
def test_all_numbers_are_statsmodels(seed: int, strata: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.append(np.repeat(np.arange(strata), 2), rng.integers(0, strata, 60)))
    failed = rng.random(len(codes)) < 0.2 + 0.5 * rng.random(strata)[codes]
    active = rng.random(len(codes)) < 0.2 + 0.3 * failed + 0.3 * rng.random(strata)[codes]
    theirs = referee(active, failed, codes)
    ours = mantel_haenszel(active, failed, codes, level, correction=False)
    assume(ours.odds_ratio)
    low, high = theirs.oddsratio_pooled_confint(alpha=1 - level)
    assert (ours.odds_ratio, ours.low, ours.high) == pytest.approx(
        (theirs.oddsratio_pooled, low, high), rel=1e-9
    )
    plain = theirs.test_null_odds()
    assert ours.statistic == pytest.approx(plain.statistic, rel=1e-9, abs=1e-12)
    assert ours.p == pytest.approx(plain.pvalue, rel=1e-6, abs=1e-12)
    corrected = mantel_haenszel(active, failed, codes)
    expected = sum(active[h].sum() * failed[h].mean() for h in (codes == s for s in set(codes)))
    gap = abs(np.sum(active & failed) - expected)
    if gap >= 0.5:
        assert corrected.statistic == pytest.approx(theirs.test_null_odds(True).statistic)
    else:
        assert (corrected.statistic, corrected.p) == (0.0, 1.0)


def test_confounding_by_the_stratum_is_taken_out() -> None:
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1], [200, 600])
    failed = rng.random(800) < np.where(codes == 0, 0.8, 0.1)
    active = rng.random(800) < np.where(codes == 0, 0.8, 0.1)
    pooled = mantel_haenszel(active, failed, np.zeros(800, dtype=int))
    within = mantel_haenszel(active, failed, codes)
    assert pooled.low is not None and pooled.low > 5
    assert within.low is not None and within.high is not None
    assert within.low < 1 < within.high


def test_the_interval_covers_a_common_odds_ratio() -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(4), [30, 60, 90, 120])
    base = np.array([-2.0, -1.0, 0.0, 0.5])[codes]
    covered = 0
    for _ in range(300):
        active = rng.random(300) < 0.4
        failed = rng.random(300) < 1 / (1 + np.exp(-(base + np.log(3) * active)))
        found = mantel_haenszel(active, failed, codes)
        assert found.low is not None and found.high is not None
        covered += found.low <= 3 <= found.high
    assert stats.binom.ppf(0.005, 300, 0.95) <= covered <= stats.binom.ppf(0.995, 300, 0.95)


def truth(text: str) -> np.ndarray:
    return np.array(list(text)) == "1"


@pytest.mark.parametrize(
    ("active", "failed", "expected"),
    [
        ("1100", "1100", MantelHaenszel(None, None, None, 0.75, 0.3865)),  # no counterexample
        ("1100", "0011", MantelHaenszel(0.0, None, None, 0.75, 0.3865)),
        ("1111", "1100", MantelHaenszel(None, None, None, None, None)),  # active everywhere
        ("1010", "1111", MantelHaenszel(None, None, None, None, None)),  # one outcome
    ],
)
def test_what_is_not_defined_is_none(active: str, failed: str, expected: MantelHaenszel) -> None:
    found = mantel_haenszel(truth(active), truth(failed), np.zeros(4, dtype=int))
    assert found.odds_ratio == expected.odds_ratio
    assert (found.low, found.high) == (None, None)
    assert found.statistic == expected.statistic
    assert found.p == (expected.p and pytest.approx(expected.p, abs=1e-4))


def test_strata_of_one_prompt_and_codes_without_prompts_add_nothing() -> None:
    rng = np.random.default_rng(2)
    active, failed, codes = rng.random(40) < 0.5, rng.random(40) < 0.4, np.arange(40) % 2
    alone = mantel_haenszel(active, failed, codes)
    more = mantel_haenszel(
        np.append(active, [True, False]), np.append(failed, [True, True]), np.append(codes, [5, 9])
    )
    assert more == alone
    singles = mantel_haenszel(active, failed, np.arange(40))
    assert singles == MantelHaenszel(None, None, None, None, None)
