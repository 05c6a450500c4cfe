"""Decomposition: a site's values as features and error term, and the margin's gradient there.

At the site that a dictionary writes to, the value of a token is `x = x0 + Σ_f a_f · D_f + e`: what
the dictionary leaves as it is (its bias, what centring takes off), the features, the error term.
D_f is the feature's direction in the site's units: `W_dec[f]`, times the token's scale where the
dictionary normalises each token by itself.

The margin here is `m = logit(t) − logit(c)`, where t is the strongest right token of the untouched
run and c its strongest other one. The foil is not used (a task need not have one, and a model that
fails seldom says it), except where right answers are compared with it alone: then it is c. Both
tokens stay the same under every change, because a gradient needs one smooth function, and which
token is strongest would change between x0 and x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from faultlens.auditing.activations.codes import Codes
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.restart import Restart
from faultlens.models.sites import Site


@dataclass(frozen=True, eq=False)
class SiteDecomposition:
    """Some prompts at the site that a dictionary writes to, decomposed by it.

    Attributes:
        ids: `[prompts, positions]`, padded on the right.
        last: where the answer is read, `[prompts]`.
        right: the tokens that are right, `[prompts, right]`: see `TaskTokens.right`.
        target: the strongest right token of the untouched run, `[prompts]`.
        competitor: the strongest other token of the untouched run, or the foil, `[prompts]`.
        foil_alone: whether it is the foil: see `TaskTokens.foil_alone`.
        margin: m, untouched, `[prompts]`: here the margin over whatever other token is strongest.
        values: of the site, `[prompts, positions, d]`.
        gradient: ∂m/∂x at each token, `[tokens, d]`.
        restart: the residual that enters the site's block.
        place: prompt and position of each token but what stands in front, `[tokens, 2]`.
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
    right: Tensor
    target: Tensor
    competitor: Tensor
    foil_alone: bool
    margin: Tensor
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
        cls, dictionary: Dictionary, activations: TaskActivations, prompts: np.ndarray
    ) -> SiteDecomposition:
        """The prompts with the given indices."""
        model, tokens = activations.model, activations.tokens
        rows = [tokens.scored[i] for i in prompts]
        ids = model.pad(rows)
        last = torch.tensor([len(row) - 1 for row in rows], device=ids.device)
        right = torch.from_numpy(tokens.right(prompts)).to(ids.device)
        entry = Site(dictionary.target.layer, "resid_pre")
        read = activations.values.of(prompts.tolist())
        restart = Restart(entry.layer, read[entry])
        leaf = read[dictionary.target].clone().requires_grad_()
        with torch.enable_grad():
            edits = {dictionary.target: lambda x: leaf}
            hidden = model.hidden(ids, at=last, edits=edits, restart=restart)
            target, competitor = _compared(model.unembed(hidden.detach()), right)
            if tokens.foil_alone:
                competitor = torch.from_numpy(tokens.foil[prompts]).to(ids.device)
            margin = _margin(model, hidden, target, competitor)
            (gradient,) = torch.autograd.grad(margin.sum(), leaf)
        position = torch.arange(ids.shape[1], device=ids.device)
        own = (position >= tokens.n_start) & (position <= last[:, None])
        x, value = read[dictionary.site][own], read[dictionary.target][own]
        token, feature, activation = firings(activations.codes(dictionary), prompts, x.device)
        silent = torch.zeros(1, dictionary.d_sae, device=x.device)
        base = dictionary.rebuilt_of(silent, x, value)
        starts = torch.searchsorted(token, torch.arange(len(x), device=x.device))
        of_features = embedding_bag(
            feature, dictionary.W_dec, starts, mode="sum", per_sample_weights=activation
        )
        scale = dictionary.scale(x).expand(len(x), 1).flatten()
        return cls(
            model, dictionary, ids, last, right, target, competitor, tokens.foil_alone,
            margin.detach(), read[dictionary.target], gradient[own], restart, own.nonzero(), base,
            value - base - of_features * scale[:, None], scale, token, feature, activation,
        )  # fmt: skip

    def margins(self, values: Tensor, prompts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """m, and the margin of whatever right and other token are then strongest.

        Gradients flow where `values [prompts, positions, d]` ask for them.

        Args:
            values: to put at the site.
            prompts: which of the prompts they belong to; None: all.

        Returns:
            `[prompts]` each.
        """
        chosen = slice(None) if prompts is None else prompts
        logits = self.model.unembed(self._hidden(values, prompts))
        row = torch.arange(len(logits), device=logits.device)
        smooth = logits[row, self.target[chosen]] - logits[row, self.competitor[chosen]]
        right, now = self.right[chosen], logits.detach()
        if self.foil_alone:
            others = now[row, self.competitor[chosen]]
        else:
            others = now.scatter(1, right, -torch.inf).amax(dim=-1)
        return smooth, now.gather(1, right).amax(dim=-1) - others

    def margin_at(self, values: Tensor, prompts: Tensor | None = None) -> Tensor:
        """The first of `margins` alone, `[prompts]`: two tokens' logits only."""
        chosen = slice(None) if prompts is None else prompts
        hidden = self._hidden(values, prompts)
        return _margin(self.model, hidden, self.target[chosen], self.competitor[chosen])

    def _hidden(self, values: Tensor, prompts: Tensor | None) -> Tensor:
        """What the unembedding reads after each prompt, `[prompts, d]`; no column behind them."""
        chosen = slice(None) if prompts is None else prompts
        last = self.last[chosen]
        columns = slice(int(last.max()) + 1)
        return self.model.hidden(
            self.ids[chosen, columns],
            at=last,
            edits={self.dictionary.target: lambda x: values[:, columns]},
            restart=Restart(self.restart.layer, self.restart.residual[chosen, columns]),
        )

    def slope_at(self, values: Tensor, prompts: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """m and ∂m/∂x at other values of the site: `[prompts]`, `[prompts, positions, d]`."""
        leaf = values.detach().clone().requires_grad_()
        with torch.enable_grad():
            margin = self.margin_at(leaf, prompts)
            (gradient,) = torch.autograd.grad(margin.sum(), leaf)
        return margin.detach(), gradient

    @property
    def path(self) -> Tensor:
        """x − x0 at the tokens, 0 at all other positions, `[prompts, positions, d]`."""
        path, where = torch.zeros_like(self.values), tuple(self.place.T)
        path[where] = self.values[where] - self.base
        return path

    def slopes(self, gradient: Tensor) -> Tensor:
        """`∂m/∂a` of each firing, `[firings]`, of a gradient `[tokens, d]`.

        Token by token: its directions times its gradient copies the directions once, and holds only
        one token's at a time.
        """
        scaled, directions = gradient * self.scale[:, None], self.dictionary.W_dec
        counts = torch.bincount(self.token, minlength=len(gradient)).tolist()
        by_token = zip(torch.split(self.feature, counts), scaled, strict=True)
        return torch.cat([directions[features] @ slope for features, slope in by_token])

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


def _compared(logits: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The strongest right token and the strongest other one, `[prompts]` each."""
    row = torch.arange(len(logits), device=logits.device)
    target = right[row, logits.gather(1, right).argmax(dim=-1)]
    return target, logits.scatter(1, right, -torch.inf).argmax(dim=-1)


def _margin(model: Model, hidden: Tensor, target: Tensor, competitor: Tensor) -> Tensor:
    """The target's logit less the competitor's, `[prompts]`: no other logit is computed."""
    tokens, place = torch.unique(torch.stack([target, competitor]), return_inverse=True)
    logits = model.unembed(hidden, tokens).gather(1, place.T)
    return logits[:, 0] - logits[:, 1]


def firings(
    codes: Codes, prompts: np.ndarray, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Token, feature and activation of all that fires in some prompts.

    Tokens are numbered from 0 along the prompts, in the order given.
    """
    found = codes.matrix[codes.rows(prompts)].tocoo()
    token, feature = (torch.from_numpy(of.astype(np.int64)) for of in (found.row, found.col))
    return token.to(device), feature.to(device), torch.from_numpy(found.data).to(device)
