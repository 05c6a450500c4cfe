"""Holm and Benjamini–Hochberg, against statsmodels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from faultlens.stats.multiplicity import benjamini_hochberg, holm

Correction = Callable[[np.ndarray], np.ndarray]
CORRECTIONS = [
    pytest.param(holm, "holm", id="holm"),
    pytest.param(benjamini_hochberg, "fdr_bh", id="benjamini_hochberg"),
]
P_VALUES = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.04, 1.0])), min_size=1, max_size=40
).map(np.array)


@pytest.mark.parametrize(("correct", "name"), CORRECTIONS)
@settings(deadline=None, max_examples=60)
@given(p=P_VALUES)
def test_adjusted_p_is_that_of_statsmodels(correct: Correction, name: str, p: np.ndarray) -> None:
    np.testing.assert_allclose(correct(p), multipletests(p, method=name)[1], rtol=1e-12)


@pytest.mark.parametrize(("correct", "name"), CORRECTIONS)
def test_a_family_of_thousands_agrees_with_statsmodels(correct: Correction, name: str) -> None:
    p = np.random.default_rng(0).beta(0.3, 1.0, size=5000).round(4)  # many ties and zeros
    np.testing.assert_allclose(correct(p), multipletests(p, method=name)[1], rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(P_VALUES)
def test_bonferroni_is_at_least_holm_at_least_bh_at_least_raw(p: np.ndarray) -> None:
    assert (np.minimum(len(p) * p, 1) >= holm(p)).all()
    assert (holm(p) >= benjamini_hochberg(p) * (1 - 1e-12)).all()
    assert (benjamini_hochberg(p) >= p * (1 - 1e-12)).all()


@pytest.mark.parametrize(("correct", "name"), CORRECTIONS)
@settings(deadline=None, max_examples=40)
@given(p=P_VALUES, data=st.data())
def test_adjusting_keeps_the_order_and_follows_the_hypotheses(
    correct: Correction, name: str, p: np.ndarray, data: st.DataObject
) -> None:
    adjusted = correct(p)
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    order = np.array(data.draw(st.permutations(range(len(p)))))
    np.testing.assert_allclose(correct(p[order]), adjusted[order], rtol=1e-12)


@pytest.mark.parametrize(("correct", "name"), CORRECTIONS)
def test_an_empty_family_stays_empty(correct: Correction, name: str) -> None:
    assert correct(np.array([])).shape == (0,)
