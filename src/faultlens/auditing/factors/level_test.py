"""The test of a level against the rest: Fisher's, and by block where prompts belong together."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.stats import norm

from faultlens.stats.block_sets import outcome_sets
from faultlens.stats.cluster_score import cluster_score_p
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.label_null import permutation_p
from faultlens.stats.strata import exact_conditional

PERMUTATIONS = 10_000
ENOUGH = 10  # permutations that reach an observed distance, below which their share is coarse
CELLS = 20_000_000  # permutations × levels held at once


class LevelTest:
    """Whether failure at some prompts is more, or less, frequent than at the others.

    Fisher's exact test where prompts are independent. Where some belong together, the outcome is
    permuted by block, 10,000 times: p is the share of these in which the failures at the level lie
    at least as far from what its size lets expect (+1 correction). Where fewer than ten do, p is
    the normal one of that distance in standard deviations of the permutations, or Fisher's if that
    is larger, if it is below the share.

    Args:
        failed: the outcome, boolean `[prompts]`.
        blocks: the block of every prompt, `[prompts]`; None: prompts are independent.
        drawn_by: the seed of the permutations.
        parts: which prompts of a block repeat one another; None: none do.
    """

    def __init__(
        self,
        failed: np.ndarray,
        blocks: np.ndarray | None = None,
        drawn_by: int = 0,
        parts: np.ndarray | None = None,
    ) -> None:
        self.failed, self.blocks, self.drawn_by, self.parts = failed, blocks, drawn_by, parts

    @cached_property
    def _sets(self) -> np.ndarray:
        return self._drawn(np.arange(len(self.failed)))

    def p_values(self, members: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
        """p of each level against the rest of some prompts.

        Args:
            members: the prompts at each level, boolean `[levels, prompts]`.
            among: the prompts that are compared, boolean `[prompts]`; None: all.

        Returns:
            `[levels]`.
        """
        rows = np.arange(len(self.failed)) if among is None else np.flatnonzero(among)
        inside, failed = members[:, rows], self.failed[rows]
        if self.blocks is None or not len(inside):
            return _fisher(inside, failed)
        sets = self._sets if len(rows) == len(self.failed) else self._drawn(rows)
        expected = inside.sum(axis=1) * failed.mean()
        observed = np.abs((inside & failed).sum(axis=1) - expected)
        step = max(1, CELLS // len(sets))
        found = []
        for start in range(0, len(inside), step):
            part = slice(start, start + step)
            counts = sets.astype(np.float32) @ inside[part].T.astype(np.float32)
            null = np.abs(counts - expected[part])
            exact = _fisher(inside[part], failed)
            found += [_with_tail(*of) for of in zip(null.T, observed[part], exact, strict=True)]
        return np.array(found)

    def quick_p(self, members: np.ndarray, among: np.ndarray) -> np.ndarray:
        """As `p_values`, for tests by the thousand: where prompts belong together, no permutations.

        The larger p of Fisher's test and of the score test that takes each block for one
        observation: the former is right where the blocks matter to nothing, the latter where they
        are many, whatever they matter to.
        """
        inside, failed = members[:, among], self.failed[among]
        exact = _fisher(inside, failed)
        if self.blocks is None:
            return exact
        larger: np.ndarray = np.maximum(exact, cluster_score_p(inside, failed, self.blocks[among]))
        return larger

    def conditional_p(self, here: np.ndarray, strata: np.ndarray) -> float:
        """p of one level within strata: exact, or by permuting blocks within them."""
        if self.blocks is None:
            return exact_conditional(here, self.failed, strata)
        rng = np.random.default_rng(self.drawn_by)
        sets = outcome_sets(
            self.failed, PERMUTATIONS, rng, strata=strata, blocks=self.blocks, parts=self.parts
        )
        sizes = np.maximum(np.bincount(strata), 1)
        rate = (np.bincount(strata, weights=self.failed) / sizes)[strata]
        expected = float(rate[here].sum())
        null = np.abs(sets[:, here].sum(axis=1) - expected)
        exact = exact_conditional(here, self.failed, strata)
        return _with_tail(null, abs(int(self.failed[here].sum()) - expected), exact)

    def _drawn(self, rows: np.ndarray) -> np.ndarray:
        assert self.blocks is not None
        rng = np.random.default_rng(self.drawn_by)
        parts = None if self.parts is None else self.parts[rows]
        return outcome_sets(
            self.failed[rows], PERMUTATIONS, rng, blocks=self.blocks[rows], parts=parts
        )


def _with_tail(null: np.ndarray, observed: float, exact: float) -> float:
    """The permutation p, its tail smoothed; `null` holds distances from the mean."""
    p = permutation_p(null, observed)
    spread = float(np.sqrt((null**2).mean()))
    if p > ENOUGH / len(null) or spread == 0:
        return p
    return min(p, max(exact, 2 * float(norm.sf(observed / spread))))


def _fisher(inside: np.ndarray, failed: np.ndarray) -> np.ndarray:
    active, failing = inside.sum(axis=1), (inside & failed).sum(axis=1)
    return fisher_exact(failing, active, int(failed.sum()), len(failed))
