"""Mean gradient: of the answer's margin, on the path from x0 to x, as integrated gradients need it.

The path is cut into panels, in each of which the gradient is integrated by Gauss–Legendre's rule.
The gradient turns quickly where attention moves from one token to another, at places that no fixed
grid knows. But m at a panel's ends is known exactly, and so is each panel's error: a panel is
halved until its error is small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition

PANEL = 4  # Gauss–Legendre nodes in each panel of the path
FIRST_PANELS = (0.0, 0.0625, 0.25, 0.5625, 1.0)  # narrow near x0, where norms are small
ROWS = 64  # points of the path in one pass


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
            most_nodes: stop halving a prompt's panels before it has more nodes than this.
            tolerance: the error up to which a panel is left whole, nats.
        """
        path = _Path(decomposed, decomposed.values - decomposed.path, decomposed.path)
        n, device = len(decomposed.ids), decomposed.ids.device
        total, nodes = torch.zeros_like(path.along), torch.zeros(n, dtype=torch.long, device=device)
        panels = _Panels.first(path, n)
        difference = torch.zeros(n, device=device).index_add_(0, panels.prompt, panels.rise)
        while len(panels.prompt):
            nodes.index_add_(0, panels.prompt, torch.full_like(panels.prompt, PANEL))
            halved = torch.zeros_like(panels.prompt, dtype=torch.bool)
            of_prompt = torch.bincount(panels.prompt, minlength=n)
            may_halve = nodes + 2 * PANEL * of_prompt <= most_nodes
            for rows in path.passes(panels.prompt):
                of = panels.prompt[rows]
                integral = path.integral(of, panels.low[rows], panels.high[rows])
                error = (integral * path.along[of]).sum(dim=(1, 2)) - panels.rise[rows]
                halved[rows] = (error.abs() > tolerance) & may_halve[of]
                done = ~halved[rows]
                total.index_add_(0, of[done], integral[done])
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
        order = torch.argsort(self.decomposed.last[prompt], stable=True)
        return [order[start : start + ROWS] for start in range(0, len(order), ROWS)]

    def integral(self, prompt: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Of the gradient, from `low` to `high`, `[rows, positions, d]`."""
        total, width = torch.zeros_like(self.along[prompt]), high - low
        for node, weight in zip(*np.polynomial.legendre.leggauss(PANEL), strict=True):
            place = low + width * (1 + float(node)) / 2
            gradient = self.decomposed.gradient_at(self.at(prompt, place), prompt)
            total += float(weight) / 2 * width[:, None, None] * gradient
        return total

    @torch.no_grad()
    def margins(self, prompt: Tensor, share: Tensor) -> Tensor:
        """m at shares of some prompts' paths, `[rows]`."""
        found = torch.empty_like(share)
        for part in self.passes(prompt):
            values = self.at(prompt[part], share[part])
            found[part] = self.decomposed.margin_at(values, prompt[part])
        return found


@dataclass(frozen=True, eq=False)
class _Panels:
    """Parts of the path that are still to be integrated; m is known at both ends of each.

    Attributes:
        prompt: to whose path each belongs, `[panels]`.
        low: where it begins, a share of the path, `[panels]`.
        high: where it ends.
        m_low: m where it begins, nats.
        m_high: m where it ends.
    """

    prompt: Tensor
    low: Tensor
    high: Tensor
    m_low: Tensor
    m_high: Tensor

    @classmethod
    def first(cls, path: _Path, prompts: int) -> _Panels:
        """The panels of every prompt before any is halved; each end is shared by two."""
        ends = torch.tensor(FIRST_PANELS, device=path.along.device).repeat(prompts, 1)
        every = torch.arange(prompts, device=ends.device)[:, None].expand_as(ends)
        m = path.margins(every.flatten(), ends.flatten()).reshape(ends.shape)
        parts = every[:, 1:], ends[:, :-1], ends[:, 1:], m[:, :-1], m[:, 1:]
        return cls(*(part.flatten() for part in parts))

    @property
    def rise(self) -> Tensor:
        """How much m rises in each, nats, `[panels]`."""
        return self.m_high - self.m_low

    def halves(self, path: _Path, which: Tensor) -> _Panels:
        """Both halves of some of them: only the middle's m is new."""
        prompt, low, high, m_low, m_high = (
            part[which] for part in (self.prompt, self.low, self.high, self.m_low, self.m_high)
        )
        middle = (low + high) / 2
        m = path.margins(prompt, middle)
        pairs = (prompt, prompt), (low, middle), (middle, high), (m_low, m), (m, m_high)
        return _Panels(*(torch.cat(pair) for pair in pairs))
