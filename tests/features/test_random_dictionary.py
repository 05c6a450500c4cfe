"""Random dictionaries: as often as asked, nothing else in common with real ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import kstest

from faultlens.features.random_dictionary import TILE, firing_rates, random_dictionary


def residuals(n: int = 400, d: int = 24) -> np.ndarray:
    """Values as a residual stream's: one huge dimension, unequal spreads."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d)) * rng.lognormal(size=d)
    x[:, 3] += 3000.0
    return x.astype(np.float32)


def test_each_feature_fires_as_often_as_its_real_one() -> None:
    x = residuals()
    rng = np.random.default_rng(1)
    rates = rng.choice([0.0, 1 / 400, 0.004, 0.1, 0.5, 399 / 400, 1.0], 3 * TILE + 17)
    found = random_dictionary(x, rates)
    assert found.shape == (400, 3 * TILE + 17) and found.dtype == np.float32
    assert found.has_sorted_indices and (found.data > 0).all()
    assert (np.abs(firing_rates(found) - rates) <= 1 / 400 + 1e-12).all()
    exact = firing_rates(found) == np.rint(rates * 400) / 400
    assert exact.mean() > 0.99, "only values that rounding cannot tell apart may move a limit"
    assert not firing_rates(found)[rates == 0].any(), "what should never fire never does"


def test_activations_are_a_projection_above_a_limit() -> None:
    """From tokens that are the axes themselves the directions can be read off."""
    axes = np.eye(40, dtype=np.float32)
    full = random_dictionary(axes, np.ones(30), seed=3).toarray()
    sparse = random_dictionary(axes, np.full(30, 0.25), seed=3).toarray()
    fires = sparse > 0
    assert (fires.sum(axis=0) == 10).all()
    limit = np.where(fires, full - sparse, np.nan)
    assert np.nanmax(np.nanstd(limit, axis=0)) < 1e-6, "one limit a feature"
    assert (np.where(fires, np.inf, full) <= np.nanmean(limit, axis=0) + 1e-5).any(axis=0).all()
    # w = full + the same number everywhere: with a zero token among the axes that number is known.
    with_origin = np.vstack([axes, np.zeros((1, 40), dtype=np.float32)])
    values = random_dictionary(with_origin, np.ones(300), seed=3).toarray()
    directions = values[:-1] - values[-1]
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1.0, rtol=1e-4)
    assert kstest(directions.ravel() * np.sqrt(40), "norm").statistic < 0.02


def test_the_seed_and_the_place_decide_the_direction() -> None:
    x = residuals()
    rates = np.full(2 * TILE, 0.2)
    first = random_dictionary(x, rates, seed=5)
    assert (first != random_dictionary(x, rates, seed=5)).nnz == 0
    assert (first != random_dictionary(x, rates, seed=6)).nnz > 0
    fewer = random_dictionary(x, rates[: TILE + 9], seed=5)
    np.testing.assert_allclose(fewer.toarray(), first[:, : TILE + 9].toarray(), atol=1e-3)
    one_silent = rates.copy()
    one_silent[4] = 0.0
    others = np.arange(2 * TILE) != 4
    silenced = random_dictionary(x, one_silent, seed=5)
    np.testing.assert_allclose(silenced[:, others].toarray(), first[:, others].toarray(), atol=1e-3)
    columns = first[:, [*range(50), *range(TILE, TILE + 50)]].toarray()
    correlation = np.corrcoef(columns.T) - np.eye(100)
    assert np.abs(correlation).max() < 0.95, "no direction comes twice"


def test_a_shift_of_all_tokens_changes_nothing() -> None:
    x = residuals()
    rates = np.full(100, 0.3)
    shifted = random_dictionary(x + np.arange(24, dtype=np.float32), rates)
    np.testing.assert_allclose(shifted.toarray(), random_dictionary(x, rates).toarray(), atol=1e-2)


def test_tokens_with_one_residual_fire_together() -> None:
    x = residuals()
    x[:100] = x[0] + np.random.default_rng(2).normal(size=(100, 24)) * 1e-7  # a common beginning
    found = random_dictionary(x, np.full(200, 0.4)).toarray() > 0
    assert ((found[:100].sum(axis=0) % 100) == 0).all()
    assert found[:100].any() and not found[:100].all()
    counts = found.sum(axis=0)
    assert (np.abs(counts - 160) <= 50).all(), "the nearest share that does not part them"
    assert (counts != 160).any() and (counts == 160).any()


def test_one_token_and_no_features() -> None:
    one = random_dictionary(np.ones((1, 4)), np.array([1.0, 0.0])).toarray()
    assert (one > 0).tolist() == [[True, False]]
    assert random_dictionary(np.ones((3, 4)), np.array([])).shape == (3, 0)


def test_progress_counts_features() -> None:
    done: list[int] = []
    random_dictionary(residuals(), np.full(TILE + 3, 0.1), tick=done.append)
    assert done == [TILE, 3]


@pytest.mark.parametrize(
    ("x", "rates", "message"),
    [
        (np.array([[np.nan, 1.0]]), np.array([0.1]), "residuals must be finite"),
        (np.empty((0, 4)), np.array([0.1]), "of at least one token"),
        (np.ones((2, 2)), np.array([1.2]), "firing rates must lie between 0 and 1"),
        (np.ones((2, 2)), np.array([np.nan]), "firing rates must lie between 0 and 1"),
    ],
)
def test_bad_input_is_an_error(x: np.ndarray, rates: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        random_dictionary(x, rates)


def test_rates_count_tokens_that_fire() -> None:
    tokens = csr_matrix(np.array([[0.0, 2.0, 0.0], [1.0, 3.0, 0.0], [0.0, 1.0, 0.0]]))
    tokens.data[tokens.data == 2.0] = 0.0  # stored, but not firing
    assert firing_rates(tokens).tolist() == [1 / 3, 2 / 3, 0.0]
