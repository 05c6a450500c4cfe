"""Matrices that a user brings in place of a model: `--features` and `--residuals`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from faultlens.cli.options import Invocation, flag
from faultlens.cli.values import Form
from faultlens.config import options
from faultlens.errors import UserError
from faultlens.models.lens_config import LensConfig

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

    from faultlens.features.table import FeatureTable
    from faultlens.runs.folder import Manifest

READING = (*options(LensConfig), "pooling", "fit_check", "long")
"""The options that say what a model reads: of no meaning for what was read elsewhere."""
NOT_SAID = "not said"
"""How matrices were pooled, where the user did not say."""


@dataclass(frozen=True)
class MatrixOptions:
    """Matrices that somebody else computed, in place of a model."""

    features: Annotated[Mapping[str, Path], Form("SITE=FILE", "6-res-jb=layer06.npz")] = field(
        default_factory=dict
    )
    """A matrix, texts × features, of one site, whose name begins with its layer, e.g.
    `6-res-jb=layer06.npz`; .npy, .npz or .safetensors; may be repeated."""
    pooled: str | None = None
    """How the matrices were pooled over the tokens of a text, e.g. `mean`."""

    def check_pooled(self) -> None:
        """Raises UserError for `--pooled` without matrices."""
        if self.pooled is not None and not self.features:
            raise UserError(
                "--pooled says how the matrices of --features were pooled: give those too"
            )


def refuse_reading(call: Invocation, beside: str, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Refuse options that say what a model reads or does, beside `beside`, where none is run.

    Args:
        call: the command's.
        beside: the option that takes the model's place.
        more: names of further options of that kind.

    Returns:
        the names of all such options, which mean nothing here.
    """
    names = (*READING, *more)
    for name, value in call.given.items():
        if name in names:
            written = flag(f"no_{name}" if value is False else name)
            raise UserError(
                f"{written} says what a model reads or does, and beside {beside} none is run: "
                "leave out one of them"
            )
    return names


def read_tables(
    given: MatrixOptions, texts: Sequence[str], manifest: Manifest
) -> dict[str, FeatureTable]:
    """The tables of `--features`, by dictionary, one row a text; their hashes are recorded."""
    from faultlens.features.pooling import Pooling
    from faultlens.features.table import table_from_matrix

    pooling = NOT_SAID if given.pooled is None else str(Pooling.parse(given.pooled))
    tables = {
        name: table_from_matrix(name, path, texts, pooling) for name, path in given.features.items()
    }
    _record(manifest, "features", given.features)
    return tables


def read_residuals(
    files: Mapping[str, Path], prompts: int, manifest: Manifest
) -> dict[str, np.ndarray | csr_matrix]:
    """The matrices of `--residuals`, by layer, one row a prompt; their hashes are recorded."""
    from faultlens.features.matrix import read_matrix

    found = {}
    for name, path in files.items():
        matrix = read_matrix(path)
        if matrix.shape[0] != prompts:
            raise UserError(f"{path} has {matrix.shape[0]} rows, but there are {prompts} prompts")
        found[name] = matrix
    _record(manifest, "residuals", files)
    return found


def _record(manifest: Manifest, what: str, files: Mapping[str, Path]) -> None:
    from faultlens.runs.files import file_digest

    manifest.inputs[what] = {name: file_digest(path) for name, path in files.items()}
