"""Mean gradient: of the answer's margin, on the path from x0 to x, as integrated gradients need it.

The path is cut into panels, in each of which the gradient is integrated by Boole's rule, from five
nodes at even distances (Abramowitz & Stegun 1972, 25.4.14). The gradient turns quickly where
attention moves from one token to another, at places that no fixed grid knows. But m is known at a
panel's ends, and so is each panel's error: a panel is halved until its error is small. Its nodes
are nodes of its halves, so that nothing is computed twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition
from faultlens.auditing.interventions.cached_run import PASS_TOKENS

BOOLE = tuple(weight / 90 for weight in (7, 32, 12, 32, 7))
PANEL = len(BOOLE) - 1  # nodes that each further panel needs: it shares one end
FIRST_PANELS = (0.0, 0.0625, 0.25, 0.5625, 1.0)  # narrow near x0, where norms are small
NODES = 64  # that a prompt's panels may hold at once, in the count of what is held
HELD = 2**28  # bytes of gradients up to which prompts are integrated together


@dataclass(frozen=True, eq=False)
class MeanGradient:
    """The gradient averaged on the path from x0 to x.

    Attributes:
        gradient: `∫ ∂m/∂x (x0 + α (x − x0)) dα`, `[tokens, d]`.
        difference: `m(x) − m(x0)`, `[prompts]`: what features and error term should sum to.
        nodes: at which the gradient was taken, `[prompts]`.
    """

    gradient: Tensor
    difference: Tensor
    nodes: Tensor

    @classmethod
    def of(cls, decomposed: SiteDecomposition, most_nodes: int, tolerance: float) -> MeanGradient:
        """Integrate by panels, each halved until it sums to its own difference of m.

        Args:
            most_nodes: no prompt has more nodes than this, but for those of the first panels; where
                not all of its panels can be halved, those with the largest error are.
            tolerance: the error up to which a panel is left whole, nats.
        """
        path = _Path(decomposed, decomposed.values - decomposed.path, decomposed.path)
        n, device = len(decomposed.ids), decomposed.ids.device
        total, difference = torch.zeros_like(path.along), torch.zeros(n, device=device)
        nodes = torch.full((n,), PANEL * (len(FIRST_PANELS) - 1) + 1, device=device)
        together = max(1, HELD // (NODES * path.along[0].nbytes))
        for prompts in torch.split(torch.arange(n, device=device), together):
            panels = _Panels.first(path, prompts)
            difference.index_add_(0, panels.prompt, panels.rise)
            while len(panels.prompt):
                integral = panels.integral()
                error = (integral * path.along[panels.prompt]).sum(dim=(1, 2)) - panels.rise
                wanting = torch.where(error.abs() > tolerance, error.abs(), 0.0)
                room = (most_nodes - nodes) // PANEL
                halved = (wanting > 0) & (_rank(panels.prompt, wanting) < room[panels.prompt])
                total.index_add_(0, panels.prompt[~halved], integral[~halved])
                nodes += PANEL * torch.bincount(panels.prompt[halved], minlength=n)
                panels = panels.halves(path, halved)
        return cls(total[tuple(decomposed.place.T)], difference, nodes)

    def gap(self, decomposed: SiteDecomposition) -> Tensor:
        """How far features and error term are from summing to the difference, nats, `[prompts]`."""
        summed = decomposed.of_features(self.gradient) + decomposed.of_error(self.gradient)
        return summed - self.difference


@dataclass(frozen=True, eq=False)
class _Path:
    """The straight path of each prompt from its x0 at 0 to x at 1."""

    decomposed: SiteDecomposition
    begin: Tensor  # x0 at the tokens, `[prompts, positions, d]`
    along: Tensor  # x − x0

    def at(self, prompt: Tensor, share: Tensor) -> Tensor:
        """The site's values at shares of some prompts' paths, `[rows, positions, d]`."""
        return self.begin[prompt] + share[:, None, None] * self.along[prompt]

    def passes(self, prompt: Tensor) -> list[Tensor]:
        """Places of points in passes, those on paths of similar length together: little is padded.

        Args:
            prompt: on whose path each point lies, `[rows]`.
        """
        if not len(prompt):
            return []
        columns = self.decomposed.last[prompt] + 1
        rows = max(1, PASS_TOKENS // int(columns.max()))
        return list(torch.split(torch.argsort(columns, stable=True), rows))

    def evaluated(self, prompt: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """m and its gradient at shares of some prompts' paths: `[rows]`, `[rows, positions, d]`."""
        m = torch.empty_like(share)
        gradient = share.new_empty(len(share), *self.along.shape[1:])
        for part in self.passes(prompt):
            values = self.at(prompt[part], share[part])
            m[part], gradient[part] = self.decomposed.slope_at(values, prompt[part])
        return m, gradient


