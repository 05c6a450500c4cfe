"""Generated: what a model said after a task's prompts, and what it held while it said it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from faultlens.models.greedy import Continuations
from faultlens.models.hooks import KeepSteps
from faultlens.models.model import Model
from faultlens.models.sites import Site

MOST_BYTES = 2**30  # that are kept; of a larger task nothing is


@dataclass(frozen=True, eq=False)
class Generated:
    """Greedy continuations of prompts, with the residuals that they were decoded from.

    Attributes:
        sites: where the residual is kept.
        ids: by prompt what was generated, up to the end of the text.
        residual: by site and prompt, float32 `[tokens, d]`: of the prompt's row, then of what was
            generated but the last token, which was never read.
    """

    model: Model
    sites: tuple[Site, ...]
    ids: dict[int, list[int]] = field(default_factory=dict)
    residual: dict[Site, dict[int, Tensor]] = field(default_factory=dict)

    @classmethod
    def for_rows(
        cls, model: Model, sites: Sequence[Site], rows: Sequence[Sequence[int]], new_tokens: int
    ) -> Generated:
        """Nothing yet; and nothing will be kept of rows that would take too much memory."""
        size = 4 * model.d_model * sum(len(row) + new_tokens for row in rows)
        kept = tuple(dict.fromkeys(sites))
        return cls(model, kept if size * len(kept) <= MOST_BYTES else ())

    def continuations(
        self, prompts: Sequence[int], rows: Sequence[Sequence[int]], new_tokens: int
    ) -> Continuations:
        """`Model.continuations` of the rows of some prompts; ids and residuals are kept."""
        values: dict[Site, Tensor] = {}

        def check(value: Tensor, site: Site) -> None:
            self.model.require_finite(value, site.name)

        edits = {site: KeepSteps(site, values, check) for site in self.sites}
        found = self.model.continuations(rows, new_tokens, edits)
        longest = max(len(row) for row in rows)
        for place, prompt in enumerate(prompts):
            ids = found.ids[place]
            self.ids[prompt] = ids
            read = slice(longest - len(rows[place]), longest + min(len(ids), new_tokens - 1))
            for site, value in values.items():
                self.residual.setdefault(site, {})[prompt] = value[place, read].clone()
        return found

    def has(self, prompts: Sequence[int], site: Site) -> bool:
        """Whether the residual of these prompts was kept at a site."""
        return all(prompt in self.residual.get(site, {}) for prompt in prompts)

    def padded(self, prompts: Sequence[int], site: Site) -> Tensor:
        """The residual of some prompts, right-padded, `[prompts, positions, d]`."""
        return torch.nn.utils.rnn.pad_sequence(
            [self.residual[site][prompt] for prompt in prompts], batch_first=True
        )
