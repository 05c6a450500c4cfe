"""Codes: every token of a task's prompts as one dictionary encodes it, and means by role."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_matrix

MEANS_KEPT = 4  # groups of prompts whose means are kept: all, successes, failures, the last asked


@dataclass(frozen=True, eq=False)
class Codes:
    """Token-level activations of all scored rows.

    Attributes:
        matrix: CSR `[tokens of all rows, d_sae]`, rows of start tokens empty.
        starts: the first row of each prompt in `matrix`, `[prompts + 1]`.
        roles: of every token, `[tokens of all rows]`; -1 at what stands in front.
        n_roles: how many roles there are.
        scale: from activation times `W_dec[f]` to the target site's units at every token; None: 1.
    """

    matrix: csr_matrix
    starts: np.ndarray
    roles: np.ndarray
    n_roles: int
    scale: np.ndarray | None = None
    _means: dict[tuple[str, bytes], np.ndarray] = field(default_factory=dict, repr=False)

    def scales(self, rows: np.ndarray) -> np.ndarray:
        """From activation times `W_dec[f]` to the target site's units, `[rows]`."""
        ones: np.ndarray = np.ones(len(rows), dtype=np.float32)
        return ones if self.scale is None else self.scale[rows]

    def rows_of(self, prompt: int) -> slice:
        """The rows of `matrix` that are a prompt's."""
        return slice(int(self.starts[prompt]), int(self.starts[prompt + 1]))

    def rows(self, prompts: np.ndarray) -> np.ndarray:
        """The tokens of some prompts that count, as rows of `matrix`."""
        every = np.arange(len(self.roles))
        found = np.concatenate([every[self.rows_of(int(prompt))] for prompt in prompts])
        kept: np.ndarray = found[self.roles[found] >= 0]
        return kept

    def firing_rows(self, features: Sequence[int], prompts: np.ndarray) -> np.ndarray:
        """The tokens of some prompts at which any of the features fires, as rows of `matrix`."""
        rows = self.rows(prompts)
        fires = self.matrix[rows][:, list(features)].getnnz(axis=1) > 0
        kept: np.ndarray = rows[fires]
        return kept

    def fires(self, features: Sequence[int]) -> np.ndarray:
        """Whether any of the features fires on each prompt, boolean `[prompts]`."""
        at = self.matrix[:, list(features)].getnnz(axis=1) > 0
        return np.logical_or.reduceat(at, self.starts[:-1])

    def values(self, rows: np.ndarray, features: Sequence[int]) -> np.ndarray:
        """Some features' activations at some tokens, `[rows, features]`."""
        found: np.ndarray = self.matrix[rows][:, list(features)].toarray()
        return found

    def mean_by_role(self, prompts: np.ndarray) -> np.ndarray:
        """Mean activation over the tokens of each role in some prompts, `[roles, d_sae]`.

        A role that none of them has takes the mean over all their tokens that count.
        """
        return self._kept("by role", prompts, self._mean_by_role)

    def _mean_by_role(self, prompts: np.ndarray) -> np.ndarray:
        rows = self.rows(prompts)
        roles = self.roles[rows]
        pick = csr_matrix(
            (np.ones(len(rows), dtype=np.float32), (roles, rows)),
            shape=(self.n_roles, self.matrix.shape[0]),
        )
        counts = np.bincount(roles, minlength=self.n_roles)
        means: np.ndarray = (pick @ self.matrix).toarray().astype(np.float32)
        means[counts > 0] /= counts[counts > 0, None]
        means[counts == 0] = np.asarray(self.matrix[rows].mean(axis=0), dtype=np.float32).ravel()
        return means

    def mean(self, prompts: np.ndarray) -> np.ndarray:
        """Mean activation over all tokens of some prompts that count, float32 `[d_sae]`."""
        return self._kept("overall", prompts, self._mean)

    def _mean(self, prompts: np.ndarray) -> np.ndarray:
        rows = self.matrix[self.rows(prompts)].astype(np.float64)
        return np.asarray(rows.mean(axis=0), dtype=np.float32).ravel()

    def _kept(
        self, what: str, prompts: np.ndarray, compute: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """A mean over some prompts, computed once for the groups that are asked for again."""
        key = what, np.asarray(prompts).tobytes()
        if key not in self._means:
            while len(self._means) >= 2 * MEANS_KEPT:
                del self._means[next(iter(self._means))]
            self._means[key] = compute(prompts)
        return self._means[key]

    def padded(self, prompts: np.ndarray, features: Sequence[int], positions: int) -> np.ndarray:
        """Some features' activations, right-padded: `[prompts, positions, features]`."""
        found = np.zeros((len(prompts), positions, len(features)), dtype=np.float32)
        for place, prompt in enumerate(prompts):
            part = self.matrix[self.rows_of(int(prompt))][:, list(features)].toarray()
            found[place, : len(part)] = part
        return found

    def padded_roles(self, prompts: np.ndarray, positions: int) -> np.ndarray:
        """Right-padded roles, `[prompts, positions]`; -1 at what stands in front and padding."""
        found = np.full((len(prompts), positions), -1)
        for place, prompt in enumerate(prompts):
            part = self.roles[self.rows_of(int(prompt))]
            found[place, : len(part)] = part
        return found
