"""Controls: the class's edit done to something else, at the same tokens and of the same length.

Two families, drawn in one random order:

- *features*: other features, those that fire most often at the edited tokens, set to their own
  means as the class's are;
- *covariance*: directions drawn from the covariance of the site's values at the edited tokens,
  along which the values are set to their mean.

The means are over the same prompts and roles as the class's. Each control's steps are multiplied by
one number, so that over all tokens it moves the values as far as the class does. (To give a control
the class's length at every single token would keep its direction and not its course: random
features then lie on one side of their controls, see `docs/calibration.md`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.models.dictionary import Dictionary

CONTROLS = 199
BLOCK, FEATURES = 5, 3  # of so many controls that follow each other so many are features
SAME = 1e-5  # of their norm: values that differ by less are equal
LEAST_MOVED = 0.01  # of the class's length: a feature that moves by less is no control


@dataclass(frozen=True, eq=False)
class EditedTokens:
    """The tokens that a class's edit changes, and what the site holds there.

    Attributes:
        rows: as rows of the codes, `[tokens]`.
        values: of the target site, `[tokens, d]`.
        wanted: what they would be set to: the mean over the same prompts, at tokens of the same
            role, `[tokens, d]`.
        length: how far the class moves all of them together: the sum of its norms.
    """

    rows: np.ndarray
    values: Tensor
    wanted: Tensor
    length: float


@dataclass(frozen=True, eq=False)
class Controls:
    """The controls of one class.

    Attributes:
        dictionary: whose features they are.
        codes: its activations.
        means: by role, what features are set to, `[roles, d_sae]`.
        edited: the class's tokens.
        features: the control features, in the order of the draw.
        seed: of the order and of the covariance's directions.
    """

    dictionary: Dictionary
    codes: Codes
    means: np.ndarray
    edited: EditedTokens
    features: np.ndarray
    seed: int

    def drawn(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Some controls, by their numbers in the order of the draw, from 0.

        Returns:
            their directions, of length 1, `[numbers, d]`, and how far each token is moved along
            them, `[numbers, tokens]`.
        """
        are_features = self.are_features(max(numbers, default=-1) + 1)
        place, chosen = np.cumsum(are_features) - 1, np.asarray(numbers)
        is_feature = are_features[chosen]
        device = self.edited.values.device
        directions = torch.empty(len(chosen), self.edited.values.shape[1], device=device)
        steps = torch.empty(len(chosen), len(self.edited.rows), device=device)
        mine = torch.from_numpy(is_feature).to(device)
        directions[mine], steps[mine] = self._of_features(self.features[place[chosen[is_feature]]])
        directions[~mine], steps[~mine] = self._of_covariance(chosen[~is_feature])
        lengths = steps.abs().sum(dim=1, keepdim=True)
        return directions, steps * torch.where(lengths > 0, self.edited.length / lengths, 0.0)

    def are_features(self, n: int) -> np.ndarray:
        """Which of the first `n` controls are features, boolean `[n]`.

        Three of each five, in random places; where there are no more, the others are of the
        covariance. So whatever number of controls a test draws, they are a fair sample.
        """
        rng, one = np.random.default_rng(self.seed), np.arange(BLOCK) < FEATURES
        drawn = [rng.permutation(one) for _ in range(-(-n // BLOCK))]
        chosen = np.concatenate([np.zeros(0, dtype=bool), *drawn])[:n]
        found: np.ndarray = chosen & (np.cumsum(chosen) <= len(self.features))
        return found

    def _of_features(self, features: np.ndarray) -> tuple[Tensor, Tensor]:
        """Directions, and steps that set the features to their means, before their scaling."""
        steps = feature_steps(self.codes, self.means, self.edited.rows, features)
        W_dec = self.dictionary.W_dec[torch.from_numpy(features).to(self.dictionary.W_dec.device)]
        norms = W_dec.norm(dim=1, keepdim=True)
        return W_dec / norms, torch.from_numpy(steps.T).to(norms) * norms

    def _of_covariance(self, numbers: np.ndarray) -> tuple[Tensor, Tensor]:
        """Directions of the covariance, and steps along them to the mean, before their scaling."""
        shape, values = (len(numbers), len(self._spread)), self.edited.values
        weights = np.zeros(shape, dtype=np.float32)
        for place, number in enumerate(numbers):
            weights[place] = np.random.default_rng([self.seed, number]).standard_normal(shape[1])
        directions = torch.from_numpy(weights).to(values) @ self._spread
        directions = directions / directions.norm(dim=1, keepdim=True)
        return directions, directions @ self._away.T

    @cached_property
    def _spread(self) -> Tensor:
        """The values less their mean, `[tokens, d]`; where all are equal, every axis once."""
        values = self.edited.values
        centred = values - values.mean(dim=0)
        if centred.norm() > SAME * values.norm():
            return centred
        return torch.eye(values.shape[1], device=values.device)

    @cached_property
    def _away(self) -> Tensor:
        """From the values to their means, `[tokens, d]`; where they lie there, from 0."""
        away, values = self.edited.wanted - self.edited.values, self.edited.values
        return away if away.norm() > SAME * values.norm() else -values


def feature_steps(
    codes: Codes, means: np.ndarray, rows: np.ndarray, features: np.ndarray
) -> np.ndarray:
    """From features' activations to their means, in units of `W_dec`, `[rows, features]`."""
    steps = means[np.ix_(codes.roles[rows], features)] - codes.values(rows, features.tolist())
    scaled: np.ndarray = codes.scales(rows)[:, None] * steps
    return scaled


def control_features(
    codes: Codes,
    dictionary: Dictionary,
    placed: PlacedEdit,
    means: np.ndarray,
    length: float,
    planned: int,
    seed: int,
) -> np.ndarray:
    """Other features, those first that fire on the largest share of the edited tokens.

    As many as the planned controls need are drawn in random order; then come the others that would
    be moved by a hundredth of the class's length or more.

    Args:
        means: by role, what they are set to, `[roles, d_sae]`.
        length: how far the class moves all tokens together.
    """
    rows = placed.rows
    steps = feature_steps(codes, means, rows, np.arange(dictionary.d_sae))
    moved = np.abs(steps).sum(axis=0) * dictionary.W_dec.norm(dim=1).cpu().numpy()
    able = (moved >= LEAST_MOVED * length) & (moved > 0)
    able[list(placed.features.indices)] = False
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.flatnonzero(able))
    share = codes.matrix[rows].getnnz(axis=0)[order]
    order = order[np.argsort(-share, kind="stable")]
    first = -(-planned * FEATURES // BLOCK)
    found: np.ndarray = np.concatenate([rng.permutation(order[:first]), order[first:]])
    return found
