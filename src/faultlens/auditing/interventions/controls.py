"""Controls: changes that push at the same positions as a class, equally hard, and mean nothing.

First other features, set as the class is; then random directions, at each position of the class's
own norm. The draws are the same for all classes of one dictionary, so that classes are measured
against one yardstick.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.edits import Edited
from faultlens.models.dictionary import Dictionary

CONTROLS = 199
MOST_FEATURES = 100  # of the controls; the rest are random directions
NORM_MATCH = 0.2  # a control feature's change is within 20 % of the class's norm
FIRES_THERE = 0.9  # share of the edited positions on which a control feature must fire


def matching_features(
    codes: Codes,
    dictionary: Dictionary,
    edited: Edited,
    means: np.ndarray,
    *,
    firing: bool,
    order: np.ndarray,
) -> list[int]:
    """Other features whose own setting to the mean pushes as hard as the class does.

    Args:
        means: by role, what they would be set to, `[roles, d_sae]`.
        firing: whether they must fire on at least nine tenths of the edited positions.
        order: the shared draw: features earlier in it are taken first, `[d_sae]`.

    Returns:
        at most `MOST_FEATURES` features, in the order of the draw.
    """
    if not len(edited.rows):
        return []
    activations = codes.matrix[edited.rows]
    scale = codes.scales(edited.rows)[:, None]
    steps = scale * np.abs(means[codes.roles[edited.rows]] - activations.toarray())
    norms = dictionary.W_dec.norm(dim=1).cpu().numpy()
    size = steps.mean(axis=0) * norms
    own = activations[:, list(edited.features)].toarray()
    directions = dictionary.W_dec[list(edited.features)].cpu().numpy()
    wanted = float(np.linalg.norm(scale * (edited.wanted - own) @ directions, axis=1).mean())
    fits = np.abs(size - wanted) <= NORM_MATCH * wanted
    if firing:
        fits &= activations.getnnz(axis=0) >= FIRES_THERE * len(edited.rows)
    fits[list(edited.features)] = False
    return [int(f) for f in order[fits[order]][:MOST_FEATURES]]


@dataclass(frozen=True, eq=False)
class Controls:
    """The controls of one class.

    Attributes:
        features: the control features.
        means: by role, what they are set to, `[roles, d_sae]`.
        seed: of the random directions.
        n: controls in all.
    """

    dictionary: Dictionary
    codes: Codes
    features: list[int]
    means: np.ndarray
    seed: int
    n: int = CONTROLS

    def changes(
        self, assay: CachedRun, change: Tensor, inputs: Tensor, start: int
    ) -> Iterator[Tensor]:
        """All controls' changes for one group of prompts, several at once.

        Args:
            assay: the prompts.
            change: the class's change, `[prompts, positions, d]`.
            inputs: what the dictionary reads there, `[prompts, positions, d_in]`.
            start: the first column that is run.

        Yields:
            `[changes, prompts, positions − start, d]`; first the features, then the directions.
        """
        norm = change[:, start:].norm(dim=-1, keepdim=True)
        several = assay.together(start)
        if self.features:
            steps = self._steps(assay, norm, start)
            for at in range(0, len(self.features), several):
                part = slice(at, at + several)
                yield self._raised(inputs[:, start:], steps[..., part], self.features[part])
        directions = self._directions(change)
        for at in range(0, len(directions), several):
            yield norm * directions[at : at + several, None, None, :]

    def _steps(self, assay: CachedRun, norm: Tensor, start: int) -> Tensor:
        """How far each control feature moves, `[prompts, positions − start, features]`."""
        positions = start + norm.shape[1]
        now = self.codes.padded(assay.prompts, self.features, positions)
        roles = self.codes.padded_roles(assay.prompts, positions)
        wanted = self.means[:, self.features][roles]
        return torch.from_numpy(wanted - now)[:, start:].to(norm.device) * (norm > 0)

    def _raised(self, inputs: Tensor, steps: Tensor, features: list[int]) -> Tensor:
        flat, moves = inputs.flatten(0, 1), steps.flatten(0, 1)
        raised = [
            self.dictionary.raised(flat, moves[:, [i]], [feature])
            for i, feature in enumerate(features)
        ]
        return torch.stack(raised).reshape(len(features), *inputs.shape[:2], -1)

    def _directions(self, change: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        n, d = self.n - len(self.features), change.shape[-1]
        drawn = torch.randn(n, d, generator=generator).to(change.device)
        unit: Tensor = drawn / drawn.norm(dim=1, keepdim=True)
        return unit
