"""Expected effect: to first order, what setting each feature to normal does to failures.

Normal is what the necessity test sets a feature to: its mean over the successes at tokens of the
same role, where it fires. Activation × gradient counts what a feature does in every prompt as well,
and in other places of other prompts; here only what sets failures apart counts.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition


class ExpectedEffect:
    """Slope × (activation − normal) of each feature, summed over failures, batch by batch."""

    def __init__(self, normal: np.ndarray) -> None:
        """`normal`: mean over the successes by role, `[roles, d_sae]`."""
        self._normal = torch.from_numpy(normal).double()
        self._due = torch.zeros(normal.shape[1], dtype=torch.float64)
        self._prompts = torch.zeros(normal.shape[1], dtype=torch.int64)
        self._failures = 0

    def add(
        self, decomposed: SiteDecomposition, slopes: Tensor, failed: np.ndarray,
        roles: list[np.ndarray],
    ) -> None:  # fmt: skip
        """Take in prompts.

        Args:
            decomposed: they, at a site.
            slopes: of each firing, `[firings]`.
            failed: the outcome, boolean `[prompts]`.
            roles: of each prompt's tokens; −1 in front.
        """
        place = decomposed.place.cpu().numpy()
        role_of = torch.from_numpy(np.array([roles[p][t] for p, t in place]))
        token, feature = decomposed.token.cpu(), decomposed.feature.cpu()
        prompt, role = decomposed.prompt.cpu(), role_of[token]
        mine = torch.from_numpy(failed)[prompt] & (role >= 0)
        role, feature, prompt = role[mine], feature[mine], prompt[mine]
        away = decomposed.activation.cpu().double()[mine] - self._normal[role, feature]
        self._due.index_add_(0, feature, slopes.cpu().double()[mine] * away)
        fired = torch.unique(prompt * len(self._due) + feature) % len(self._due)
        self._prompts += torch.bincount(fired, minlength=len(self._due))
        self._failures += int(failed.sum())

    @property
    def each(self) -> np.ndarray:
        """Of each feature, nats: mean over failures, `[d_sae]`; below 0 it holds failures down."""
        found: np.ndarray = (self._due / max(self._failures, 1)).numpy()
        return found

    def lowest(self, most: int, least: int) -> list[int]:
        """The features that hold failures down most.

        Args:
            most: how many.
            least: failures on which they have to fire.
        """
        able = np.flatnonzero((self.each < 0) & (self._prompts.numpy() >= least))
        order = np.argsort(self.each[able], kind="stable")[:most]
        return [int(feature) for feature in able[order]]
