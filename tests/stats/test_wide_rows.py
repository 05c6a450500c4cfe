"""Wide rows: inner products of standardised rows, against scikit-learn's scaler on dense ones."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.preprocessing import StandardScaler

from faultlens.stats import wide_rows
from faultlens.stats.wide_rows import WideRows


def mixed(n: int = 60, columns: int = 300) -> np.ndarray:
    """Columns that few rows fill, columns that many do, one that none fills and a constant one."""
    rng = np.random.default_rng(0)
    share = np.where(np.arange(columns) % 3 == 0, 0.6, 0.05)
    values = rng.lognormal(1.0, 1.0, (n, columns)) * (rng.random((n, columns)) < share)
    values[:, 7], values[:, 8] = 0.0, 1e6
    return values


@pytest.mark.parametrize("pairs", [wide_rows.PAIRS, 0])
@pytest.mark.parametrize("kind", [np.asarray, csr_matrix])
def test_products_are_those_of_rows_standardised_by_the_training_rows(
    kind: type, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the products of two values are few enough to be kept, or not."""
    monkeypatch.setattr(wide_rows, "PAIRS", pairs)
    values, train = mixed(), np.arange(0, 60, 2)
    values[train, 9] = 3.0  # constant in training
    values[train, 10] = 0.0  # of the seldom filled ones, too
    values[1, 10] = 4.0
    wide = WideRows.of(kind(values))
    assert wide.shape == values.shape
    assert wide.columns.often.shape[1] > 90, "both parts are there"
    assert wide.columns.seldom.shape[0] > 180
    assert (wide.columns.pairs is None) == (not pairs)
    scaler = StandardScaler().fit(values[train])
    varies = values[train].std(axis=0) > 0
    assert 2 < (~varies).sum() < 100
    expected = scaler.transform(values) * varies
    products, varying = wide[train].standardised_products()
    assert varying == varies.sum()
    np.testing.assert_allclose(products, expected @ expected.T, atol=1e-8)


@pytest.mark.parametrize("kind", [np.asarray, csr_matrix])
def test_rows_and_columns_taken_are_those_of_the_matrix(kind: type) -> None:
    values = mixed()
    wide = WideRows.of(kind(values))[np.array([3, 4, 50])][np.array([2, 0])]
    assert len(wide) == 2
    np.testing.assert_array_equal(wide.dense(), values[[50, 3]])
    columns = np.array([299, 0, 5, 3])
    np.testing.assert_array_equal(wide.dense(columns), values[[50, 3]][:, columns])


def test_for_another_process_only_the_values_are_copied() -> None:
    wide = WideRows.of(mixed())
    fresh = len(pickle.dumps(wide))
    products, varying = wide.standardised_products()
    assert "pairs" in vars(wide.columns)
    sent = pickle.dumps(wide)
    assert len(sent) == fresh
    there, varying_there = pickle.loads(sent).standardised_products()
    np.testing.assert_array_equal(there, products)
    assert varying_there == varying
