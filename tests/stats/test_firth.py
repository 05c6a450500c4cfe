"""Firth's regression, against closed forms, SciPy's optimiser and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq, minimize
from statsmodels.tools.sm_exceptions import PerfectSeparationError, PerfectSeparationWarning

from faultlens.stats import firth
from faultlens.stats.firth import firth_logistic


def penalised(beta: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """l* as it is written, and nothing else."""
    Z = np.column_stack([np.ones(len(X)), X])
    chance = 1 / (1 + np.exp(-Z @ beta))
    information = Z.T @ np.diag(chance * (1 - chance)) @ Z
    likelihood = np.sum(np.log(np.where(y, chance, 1 - chance)))
    return float(likelihood + 0.5 * np.log(np.linalg.det(information)))


def climbed(X: np.ndarray, y: np.ndarray, held: tuple[int, float] | None = None) -> tuple:
    """Its maximum by Nelder and Mead and then BFGS, one coefficient held where asked."""
    free = [i for i in range(X.shape[1] + 1) if held is None or i != held[0]]

    def loss(part: np.ndarray) -> float:
        beta = np.zeros(X.shape[1] + 1)
        beta[free] = part
        if held is not None:
            beta[held[0]] = held[1]
        return -penalised(beta, X, y)

    options = {"xatol": 1e-8, "fatol": 1e-12, "maxiter": 20_000, "maxfev": 20_000}
    found = minimize(loss, np.zeros(len(free)), method="Nelder-Mead", options=options)
    return found.x, -found.fun


def table_rows(a: int, b: int, c: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """a failing and b successful prompts with the level, c and d without."""
    X = np.repeat([1.0, 0.0], [a + b, c + d])[:, None]
    return X, np.repeat([True, False, True, False], [a, b, c, d])


@settings(deadline=None, max_examples=60)
@given(st.tuples(*[st.integers(0, 60)] * 4).filter(lambda t: t[0] + t[1] and t[2] + t[3]))
def test_a_2_by_2_table_gets_half_a_prompt_in_each_cell(table: tuple[int, int, int, int]) -> None:
    a, b, c, d = table
    fit = firth_logistic(*table_rows(a, b, c, d))
    assert fit.converged or not (a + c and b + d)  # of one outcome alone no far end is certain
    expected = np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    assert fit.coefficients[0] == pytest.approx(expected, abs=1e-7)
    assert fit.intercept == pytest.approx(np.log((c + 0.5) / (d + 0.5)), abs=1e-7)
    assert fit.low < expected < fit.high


def test_equal_rows_are_computed_once() -> None:
    X, y = table_rows(42, 3, 19, 236)
    rows = firth._Rows.distinct(np.column_stack([np.ones(300), X]), np.zeros((300, 2)), y)
    assert len(rows.Q) == len(rows.y) == 4
    assert sorted(rows.times) == [3, 19, 42, 236]


def test_the_keys_of_the_reference_study() -> None:
    fit = firth_logistic(*table_rows(42, 3, 19, 236))
    expected = np.log(42.5 * 236.5 / (3.5 * 19.5))
    assert fit.coefficients[0] == pytest.approx(expected, abs=1e-9)
    assert fit.p < 1e-30


@pytest.mark.parametrize("seed", range(3))
def test_maximum_interval_and_p_are_those_of_a_plain_optimiser(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.lognormal(size=40), rng.random(40) < 0.3])
    y = rng.random(40) < 0.15 + 0.7 * X[:, 1]
    best, top = climbed(X, y)
    for of in (0, 1):
        fit = firth_logistic(X, y, of=of, level=0.9)
        assert (fit.intercept, *fit.coefficients) == pytest.approx(tuple(best), abs=1e-5)
        limit = stats.chi2.ppf(0.9, 1)
        fall = [2 * (top - climbed(X, y, (of + 1, end))[1]) for end in (fit.low, fit.high)]
        assert fall == pytest.approx([limit, limit], abs=1e-5)
        at_nought = 2 * (top - climbed(X, y, (of + 1, 0.0))[1])
        assert fit.p == pytest.approx(stats.chi2.sf(at_nought, 1), rel=1e-5)


def test_an_end_of_the_interval_is_where_bisection_puts_it() -> None:
    X, y = table_rows(5, 0, 4, 9)
    fit = firth_logistic(X, y)
    top = climbed(X, y)[1]
    limit = stats.chi2.ppf(0.95, 1) / 2
    low = brentq(lambda b: top - climbed(X, y, (1, b))[1] - limit, 0.0, fit.coefficients[0])
    assert fit.low == pytest.approx(low, abs=1e-5)


def test_separated_outcomes_have_a_finite_fit_where_plain_likelihood_has_none() -> None:
    rng = np.random.default_rng(3)
    X = np.column_stack([np.arange(60) < 20, rng.normal(size=60)]).astype(float)
    y = np.arange(60) < 20
    with pytest.raises((PerfectSeparationError, PerfectSeparationWarning)):
        sm.Logit(y.astype(float), sm.add_constant(X)).fit(disp=0)
    fit = firth_logistic(X, y)
    assert fit.converged
    assert np.isfinite([fit.low, fit.high]).all()
    assert fit.low > 2
    assert fit.p < 1e-8


def test_with_many_prompts_it_comes_near_plain_logistic_regression() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(5000, 3))
    y = rng.random(5000) < 1 / (1 + np.exp(-(X @ [0.5, -1.0, 0.0] - 1)))
    plain = sm.Logit(y.astype(float), sm.add_constant(X)).fit(disp=0)
    fit = firth_logistic(X, y, of=1)
    assert (fit.intercept, *fit.coefficients) == pytest.approx(tuple(plain.params), abs=3e-3)
    assert (fit.low, fit.high) == pytest.approx(tuple(plain.conf_int()[2]), abs=5e-3)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000))
def test_units_order_and_the_reference_level_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = np.append(np.arange(4), rng.integers(0, 4, 56))
    one_hot = np.eye(4)[levels]
    value = rng.lognormal(size=60)
    y = rng.random(60) < 0.2 + 0.5 * (levels == 2)
    fit = firth_logistic(np.column_stack([one_hot[:, :3], value]), y, of=3)
    scaled = firth_logistic(np.column_stack([1000 * value + 7, one_hot[:, [3, 1, 2]]]), y, of=0)
    assert fit.coefficients[3] == pytest.approx(1000 * scaled.coefficients[0], rel=1e-5, abs=1e-7)
    assert (fit.low, fit.high) == pytest.approx(
        (1000 * scaled.low, 1000 * scaled.high), rel=1e-5, abs=1e-7
    )
    assert fit.p == pytest.approx(scaled.p, rel=1e-5)


def test_superfluous_columns_are_left_out_and_named_so() -> None:
    rng = np.random.default_rng(5)
    levels = rng.integers(0, 3, 80)
    one_hot, value = np.eye(3)[levels], rng.normal(size=(80, 1))
    y = rng.random(80) < 0.3 + 0.3 * (levels == 1)
    whole = firth_logistic(np.hstack([one_hot, value, np.zeros((80, 1))]), y, of=3)
    lean = firth_logistic(np.hstack([one_hot[:, :2], value]), y, of=2)
    assert whole.coefficients[2] is None
    assert whole.coefficients[4] is None
    assert whole.coefficients[:2] == pytest.approx(lean.coefficients[:2])
    assert whole.coefficients[3] == pytest.approx(lean.coefficients[2])
    assert (whole.low, whole.high, whole.p) == pytest.approx((lean.low, lean.high, lean.p))


@pytest.mark.parametrize("of", [3, -1])
def test_a_copy_of_a_level_has_no_effect_of_its_own(of: int) -> None:
    one_hot = np.eye(3)[np.arange(30) % 3]
    X = np.column_stack([one_hot, 2 * one_hot[:, 1] + 1])
    message = "column 3 is constant or a combination of the others: it has no effect of its own"
    with pytest.raises(ValueError, match=message):
        firth_logistic(X, np.arange(30) < 9, of=of)


def test_the_interval_covers_and_p_keeps_its_level() -> None:
    """A rare level: 8 of 60 prompts; Wald intervals of the plain estimate break down here."""
    rng = np.random.default_rng(6)
    X = (np.arange(60) < 8)[:, None].astype(float)
    covered, errors, draws = 0, 0, 250
    for _ in range(draws):
        fit = firth_logistic(X, rng.random(60) < np.where(X[:, 0] > 0, 0.8, 0.2))
        covered += fit.low <= np.log(16) <= fit.high
        errors += firth_logistic(X, rng.random(60) < 0.3).p <= 0.05
    assert covered >= stats.binom.ppf(0.01, draws, 0.93)
    assert errors <= stats.binom.ppf(0.99, draws, 0.06)
