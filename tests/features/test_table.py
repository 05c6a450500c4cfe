"""Tables that somebody else computed: what is read, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file
from scipy.sparse import csr_matrix, save_npz

from faultlens.errors import UserError
from faultlens.features.table import FeatureTable, check_values, table_from_matrix

DENSE = np.array([[0.0, 2.0, 0.5], [1.0, 0.0, 0.0]])
TEXTS = ["one", "two"]


def write(path: Path, dense: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, dense)
    else:
        np.savez(path, features=dense.astype(np.float16))
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_dense_files_are_read(tmp_path: Path, name: str) -> None:
    table = table_from_matrix("6-res-jb", write(tmp_path / name, DENSE), TEXTS, "mean")
    assert np.array_equal(table.matrix.toarray(), DENSE.astype(np.float32))
    assert table.layer == 6
    assert table.feature(2) == "6-res-jb/2"
    assert table.convention["pooling"] == "mean"


def test_scipys_sparse_files_are_read(tmp_path: Path) -> None:
    save_npz(tmp_path / "s.npz", csr_matrix(DENSE))
    table = table_from_matrix("mine", tmp_path / "s.npz", TEXTS, "max")
    assert np.array_equal(table.matrix.toarray(), DENSE.astype(np.float32))
    assert table.layer is None


@pytest.mark.parametrize(
    ("dense", "message"),
    [
        (np.ones((3, 2)), "has 3 rows, but there are 2 texts"),
        (np.array([[np.nan], [1.0]]), "holds NaN or infinite values"),
        (np.array([[-1.0], [1.0]]), "holds negative values"),
        (np.ones(2), r"has shape \(2,\): expected \[texts, features\]"),
    ],
)
def test_matrices_that_cannot_be_meant_are_refused(
    tmp_path: Path, dense: np.ndarray, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        table_from_matrix("a", write(tmp_path / "a.npy", dense), TEXTS, "max")


def test_files_that_are_no_matrices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_text("no matrix")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04" + b"cut off")
    for path, message in (
        (tmp_path / "a.npy", r"cannot be read as \.npy, \.npz or \.safetensors"),
        (tmp_path / "cut.npz", r"cannot be read as \.npy, \.npz or \.safetensors"),
        (tmp_path / "missing.npz", r"no file .*missing\.npz: expected a matrix"),
    ):
        with pytest.raises(UserError, match=message):
            table_from_matrix("a", path, TEXTS, "max")
    np.savez(tmp_path / "b.npz", acts=DENSE, more=DENSE)
    with pytest.raises(UserError, match="holds acts, more: expected one array, one called"):
        table_from_matrix("a", tmp_path / "b.npz", TEXTS, "max")


def test_safetensors_are_read_dense_and_as_csr(tmp_path: Path) -> None:
    save_file({"acts": DENSE.astype(np.float32)}, tmp_path / "dense.safetensors")
    sparse = csr_matrix(DENSE.astype(np.float32))
    parts = {"data": sparse.data, "indices": sparse.indices, "indptr": sparse.indptr}
    save_file({**parts, "shape": np.array(sparse.shape)}, tmp_path / "csr.safetensors")
    for name in ("dense", "csr"):
        table = table_from_matrix("mine", tmp_path / f"{name}.safetensors", TEXTS, "max")
        assert np.array_equal(table.matrix.toarray(), DENSE.astype(np.float32))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "csr.safetensors").read_bytes()[:-3])
    with pytest.raises(UserError, match="cut.safetensors cannot be read"):
        table_from_matrix("mine", tmp_path / "cut.safetensors", TEXTS, "max")


def of_values(name: str, values: np.ndarray) -> FeatureTable:
    rows = pd.DataFrame({"text": [f"text {i}" for i in range(len(values))]})
    return FeatureTable(name, csr_matrix(values.astype(np.float32)), rows, {})


def test_a_table_of_zeros_and_two_of_the_same_values_are_refused() -> None:
    values = np.array([[0.0, 2.0], [1.0, 0.0]])
    other, zeros = of_values("8-res-x", 2 * values), of_values("9-res-x", 0 * values)
    check_values({"6-res-x": of_values("6-res-x", values), "8-res-x": other}, "any prompt")
    with pytest.raises(UserError) as refused:
        check_values({"8-res-x": other, "9-res-x": zeros}, "any prompt")
    assert str(refused.value) == (
        "no feature of 9-res-x fires on any prompt: expected activations above 0"
    )
    parts = np.array([0.0, 2.0, 1.0], np.float32), np.array([0, 1, 0]), np.array([0, 2, 3])
    stored = replace(other, name="7-res-x", matrix=csr_matrix(parts))  # its 0 is stored as one
    with pytest.raises(UserError) as refused:
        check_values({"6-res-x": of_values("6-res-x", values), "7-res-x": stored}, "any prompt")
    assert str(refused.value) == (
        "tables 6-res-x and 7-res-x hold the same values: expected a matrix of its own for each "
        "dictionary"
    )
