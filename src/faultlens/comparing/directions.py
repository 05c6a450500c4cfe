"""Directions: how alike what two features write is, by the decoders of their dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from faultlens.errors import UserError
from faultlens.feature_name import dictionary_of, taken_apart

if TYPE_CHECKING:
    from faultlens.comparing.run import StudiedRun
    from faultlens.features.lens import Lens

OpenLens = Callable[[Path, Mapping[str, Any]], "Lens"]
"""From a run's folder and manifest to the lens that it was run through. Raises UserError if the
model or its dictionaries are not there any more, or are others."""


@dataclass(frozen=True, eq=False)
class Directions:
    """The directions that the features of some dictionaries write.

    Attributes:
        rows: by dictionary, unit vectors `[features, d]`.
        targets: by dictionary, where it writes: dictionaries of one target are compared, and all
            that write into the residual stream.
    """

    rows: Mapping[str, np.ndarray]
    targets: Mapping[str, str]

    @classmethod
    def of(cls, lens: Lens) -> Directions:
        """Those of a lens's dictionaries."""
        rows, targets = {}, {}
        for dictionary in lens.dictionaries:
            directions = dictionary.W_dec.detach().float().cpu().numpy()
            lengths = np.linalg.norm(directions, axis=1, keepdims=True)
            rows[dictionary.name] = directions / np.maximum(lengths, 1e-12)
            point = dictionary.target.point
            whole = point == "z" or point.startswith("mlp_in") or point.startswith("mlp_norm")
            targets[dictionary.name] = dictionary.target.name if whole else "residual stream"
        return cls(rows, targets)

    def cosine(self, feature: str, other: Directions, counterpart: str) -> float | None:
        """Of two features; None where their directions are not of one space."""
        mine, yours = self._row(feature), other._row(counterpart)
        if mine is None or yours is None or not self._comparable(feature, other, counterpart):
            return None
        return float(np.clip(mine @ yours, -1.0, 1.0))

    def _row(self, feature: str) -> np.ndarray | None:
        name, index = taken_apart(feature)
        if name not in self.rows or index >= len(self.rows[name]):
            return None
        row: np.ndarray = self.rows[name][index]
        return row

    def _comparable(self, feature: str, other: Directions, counterpart: str) -> bool:
        one, two = dictionary_of(feature), dictionary_of(counterpart)
        same_space = self.targets[one] == other.targets[two]
        return same_space and self.rows[one].shape[1] == other.rows[two].shape[1]


def directions_of(
    first: StudiedRun, second: StudiedRun, open_lens: OpenLens
) -> tuple[Directions, Directions] | str:
    """The directions of both runs' features, or why there are none."""
    found = []
    for run in (first, second):
        if not run.manifest:
            return f"{run.named} has no manifest that says which dictionaries it read"
        try:
            found.append(Directions.of(open_lens(run.folder, run.manifest)))
        except UserError as error:
            return f"the dictionaries of {run.named} cannot be loaded: {error}"
    return found[0], found[1]
