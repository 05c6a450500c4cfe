"""Wide rows: inner products of standardised rows, against scikit-learn's scaler on dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.preprocessing import StandardScaler

from faultlens.stats.wide_rows import Standardised, WideRows


def mixed(n: int = 60, columns: int = 300) -> np.ndarray:
    """Columns that few rows fill, columns that many do, one that none fills and a constant one."""
    rng = np.random.default_rng(0)
    share = np.where(np.arange(columns) % 3 == 0, 0.6, 0.05)
    values = rng.lognormal(1.0, 1.0, (n, columns)) * (rng.random((n, columns)) < share)
    values[:, 7], values[:, 8] = 0.0, 1e6
    return values


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix])
def test_products_are_those_of_rows_standardised_by_the_training_rows(kind: type) -> None:
    values, train, test = mixed(), np.arange(0, 60, 2), np.arange(1, 60, 2)
    values[train, 9] = 3.0  # constant in training
    wide = WideRows.of(kind(values))
    assert wide.shape == values.shape
    assert wide.often.shape[1] > 90 and wide.seldom.shape[1] > 180, "both parts are there"
    scaler = StandardScaler().fit(values[train])
    varies = values[train].std(axis=0) > 0
    expected, others = (scaler.transform(values[of]) * varies for of in (train, test))
    training = Standardised.by_itself(wide[train])
    assert training.varying == varies.sum()
    assert 2 < (~varies).sum() < 100
    np.testing.assert_allclose(training.products(), expected @ expected.T, atol=1e-8)
    np.testing.assert_allclose(training.products(wide[test]), others @ expected.T, atol=1e-8)


def test_the_columns_may_be_told_apart_as_in_other_rows() -> None:
    values = mixed()
    often = np.arange(300) < 120
    wide = WideRows.of(csr_matrix(values), often)
    np.testing.assert_array_equal(wide.often, values[:, often])
    np.testing.assert_array_equal(wide.seldom.toarray(), values[:, ~often])
