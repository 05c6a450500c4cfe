"""Redecoding: what is generated under an edit, where it is known what is generated without it.

The old continuation is put behind the prompt, and one pass from the edited block on says what would
be generated at each of its places. Where that is the old continuation throughout, it is the new one
too: greedy decoding would have taken the same steps. Only the other prompts are decoded anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_tokens import by_length
from faultlens.auditing.interventions.decoding import EditHooks, generate_edited
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.edits import GeneratedRule
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.models.dictionary import Dictionary
from faultlens.models.few_features import encode_few
from faultlens.models.greedy import end_ids
from faultlens.models.restart import Restart
from faultlens.models.sites import Site


def redecode(
    runner: EditRunner, placed: PlacedEdit, prompts: np.ndarray, before: Generated
) -> list[list[int]]:
    """The ids generated after some prompts under an edit, in the order of the prompts.

    Args:
        before: what was generated after them without it.
    """
    entry = first_block(runner.dictionary)
    known = [i for i, prompt in enumerate(prompts) if before.has([int(prompt)], entry)]
    found: dict[int, list[int]] = {}
    rows = [_grown(runner, before, int(prompts[i])) for i in known]
    for batch in by_length(rows):
        places = [known[i] for i in batch]
        same = _unchanged(runner, placed, prompts[places], before, entry)
        found |= {
            i: before.ids[int(prompts[i])] for i, yes in zip(places, same, strict=True) if yes
        }
    others = [i for i in range(len(prompts)) if i not in found]
    if others:
        anew = generate_edited(runner, placed, prompts[others])
        found |= dict(zip(others, anew, strict=True))
    return [found[i] for i in range(len(prompts))]


def first_block(dictionary: Dictionary) -> Site:
    """What enters the first block in which the dictionary reads or writes."""
    return Site(min(dictionary.site.layer, dictionary.target.layer), "resid_pre")


def _grown(runner: EditRunner, before: Generated, prompt: int) -> list[int]:
    """A prompt with the generated tokens that decoding read: all but the last of the most."""
    tokens = runner.tokens
    return [*tokens.rows[prompt], *before.ids[prompt][: tokens.new_tokens - 1]]


@torch.no_grad()
def _unchanged(
    runner: EditRunner, placed: PlacedEdit, prompts: np.ndarray, before: Generated, entry: Site
) -> list[bool]:
    """Of each prompt, whether the same is generated under the edit."""
    model = runner.model
    lengths = [len(runner.tokens.rows[int(i)]) for i in prompts]
    grown = [_grown(runner, before, int(i)) for i in prompts]
    ids = model.pad(grown)
    position = torch.arange(ids.shape[1], device=ids.device)
    begin = torch.tensor(lengths, device=ids.device)[:, None]
    end = torch.tensor([len(row) for row in grown], device=ids.device)[:, None]
    edit = _ForcedEdit.of(runner, placed, prompts, lengths, (position >= begin) & (position < end))
    asked = (position >= begin - 1) & (position < end)
    hidden = model.hidden(
        ids, at=asked, edits=edit.hooks(),
        restart=Restart(entry.layer, before.padded([int(i) for i in prompts], entry)),
    )  # fmt: skip
    likeliest = model.unembed(hidden).argmax(dim=-1).tolist()
    ends, same, start = end_ids(model.network), [], 0
    for prompt, length, row in zip(prompts, lengths, grown, strict=True):
        said = likeliest[start : start + len(row) - length + 1]
        start += len(said)
        same.append(_agrees(said, before.ids[int(prompt)], ends))
    return same


def _agrees(said: Sequence[int], ids: Sequence[int], ends: Sequence[int]) -> bool:
    """Whether what is likeliest at each place is what was generated, and its end an end."""
    return said[: len(ids)] == ids and all(token in ends for token in said[len(ids) :])


@dataclass(frozen=True, eq=False)
class _ForcedEdit(EditHooks):
    """An edit of prompts and of a continuation that stands behind them.

    Attributes:
        features: their indices in the dictionary.
        steps: how far they move in the prompts, `[prompts, positions, features]`.
        behind: where the continuation stands, boolean `[prompts, positions]`.
        generated: what they are set to there; None: nothing.
    """

    dictionary: Dictionary
    features: tuple[int, ...]
    steps: Tensor
    behind: Tensor
    generated: GeneratedRule | None

    @classmethod
    def of(
        cls,
        runner: EditRunner,
        placed: PlacedEdit,
        prompts: np.ndarray,
        lengths: Sequence[int],
        behind: Tensor,
    ) -> _ForcedEdit:
        scored = max(len(runner.tokens.scored[int(i)]) for i in prompts)
        right = runner.steps(placed, prompts, scored)
        steps = torch.zeros(*behind.shape, len(placed.features))
        for place, length in enumerate(lengths):
            steps[place, :length] = right[place, :length]
        features = placed.features.indices
        return cls(runner.dictionary, features, steps.to(behind.device), behind, placed.generated)

    def change(self, x: Tensor) -> Tensor:
        """What is added, `[prompts, positions, d]`, where the dictionary reads `x`."""
        features, steps = list(self.features), self.steps
        if self.generated is not None and bool(self.behind.any()):
            own = encode_few(self.dictionary, x[self.behind], features)
            steps = steps.clone()
            steps[self.behind] = self.generated(own) - own
        raised = self.dictionary.raised(x.flatten(0, 1), steps.flatten(0, 1), features)
        return raised.reshape(*x.shape[:2], -1)
