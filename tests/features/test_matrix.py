"""Matrices that somebody else computed: formats agree, and each broken file is one sentence."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from scipy import sparse

from faultlens.errors import UserError
from faultlens.features import matrix as module
from faultlens.features.matrix import as_matrix, as_sparse, read_matrix, read_sparse

DENSE = np.array([[0, 2, 0.5], [1, 0, 0], [0, 0, 3]], dtype=np.float32)  # square, not symmetric
CSR = sparse.csr_matrix(DENSE)
PARTS = {"data": CSR.data, "indices": CSR.indices, "indptr": CSR.indptr}
SHAPE = {"shape": np.array(CSR.shape)}


def files(folder: Path) -> dict[str, Path]:
    """The same matrix in every way in which it may be saved."""
    paths = {
        name: folder / f"{name.replace(' ', '-')}.{suffix}"
        for suffix, names in {
            "npy": ("float64", "big-endian", "fortran"),
            "npz": ("only", "features", "residuals", "csr", "csr array", "csc", "parts"),
            "safetensors": ("tensor", "bfloat16", "half", "tensors csr"),
        }.items()
        for name in names
    }
    np.save(paths["float64"], DENSE.astype(np.float64))
    np.save(paths["big-endian"], DENSE.astype(">f4"))
    np.save(paths["fortran"], np.asfortranarray(DENSE))
    np.savez(paths["only"], DENSE)
    np.savez(paths["features"], other=DENSE + 1, features=DENSE)
    np.savez_compressed(paths["residuals"], residuals=DENSE.astype(np.float16), ids=np.arange(3))
    sparse.save_npz(paths["csr"], CSR)
    sparse.save_npz(paths["csr array"], sparse.csr_array(DENSE))
    sparse.save_npz(paths["csc"], sparse.csc_matrix(DENSE))
    np.savez(paths["parts"], **PARTS, **SHAPE)
    save_file({"acts": DENSE}, paths["tensor"])
    save_tensors({"acts": torch.tensor(DENSE).bfloat16()}, paths["bfloat16"])
    save_file({"acts": DENSE.astype(np.float16)}, paths["half"])
    save_file({**PARTS, **SHAPE}, paths["tensors csr"])
    return paths


def test_every_format_holds_the_same_matrix(tmp_path: Path) -> None:
    for name, path in files(tmp_path).items():
        matrix = read_matrix(path)
        assert matrix.dtype == np.float32, name
        assert isinstance(matrix, sparse.csr_matrix) == ("cs" in name or name == "parts"), name
        dense = matrix.toarray() if isinstance(matrix, sparse.csr_matrix) else matrix
        assert np.array_equal(dense, DENSE), name


def test_as_csr_every_format_holds_the_same_matrix_in_blocks_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cells in (1, 6, 10**6):
        monkeypatch.setattr(module, "BLOCK_CELLS", cells)
        for name, path in files(tmp_path).items():
            matrix = read_sparse(path)
            assert isinstance(matrix, sparse.csr_matrix), name
            assert matrix.dtype == np.float32, name
            assert np.array_equal(matrix.toarray(), DENSE), name
            assert matrix.nnz == CSR.nnz, name


def test_a_bad_value_is_seen_in_any_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_CELLS", 4)
    for row in range(5):
        values = np.ones((5, 3))
        values[row, 2] = np.nan
        np.save(tmp_path / "a.npy", values)
        for read in (read_matrix, read_sparse):
            with pytest.raises(UserError, match=r"a\.npy holds NaN or infinite values"):
                read(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(1, 2**40), (2**40, 1), (1, 2**24 + 1), (2**27 + 1, 1)])
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_a_small_file_of_a_vast_shape_is_refused_before_it_takes_memory(
    tmp_path: Path, shape: tuple[int, int], form: str
) -> None:
    np.savez(
        tmp_path / "a.npz", data=np.ones(1), indices=np.zeros(1, int), indptr=np.array([0, 1]),
        shape=np.array(shape), format=np.array(form),
    )  # fmt: skip
    for read in (read_matrix, read_sparse):
        with pytest.raises(UserError) as refused:
            read(tmp_path / "a.npz")
        assert str(refused.value) == (
            f"{tmp_path / 'a.npz'} has shape {shape}: expected at most 134,217,728 texts and "
            "16,777,216 features"
        )


@pytest.mark.parametrize(
    ("part", "value"),
    [("indices", [0.5, 1.0]), ("shape", [1.5, 2.0]), ("shape", ["1", "2"]), ("indptr", [[0, 2]])],
)
def test_parts_that_are_no_whole_numbers_are_refused(
    tmp_path: Path, part: str, value: list[object]
) -> None:
    parts = {"data": [1.0, 2.0], "indices": [0, 1], "indptr": [0, 2], "shape": [1, 2], part: value}
    np.savez(tmp_path / "a.npz", **{name: np.array(given) for name, given in parts.items()})
    with pytest.raises(UserError, match=f"its {part} is of type .*: expected whole numbers on one"):
        read_matrix(tmp_path / "a.npz")


def test_a_matrix_without_rows_has_none(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((0, 3)))
    assert read_sparse(tmp_path / "a.npy").shape == read_matrix(tmp_path / "a.npy").shape == (0, 3)


def test_entries_given_twice_are_added_up(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", data=[1.0, 2.0], indices=[1, 1], indptr=[0, 2], shape=np.array([1, 2])
    )
    assert read_matrix(tmp_path / "a.npz").toarray().tolist() == [[0.0, 3.0]]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.ones(3)}, "has shape (3,): expected [texts, features]"),
        ({"a": np.ones((2, 0))}, "has shape (2, 0): expected [texts, features]"),
        ({"a": np.array([["x"]])}, "holds values of type <U1: expected numbers"),
        ({"a": np.array([[1j]])}, "holds values of type complex128: expected numbers"),
        ({"a": np.array([[np.nan]])}, "holds NaN or infinite values: expected numbers"),
        ({"a": np.array([[np.inf]])}, "holds NaN or infinite values: expected numbers"),
        ({"a": np.array([[1e300]])}, "holds NaN or infinite values: expected numbers"),
        ({"a": np.array([[-2e30]])}, "holds values beyond ±1e30: expected those of a model"),
        ({"features": DENSE, "residuals": DENSE}, "holds both `features` and `residuals`: expected "
         "a file for each"),
        ({"a": DENSE, "b": DENSE}, "holds a, b: expected one array, one called `features` or "
         "`residuals`, or a CSR matrix saved by scipy.sparse.save_npz"),
        ({}, "holds nothing: expected one array"),
        ({**PARTS, "shape": np.array([3])}, "cannot be read as .npy, .npz or .safetensors: "),
        ({**PARTS, "shape": np.array([3, 2])}, "cannot be read as .npy, .npz or .safetensors: "),
        ({**PARTS, **SHAPE, "data": CSR.data * 1j}, "holds values of type complex64: expected "
         "numbers"),
        ({**PARTS, **SHAPE, "data": CSR.data * np.nan}, "holds NaN or infinite values"),
        ({**PARTS, **SHAPE, "format": np.array(b"bsr")}, "is saved as bsr: expected CSR "
         "(matrix.tocsr())"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_matrix_are_refused(
    tmp_path: Path, arrays: dict[str, np.ndarray], message: str
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError) as refused:
        read_matrix(path)
    assert str(refused.value).startswith(f"{path} {message}")


def test_a_broken_file_is_a_sentence_whatever_byte_is_wrong(tmp_path: Path) -> None:
    """Cut off, or with bytes changed: read, or refused, and nothing else."""
    whole = files(tmp_path)
    rng = random.Random(0)
    read = 0
    for turn in range(600):
        source = whole[("float64", "residuals", "csr", "tensors csr")[turn % 4]]
        content = bytearray(source.read_bytes())
        for _ in range(rng.randint(1, 3)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        broken = tmp_path / f"broken{source.suffix}"
        broken.write_bytes(bytes(content[: rng.randint(0, len(content))] if turn % 5 else content))
        with suppress(UserError):
            assert np.isfinite(read_matrix(broken).sum())
            read += 1
    assert 0 < read < 200


def test_what_is_in_memory_meets_the_same_conditions() -> None:
    for given in (DENSE.tolist(), DENSE.astype(np.float64), CSR, sparse.csc_array(DENSE)):
        matrix = as_matrix("it", given)
        assert matrix.dtype == np.float32
        assert np.array_equal(csr_or(matrix), DENSE)
    assert csr_or(as_matrix("it", sparse.csr_matrix(DENSE > 0))).max() == 1.0
    for given, message in (
        ([["a"]], "it holds values of type <U1: expected numbers"),
        (np.full((1, 1), None), "it holds values of type object: expected numbers"),
        (sparse.csr_matrix(np.array([[np.inf]])), "it holds NaN or infinite values"),
        (sparse.csr_matrix((2, 2**40)), "it has shape"),
        ([[1.0], [1.0, 2.0]], "it is no matrix: "),
    ):
        for take in (as_matrix, as_sparse):
            with pytest.raises(UserError, match=message):
                take("it", given)


def csr_or(matrix: sparse.csr_matrix | np.ndarray) -> np.ndarray:
    return matrix.toarray() if isinstance(matrix, sparse.csr_matrix) else matrix
