"""Strata and the exact conditional test, against every arrangement listed and against SciPy."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from faultlens.stats.fisher import fisher_exact
from faultlens.stats.label_null import random_sets
from faultlens.stats.strata import (
    exact_conditional,
    informative,
    stratified_sets,
    stratum_codes,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 3), min_size=1, max_size=20))
def test_codes_are_equal_exactly_where_all_levels_are(rows: list[tuple[str, ...]]) -> None:
    codes = stratum_codes(list(zip(*rows, strict=True)))
    assert sorted(set(codes.tolist())) == list(range(len(set(rows))))
    for i, j in combinations(range(len(rows)), 2):
        assert (codes[i] == codes[j]) == (rows[i] == rows[j])


def test_levels_are_not_joined_into_one_name() -> None:
    assert stratum_codes([["a b", "a"], ["c", "b c"]]).tolist() == [0, 1]


def test_without_factors_there_is_one_stratum() -> None:
    assert stratum_codes([], n=4).tolist() == [0, 0, 0, 0]
    assert stratum_codes([], n=0).shape == (0,)


@pytest.mark.parametrize(
    ("factors", "n", "lengths"),
    [([["a", "b"], ["c"]], None, r"\[1, 2\]"), ([["a"]], 3, r"\[1, 3\]"), ([], None, r"\[\]")],
)
def test_codes_need_one_number_of_prompts(
    factors: list[list[str]], n: int | None, lengths: str
) -> None:
    message = f"levels for {lengths} prompts: expected one number of prompts"
    with pytest.raises(ValueError, match=message):
        stratum_codes(factors, n)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_informative_strata_have_both_outcomes_and_a_feature_that_varies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, size=14)
    failed, values = rng.random(14) < 0.4, rng.integers(-1, 2, size=14).astype(float)
    expected = [len(set(failed[codes == s])) == 2 for s in range(codes.max() + 1)]
    varies = [len(set(values[codes == s])) > 1 for s in range(codes.max() + 1)]
    assert informative(failed, codes).tolist() == expected
    both = [a and b for a, b in zip(expected, varies, strict=True)]
    assert informative(failed, codes, values).tolist() == both


def test_groups_keep_every_stratums_failures_and_each_arrangement_is_as_likely() -> None:
    codes = np.array([1, 0, 1, 0, 1, 2, 2])
    failed = np.array([1, 1, 0, 0, 0, 1, 1]) > 0
    groups = stratified_sets(failed, codes, 12_000, np.random.default_rng(0))
    assert groups.dtype == bool
    for s in range(3):
        assert (groups[:, codes == s].sum(axis=1) == failed[codes == s].sum()).all()
    arrangements, counts = np.unique(groups, axis=0, return_counts=True)
    assert len(arrangements) == 3 * 2
    assert stats.chisquare(counts).pvalue > 0.001


def test_groups_of_one_stratum_are_random_sets() -> None:
    failed = np.random.default_rng(1).random(40) < 0.3
    drawn = stratified_sets(failed, np.zeros(40, dtype=int), 30, np.random.default_rng(2))
    plain = random_sets(40, int(failed.sum()), 30, np.random.default_rng(2))
    np.testing.assert_array_equal(drawn, plain)


def enumerated(active: np.ndarray, failed: np.ndarray, codes: np.ndarray) -> float:
    """The definition: over every arrangement of the outcome within strata, all equally likely."""
    within = [
        combinations(active[codes == s].astype(int), int(failed[codes == s].sum()))
        for s in np.unique(codes)
    ]
    totals = [sum(sum(part) for part in chosen) for chosen in product(*within)]
    counts = np.bincount(totals)
    observed = counts[np.sum(active & failed)]
    return float(counts[counts <= observed].sum() / len(totals))


@settings(deadline=None, max_examples=80)
@given(seed=st.integers(0, 10_000), strata=st.integers(1, 4))
def test_conditional_p_is_the_share_of_arrangements_no_likelier(seed: int, strata: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, strata, size=12)
    active, failed = rng.random(12) < 0.5, rng.random(12) < 0.4
    p = exact_conditional(active, failed, codes)
    assert p == pytest.approx(enumerated(active, failed, codes), rel=1e-9)
    assert exact_conditional(~active, failed, codes) == pytest.approx(p, rel=1e-9)
    assert exact_conditional(failed, active, codes) == pytest.approx(p, rel=1e-9)


@settings(deadline=None, max_examples=80)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 400))
def test_with_one_stratum_it_is_fishers_test(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    active, failed = rng.random(n) < rng.random(), rng.random(n) < rng.random()
    both, actives = np.array([np.sum(active & failed)]), np.array([active.sum()])
    expected = fisher_exact(both, actives, int(failed.sum()), n)[0]
    p = exact_conditional(active, failed, np.zeros(n, dtype=int))
    assert p == pytest.approx(expected, rel=1e-9)


def test_at_full_size_it_is_a_convolution_of_hypergeometrics() -> None:
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 7, size=300)
    active, failed = rng.random(300) < 0.2 + 0.1 * (codes == 2), rng.random(300) < 0.2
    likely = np.zeros(301)
    likely[0] = 1.0
    for s in range(7):
        here = codes == s
        law = stats.hypergeom(here.sum(), active[here].sum(), failed[here].sum())
        moved = np.zeros(301)
        for total, count in product(range(301), range(61)):
            if likely[total] and law.pmf(count):
                moved[total + count] += likely[total] * law.pmf(count)
        likely = moved
    observed = likely[np.sum(active & failed)]
    expected = likely[likely <= observed * (1 + 1e-7)].sum()
    assert exact_conditional(active, failed, codes) == pytest.approx(expected, rel=1e-9)


def test_where_nothing_can_be_said_p_is_one_and_never_nought() -> None:
    codes = np.array([0, 0, 1, 1])
    by_stratum = codes == 0
    assert exact_conditional(by_stratum, by_stratum, codes) == 1.0
    assert exact_conditional(by_stratum, by_stratum, np.zeros(4, dtype=int)) == 1 / 3
    assert exact_conditional(np.ones(4) > 0, by_stratum, np.arange(4)) == 1.0
    half = np.arange(4000) < 2000
    assert exact_conditional(half, half, np.zeros(4000, dtype=int)) == np.finfo(float).tiny


def test_a_proxy_of_the_stratum_is_explained_away_and_a_cause_within_strata_is_not() -> None:
    rng = np.random.default_rng(4)
    codes = np.repeat([0, 1], [60, 240])
    failed = rng.random(300) < np.where(codes == 0, 0.85, 0.05)
    proxy = (codes == 0) ^ (rng.random(300) < 0.05)
    within = failed ^ (rng.random(300) < 0.1)
    everything = np.zeros(300, dtype=int)
    assert exact_conditional(proxy, failed, everything) < 1e-12
    assert exact_conditional(proxy, failed, codes) > 0.05
    assert exact_conditional(within, failed, codes) < 1e-6


def test_error_under_a_null_that_follows_the_strata_is_at_most_its_level() -> None:
    rng = np.random.default_rng(5)
    codes = np.repeat([0, 1, 2], [20, 40, 60])
    errors, pooled = 0, 0
    for _ in range(400):
        failed = rng.random(120) < np.array([0.7, 0.3, 0.1])[codes]
        active = rng.random(120) < np.array([0.8, 0.4, 0.1])[codes]
        errors += exact_conditional(active, failed, codes) <= 0.05
        pooled += exact_conditional(active, failed, np.zeros(120, dtype=int)) <= 0.05
    assert errors <= stats.binom.ppf(0.99, 400, 0.05)
    assert pooled > 250
