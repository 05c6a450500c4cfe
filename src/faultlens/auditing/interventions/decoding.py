"""Decoding: what is generated with features edited, and which outcomes turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.task_tokens import NEW_TOKENS, decoded_together
from faultlens.auditing.behaviour.generation import answered
from faultlens.auditing.behaviour.outcomes import LogitRule, Rule, right_answer
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.edits import GeneratedRule
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.corpus.task import Task
from faultlens.models.dictionary import Dictionary
from faultlens.models.few_features import encode_few
from faultlens.models.hooks import SiteHook
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.progress import Tick

Succeeds = Callable[[list[int], int], bool] | LogitRule
"""Whether generated ids answer the prompt of that index; or a rule that asks the logits."""


def succeeds_by(rule: Rule, task: Task, model: Model) -> Succeeds:
    """The rule, for prompts that are answered anew."""
    if isinstance(rule, LogitRule):
        return rule
    of_text = rule

    def right(ids: list[int], index: int) -> bool:
        prompt = task.prompts[index]
        return right_answer(prompt, answered(model, ids, prompt), of_text) is not None

    return right


class EditHooks(ABC):
    """An edit of a dictionary's features as hooks of a pass."""

    dictionary: Dictionary

    @abstractmethod
    def change(self, x: Tensor) -> Tensor:
        """What is added, `[prompts, positions, d]`, where the dictionary reads `x`."""

    def hooks(self) -> Mapping[Site, SiteHook]:
        """Where the dictionary reads and writes; of a transcoder these are two sites."""
        seen: list[Tensor] = []

        def read(x: Tensor) -> Tensor:
            seen[:] = [x]
            return x

        def edit(x: Tensor) -> Tensor:
            return x + self.change(seen[0] if seen else x)

        if self.dictionary.target == self.dictionary.site:
            return {self.dictionary.site: edit}
        return {self.dictionary.site: read, self.dictionary.target: edit}


@dataclass(frozen=True, eq=False)
class DecodingEdit(EditHooks):
    """An edit of some prompts and of every token that is generated after them.

    Attributes:
        features: their indices in the dictionary.
        steps: how far they move in the prompts, left-padded `[prompts, longest, features]`.
        generated: what they are set to at generated tokens; None: those are left as they are.
    """

    dictionary: Dictionary
    features: tuple[int, ...]
    steps: Tensor
    generated: GeneratedRule | None

    @classmethod
    def of(cls, runner: EditRunner, placed: PlacedEdit, prompts: np.ndarray) -> DecodingEdit:
        """The edit of some prompts that are decoded together."""
        tokens = runner.tokens
        lengths = [len(tokens.rows[i]) for i in prompts]
        right = runner.steps(placed, prompts, max(len(tokens.scored[i]) for i in prompts))
        left = torch.zeros(len(prompts), max(lengths), len(placed.features))
        for place, length in enumerate(lengths):
            left[place, max(lengths) - length :] = right[place, :length]
        return cls(
            runner.dictionary, placed.features.indices, left.to(runner.model.device),
            placed.generated,
        )  # fmt: skip

    def change(self, x: Tensor) -> Tensor:
        """What is added, `[prompts, positions, d]`, where the dictionary reads `x`."""
        features, flat = list(self.features), x.flatten(0, 1)
        if x.shape[1] == self.steps.shape[1] > 1:
            steps = self.steps.flatten(0, 1)
        elif self.generated is None:
            steps = x.new_zeros(len(flat), len(features))
        else:
            own = encode_few(self.dictionary, flat, features)
            steps = self.generated(own) - own
        return self.dictionary.raised(flat, steps, features).reshape(*x.shape[:2], -1)


def generate_edited(runner: EditRunner, placed: PlacedEdit, prompts: np.ndarray) -> list[list[int]]:
    """The ids generated after some prompts under an edit, in the order of the prompts."""

    def hooks_of(batch: list[int]) -> Mapping[Site, SiteHook]:
        return DecodingEdit.of(runner, placed, prompts[batch]).hooks()

    rows = [runner.tokens.rows[i] for i in prompts]
    return generate(runner.model, rows, hooks_of, new_tokens=runner.tokens.new_tokens)


def generate(
    model: Model,
    rows: Sequence[Sequence[int]],
    hooks_of: Callable[[list[int]], Mapping[Site, SiteHook]] | None = None,
    progress: Tick | None = None,
    new_tokens: int = NEW_TOKENS,
) -> list[list[int]]:
    """Greedy continuations, in the order of `rows`; those of similar length are decoded together.

    Args:
        hooks_of: gives the hooks under which the rows at some places are decoded; None: none.
        progress: told how many rows are done.
        new_tokens: that follow each row, at most.
    """
    found: list[list[int]] = [[] for _ in rows]
    for batch in decoded_together(rows, new_tokens, not model.pads_left):
        hooks = None if hooks_of is None else hooks_of(batch)
        ids = model.generate([rows[i] for i in batch], new_tokens, hooks)
        for place, of_row in zip(batch, ids, strict=True):
            found[place] = of_row
        if progress is not None:
            progress(len(batch))
    return found
