"""Assay: prompts cached at a layer, so that a change costs only what comes after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from faultlens.audit.task_tokens import TaskTokens
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.models.suffix import CachedPass, Suffix

PASS_TOKENS = 1024  # run together in one pass of several changes
GROUP = 16  # prompts cached together


@dataclass(frozen=True, eq=False)
class Answers:
    """What the model answers, `[…, prompts]` each.

    Attributes:
        margin: `logit(target) − the largest other logit`.
        difference: `logit(target) − logit(foil)`; NaN where there is no foil.
    """

    margin: np.ndarray
    difference: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the target's token is the likeliest."""
        right: np.ndarray = self.margin > 0
        return right


@dataclass(frozen=True, eq=False)
class Assay:
    """Some prompts of a task, cached: an edit at `site` costs what comes after it.

    Attributes:
        prompts: their indices in the task.
        last: the position of each prompt's last scored token, `[prompts]`.
        editable: real positions after BOS, boolean `[prompts, positions]`.
    """

    model: Model
    site: Site
    prompts: np.ndarray
    cached: CachedPass
    last: Tensor
    target: Tensor
    foil: Tensor
    editable: Tensor
    _kept: dict[tuple[int, int], Suffix] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, model: Model, site: Site, tokens: TaskTokens, prompts: np.ndarray) -> Assay:
        """Run the prompts with the given indices once."""
        entry = Site(site.layer, "resid_pre")
        rows = [tokens.scored[i] for i in prompts]
        cached = CachedPass.of(model, rows, sorted({site, entry}, key=lambda s: s.depth))
        device = cached.ids.device
        last = torch.from_numpy(tokens.last[prompts]).to(device)
        position = torch.arange(cached.ids.shape[1], device=device)
        return cls(
            model,
            site,
            prompts,
            cached,
            last,
            torch.from_numpy(tokens.target[prompts]).to(device),
            torch.from_numpy(tokens.foil[prompts]).to(device),
            (position > 0) & (position <= last[:, None]),
        )

    @property
    def values(self) -> Tensor:
        """The site's values, float32 `[prompts, positions, d]`."""
        return self.cached.values[self.site]

    def measure(self, change: Tensor | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Margin, difference and whether it is right, `[prompts]` each, after adding `change`.

        `change [prompts, positions, d]` is added to the site's values; None: nothing is.
        """
        found = self.measure_all(
            (torch.zeros_like(self.values) if change is None else change)[None]
        )
        return found.margin[0], found.difference[0], found.right[0]

    @torch.no_grad()
    def measure_all(self, changes: Tensor) -> Answers:
        """The answers after each of several changes, `[changes, prompts, positions, d]`."""
        columns = torch.nonzero((changes != 0).any(dim=-1).any(dim=0).any(dim=0)).flatten()
        first = int(columns[0]) if len(columns) else int(self.last.min())
        start = min(first, int(self.last.min()))
        copies = changes.shape[0]
        suffix = self._suffix(start, copies)
        push = changes[:, :, start:].flatten(0, 1)
        logits = suffix.logits(self.last.repeat(copies), {self.site: lambda x: x + push})
        target = self.target.repeat(copies)[:, None]
        foil = self.foil.repeat(copies)[:, None]
        right = logits.gather(1, target)
        wrong = logits.gather(1, foil.clamp(min=0)).masked_fill(foil < 0, torch.nan)
        other = logits.scatter_(1, target, -torch.inf).amax(dim=1, keepdim=True)
        shape = (copies, len(self.prompts))
        return Answers(
            (right - other).reshape(shape).cpu().numpy(),
            (right - wrong).reshape(shape).cpu().numpy(),
        )

    def _suffix(self, start: int, copies: int) -> Suffix:
        """The last one is kept: many changes that begin at one column come one after the other."""
        if (start, copies) not in self._kept:
            self._kept.clear()
            self._kept[start, copies] = self.cached.suffix(self.site.layer, start, copies)
        return self._kept[start, copies]

    def together(self, start: int) -> int:
        """How many changes that begin at column `start` are best run in one pass."""
        columns = self.cached.ids.shape[1] - start
        return max(1, PASS_TOKENS // (len(self.prompts) * columns))


def assays(
    model: Model, site: Site, tokens: TaskTokens, prompts: np.ndarray, first: np.ndarray
) -> Iterator[Assay]:
    """The prompts in groups that have few columns to run: by first edited position, then length.

    Args:
        first: each prompt's first edited position, `[prompts]`.
    """
    order = prompts[np.lexsort((tokens.last[prompts], first))]
    for start in range(0, len(order), GROUP):
        yield Assay.of(model, site, tokens, order[start : start + GROUP])
