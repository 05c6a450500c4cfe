"""Bench: a model, a dictionary and a task's prompts, on which a change is carried out.

The change keeps the error term: at the edited tokens the dictionary's target site gains
`Σ_f (wanted_f − a_f) · D_f`, D_f the feature's direction in the site's units. BOS is never edited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.cached_run import CachedRun, groups
from faultlens.auditing.interventions.edits import Edited
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

NEVER = 10**6  # the first edited position of a prompt that is not edited
TOGETHER = 32  # prompts cached in one pass: as many as a decisive test has
KEPT = 2  # such passes that are kept: one class's necessity and sufficiency


@dataclass(frozen=True, eq=False)
class Bench:
    """Measures changes of one dictionary's features in a task's prompts.

    Attributes:
        tokens: the task's.
        codes: of all its prompts.
    """

    model: Model
    dictionary: Dictionary
    tokens: TaskTokens
    codes: Codes
    _assays: dict[tuple[int, ...], CachedRun] = field(default_factory=dict, repr=False)

    def answers(self, edited: Edited, prompts: np.ndarray) -> tuple[np.ndarray, ...]:
        """Margin and difference before, then after a change, `[prompts]` each.

        The difference `logit(target) − logit(foil)` is NaN where there is no foil.
        """
        place = {int(prompt): i for i, prompt in enumerate(prompts)}
        found = np.zeros((4, len(prompts)))
        for assay in self.assays(edited, prompts):
            here = [place[int(i)] for i in assay.prompts]
            before = assay.measure(None)[:2]
            after = assay.measure(self.change(edited, assay, self.inputs(assay)))[:2]
            found[:, here] = [*before, *after]
        return tuple(found)

    def assays(self, edited: Edited, prompts: np.ndarray, several: int = 1) -> Iterator[CachedRun]:
        """The prompts in groups, cached, for a change at the edited tokens.

        Args:
            several: changes that will be measured at these tokens.
        """
        starts, last = self.codes.starts, self.tokens.last
        of = np.searchsorted(starts, edited.rows, side="right") - 1
        at = edited.rows - starts[of]
        first = np.array([at[of == prompt].min(initial=NEVER) for prompt in prompts])
        first = np.minimum(first, last[prompts])
        for begin in range(0, len(prompts), TOGETHER):
            part = slice(begin, begin + TOGETHER)
            whole = self._whole(prompts[part])
            for places in groups(first[part], last[prompts[part]], several):
                yield whole.some(places.tolist())

    def _whole(self, prompts: np.ndarray) -> CachedRun:
        """Some prompts cached together; the last ones asked for are kept."""
        key = tuple(prompts.tolist())
        if key not in self._assays:
            while len(self._assays) >= KEPT:
                del self._assays[next(iter(self._assays))]
            self._assays[key] = CachedRun.of(
                self.model, self.dictionary.target, self.tokens, prompts
            )
        return self._assays[key]

    def inputs(self, assay: CachedRun) -> Tensor:
        """What the dictionary reads in the prompts of an assay, `[prompts, positions, d_in]`."""
        if self.dictionary.site == self.dictionary.target:
            return assay.values
        return self.model.read(assay.cached.ids, [self.dictionary.site])[self.dictionary.site]

    def steps(self, edited: Edited, prompts: np.ndarray, positions: int) -> Tensor:
        """How far the features move, right-padded `[prompts, positions, features]`."""
        features = list(edited.features)
        steps = np.zeros((len(prompts), positions, len(features)), dtype=np.float32)
        now = self.codes.values(edited.rows, features)
        for place, prompt in enumerate(prompts):
            rows = self.codes.rows_of(int(prompt))
            mine = (edited.rows >= rows.start) & (edited.rows < rows.stop)
            steps[place, edited.rows[mine] - rows.start] = (edited.wanted - now)[mine]
        return torch.from_numpy(steps)

    def change(self, edited: Edited, assay: CachedRun, inputs: Tensor) -> Tensor:
        """What is added to the target site's values, `[prompts, positions, d]`."""
        steps = self.steps(edited, assay.prompts, inputs.shape[1])
        flat = steps.to(inputs.device).flatten(0, 1)
        raised = self.dictionary.raised(inputs.flatten(0, 1), flat, list(edited.features))
        return raised.reshape(*inputs.shape[:2], -1)
