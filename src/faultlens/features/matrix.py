"""Matrices that somebody else computed: `.npy`, `.npz` and `.safetensors`, dense or CSR."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.errors import UserError

CSR_PARTS = {"data", "indices", "indptr", "shape"}


def read_matrix(path: Path) -> csr_matrix | np.ndarray:
    """A matrix of finite numbers, two-dimensional, float32; CSR where it was saved so.

    In `.npz` and `.safetensors` it is the only array, the one called `features` or `residuals`, or
    CSR as `data`, `indices`, `indptr` and `shape` (SciPy's `save_npz` writes these).

    Raises UserError if the file cannot be read or holds something else.
    """
    if not path.is_file():
        raise UserError(f"no file {path}: expected a matrix (.npy, .npz or .safetensors)")
    try:
        arrays = _arrays(path)
        matrix = _matrix(path, arrays)
    except (OSError, ValueError, EOFError, BadZipFile, IndexError) as error:
        raise UserError(f"{path} cannot be read as .npy, .npz or .safetensors: {error}") from error
    values = matrix.data if isinstance(matrix, csr_matrix) else matrix
    if not np.isfinite(values).all():
        raise UserError(f"{path} holds NaN or infinite values: expected numbers")
    return matrix


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            arrays: dict[str, np.ndarray] = load_file(path)
        except SafetensorError as error:
            raise ValueError(error) from error
        return arrays
    with path.open("rb") as file:  # NumPy leaves a broken archive open
        loaded = np.load(file)
        if isinstance(loaded, np.ndarray):
            return {"features": loaded}
        return {name: loaded[name] for name in loaded.files if name != "format"}


def _matrix(path: Path, arrays: dict[str, np.ndarray]) -> csr_matrix | np.ndarray:
    if set(arrays) >= CSR_PARTS:
        parts = (arrays["data"].astype(np.float32), arrays["indices"], arrays["indptr"])
        rows, columns = (int(size) for size in arrays["shape"])
        matrix = csr_matrix(parts, shape=(rows, columns))
        matrix.check_format(full_check=True)
        matrix.sum_duplicates()
        return matrix
    named = [arrays[name] for name in ("features", "residuals") if name in arrays]
    if not named and len(arrays) == 1:
        named = list(arrays.values())
    if not named:
        raise UserError(
            f"{path} holds {', '.join(arrays) or 'nothing'}: expected one array, one called "
            "`features` or `residuals`, or a matrix saved by scipy.sparse.save_npz"
        )
    dense = named[0]
    if dense.ndim != 2:
        raise UserError(f"{path} has shape {dense.shape}: expected [texts, features]")
    if dense.dtype.kind not in "fiub":
        raise UserError(f"{path} holds values of type {dense.dtype}: expected numbers")
    return dense.astype(np.float32)
