"""Concentration of totals over features, against the definitions written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from faultlens.stats.concentration import cumulative_share, features_for, participation_ratio

TOTALS = st.lists(st.floats(0, 1e4), min_size=1, max_size=40).map(np.array)


@settings(deadline=None)
@given(TOTALS)
def test_the_participation_ratio_lies_between_one_and_all(totals: np.ndarray) -> None:
    ratio = participation_ratio(totals)
    if totals.sum() < 1e-3:
        return
    shares = totals / totals.sum()
    assert ratio == pytest.approx(1 / sum(share**2 for share in shares), rel=1e-9)
    assert 1 - 1e-9 <= ratio <= np.count_nonzero(totals) + 1e-9
    assert ratio <= np.exp(entropy(shares)) + 1e-6, "the order-2 Hill number is below the order-1"


def test_equal_features_count_themselves_and_silent_ones_nothing() -> None:
    assert participation_ratio(np.array([2.0] * 7 + [0.0] * 5)) == pytest.approx(7)
    assert participation_ratio(np.zeros(3)) == 0
    assert cumulative_share(np.zeros(3)).tolist() == [0, 0, 0]
    assert features_for(np.zeros(3), 0.5) == 0


@settings(deadline=None)
@given(TOTALS, st.sampled_from([0.5, 0.9, 0.99]))
def test_the_fewest_features_that_hold_a_share(totals: np.ndarray, share: float) -> None:
    if totals.sum() < 1e-3:
        return
    fewest = features_for(cumulative_share(totals), share)
    ordered = sorted(totals.tolist(), reverse=True)
    assert sum(ordered[:fewest]) >= share * sum(ordered) * (1 - 1e-9)
    assert sum(ordered[: fewest - 1]) < share * sum(ordered) * (1 + 1e-9)


def test_a_share_that_is_met_exactly_counts_as_met() -> None:
    assert features_for(cumulative_share(np.array([5.0, 3.0, 1.0, 1.0])), 0.5) == 1
    assert features_for(cumulative_share(np.array([7.0, 2.0, 1.0])), 0.9) == 2
