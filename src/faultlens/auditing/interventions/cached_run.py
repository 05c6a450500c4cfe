"""Assay: prompts cached at a layer, so that a change costs only what comes after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.readout import Answers, Readout
from faultlens.models.model import Model
from faultlens.models.prefix_cache import CachedPass, ResumedPass
from faultlens.models.sites import Site

PASS_TOKENS = 1024  # run together in one pass of several changes
SPARE = 1.1  # columns that a group of prompts runs, over those that its prompts need


@dataclass(frozen=True, eq=False)
class CachedRun:
    """Some prompts of a task, cached: an edit at `site` costs what comes after it.

    Attributes:
        prompts: their indices in the task.
        last: the position of each prompt's last scored token, `[prompts]`.
        readout: of the answers after it.
        editable: real positions after BOS, boolean `[prompts, positions]`.
    """

    model: Model
    site: Site
    prompts: np.ndarray
    cached: CachedPass
    last: Tensor
    readout: Readout
    editable: Tensor
    _kept: dict[tuple[int, int], ResumedPass] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, model: Model, site: Site, tokens: TaskTokens, prompts: np.ndarray) -> CachedRun:
        """Run the prompts with the given indices once."""
        entry = Site(site.layer, "resid_pre")
        rows = [tokens.scored[i] for i in prompts]
        cached = CachedPass.of(model, rows, sorted({site, entry}, key=lambda s: s.depth))
        device = cached.ids.device
        last = torch.from_numpy(tokens.last[prompts]).to(device)
        position = torch.arange(cached.ids.shape[1], device=device)
        readout = Readout.of(
            model,
            torch.from_numpy(tokens.right(prompts)).to(device),
            torch.from_numpy(tokens.foil[prompts]).to(device),
            cached.hidden[torch.arange(len(prompts), device=device), last],
        )
        editable = (position > 0) & (position <= last[:, None])
        return cls(model, site, prompts, cached, last, readout, editable)

    def some(self, places: Sequence[int]) -> CachedRun:
        """The same of some of its prompts, by their places in it; nothing is run again."""
        rows = torch.tensor(places, device=self.last.device)
        columns = int(self.last[rows].max()) + 1
        return CachedRun(
            self.model, self.site, self.prompts[places], self.cached.some(rows, columns),
            self.last[rows], self.readout.some(rows), self.editable[rows, :columns],
        )  # fmt: skip

    @property
    def values(self) -> Tensor:
        """The site's values, float32 `[prompts, positions, d]`."""
        return self.cached.values[self.site]

    def measure(self, change: Tensor | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Margin, difference and whether it is right, `[prompts]` each, after adding `change`.

        `change [prompts, positions, d]` is added to the site's values; None: nothing is.
        """
        if change is None:  # the pass that cached the prompts has said it
            found = self.readout.answers(self.readout.hidden[None])
        else:
            start = self.start(change)
            found = self.measure_all(change[None, :, start:], start)
        return found.margin[0], found.difference[0], found.right[0]

    def start(self, change: Tensor) -> int:
        """The first column that must be run for a change `[prompts, positions, d]`."""
        columns = torch.nonzero((change != 0).any(dim=-1).any(dim=0)).flatten()
        last = int(self.last.min())
        return min(int(columns[0]), last) if len(columns) else last

    @torch.no_grad()
    def measure_all(self, changes: Tensor, start: int = 0) -> Answers:
        """The answers after each of several changes of the columns from `start` on.

        Args:
            changes: `[changes, prompts, positions − start, d]`.
            start: at most the position of any prompt's last scored token.
        """
        copies = changes.shape[0]
        push = changes.flatten(0, 1)
        hidden = self._resumed(start, copies).hidden(
            self.last.repeat(copies), {self.site: lambda x: x + push}
        )
        return self.readout.answers(hidden.reshape(copies, len(self.prompts), -1))

    def _resumed(self, start: int, copies: int) -> ResumedPass:
        """The last one is kept: many changes that begin at one column come one after the other."""
        if (start, copies) not in self._kept:
            self._kept.clear()
            self._kept[start, copies] = self.cached.resumed(self.site.layer, start, copies)
        return self._kept[start, copies]

    def together(self, start: int) -> int:
        """How many changes that begin at column `start` are best run in one pass."""
        columns = self.cached.ids.shape[1] - start
        return max(1, PASS_TOKENS // (len(self.prompts) * columns))


def groups(first: np.ndarray, last: np.ndarray, several: int) -> Iterator[np.ndarray]:
    """Places of prompts that are best run together, each once: they need about the same columns.

    A group grows while it fits one pass with all its changes, or while it runs at most a tenth more
    columns than its prompts need.

    Args:
        first: the first column that each prompt needs, `[prompts]`.
        last: the last one.
        several: changes that each prompt will be run under.

    >>> [g.tolist() for g in groups(np.array([3, 1, 3]), np.array([4, 9, 4]), 400)]
    [[1], [0, 2]]
    """
    order = np.lexsort((last, first))
    begin, needed = 0, 0
    for end, place in enumerate(order):
        mine = last[place] - first[place] + 1
        columns = last[order[begin : end + 1]].max() - first[order[begin]] + 1
        run = columns * (end - begin + 1)
        if end > begin and run > SPARE * (needed + mine) and run * several > PASS_TOKENS:
            yield order[begin:end]
            begin, needed = end, 0
        needed += mine
    if len(order):
        yield order[begin:]
