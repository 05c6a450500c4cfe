"""Readouts in closed form, against scikit-learn's ridge and by what they promise."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import Ridge

from faultlens.testing.planted_models.linear_readout import RIDGE, fit_readout


def drawn(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlated inputs, a quantity that they tell with noise, and unequal weights of tokens."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 3
    wanted = inputs[:, 0] - 0.5 * inputs[:, 2] + rng.normal(size=200)
    return inputs, wanted, rng.uniform(0.1, 2.0, 200)


def test_a_free_readout_is_weighted_ridge_regression() -> None:
    inputs, wanted, importance = drawn()
    found = fit_readout(inputs, wanted, importance)
    share = importance / importance.sum()
    centred = inputs - share @ inputs
    penalty = RIDGE * np.trace((centred * share[:, None]).T @ centred) / 6
    referee = Ridge(alpha=penalty).fit(inputs, wanted, sample_weight=share)
    np.testing.assert_allclose(found.weights, referee.coef_, rtol=1e-6)
    np.testing.assert_allclose(found.of(inputs), referee.predict(inputs), rtol=1e-6)


def test_a_readout_rises_by_one_along_its_direction_and_tells_the_rest_as_well_as_it_can() -> None:
    inputs, wanted, importance = drawn()
    direction = np.array([0.2, 0.0, 0.4, 0.0, 0.0, 0.1])
    free = fit_readout(inputs, wanted, importance)
    bound = fit_readout(inputs, wanted, importance, direction)
    assert abs(free.weights @ direction - 1) > 0.1, "the regression alone does not"
    np.testing.assert_allclose(bound.of(inputs + direction) - bound.of(inputs), 1.0, rtol=1e-9)

    def loss(weights: np.ndarray) -> float:
        share = importance / importance.sum()
        centred, level = inputs - share @ inputs, share @ wanted
        gram = (centred * share[:, None]).T @ centred
        penalty = RIDGE * np.trace(gram) / 6 * weights @ weights
        return float(share @ (centred @ weights - (wanted - level)) ** 2 + penalty)

    rng = np.random.default_rng(1)
    for _ in range(20):
        other = bound.weights + 0.05 * rng.normal(size=6)
        other += direction * (1 - direction @ other) / (direction @ direction)
        assert loss(other) > loss(bound.weights)
