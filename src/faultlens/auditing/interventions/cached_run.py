"""Cached run: prompts run once, so that a change at a site costs only what comes after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.site_values import SiteValues
from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.readout import AnswerMargins, Readout
from faultlens.models.model import Model
from faultlens.models.prefix_cache import CachedPass, ResumedPass
from faultlens.models.restart import Restart
from faultlens.models.sites import Site

PASS_TOKENS = 1024  # run together in one pass of several changes
PASS_COSTS = 128  # columns that take as long to run as what a pass costs beside its columns
KEPT = 2  # runs that are always kept: those of one feature set's necessity and sufficiency
KEPT_BYTES = 2**28  # of all runs that are kept where there are more


@dataclass(frozen=True, eq=False)
class CachedRun:
    """Some prompts of a task, cached: a change at `site` costs what comes after it.

    Attributes:
        site: where changes are made.
        prompts: their indices in the task.
        cached: the run, with the values at `site` and those that enter its block.
        last: the position of each prompt's last scored token, `[prompts]`.
        readout: of the answers after it.
        editable: real positions but what stands in front, boolean `[prompts, positions]`.
    """

    model: Model
    site: Site
    prompts: np.ndarray
    cached: CachedPass
    last: Tensor
    readout: Readout
    editable: Tensor
    _resumed_at: dict[tuple[int, int, int], ResumedPass] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        model: Model,
        tokens: TaskTokens,
        prompts: np.ndarray,
        site: Site,
        others: Sequence[Site] = (),
        known: Mapping[Site, Tensor] | None = None,
    ) -> CachedRun:
        """Run the prompts with the given indices once.

        Args:
            site: where changes will be made.
            others: further sites whose values are kept.
            known: the values there, if they were read before; then blocks before all these sites
                are not run again.
        """
        entry = Site(site.layer, "resid_pre")
        rows = [tokens.scored[i] for i in prompts]
        sites = sorted({site, entry, *others}, key=lambda s: s.depth)
        first = Site(sites[0].layer, "resid_pre")
        restart = (
            None if known is None or first not in known else Restart(first.layer, known[first])
        )
        cached = CachedPass.of(model, rows, sites, restart)
        device = cached.ids.device
        last = torch.from_numpy(tokens.last[prompts]).to(device)
        position = torch.arange(cached.ids.shape[1], device=device)
        readout = Readout.of(
            model,
            torch.from_numpy(tokens.right(prompts)).to(device),
            torch.from_numpy(tokens.foil[prompts]).to(device),
            cached.hidden[torch.arange(len(prompts), device=device), last],
            tokens.foil_alone,
        )
        editable = (position >= tokens.n_start) & (position <= last[:, None])
        return cls(model, site, prompts, cached, last, readout, editable)

    @cached_property
    def n_bytes(self) -> int:
        """How much memory it holds."""
        tensors = [*self.cached.values.values(), self.cached.hidden, self.readout.logits]
        if self.cached.cache is not None:
            layers = {id(layer): layer for layer in self.cached.cache.layers}  # some are shared
            tensors += [part for of in layers.values() for part in (of.keys, of.values)]
        return sum(tensor.nbytes for tensor in tensors)

    def some(self, places: Sequence[int]) -> CachedRun:
        """The same of some of its prompts, by their places in it; nothing is run again."""
        rows = torch.tensor(places, device=self.last.device)
        columns = int(self.last[rows].max()) + 1
        return CachedRun(
            self.model, self.site, self.prompts[places], self.cached.some(rows, columns),
            self.last[rows], self.readout.some(rows), self.editable[rows, :columns],
        )  # fmt: skip

    def at(self, site: Site) -> CachedRun:
        """The same run for changes at another site, whose values were kept as well."""
        return self if site == self.site else replace(self, site=site)

    @property
    def values(self) -> Tensor:
        """The site's values, float32 `[prompts, positions, d]`."""
        return self.values_at(self.site)

    def values_at(self, site: Site) -> Tensor:
        """The values at a site that was kept, float32 `[prompts, positions, d]`."""
        return self.cached.values[site]

    @property
    def untouched(self) -> AnswerMargins:
        """The answers without a change, `[prompts]`, read off the run that was cached."""
        return self.readout.untouched

    def measure(self, change: Tensor) -> AnswerMargins:
        """The answers, `[prompts]`, once `change [prompts, positions, d]` is added to the site."""
        start = self.start(change)
        return self.measure_all(change[None, :, start:], start).of(0)

    def start(self, change: Tensor) -> int:
        """The first column that must be run for a change `[prompts, positions, d]`."""
        columns = torch.nonzero((change != 0).any(dim=-1).any(dim=0)).flatten()
        last = int(self.last.min())
        return min(int(columns[0]), last) if len(columns) else last

    @torch.no_grad()
    def measure_all(self, changes: Tensor, start: int = 0) -> AnswerMargins:
        """The answers after each of several changes, `[changes, prompts]`.

        Args:
            changes: of the columns from `start` on, `[changes, prompts, positions − start, d]`.
            start: at most the position of any prompt's last scored token.
        """
        copies = changes.shape[0]
        push = changes.flatten(0, 1)
        hidden = self._resumed(start, copies).hidden(
            self.last.repeat(copies), {self.site: lambda x: x + push}
        )
        return self.readout.answers(hidden.reshape(copies, len(self.prompts), -1))

    def _resumed(self, start: int, copies: int) -> ResumedPass:
        """The last one is kept, for many changes that begin at one column follow each other."""
        key = self.site.layer, start, copies
        if key not in self._resumed_at:
            self._resumed_at.clear()
            self._resumed_at[key] = self.cached.resumed(self.site.layer, start, copies)
        return self._resumed_at[key]

    def together(self, start: int) -> int:
        """How many changes that begin at column `start` are best run in one pass."""
        columns = self.cached.ids.shape[1] - start
        return max(1, PASS_TOKENS // (len(self.prompts) * columns))


@dataclass(frozen=True, eq=False)
class CachedRuns:
    """Runs of a task's prompts, shared by all that is changed in them; the last ones are kept.

    Attributes:
        sites: whose values each run keeps: where changes are made, what enters the blocks of these
            sites, and what dictionaries read.
        values: of the task's tokens there, read before; None: they were not.
    """

    model: Model
    tokens: TaskTokens
    sites: tuple[Site, ...]
    values: SiteValues | None = None
    _runs: dict[tuple[int, ...], CachedRun] = field(default_factory=dict, repr=False)

    def of(self, prompts: np.ndarray, site: Site) -> CachedRun:
        """A run of some prompts, for changes at `site`, which is one of `sites`."""
        key = tuple(prompts.tolist())
        run = self._runs.pop(key, None)
        if run is None:
            known = None if self.values is None else self.values.of(prompts.tolist())
            run = CachedRun.of(self.model, self.tokens, prompts, site, self.sites, known)
        self._runs[key] = run
        while len(self._runs) > KEPT and sum(r.n_bytes for r in self._runs.values()) > KEPT_BYTES:
            del self._runs[next(iter(self._runs))]
        return run.at(site)


def groups(first: np.ndarray, last: np.ndarray, several: int) -> Iterator[np.ndarray]:
    """Places of prompts that are best run together, each once: they need about the same columns.

    A group runs all columns that one of its prompts needs, in passes of several changes. Sorted by
    their first column, the prompts are parted where the columns that are run, and what each pass
    costs beside its columns, are fewest.

    Args:
        first: the first column that each prompt needs, `[prompts]`.
        last: the last one.
        several: changes that each prompt will be run under.

    >>> [g.tolist() for g in groups(np.array([3, 1, 3]), np.array([4, 9, 4]), 400)]
    [[1], [0, 2]]
    >>> [g.tolist() for g in groups(np.array([3, 1, 3]), np.array([4, 9, 4]), 1)]
    [[1, 0, 2]]
    """
    order = np.lexsort((last, first))
    least, begins = [0.0], [0]
    for end in range(1, len(order) + 1):
        begin = np.arange(end)
        # The columns of the prompts from each begin up to this end.
        furthest = np.maximum.accumulate(last[order[:end]][::-1])[::-1]
        tokens = (end - begin) * (furthest - first[order[:end]] + 1) * several
        costs = np.array(least) + tokens + PASS_COSTS * np.ceil(tokens / PASS_TOKENS)
        begins.append(int(costs.argmin()))
        least.append(float(costs.min()))
    parts, end = [], len(order)
    while end:
        parts.append(order[begins[end] : end])
        end = begins[end]
    yield from reversed(parts)