@dataclass(frozen=True, eq=False)
class _Panels:
    """Parts of the path, each with its five nodes.

    Attributes:
        prompt: to whose path each belongs, `[panels]`.
        low: where it begins, a share of the path, `[panels]`.
        high: where it ends.
        m: at the nodes, nats, `[panels, 5]`.
        gradient: at the nodes, `[panels, 5, positions, d]`.
    """

    prompt: Tensor
    low: Tensor
    high: Tensor
    m: Tensor
    gradient: Tensor

    @classmethod
    def first(cls, path: _Path, prompts: Tensor) -> _Panels:
        """The panels of some prompts, by their indices, before any is halved."""
        ends = torch.tensor(FIRST_PANELS, device=path.along.device)
        begins, widths, part = ends[:-1, None], ends.diff()[:, None], torch.arange(PANEL) / PANEL
        shares = torch.cat([(begins + widths * part.to(ends)).flatten(), ends[-1:]])
        m, gradient = path.evaluated(
            prompts.repeat_interleave(len(shares)), shares.repeat(len(prompts))
        )
        panel = torch.arange(len(ends) - 1, device=ends.device)[:, None]
        node = PANEL * panel + torch.arange(PANEL + 1, device=ends.device)  # [panels, 5]
        row = torch.arange(len(prompts), device=ends.device)[:, None, None]
        of_panel = (row * len(shares) + node).flatten(0, 1)
        return cls(
            prompts.repeat_interleave(len(panel)), ends[:-1].repeat(len(prompts)),
            ends[1:].repeat(len(prompts)), m[of_panel], gradient[of_panel],
        )  # fmt: skip

    @property
    def rise(self) -> Tensor:
        """How much m rises in each, nats, `[panels]`."""
        return self.m[:, -1] - self.m[:, 0]

    def integral(self) -> Tensor:
        """Of the gradient over each, `[panels, positions, d]`."""
        weights = torch.tensor(BOOLE, device=self.gradient.device)
        of_unit = torch.einsum("n,pntd->ptd", weights, self.gradient)
        return of_unit * (self.high - self.low)[:, None, None]

    def halves(self, path: _Path, which: Tensor) -> _Panels:
        """Both halves of some of them: four nodes of nine are new."""
        prompt, low, high = self.prompt[which], self.low[which], self.high[which]
        parts = torch.arange(1, 2 * PANEL, 2, device=low.device) / (2 * PANEL)
        shares = low[:, None] + (high - low)[:, None] * parts
        m, gradient = path.evaluated(prompt.repeat_interleave(PANEL), shares.flatten())
        middle, all_m = (low + high) / 2, self.m.new_empty(len(prompt), 2 * PANEL + 1)
        all_m[:, ::2], all_m[:, 1::2] = self.m[which], m.reshape(-1, PANEL)
        every = self.gradient.new_empty(*all_m.shape, *self.gradient.shape[2:])
        every[:, ::2] = self.gradient[which]
        every[:, 1::2] = gradient.reshape(len(prompt), PANEL, *gradient.shape[1:])
        return _Panels(
            torch.cat([prompt, prompt]), torch.cat([low, middle]), torch.cat([middle, high]),
            torch.cat([all_m[:, : PANEL + 1], all_m[:, PANEL:]]),
            torch.cat([every[:, : PANEL + 1], every[:, PANEL:]]),
        )  # fmt: skip


def _rank(group: Tensor, value: Tensor) -> Tensor:
    """The place of each value among those of its group, the largest first, from 0.

    >>> _rank(torch.tensor([0, 1, 0, 0]), torch.tensor([1.0, 5.0, 3.0, 2.0])).tolist()
    [2, 0, 0, 1]
    """
    order = torch.from_numpy(np.lexsort((-value.cpu().numpy(), group.cpu().numpy())))
    order = order.to(group.device)
    counts = torch.bincount(group)
    begins = (counts.cumsum(0) - counts)[group[order]]
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device) - begins
    return rank
