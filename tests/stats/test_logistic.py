"""Regressions fitted together, against scikit-learn's, one at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from faultlens.stats import logistic
from faultlens.stats.logistic import balanced, fit

CS = np.array([0.01, 1.0, 1000.0])


def rows_and_outcomes(seed: int, n: int = 90, d: int = 15) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)) * (rng.random((n, d)) < 0.5)
    return rows, rows[:, 0] + rng.normal(size=n) > 0.8


def never_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is searched for by conjugate gradients."""
    monkeypatch.setattr(logistic, "SOLVED", 0)
    monkeypatch.setattr(logistic, "SOLVED_ALONE", 0)
    monkeypatch.setattr(logistic, "SOLVED_TIMES", 1e9)


@pytest.mark.parametrize("kind", [np.array, csr_matrix])
def test_each_is_what_liblinear_finds_on_the_rows_it_was_given(kind: type) -> None:
    rows, failed = rows_and_outcomes(0)
    train = np.flatnonzero(np.arange(90) % 5 != 0)
    weights = np.repeat(balanced(failed, train)[:, None], 3, axis=1)
    found = fit(kind(rows), failed, weights, CS)
    for i, c in enumerate(CS):
        referee = LogisticRegression(
            C=c, solver="liblinear", class_weight="balanced", tol=1e-10, max_iter=100_000
        ).fit(rows[train], failed[train])
        np.testing.assert_allclose(found.weights[:, i], referee.coef_[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.intercepts[i], referee.intercept_[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            found.scores[:, i], referee.decision_function(rows), rtol=1e-5, atol=1e-6
        )
    np.testing.assert_allclose(found.of(kind(rows)), found.scores, rtol=1e-6, atol=1e-8)


def test_sparse_rows_too_many_to_be_made_dense_give_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, failed = rows_and_outcomes(1)
    weights = np.repeat(balanced(failed, np.arange(90))[:, None], 3, axis=1)
    dense = fit(rows, failed, weights, CS)
    monkeypatch.setattr(logistic, "DENSE", 0)
    sparse = fit(csr_matrix(rows), failed, weights, CS)
    np.testing.assert_allclose(sparse.weights, dense.weights, rtol=1e-6, atol=1e-9)


def test_rows_that_a_model_parts_entirely_and_of_very_different_size_are_fitted() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 100)) * np.logspace(-3, 3, 100)
    failed = rng.random(60) < 0.3
    weights = np.repeat(balanced(failed, np.arange(60))[:, None], 3, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(rows, failed, weights, CS)
    y = np.where(failed, 1.0, -1.0)[:, None]
    miss = weights * CS / (1 + np.exp(y * found.scores))
    gradient = found.weights - rows.T @ (miss * y)
    at_zero = rows.T @ (weights * CS * y / 2)
    assert (np.linalg.norm(gradient, axis=0) < 2e-8 * np.linalg.norm(at_zero, axis=0)).all()


@pytest.mark.parametrize("spread", [0, 3])
def test_single_precision_arrives_where_double_does(spread: int) -> None:
    """Also where the columns are of very different size."""
    rng = np.random.default_rng(4)
    rows = rng.normal(size=(60, 40)) * np.logspace(-spread, spread, 40)
    failed = rng.random(60) < 0.4
    weights = np.repeat(balanced(failed, np.arange(60))[:, None], 3, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit(rows, failed, weights, CS, 1e-4, single=True)
    y = np.where(failed, 1.0, -1.0)[:, None]
    scores = rows @ found.weights.astype(float) + found.intercepts
    miss = weights * CS / (1 + np.exp(y * scores))
    gradient = found.weights - rows.T @ (miss * y)
    at_zero = rows.T @ (weights * CS * y / 2)
    assert (np.linalg.norm(gradient, axis=0) < 2e-4 * np.linalg.norm(at_zero, axis=0)).all()
    assert found.weights.dtype == np.float32


def test_what_does_not_arrive_in_single_precision_is_fitted_in_double(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, failed = rows_and_outcomes(5)
    weights = np.repeat(balanced(failed, np.arange(90))[:, None], 3, axis=1)
    never_solved(monkeypatch)
    double, step = fit(rows, failed, weights, CS, 1e-4), logistic._newton_step

    def stuck(
        x: object, curvature: object, gradient: np.ndarray, accuracy: object
    ) -> tuple[np.ndarray, int]:
        found, taken = step(x, curvature, gradient, accuracy)  # type: ignore[arg-type]
        return found * (gradient.dtype == np.float64), taken

    monkeypatch.setattr(logistic, "_newton_step", stuck)
    found = fit(rows, failed, weights, CS, 1e-4, single=True)
    np.testing.assert_array_equal(found.weights, double.weights)


def test_a_fit_that_has_not_arrived_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, failed = rows_and_outcomes(3)
    monkeypatch.setattr(logistic, "MOST_STEPS", 1)
    with pytest.warns(ConvergenceWarning, match="1 of 1 logistic regressions"):
        fit(rows, failed, balanced(failed, np.arange(90))[:, None], np.array([1000.0]))


def test_rows_of_nothing_score_nothing() -> None:
    failed = np.arange(20) < 5
    found = fit(np.zeros((20, 3)), failed, balanced(failed, np.arange(20))[:, None], np.ones(1))
    np.testing.assert_allclose(found.scores, 0, atol=1e-12)


def test_designs_fitted_in_one_call_are_what_each_gives_alone() -> None:
    parts = [rows_and_outcomes(seed)[0] for seed in (4, 5, 6)]
    failed = rows_and_outcomes(4)[1]
    sets = [np.flatnonzero(np.arange(90) % 3 != left_out) for left_out in range(3)]
    weights = [np.repeat(balanced(failed, rows)[:, None], 3, axis=1) for rows in sets]
    together = fit(np.stack(parts), failed, np.stack(weights), CS)
    for place, (rows, of_rows) in enumerate(zip(parts, weights, strict=True)):
        alone = fit(rows, failed, of_rows, CS)
        np.testing.assert_allclose(together.weights[place], alone.weights, rtol=1e-5, atol=1e-8)
        np.testing.assert_allclose(together.scores[place], alone.scores, rtol=1e-5, atol=1e-7)


def test_a_fit_goes_on_from_a_coarser_one_to_the_same_minimum() -> None:
    rows, failed = rows_and_outcomes(7)
    weights = np.repeat(balanced(failed, np.arange(90))[:, None], 3, axis=1)
    coarse, fine = fit(rows, failed, weights, CS, 0.1), fit(rows, failed, weights, CS)
    assert np.abs(coarse.weights - fine.weights).max() > 1e-3
    went_on = fit(rows, failed, weights, CS, start=coarse.coefficients)
    np.testing.assert_allclose(went_on.weights, fine.weights, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(went_on.scores, fine.scores, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("fits", [1, 3])
def test_directions_that_are_solved_for_and_searched_for_end_in_one_place(
    fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, failed = rows_and_outcomes(5)
    weights = np.repeat(balanced(failed, np.arange(90))[:, None], fits, axis=1)
    asked: list[int] = []
    solved = logistic._solved_step

    def counted(x: object, curvature: object, gradient: np.ndarray) -> np.ndarray:
        asked.append(gradient.shape[-2])
        return solved(x, curvature, gradient)  # type: ignore[arg-type]

    monkeypatch.setattr(logistic, "_solved_step", counted)
    found = fit(rows, failed, weights, CS[:fits])
    assert asked
    assert max(asked) == fits
    never_solved(monkeypatch)
    asked.clear()
    searched = fit(rows, failed, weights, CS[:fits])
    assert not asked
    np.testing.assert_allclose(found.coefficients, searched.coefficients, rtol=1e-6, atol=1e-9)


def test_directions_are_solved_for_once_the_search_for_them_takes_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, failed = rows_and_outcomes(8, n=90, d=logistic.SOLVED + 8)
    weights = np.repeat(balanced(failed, np.arange(90))[:, None], 3, axis=1)
    monkeypatch.setattr(logistic, "SOLVED_ALONE", 0)
    taken: list[str] = []

    def noted(name: str, step: Callable[..., object]) -> Callable[..., object]:
        def noting(*given: object) -> object:
            taken.append(name)
            return step(*given)

        return noting

    for name in ("_solved_step", "_newton_step"):
        monkeypatch.setattr(logistic, name, noted(name, getattr(logistic, name)))
    found = fit(rows, failed, weights, np.array([1.0, 100.0, 1000.0]), 1e-11)
    assert taken[0] == "_newton_step", "how long the search takes is not known yet"
    assert "_solved_step" in taken
    never_solved(monkeypatch)
    taken.clear()
    searched = fit(rows, failed, weights, np.array([1.0, 100.0, 1000.0]), 1e-11)
    assert set(taken) == {"_newton_step"}
    np.testing.assert_allclose(found.coefficients, searched.coefficients, rtol=1e-5, atol=1e-8)


class Flagging(np.ndarray):
    """An array whose products are finite and leave the flag of an invalid operation behind."""

    def __matmul__(self, other: np.ndarray) -> np.ndarray:
        np.subtract(np.inf, np.inf)
        return np.asarray(self) @ np.asarray(other)

    def __rmatmul__(self, other: np.ndarray) -> np.ndarray:
        return other.view(Flagging) @ self


def test_a_flag_left_behind_by_a_finite_product_is_no_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As OpenBLAS does now and then: numpy issue 24067."""
    rows, failed = rows_and_outcomes(6)
    weights = balanced(failed, np.arange(90))[:, None]
    expected, design = fit(rows, failed, weights, CS[:1]), logistic._Design.of

    def flagging(rows: np.ndarray, sign: np.ndarray, kind: type) -> object:
        made = design(rows, sign, kind)
        return replace(made, rows=made.rows.view(Flagging), across=made.across.view(Flagging))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="invalid value"):
            rows.view(Flagging) @ rows.T
        monkeypatch.setattr(logistic._Design, "of", flagging)
        found = fit(rows, failed, weights, CS[:1])
    np.testing.assert_allclose(found.weights, expected.weights)


@pytest.mark.parametrize("single", [False, True])
def test_values_that_are_not_finite_are_not_fitted(single: bool) -> None:
    rows, failed = rows_and_outcomes(7)
    weights = balanced(failed, np.arange(90))[:, None]
    rows[3, 2] = np.nan
    with pytest.raises(FloatingPointError, match="gradient of a logistic regression is not finite"):
        fit(rows, failed, weights, CS[:1], 1e-4, single=single)
