"""Matrices that somebody else computed: `.npy`, `.npz` and `.safetensors`, dense or CSR."""

from __future__ import annotations

import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, issparse

from faultlens.errors import UserError

CSR_PARTS = {"data", "indices", "indptr", "shape"}
BUILD = {"csr": csr_matrix, "csc": csc_matrix}
"""The formats of SciPy's `save_npz` that have these parts and one index a value."""
BROKEN = (
    OSError, ValueError, EOFError, IndexError, SyntaxError, MemoryError, NotImplementedError,
    RuntimeError, TokenError, BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy, SciPy and the standard library raise for a file that is not what its name says."""
LARGEST = 1e30
"""No model gives more, and liblinear refuses it."""


def read_matrix(path: Path) -> csr_matrix | np.ndarray:
    """A matrix of finite numbers, two-dimensional, float32; CSR where it was saved sparse.

    In `.npz` and `.safetensors` it is the only array, the one called `features` or `residuals`, or
    CSR as `data`, `indices`, `indptr` and `shape` (SciPy's `save_npz` writes these).

    Raises UserError if the file cannot be read or holds something else.
    """
    if not path.is_file():
        raise UserError(f"no file {path}: expected a matrix (.npy, .npz or .safetensors)")
    try:
        return as_matrix(str(path), _matrix(path, _arrays(path)))
    except BROKEN as error:
        raise UserError(f"{path} cannot be read as .npy, .npz or .safetensors: {error}") from error


def as_matrix(what: str, values: Any) -> csr_matrix | np.ndarray:
    """A matrix `[texts, at least one column]` of finite numbers, float32; CSR where it is sparse.

    Args:
        what: what it is, as a sentence names it.
        values: sparse, or anything that NumPy makes an array of.

    Raises UserError for anything else, and for values beyond ±1e30.
    """
    sparse = bool(issparse(values))
    matrix: Any = values if sparse else np.asarray(values)
    if matrix.dtype.kind not in "fiub":
        raise UserError(f"{what} holds values of type {matrix.dtype}: expected numbers")
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise UserError(f"{what} has shape {matrix.shape}: expected [texts, features]")
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32)
    if sparse:
        matrix = csr_matrix(matrix)
    numbers: np.ndarray = matrix.data if sparse else matrix
    if not np.isfinite(numbers).all():
        raise UserError(f"{what} holds NaN or infinite values: expected numbers")
    if (np.abs(numbers) > LARGEST).any():
        raise UserError(f"{what} holds values beyond ±1e30: expected those of a model")
    found: csr_matrix | np.ndarray = matrix
    return found


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file  # NumPy has no bfloat16, in which models run

        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ValueError(error) from error
        return {
            name: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
            for name, tensor in tensors.items()
        }
    with path.open("rb") as file:  # NumPy leaves a broken archive open
        loaded = np.load(file)
        if isinstance(loaded, np.ndarray):
            return {"features": loaded}
        return {name: loaded[name] for name in loaded.files}


def _matrix(path: Path, arrays: dict[str, np.ndarray]) -> csr_matrix | csc_matrix | np.ndarray:
    if set(arrays) >= CSR_PARTS:
        return _sparse(path, arrays)
    named = [arrays[name] for name in ("features", "residuals") if name in arrays]
    if not named and len(arrays) == 1:
        named = list(arrays.values())
    if not named:
        raise UserError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected one array, one called "
            "`features` or `residuals`, or a CSR matrix saved by scipy.sparse.save_npz"
        )
    if len(named) > 1:
        raise UserError(f"{path} holds both `features` and `residuals`: expected a file for each")
    return named[0]


def _sparse(path: Path, arrays: dict[str, np.ndarray]) -> csr_matrix | csc_matrix:
    """A matrix from its parts. CSC has parts of the same names, and `format` tells them apart."""
    said = arrays["format"].item() if "format" in arrays else b"csr"
    form = said.decode() if isinstance(said, bytes) else str(said)
    if form not in BUILD:
        raise UserError(f"{path} is saved as {form}: expected CSR (matrix.tocsr())")
    rows, columns = (int(size) for size in arrays["shape"])
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    matrix: csr_matrix | csc_matrix = BUILD[form](parts, shape=(rows, columns))
    matrix.check_format(full_check=True)
    matrix.sum_duplicates()
    return matrix
