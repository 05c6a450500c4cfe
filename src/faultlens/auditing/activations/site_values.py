"""Site values: what a model holds at the audited sites in every token of a task, read in one pass.

Encoding, attribution and the random dictionaries all begin with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from faultlens.auditing.activations.task_tokens import TaskTokens, by_length
from faultlens.features.lens import Lens
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import Site

MOST_BYTES = 2**31  # that are kept; of a larger task the prompts asked for are read each time


@dataclass(frozen=True, eq=False)
class SiteValues:
    """The values at some sites in the scored rows of a task."""

    model: Model
    tokens: TaskTokens
    sites: tuple[Site, ...]

    @classmethod
    def of_dictionary(cls, model: Model, dictionary: Dictionary, tokens: TaskTokens) -> SiteValues:
        """Where a dictionary reads and writes, and what enters the block that it writes to."""
        return cls(model, tokens, _sites([dictionary]))

    @classmethod
    def of_lens(cls, lens: Lens, tokens: TaskTokens) -> SiteValues:
        """The same of all dictionaries of a lens."""
        return cls(lens.model, tokens, _sites(lens.dictionaries))

    def of(self, prompts: Sequence[int]) -> dict[Site, Tensor]:
        """The values in some prompts, right-padded, float32 `[prompts, positions, d]` each."""
        if self._kept is None:
            rows = [self.tokens.scored[i] for i in prompts]
            return self.model.read(self.model.pad(rows), self.sites)
        return {
            site: pad_sequence([by_prompt[i] for i in prompts], batch_first=True)
            for site, by_prompt in self._kept.items()
        }

    @cached_property
    def _kept(self) -> dict[Site, list[Tensor]] | None:
        """By prompt `[tokens, d]`; None: they are too many to keep."""
        scored = self.tokens.scored
        numbers = sum(map(len, scored)) * self.model.d_model * len(self.sites)
        if numbers * 4 > MOST_BYTES:
            return None
        found = {site: [torch.empty(0)] * len(scored) for site in self.sites}
        for batch in by_length(scored):
            read = self.model.read(self.model.pad([scored[i] for i in batch]), self.sites)
            for site in self.sites:
                for place, i in enumerate(batch):
                    found[site][i] = read[site][place, : len(scored[i])].clone()
        return found


def _sites(dictionaries: Sequence[Dictionary]) -> tuple[Site, ...]:
    found = set()
    for dictionary in dictionaries:
        entry = Site(dictionary.target.layer, "resid_pre")
        found |= {dictionary.site, dictionary.target, entry}
    return tuple(sorted(found, key=lambda site: site.depth))
