"""From normal: what the margin of failures owes to how they differ from successes, role by role.

Activation × gradient counts all that a site holds, what is the same in every prompt as well. Here
only the difference counts: on failures, the gradient times (value − mean over the successes at the
same role), for the features' part of the value and for the error term apart. To first order that is
what setting either to normal, with the other left as it is, would take off the margin.
"""

from __future__ import annotations

import numpy as np
import torch

from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition


class FromNormal:
    """The difference from normal of features and error term, added batch by batch."""

    def __init__(self, n_roles: int, width: int) -> None:
        self._gradient = torch.zeros(n_roles, width, dtype=torch.float64)
        self._means = torch.zeros(2, n_roles, width, dtype=torch.float64)  # features, error term
        self._counts = torch.zeros(n_roles, dtype=torch.float64)
        self._due, self._failures = np.zeros(2), 0

    def add(
        self, decomposed: SiteDecomposition, failed: np.ndarray, roles: list[np.ndarray]
    ) -> None:
        """Take in prompts.

        Args:
            decomposed: they, at a site.
            failed: the outcome, boolean `[prompts]`.
            roles: of each prompt's tokens; −1 in front.
        """
        place = decomposed.place.cpu().numpy()
        role = torch.from_numpy(np.array([roles[p][t] for p, t in place]))
        fails = torch.from_numpy(failed[place[:, 0]])
        values = decomposed.values[tuple(decomposed.place.T)]
        parts = [values - decomposed.base - decomposed.error, decomposed.error]
        gradient = decomposed.gradient.double().cpu()
        mine = fails & (role >= 0)
        others = ~fails & (role >= 0)
        self._gradient.index_add_(0, role[mine], gradient[mine])
        self._counts += torch.bincount(role[others], minlength=len(self._counts))
        for which, part in enumerate(parts):
            held = part.double().cpu()
            self._means[which].index_add_(0, role[others], held[others])
            self._due[which] += float((gradient[mine] * held[mine]).sum())
        self._failures += int(failed.sum())

    @property
    def features(self) -> float:
        """Of all features together, nats: mean over failures."""
        return self._of(0)

    @property
    def error(self) -> float:
        """Of the error term, likewise."""
        return self._of(1)

    def _of(self, which: int) -> float:
        """A role that no success has takes the mean over all their tokens."""
        known = self._counts > 0
        means = self._means[which] / self._counts.clamp(min=1)[:, None]
        means[~known] = self._means[which].sum(dim=0) / self._counts.sum().clamp(min=1)
        normal = float((self._gradient * means).sum())
        return (float(self._due[which]) - normal) / max(self._failures, 1)
