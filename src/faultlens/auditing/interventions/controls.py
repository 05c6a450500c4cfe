"""Controls: changes at the same tokens as a class's, of the same size, in unrelated directions.

First come other features, set to their means as the class is; then random directions, at each token
of the norm of the class's own change. The draws are the same for all classes of one dictionary, so
that all are held against the same controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.models.dictionary import Dictionary

CONTROLS = 199
MOST_FEATURES = 100  # of the controls; the rest are random directions
NORM_MATCH = 0.2  # a control feature's change is within 20 % of the class's norm
FIRES_THERE = 0.9  # share of the edited positions on which a control feature must fire


def matching_features(
    codes: Codes,
    dictionary: Dictionary,
    placed: PlacedEdit,
    means: np.ndarray,
    *,
    firing: bool,
    order: np.ndarray,
) -> list[int]:
    """Other features whose setting to their mean is a change as large as the class's.

    Args:
        placed: the class's edit.
        means: by role, what they would be set to, `[roles, d_sae]`.
        firing: whether they must fire at nine tenths of the edited tokens or more.
        order: of all features, the same for all classes: earlier ones are taken first, `[d_sae]`.

    Returns:
        at most `MOST_FEATURES` features, in the order of the draw.
    """
    if not len(placed.rows):
        return []
    activations = codes.matrix[placed.rows]
    scale = codes.scales(placed.rows)[:, None]
    steps = scale * np.abs(means[codes.roles[placed.rows]] - activations.toarray())
    norms = dictionary.W_dec.norm(dim=1).cpu().numpy()
    size = steps.mean(axis=0) * norms
    own = activations[:, list(placed.features.indices)].toarray()
    directions = dictionary.W_dec[list(placed.features.indices)].cpu().numpy()
    wanted = float(np.linalg.norm(scale * (placed.wanted - own) @ directions, axis=1).mean())
    fits = np.abs(size - wanted) <= NORM_MATCH * wanted
    if firing:
        fits &= activations.getnnz(axis=0) >= FIRES_THERE * len(placed.rows)
    fits[list(placed.features.indices)] = False
    return [int(f) for f in order[fits[order]][:MOST_FEATURES]]


@dataclass(frozen=True, eq=False)
class Controls:
    """The controls of one class.

    Attributes:
        features: the control features.
        means: by role, what they are set to, `[roles, d_sae]`.
        seed: of the random directions, and of the order in which controls are drawn.
        n: controls in all.
    """

    dictionary: Dictionary
    codes: Codes
    features: list[int]
    means: np.ndarray
    seed: int
    n: int = CONTROLS

    def changes(self, run: CachedRun, change: Tensor, start: int, numbers: Sequence[int]) -> Tensor:
        """The changes of some controls for one group of prompts.

        Args:
            run: of the prompts.
            change: the class's change, `[prompts, positions, d]`.
            start: the first column that is run.
            numbers: which controls, in the order of the draw, from 0 to n − 1.

        Returns:
            `[numbers, prompts, positions − start, d]`.
        """
        norm = change[:, start:].norm(dim=-1, keepdim=True)
        drawn = self.order[list(numbers)]
        inputs = run.values_at(self.dictionary.site)[:, start:]
        found = inputs.new_zeros(len(drawn), *norm.shape[:2], change.shape[-1])
        features = np.flatnonzero(drawn < len(self.features))
        directions = np.flatnonzero(drawn >= len(self.features))
        if len(features):
            chosen = [self.features[i] for i in drawn[features]]
            steps = self._steps(run, norm, start, chosen)
            found[features.tolist()] = self._raised(inputs, steps, chosen).to(found.dtype)
        if len(directions):
            unit = self._directions[drawn[directions] - len(self.features)]
            found[directions.tolist()] = norm * unit[:, None, None, :]
        return found

    @cached_property
    def order(self) -> np.ndarray:
        """The order of the draw: features and directions mixed at random, `[n]`.

        So the first controls are a fair sample of all, and a test may stop after any of them.
        """
        return np.random.default_rng(self.seed).permutation(self.n)

    def features_among(self, drawn: int) -> int:
        """How many of the first controls are features."""
        return int((self.order[:drawn] < len(self.features)).sum())

    def _steps(self, run: CachedRun, norm: Tensor, start: int, features: list[int]) -> Tensor:
        """How far control features move, `[prompts, positions − start, features]`."""
        positions = start + norm.shape[1]
        now = self.codes.padded(run.prompts, features, positions)
        roles = self.codes.padded_roles(run.prompts, positions)
        wanted = self.means[:, features][roles]
        return torch.from_numpy(wanted - now)[:, start:].to(norm.device) * (norm > 0)

    def _raised(self, inputs: Tensor, steps: Tensor, features: list[int]) -> Tensor:
        flat, moves = inputs.flatten(0, 1), steps.flatten(0, 1)
        raised = [
            self.dictionary.raised(flat, moves[:, [i]], [feature])
            for i, feature in enumerate(features)
        ]
        return torch.stack(raised).reshape(len(features), *inputs.shape[:2], -1)

    @cached_property
    def _directions(self) -> Tensor:
        """The random directions, of length 1, `[n − features, d]`."""
        generator = torch.Generator().manual_seed(self.seed)
        W_dec = self.dictionary.W_dec
        drawn = torch.randn(self.n - len(self.features), W_dec.shape[1], generator=generator)
        unit: Tensor = (drawn / drawn.norm(dim=1, keepdim=True)).to(W_dec.device)
        return unit
