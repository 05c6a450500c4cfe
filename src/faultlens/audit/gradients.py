"""A site's values taken apart into features and error term, and the answer's gradient at them.

At the site that a dictionary writes to, the value of a token is `x = x0 + Σ_f a_f · D_f + e`: what
the dictionary leaves as it is (its bias, what centring takes off), the features, the error term.
D_f is the feature's direction in the site's units: `W_dec[f]`, times the token's scale where the
dictionary normalises each token by itself.

The answer's margin here is `m = logit(target) − logit(c)`, where c is the strongest other token of
the untouched run, and stays that token. Not the foil: a task need not have one, and a model that
fails seldom says it. Frozen, because a gradient needs one smooth function, and which other token is
strongest changes on the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from faultlens.audit.task_tokens import TaskTokens
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model, Restart
from faultlens.models.sites import Site

TILE = 512  # tokens whose dense activations are held at once
CHUNK = 16_384  # firings whose directions are held at once: 50 MB at 768 dimensions


@dataclass(frozen=True, eq=False)
class Caught:
    """Some prompts at the site that a dictionary writes to, taken apart into what it sees there.

    Attributes:
        ids: `[prompts, positions]`, padded on the right.
        last: where the answer is read, `[prompts]`.
        target: the token of the right answer, `[prompts]`.
        competitor: the strongest other token of the untouched run, `[prompts]`.
        values: of the site, `[prompts, positions, d]`.
        gradient: ∂m/∂x at each token, `[tokens, d]`.
        restart: the residual that enters the site's block.
        place: prompt and position of each token after BOS, `[tokens, 2]`.
        base: x0, `[tokens, d]`.
        error: e, `[tokens, d]`.
        scale: from activation times `W_dec[f]` to the site's units, `[tokens]`.
        token: of each firing, a row of `place`, ascending, `[firings]`.
        feature: of each firing, `[firings]`.
        activation: of each firing, `[firings]`.
    """

    model: Model
    dictionary: Dictionary
    ids: Tensor
    last: Tensor
    target: Tensor
    competitor: Tensor
    values: Tensor
    gradient: Tensor
    restart: Restart
    place: Tensor
    base: Tensor
    error: Tensor
    scale: Tensor
    token: Tensor
    feature: Tensor
    activation: Tensor

    @classmethod
    @torch.no_grad()
    def of(
        cls, model: Model, dictionary: Dictionary, tokens: TaskTokens, prompts: np.ndarray
    ) -> Caught:
        """Read the prompts with the given indices once."""
        rows = [tokens.scored[i] for i in prompts]
        ids = model.pad(rows)
        last = torch.tensor([len(row) - 1 for row in rows], device=ids.device)
        target = torch.from_numpy(tokens.target[prompts]).to(ids.device)
        entry = Site(dictionary.target.layer, "resid_pre")
        sites = sorted({dictionary.site, dictionary.target, entry}, key=lambda s: s.depth)
        read = model.read(ids, sites)
        restart = Restart(entry.layer, read[entry])
        leaf, row = read[dictionary.target].clone().requires_grad_(), torch.arange(len(ids))
        with torch.enable_grad():
            edits = {dictionary.target: lambda x: leaf}
            logits = model.logits(ids, at=last, edits=edits, restart=restart)
            others = logits.detach().clone()
            others[row, target] = -torch.inf
            competitor = others.argmax(dim=-1)
            margin = logits[row, target] - logits[row, competitor]
            (gradient,) = torch.autograd.grad(margin.sum(), leaf)
        position = torch.arange(ids.shape[1], device=ids.device)
        after_bos = (position > 0) & (position <= last[:, None])
        x, value = read[dictionary.site][after_bos], read[dictionary.target][after_bos]
        token, feature, activation = firings(dictionary, x)
        silent = torch.zeros(1, dictionary.d_sae, device=x.device)
        base = dictionary.rebuilt_of(silent, x, value)
        starts = torch.searchsorted(token, torch.arange(len(x), device=x.device))
        said = embedding_bag(
            feature, dictionary.W_dec, starts, mode="sum", per_sample_weights=activation
        )
        scale = x.new_ones(len(x))
        if dictionary.site_out is None:  # a transcoder's output is not scaled back
            scale = scale * dictionary.normalisation.scale(dictionary.centred(x)).flatten()
        return cls(
            model, dictionary, ids, last, target, competitor, read[dictionary.target],
            gradient[after_bos], restart, after_bos.nonzero(), base,
            value - base - said * scale[:, None], scale, token, feature, activation,
        )  # fmt: skip

    def margins(self, values: Tensor, prompts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """m, and the margin over whatever other token is then strongest, of a site's values.

        Gradients flow where `values [prompts, positions, d]` ask for them.

        Args:
            values: to put at the site.
            prompts: which of the prompts they belong to; None: all.

        Returns:
            `[prompts]` each.
        """
        chosen = slice(None) if prompts is None else prompts
        logits = self.model.logits(
            self.ids[chosen],
            at=self.last[chosen],
            edits={self.dictionary.target: lambda x: values},
            restart=Restart(self.restart.layer, self.restart.residual[chosen]),
        )
        row = torch.arange(len(logits), device=logits.device)
        right = logits[row, self.target[chosen]]
        others = logits.detach().clone()
        others[row, self.target[chosen]] = -torch.inf
        return right - logits[row, self.competitor[chosen]], right - others.max(dim=-1).values

    def gradient_at(self, values: Tensor, prompts: Tensor | None = None) -> Tensor:
        """∂m/∂x at other values of the site, in their shape `[prompts, positions, d]`."""
        leaf = values.detach().clone().requires_grad_()
        with torch.enable_grad():
            margin, _ = self.margins(leaf, prompts)
            gradient: Tensor = torch.autograd.grad(margin.sum(), leaf)[0]
        return gradient

    @property
    def way(self) -> Tensor:
        """x − x0 at the tokens, zero at BOS and padding, `[prompts, positions, d]`."""
        way, where = torch.zeros_like(self.values), tuple(self.place.T)
        way[where] = self.values[where] - self.base
        return way

    def slopes(self, gradient: Tensor) -> Tensor:
        """`∂m/∂a` of each firing, `[firings]`, of a gradient `[tokens, d]`."""
        scaled, directions = gradient * self.scale[:, None], self.dictionary.W_dec
        slopes = torch.empty_like(self.activation)
        for start in range(0, len(slopes), CHUNK):
            part = slice(start, start + CHUNK)
            slopes[part] = (scaled[self.token[part]] * directions[self.feature[part]]).sum(dim=-1)
        return slopes

    def of_error(self, gradient: Tensor) -> Tensor:
        """What is due to the error term, `[prompts]`, of a gradient `[tokens, d]`."""
        amounts = (gradient * self.error).sum(dim=-1)
        return amounts.new_zeros(len(self.ids)).index_add_(0, self.place[:, 0], amounts)

    def of_features(self, gradient: Tensor) -> Tensor:
        """What is due to all features together, `[prompts]`, of a gradient `[tokens, d]`."""
        amounts = self.slopes(gradient) * self.activation
        return amounts.new_zeros(len(self.ids)).index_add_(0, self.prompt, amounts)

    @property
    def prompt(self) -> Tensor:
        """Of each firing, its prompt, `[firings]`."""
        return self.place[self.token, 0]


def firings(dictionary: Dictionary, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Token, feature and activation of all that fires at the site's values `x [tokens, d_in]`."""
    tokens, features, activations = [], [], []
    for start in range(0, len(x), TILE):
        dense = dictionary.encode(x[start : start + TILE])
        row, feature = dense.nonzero(as_tuple=True)
        tokens.append(row + start)
        features.append(feature)
        activations.append(dense[row, feature])
    return torch.cat(tokens), torch.cat(features), torch.cat(activations)


