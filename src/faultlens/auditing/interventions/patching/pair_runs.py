"""Pair runs: prompts and their swapped twins, run once for all that is patched between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultlens.auditing.interventions.cached_run import CachedRun, CachedRuns
from faultlens.auditing.interventions.patching.swaps import LevelSwap
from faultlens.models.sites import Site

TOGETHER = 64  # pairs, up to which all are run at once, and any of them are taken from that run


@dataclass(frozen=True, eq=False)
class PairRuns:
    """Runs of both sides of a swap.

    Attributes:
        swap: the pairs.
        originals: runs of the task's prompts.
        twins: runs of the swapped prompts.
        blocks: which pairs belong together, whole numbers `[pairs]`; None: none do.
    """

    swap: LevelSwap
    originals: CachedRuns
    twins: CachedRuns
    blocks: np.ndarray | None = None

    @classmethod
    def of(
        cls, swap: LevelSwap, originals: CachedRuns, blocks: np.ndarray | None = None
    ) -> PairRuns:
        """The runs of a swap's pairs.

        Args:
            blocks: which prompts of the task belong together, `[prompts]`.
        """
        twins = CachedRuns(originals.model, swap.tokens, originals.sites)
        return cls(swap, originals, twins, None if blocks is None else blocks[swap.prompts])

    def blocks_of(self, pairs: np.ndarray) -> np.ndarray | None:
        """Which of some pairs belong together, `[pairs]`."""
        return None if self.blocks is None else self.blocks[pairs]

    def sides(self, pairs: np.ndarray, site: Site) -> tuple[CachedRun, CachedRun]:
        """The originals and the twins of some pairs, for changes at a site."""
        if len(pairs) < len(self.swap) <= TOGETHER:
            originals, twins = self.sides(np.arange(len(self.swap)), site)
            places = pairs.tolist()
            return originals.some(places), twins.some(places)
        return self.originals.of(self.swap.prompts[pairs], site), self.twins.of(pairs, site)
