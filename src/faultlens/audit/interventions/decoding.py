"""Decoding under an intervention: which prompts flip when a class is set to its normal value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from faultlens.audit.interventions.codes import Codes
from faultlens.audit.running import BATCH, NEW_TOKENS, TaskTokens
from faultlens.audit.steps import Flips
from faultlens.models.dictionary import Dictionary
from faultlens.models.hooks import Edit
from faultlens.models.model import Model
from faultlens.models.sites import Site

Succeeds = Callable[[list[int], int], bool]
"""Whether generated ids answer the prompt of that index."""


@dataclass(frozen=True, eq=False)
class SetWhereItFires:
    """Sets features to given values at every token where any of them fires, while decoding.

    Attributes:
        wanted: what they are set to in the prompts, left-padded `[prompts, longest, features]`.
        later: what they are set to at every later step, `[features]`.
        editable: positions after BOS, left-padded boolean `[prompts, longest]`.
    """

    dictionary: Dictionary
    features: Sequence[int]
    wanted: Tensor
    later: Tensor
    editable: Tensor

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
        flat = x.flatten(0, 1)
        activations = self.dictionary.encode(flat)[:, list(self.features)]
        fires = (activations > 0).any(dim=-1, keepdim=True)
        prefill = x.shape[1] == self.editable.shape[1] > 1
        if prefill:
            wanted = self.wanted.flatten(0, 1)
            fires &= self.editable.flatten()[:, None]
        else:
            wanted = self.later
        steps = (wanted - activations) * fires
        return self.dictionary.raised(flat, steps, list(self.features)).reshape(*x.shape[:2], -1)


def count_flips(
    model: Model,
    dictionary: Dictionary,
    features: Sequence[int],
    codes: Codes,
    tokens: TaskTokens,
    by_role: np.ndarray,
    later: np.ndarray,
    failed: np.ndarray,
    prompts: np.ndarray,
    succeeds: Succeeds,
) -> Flips:
    """Decode all prompts where the class fires under the intervention; count both directions.

    Args:
        by_role: what every feature is set to in a prompt, `[roles, d_sae]`.
        later: what it is set to in the tokens that are generated, `[d_sae]`.
    """
    chosen = list(features)
    after = np.zeros(len(prompts), dtype=bool)
    order = np.argsort([len(tokens.rows[i]) for i in prompts], kind="stable")
    for start in range(0, len(prompts), BATCH):
        places = order[start : start + BATCH]
        rows = [tokens.rows[i] for i in prompts[places]]
        longest = max(len(row) for row in rows)
        wanted = torch.zeros(len(rows), longest, len(chosen))
        editable = torch.zeros(len(rows), longest, dtype=torch.bool)
        for place, (prompt, row) in enumerate(zip(prompts[places], rows, strict=True)):
            roles = codes.roles[codes.rows_of(int(prompt))][1 : len(row)]
            wanted[place, longest - len(row) + 1 :] = torch.from_numpy(by_role[roles][:, chosen])
            editable[place, longest - len(row) + 1 :] = True
        change = SetWhereItFires(
            dictionary,
            chosen,
            wanted.to(model.device),
            torch.from_numpy(later[chosen]).to(model.device),
            editable.to(model.device),
        )
        generated = model.generate(rows, NEW_TOKENS, change.edits())
        for place, ids in zip(places, generated, strict=True):
            after[place] = succeeds(ids, int(prompts[place]))
    before = ~failed[prompts]
    gained, lost = int((~before & after).sum()), int((before & ~after).sum())
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Flips(len(prompts), gained, lost, p_value)