PANEL = 4  # Gauss–Legendre nodes in each panel of the way
FIRST_PANELS = (0.0, 0.0625, 0.25, 0.5625, 1.0)  # narrow near x0, where norms are small
ROWS = 64  # points of the way in one pass


@dataclass(frozen=True, eq=False)
class MeanGradient:
    """The gradient averaged on the way from x0 to x.

    Attributes:
        gradient: `∫ ∂m/∂x (x0 + α (x − x0)) dα`, `[tokens, d]`.
        difference: `m(x) − m(x0)`, `[prompts]`: what features and error term should sum to.
        nodes: at which the gradient was taken, `[prompts]`.
    """

    gradient: Tensor
    difference: Tensor
    nodes: Tensor

    @classmethod
    def of(cls, caught: Caught, most_nodes: int, tolerance: float) -> MeanGradient:
        """Integrate by panels, each halved until it sums to its own difference of m.

        The gradient turns quickly where attention changes over, at places that no fixed grid knows;
        but m at a panel's ends is known exactly, so that each panel's error is too.

        Args:
            most_nodes: stop halving a prompt's panels before it has more nodes than this.
            tolerance: the error up to which a panel is left whole, nats.
        """
        way, ends = caught.way, torch.tensor(FIRST_PANELS, device=caught.ids.device)
        start = caught.values - way
        total, n = torch.zeros_like(way), len(caught.ids)
        nodes = torch.zeros(n, dtype=torch.long, device=way.device)
        panels = len(ends) - 1
        prompt = torch.arange(n, device=way.device).repeat_interleave(panels)
        low, high = ends[:-1].repeat(n), ends[1:].repeat(n)
        while len(prompt):
            nodes.index_add_(0, prompt, torch.full_like(prompt, PANEL))
            again = torch.zeros_like(prompt, dtype=torch.bool)
            may_halve = nodes + 2 * PANEL * torch.bincount(prompt, minlength=n) <= most_nodes
            for first in range(0, len(prompt), ROWS):
                rows = slice(first, first + ROWS)
                of, a, b = prompt[rows], low[rows], high[rows]
                begin, along = start[of], way[of]
                integral, rise = _panel(caught, of, begin, along, a, b)
                error = (integral * along).sum(dim=(1, 2)) - rise
                again[rows] = (error.abs() > tolerance) & may_halve[of]
                done = ~again[rows]
                total.index_add_(0, of[done], integral[done])
            middle = (low + high)[again] / 2
            low, high = torch.cat([low[again], middle]), torch.cat([middle, high[again]])
            prompt = prompt[again].repeat(2)
        with torch.no_grad():
            difference = caught.margins(caught.values)[0] - caught.margins(start)[0]
        return cls(total[tuple(caught.place.T)], difference, nodes)

    def gap(self, caught: Caught) -> Tensor:
        """How far features and error term are from summing to the difference, nats, `[prompts]`."""
        summed = caught.of_features(self.gradient) + caught.of_error(self.gradient)
        return summed - self.difference


def _panel(
    caught: Caught, of: Tensor, begin: Tensor, along: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """The integral of the gradient from `low` to `high`, `[rows, positions, d]`, and m's rise."""

    def at(share: Tensor) -> Tensor:
        return begin + share[:, None, None] * along

    integral, width = torch.zeros_like(along), high - low
    for node, weight in zip(*np.polynomial.legendre.leggauss(PANEL), strict=True):
        gradient = caught.gradient_at(at(low + width * (1 + float(node)) / 2), of)
        integral += float(weight) / 2 * width[:, None, None] * gradient
    with torch.no_grad():
        return integral, caught.margins(at(high), of)[0] - caught.margins(at(low), of)[0]
