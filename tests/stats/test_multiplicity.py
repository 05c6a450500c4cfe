"""Holm's correction, against statsmodels."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from faultlens.stats.multiplicity import holm

P_VALUES = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.04, 1.0])), min_size=1, max_size=40
).map(np.array)


@settings(deadline=None, max_examples=60)
@given(p=P_VALUES)
def test_adjusted_p_is_that_of_statsmodels(p: np.ndarray) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


def test_a_family_of_thousands_agrees_with_statsmodels() -> None:
    p = np.random.default_rng(0).beta(0.3, 1.0, size=5000).round(4)  # many ties and zeros
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(P_VALUES)
def test_bonferroni_is_at_least_holm_at_least_bh_at_least_raw(p: np.ndarray) -> None:
    assert (np.minimum(len(p) * p, 1) >= holm(p)).all()
    assert (holm(p) >= false_discovery_control(p) * (1 - 1e-12)).all()
    assert (holm(p) >= p * (1 - 1e-12)).all()


@settings(deadline=None, max_examples=40)
@given(p=P_VALUES, data=st.data())
def test_adjusting_keeps_the_order_and_follows_the_hypotheses(
    p: np.ndarray, data: st.DataObject
) -> None:
    adjusted = holm(p)
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    order = np.array(data.draw(st.permutations(range(len(p)))))
    np.testing.assert_allclose(holm(p[order]), adjusted[order], rtol=1e-12)


def test_an_empty_family_stays_empty() -> None:
    assert holm(np.array([])).shape == (0,)
