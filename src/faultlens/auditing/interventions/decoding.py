"""Decoding under an intervention: what is generated, and which prompts flip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.task_tokens import NEW_TOKENS, by_length
from faultlens.auditing.behaviour.outcomes import LogitRule
from faultlens.auditing.interventions.bench import Bench
from faultlens.auditing.interventions.edits import Edited, Later
from faultlens.auditing.result import Flips
from faultlens.models.dictionary import Dictionary
from faultlens.models.hooks import Edit
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Tick
from faultlens.stats.mcnemar import mcnemar_exact

Succeeds = Callable[[list[int], int], bool] | LogitRule
"""Whether generated ids answer the prompt of that index; or a rule that asks the logits."""


@dataclass(frozen=True, eq=False)
class WhileDecoding:
    """A change of features, carried out on the prompts and on every token generated after them.

    Attributes:
        steps: how far they move in the prompts, left-padded `[prompts, longest, features]`.
        later: what they become at every later step; None: that is left as it is.
    """

    dictionary: Dictionary
    features: Sequence[int]
    steps: Tensor
    later: Later | None

    @classmethod
    def of(cls, bench: Bench, edited: Edited, prompts: np.ndarray) -> WhileDecoding:
        """A change of some prompts, decoded together."""
        lengths = [len(bench.tokens.rows[i]) for i in prompts]
        right = bench.steps(edited, prompts, max(len(bench.tokens.scored[i]) for i in prompts))
        left = torch.zeros(len(prompts), max(lengths), len(edited.features))
        for place, length in enumerate(lengths):
            left[place, max(lengths) - length :] = right[place, :length]
        device = bench.model.device
        return cls(bench.dictionary, edited.features, left.to(device), edited.later)

    def edits(self) -> Mapping[Site, Edit]:
        """The hooks; of a transcoder one that reads its site and one that edits its target."""
        seen: list[Tensor] = []

        def read(x: Tensor) -> Tensor:
            seen[:] = [x]
            return x

        def edit(x: Tensor) -> Tensor:
            return x + self.change(seen[0] if seen else x)

        if self.dictionary.target == self.dictionary.site:
            return {self.dictionary.site: edit}
        return {self.dictionary.site: read, self.dictionary.target: edit}

    def change(self, x: Tensor) -> Tensor:
        """What is added, `[prompts, positions, d]`, where the dictionary reads `x`."""
        features, flat = list(self.features), x.flatten(0, 1)
        if x.shape[1] == self.steps.shape[1] > 1:
            steps = self.steps.flatten(0, 1)
        else:
            own = self.dictionary.encode(flat)[:, features]
            steps = torch.zeros_like(own) if self.later is None else self.later(own) - own
        return self.dictionary.raised(flat, steps, features).reshape(*x.shape[:2], -1)


def decoded(bench: Bench, edited: Edited | None, prompts: np.ndarray) -> list[list[int]]:
    """The generated ids of some prompts, in their order, under a change; None: as it is."""
    rows = [bench.tokens.rows[i] for i in prompts]
    if edited is None:
        return generated(bench.model, rows)
    return generated(
        bench.model, rows, lambda batch: WhileDecoding.of(bench, edited, prompts[batch]).edits()
    )


def generated(
    model: Model,
    rows: Sequence[Sequence[int]],
    edits_of: Callable[[list[int]], Mapping[Site, Edit]] | None = None,
    progress: Tick | None = None,
) -> list[list[int]]:
    """Greedy continuations, in the order of `rows`; those of similar length are decoded together.

    Args:
        edits_of: the hooks under which the rows with these places are decoded.
        progress: told of the rows done.
    """
    found: list[list[int]] = [[] for _ in rows]
    for batch in by_length(rows):
        edits = None if edits_of is None else edits_of(batch)
        ids = model.generate([rows[i] for i in batch], NEW_TOKENS, edits)
        for place, of_row in zip(batch, ids, strict=True):
            found[place] = of_row
        if progress is not None:
            progress(len(batch))
    return found


def count_flips(
    bench: Bench, edited: Edited, prompts: np.ndarray, failed: np.ndarray, succeeds: Succeeds
) -> Flips:
    """Count the outcomes of some prompts that turn under a change, in both directions.

    They are decoded under it, or where a rule of logits decides, scored.

    Args:
        failed: without the change, boolean over the task's prompts.
    """
    if isinstance(succeeds, LogitRule):
        _, _, margin, difference = bench.answers(edited, prompts)
        after = succeeds.value(difference, margin) > 0
    else:
        found = decoded(bench, edited, prompts)
        after = np.array([succeeds(ids, int(i)) for ids, i in zip(found, prompts, strict=True)])
    before = ~failed[prompts]
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    return Flips(len(prompts), gained, lost, mcnemar_exact(gained, lost))
