"""The estimators behind the ladder, against SciPy and scikit-learn's scaler and grid search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.stats import pearsonr, ttest_ind
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from faultlens.stats.effects import cohens_d
from faultlens.stats.prediction import TunedLogistic, balanced_logistic, correlations
from faultlens.stats.rotation import Rotation
from faultlens.stats.wide_rows import WideRows


def sparse_activations(rng: np.random.Generator, n: int, features: int) -> np.ndarray:
    """Mostly zeros with ties, a few columns dense and far from 0, one silent, one constant."""
    values = rng.integers(1, 6, (n, features)) * (rng.random((n, features)) < 0.15) * 0.5
    values[:, :3] = 40 + rng.normal(size=(n, 3))
    values[:, 3], values[:, 4] = 0.0, 7.0
    return values


def outcomes(rng: np.random.Generator, n: int, failures: int) -> np.ndarray:
    failed = np.zeros(n, dtype=bool)
    failed[rng.choice(n, failures, replace=False)] = True
    return failed


def test_the_balanced_regression_minimises_the_objective_it_names() -> None:
    rng = np.random.default_rng(0)
    x, failed, c = rng.normal([0, 1, 2], size=(60, 3)), outcomes(rng, 60, 13), 0.7
    weight = np.where(failed, 60 / (2 * 13), 60 / (2 * 47))
    sign = np.where(failed, 1, -1)

    def objective(parameters: np.ndarray) -> float:
        margin = sign * (x @ parameters[:3] + parameters[3])
        return float(parameters @ parameters / 2 + c * weight @ np.logaddexp(0, -margin))

    best = minimize(objective, np.zeros(4), tol=1e-10).x
    fitted = balanced_logistic(c).set_params(tol=1e-8).fit(x, failed)
    np.testing.assert_allclose([*fitted.coef_[0], fitted.intercept_[0]], best, atol=1e-4)


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix, WideRows.of])
def test_features_are_put_in_the_order_of_their_correlation(kind: type) -> None:
    rng = np.random.default_rng(1)
    values, failed = sparse_activations(rng, 50, 30), outcomes(rng, 50, 9)
    found = correlations(kind(values), failed)
    varies = values.std(axis=0) > 0
    expected = [abs(pearsonr(column, failed).statistic) for column in values.T[varies]]
    np.testing.assert_allclose(found[varies], expected, rtol=1e-8)
    assert not found[~varies].any(), "silent or constant: nothing to tell"
    d = np.abs(cohens_d(csr_matrix(values[:, varies]), failed))
    assert (np.argsort(d) == np.argsort(found[varies])).all()


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix, WideRows.of])
def test_the_order_in_each_set_of_rows_is_that_of_the_rows_alone(kind: type) -> None:
    rng = np.random.default_rng(8)
    values, failed = sparse_activations(rng, 50, 30), outcomes(rng, 50, 9)
    values[:, 5] = np.arange(50) == 0  # fires on a prompt that the second set lacks
    sets = np.stack([np.arange(50) % 5 != 4, np.arange(50) % 5 != 0])
    found = correlations(kind(values), failed, sets)
    for of_set, rows in zip(found, sets, strict=True):
        alone = correlations(kind(values)[np.flatnonzero(rows)], failed[rows])
        np.testing.assert_allclose(of_set, alone, rtol=1e-9, atol=1e-12)
    assert found[1, 5] == 0.0


def test_a_feature_that_copies_the_outcome_is_ahead_of_one_that_is_silent_on_failures() -> None:
    """Where Welch's t, with no variance among the failures, has the second far ahead."""
    failed = np.arange(100) < 10
    rare, silent = np.zeros(100), np.zeros(100)
    rare[:5], rare[-1], silent[20:50] = 1.0, 1.0, 1.0
    values = np.stack([failed * 1.0, rare, silent], axis=1)
    assert correlations(values, failed).argsort().tolist() == [2, 1, 0]
    welch = [ttest_ind(v[failed], v[~failed], equal_var=False).statistic for v in values.T[1:]]
    assert abs(welch[0]) < abs(welch[1])


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(4, 25), features=st.integers(6, 60), rest=st.integers(1, 5),
    seed=st.integers(0, 10**6),
)  # fmt: skip
def test_rotating_keeps_all_inner_products_sparse_or_dense(
    n: int, features: int, rest: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = sparse_activations(rng, n, features)
    others = sparse_activations(rng, rest, features)
    others[:, values.std(axis=0) == 0] = 3.0  # constant in training: counts nothing
    scaler = StandardScaler().fit(values)
    varies = values.std(axis=0) > 0
    expected, expected_others = scaler.transform(values), scaler.transform(others)
    expected[:, ~varies] = expected_others[:, ~varies] = 0.0
    size = max(varies.sum(), 1)
    for kind in (np.asarray, csr_matrix, WideRows.of):
        # Wide rows are told apart once, by all rows: others come from the same ones.
        together = kind(np.vstack([values, others]))
        values_, others_ = together[np.arange(n)], together[np.arange(n, n + rest)]
        rotation = Rotation()
        rotated = rotation.fit_transform(values_)
        assert rotated.shape[1] <= max(n, 1)
        mean_square = (rotated**2).sum() / n
        assert mean_square == pytest.approx(1.0 if varies.any() else 0.0, abs=1e-8)
        np.testing.assert_allclose(rotated @ rotated.T, expected @ expected.T / size, atol=1e-7)
        products = rotation.transform(others_) @ rotated.T
        np.testing.assert_allclose(products, expected_others @ expected.T / size, atol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix, WideRows.of])
