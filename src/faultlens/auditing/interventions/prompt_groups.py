"""Prompt groups: which prompts of a task `all`, `successes` and `failures` are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.errors import UserError

GROUPS = ("all", "successes", "failures")


@dataclass(frozen=True, eq=False)
class PromptGroups:
    """The prompts of a task by their outcome.

    Attributes:
        n: how many prompts there are.
        failed: gives the outcome, boolean `[prompts]`; called when a group depends on it.
    """

    n: int
    failed: Callable[[], np.ndarray]

    def indices(self, among: str | Sequence[int]) -> np.ndarray:
        """The prompts of a group, or those listed, as indices.

        Raises UserError for a group without prompts, or an index that the task does not have.
        """
        if isinstance(among, str):
            if among == "all":
                return np.arange(self.n)
            found = np.flatnonzero(self.failed() == (among == "failures"))
            if not len(found):
                raise UserError(
                    f"the task has no {among} to draw from: expected among='all', or the indices "
                    "of prompts"
                )
            return found
        listed = np.array(sorted(int(i) for i in among))
        if listed[-1] >= self.n:
            raise UserError(
                f"among: prompt {listed[-1]} is not there: expected indices from 0 to {self.n - 1}"
            )
        return listed
