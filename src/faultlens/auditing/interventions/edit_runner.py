"""Edit runner: runs edits of one dictionary's features on a task's prompts, and reads the answers.

An edit keeps the error term: at the edited tokens the dictionary's target site gains
`Σ_f (wanted_f − a_f) · D_f`, D_f the feature's direction in the site's units. BOS is never edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.cached_run import CachedRun, CachedRuns, groups
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

NEVER = 10**6  # the first edited position of a prompt that is not edited
TOGETHER = 32  # prompts cached in one pass: as many as a deciding test has


@dataclass(frozen=True, eq=False)
class EditRunner:
    """Runs edits of one dictionary's features.

    Attributes:
        dictionary: whose features are edited.
        codes: its activations in all of the task's prompts.
        runs: of these prompts, shared with the runners of other dictionaries.
    """

    dictionary: Dictionary
    codes: Codes
    runs: CachedRuns

    @property
    def model(self) -> Model:
        return self.runs.model

    @property
    def tokens(self) -> TaskTokens:
        return self.runs.tokens

    def margins(self, placed: PlacedEdit, prompts: np.ndarray) -> tuple[np.ndarray, ...]:
        """Margin and difference before, then after an edit, `[prompts]` each.

        The difference `logit(target) − logit(foil)` is NaN where there is no foil. Prompts in which
        the edit moves nothing are not run again: theirs stay what they were.
        """
        place = {int(prompt): i for i, prompt in enumerate(prompts)}
        found = np.zeros((4, len(prompts)))
        for run in self.cached_runs(placed, prompts):
            here = np.array([place[int(i)] for i in run.prompts])
            before, change = run.untouched, self.change(placed, run)
            found[:, here] = (
                before.margin, before.difference, before.margin, before.difference,
            )  # fmt: skip
            moved = (change != 0).flatten(1).any(dim=1).nonzero()[:, 0].tolist()
            if not moved:
                continue
            if len(moved) < len(here):
                run = run.some(moved)
                change = change[moved, : run.cached.ids.shape[1]]
            after = run.measure(change)
            found[2:, here[moved]] = after.margin, after.difference
        return tuple(found)

    def cached_runs(
        self, placed: PlacedEdit, prompts: np.ndarray, several: int = 1
    ) -> Iterator[CachedRun]:
        """The prompts in groups, cached, for an edit at the given tokens.

        Args:
            several: changes that will be measured at these tokens.
        """
        starts, last = self.codes.starts, self.tokens.last
        of = np.searchsorted(starts, placed.rows, side="right") - 1
        at = placed.rows - starts[of]
        first = np.array([at[of == prompt].min(initial=NEVER) for prompt in prompts])
        first = np.minimum(first, last[prompts])
        for begin in range(0, len(prompts), TOGETHER):
            part = slice(begin, begin + TOGETHER)
            whole = self.runs.of(prompts[part], self.dictionary.target)
            for places in groups(first[part], last[prompts[part]], several):
                yield whole.some(places.tolist())

    def steps(self, placed: PlacedEdit, prompts: np.ndarray, positions: int) -> Tensor:
        """How far the features move, right-padded `[prompts, positions, features]`."""
        features = placed.features.indices
        steps = np.zeros((len(prompts), positions, len(features)), dtype=np.float32)
        now = self.codes.values(placed.rows, features)
        for place, prompt in enumerate(prompts):
            rows = self.codes.rows_of(int(prompt))
            mine = (placed.rows >= rows.start) & (placed.rows < rows.stop)
            steps[place, placed.rows[mine] - rows.start] = (placed.wanted - now)[mine]
        return torch.from_numpy(steps)

    def change(self, placed: PlacedEdit, run: CachedRun) -> Tensor:
        """What is added to the target site's values in some prompts, `[prompts, positions, d]`."""
        inputs = run.values_at(self.dictionary.site)
        steps = self.steps(placed, run.prompts, inputs.shape[1])
        flat = steps.to(inputs.device).flatten(0, 1)
        raised = self.dictionary.raised(inputs.flatten(0, 1), flat, list(placed.features.indices))
        return raised.reshape(*inputs.shape[:2], -1)
