"""Levels of a factor and an outcome within strata, against SciPy stratum by stratum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from faultlens.stats.strata import stratified_sets
from faultlens.stats.stratified_association import association_within, stratified_chi_square

RNG = np.random.default_rng(0)
CODES = RNG.choice(3, 120, p=[0.5, 0.3, 0.2])
LEVELS = RNG.choice(4, 120, p=[0.4, 0.3, 0.2, 0.1])
FAILED = (RNG.random(120) < np.array([0.2, 0.6, 0.4])[CODES]) & (CODES < 3)


def test_it_is_the_sum_of_pearsons_over_the_strata() -> None:
    expected = 0.0
    for code in range(3):
        here = code == CODES
        counts = [
            [int((FAILED[here] & (LEVELS[here] == level)).sum()),
             int((~FAILED[here] & (LEVELS[here] == level)).sum())]
            for level in np.unique(LEVELS[here])
        ]  # fmt: skip
        expected += chi2_contingency(counts, correction=False).statistic
    found = stratified_chi_square(LEVELS, FAILED, CODES, FAILED[None])
    assert found[0] == pytest.approx(expected)
    alone = np.where(CODES == 2, True, FAILED)  # a stratum with one outcome adds nothing
    without = stratified_chi_square(LEVELS, alone, CODES, alone[None])[0]
    kept = CODES < 2
    assert without == pytest.approx(
        stratified_chi_square(LEVELS[kept], FAILED[kept], CODES[kept], FAILED[kept][None])[0]
    )
    assert stratified_chi_square(LEVELS, FAILED, np.arange(120), FAILED[None]).tolist() == [0.0]


def test_p_is_uniform_where_levels_tell_nothing_and_small_where_they_do() -> None:
    rng = np.random.default_rng(1)
    p = []
    for _ in range(150):
        failed = rng.random(120) < np.array([0.1, 0.7, 0.4])[CODES]
        sets = stratified_sets(failed, CODES, 99, rng)
        p.append(association_within(LEVELS, failed, CODES, sets))
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.11
    failed = (CODES == 0) & (LEVELS < 2) & (rng.random(120) < 0.8)
    assert (
        association_within(LEVELS, failed, CODES, stratified_sets(failed, CODES, 99, rng)) == 0.01
    )