def test_a_penalised_model_predicts_the_same_rotated_or_not(kind: type) -> None:
    rng = np.random.default_rng(2)
    values, failed = sparse_activations(rng, 90, 400), outcomes(rng, 90, 25)
    values[failed, 10:14] += 1.0
    train, test = np.arange(60), np.arange(60, 90)
    rotation = Rotation()
    rotated = rotation.fit_transform(kind(values)[train])
    assert rotated.shape == (60, 59), "n − 1 dimensions: the mean is taken off"
    mine = balanced_logistic(3.0).set_params(tol=1e-9).fit(rotated, failed[train])
    # Division by a length is part of Rotation; these give the same objective without it.
    length = np.sqrt((values[train].std(axis=0) > 0).sum())
    plain = LogisticRegression(
        C=3.0 / length**2, intercept_scaling=length, solver="liblinear", class_weight="balanced",
        tol=1e-9,
    )  # fmt: skip
    scaler = StandardScaler().fit(values[train])
    plain.fit(scaler.transform(values[train]), failed[train])
    scores = mine.decision_function(rotation.transform(kind(values)[test]))
    np.testing.assert_allclose(
        scores, plain.decision_function(scaler.transform(values[test])), rtol=1e-4, atol=1e-5
    )
    assert scores.std() > 0.1


def test_tuning_is_what_a_grid_search_finds() -> None:
    rng = np.random.default_rng(3)
    values, failed = rng.normal(size=(80, 12)), outcomes(rng, 80, 22)
    values[failed, :2] += 0.8
    tuned = TunedLogistic(cs=(0.001, 0.1, 10.0), seed=4).fit(values, failed)
    search = GridSearchCV(
        balanced_logistic().set_params(tol=1e-9), {"C": [0.001, 0.1, 10.0]}, scoring="roc_auc",
        cv=StratifiedKFold(5, shuffle=True, random_state=4),
    ).fit(values, failed)  # fmt: skip
    assert len(set(search.cv_results_["mean_test_score"].round(6))) == 3, "the grid matters"
    assert tuned.c_ == search.best_params_["C"]
    np.testing.assert_allclose(
        tuned.decision_function(values), search.decision_function(values), atol=1e-7
    )
    assert (tuned.predict(values) == search.predict(values)).all()


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix, WideRows.of])
def test_tuning_the_number_of_features_is_what_a_grid_search_finds(kind: type) -> None:
    rng = np.random.default_rng(5)
    values, failed = sparse_activations(rng, 80, 150), outcomes(rng, 80, 22)
    values[:, 20:26] += (rng.random((80, 6)) < 0.4) * failed[:, None]
    ks, cs = (1, 6, 60), (0.01, 1.0)
    tuned = TunedLogistic(ks=ks, cs=cs, seed=6).fit(kind(values), failed)
    select = SelectKBest(correlations)
    search = GridSearchCV(
        Pipeline([("select", select), ("scale", Rotation()), ("model", balanced_logistic())]),
        {"select__k": ks, "model__C": cs}, scoring="roc_auc",
        cv=StratifiedKFold(5, shuffle=True, random_state=6),
    ).fit(values, failed)  # fmt: skip
    assert len(set(search.cv_results_["mean_test_score"].round(6))) > 4, "the grid matters"
    assert (tuned.k_, tuned.c_) == (
        search.best_params_["select__k"],
        search.best_params_["model__C"],
    )
    np.testing.assert_allclose(
        tuned.decision_function(kind(values)), search.decision_function(values), atol=2e-3
    )


def test_a_class_of_one_is_fitted_untuned() -> None:
    rng = np.random.default_rng(7)
    values, failed = rng.normal(size=(12, 3)), np.arange(12) == 0
    tuned = TunedLogistic(cs=(0.1, 1.0, 10.0)).fit(values, failed)
    assert tuned.c_ == 1.0
    assert np.isfinite(tuned.decision_function(values)).all()


def test_features_that_never_fire_predict_nothing() -> None:
    silent, failed = csr_matrix((30, 200)), np.arange(30) < 10
    for model in (TunedLogistic(ks=(5, 20)), Pipeline([("r", Rotation()), ("m", TunedLogistic())])):
        scores = model.fit(silent, failed).decision_function(csr_matrix((4, 200)))
        assert np.ptp(scores) == 0.0
