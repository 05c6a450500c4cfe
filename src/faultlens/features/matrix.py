"""Matrices that somebody else computed: `.npy`, `.npz` and `.safetensors`, dense or CSR."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, issparse, vstack

from faultlens.errors import UserError

CSR_PARTS = {"data", "indices", "indptr", "shape"}
BUILD = {"csr": csr_matrix, "csc": csc_matrix}
"""The formats of SciPy's `save_npz` that have these parts and one index a value."""
BROKEN = (
    OSError, ValueError, EOFError, IndexError, SyntaxError, MemoryError, NotImplementedError,
    RuntimeError, TokenError, BadZipFile, zlib.error, OverflowError, TypeError,
)  # fmt: skip
"""What NumPy, SciPy and the standard library raise for a file that is not what its name says."""
LARGEST = 1e30
"""No model gives more, and liblinear refuses it."""
MOST_TEXTS, MOST_FEATURES = 2**27, 2**24
"""A sparse matrix of a larger shape may lie in a small file, and take all memory."""
BLOCK_CELLS = 16_000_000  # of a dense matrix looked at together: 64 MB


def read_matrix(path: Path) -> csr_matrix | np.ndarray:
    """A matrix of finite numbers, two-dimensional, float32; CSR where it was saved sparse.

    In `.npz` and `.safetensors` it is the only array, the one called `features` or `residuals`, or
    CSR as `data`, `indices`, `indptr` and `shape` (SciPy's `save_npz` writes these).

    Raises UserError if the file cannot be read or holds something else.
    """
    with _readable(path):
        return as_matrix(str(path), _matrix(path, _arrays(path)))


def read_sparse(path: Path) -> csr_matrix:
    """The same as CSR, whatever it was saved as; a dense `.npy` file is never held whole."""
    with _readable(path):
        if path.suffix != ".npy":
            return as_sparse(str(path), _matrix(path, _arrays(path)))
        shape = np.load(path, mmap_mode="r").shape
        return _by_rows(str(path), shape, lambda rows: np.load(path, mmap_mode="r")[rows])


def as_matrix(what: str, values: Any) -> csr_matrix | np.ndarray:
    """A matrix `[texts, at least one column]` of finite numbers, float32; CSR where it is sparse.

    Args:
        what: what it is, as a sentence names it.
        values: sparse, or anything that NumPy makes an array of.

    Raises UserError for anything else, for values beyond ±1e30, and for shapes beyond 2²⁷ × 2²⁴.
    """
    if issparse(values):
        return as_sparse(what, values)
    array = _array(what, values)
    _check_shape(what, array.shape)
    if array.dtype == np.float32:
        for rows in _row_blocks(array.shape):
            _numbers(what, array[rows])
        return array
    matrix = np.empty(array.shape, dtype=np.float32)
    for rows in _row_blocks(array.shape):
        matrix[rows] = _numbers(what, array[rows])
    return matrix


def as_sparse(what: str, values: Any) -> csr_matrix:
    """The same as CSR, whatever it is."""
    sparse = bool(issparse(values))
    if not sparse:
        array = _array(what, values)
        return _by_rows(what, array.shape, lambda rows: array[rows])
    _check_shape(what, values.shape)
    _check_kind(what, values.dtype)
    matrix: Any = csr_matrix(values)
    numbers = _numbers(what, matrix.data)
    return csr_matrix((numbers, matrix.indices, matrix.indptr), shape=matrix.shape)


def _array(what: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:  # rows of different lengths, for one
        raise UserError(f"{what} is no matrix: {error}") from error


def _by_rows(
    what: str, shape: tuple[int, ...], rows_of: Callable[[slice], np.ndarray]
) -> csr_matrix:
    _check_shape(what, shape)
    parts = [csr_matrix(_numbers(what, rows_of(rows))) for rows in _row_blocks(shape)]
    if not parts:
        return csr_matrix(np.empty(shape, dtype=np.float32))
    return csr_matrix(vstack(parts, format="csr"))


def _row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    step = max(1, BLOCK_CELLS // shape[1])
    for start in range(0, shape[0], step):
        yield slice(start, start + step)


def _check_shape(what: str, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or not shape[1]:
        raise UserError(f"{what} has shape {shape}: expected [texts, features]")
    if shape[0] > MOST_TEXTS or shape[1] > MOST_FEATURES:
        raise UserError(
            f"{what} has shape {shape}: expected at most {MOST_TEXTS:,} texts and "
            f"{MOST_FEATURES:,} features"
        )


def _check_kind(what: str, dtype: np.dtype) -> None:
    if dtype.kind not in "fiub":
        raise UserError(f"{what} holds values of type {dtype}: expected numbers")


def _numbers(what: str, values: Any) -> Any:
    """Values as float32. Raises UserError unless all are finite numbers that a model may give."""
    _check_kind(what, values.dtype)
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32, copy=False)
    if not np.isfinite(numbers).all():
        raise UserError(f"{what} holds NaN or infinite values: expected numbers")
    if (np.abs(numbers) > LARGEST).any():
        raise UserError(f"{what} holds values beyond ±1e30: expected those of a model")
    return numbers


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Within this context what is wrong with a file becomes one sentence."""
    if not path.is_file():
        raise UserError(f"no file {path}: expected a matrix (.npy, .npz or .safetensors)")
    try:
        with np.errstate(over="ignore"):  # of a shape that no file has
            yield
    except BROKEN as error:
        said = " ".join(str(error).split(": <")[0].split())  # without what Python calls its objects
        raise UserError(f"{path} cannot be read as .npy, .npz or .safetensors: {said}") from error


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
    for part in ("shape", "indices", "indptr"):
        if arrays[part].dtype.kind not in "iu" or arrays[part].ndim != 1:
            raise UserError(
                f"{path} holds no valid CSR matrix: its {part} is of type {arrays[part].dtype}, "
                f"shape {arrays[part].shape}: expected whole numbers on one axis"
            )
    rows, columns = (int(size) for size in arrays["shape"])
    _check_shape(str(path), (rows, columns))
    parts = (arrays["data"], arrays["indices"], arrays["indptr"])
    matrix: csr_matrix | csc_matrix = BUILD[form](parts, shape=(rows, columns))
    matrix.check_format(full_check=True)
    matrix.sum_duplicates()
    return matrix
