"""Patching: values moved from one prompt of a pair into the other, at a dictionary's target site.

Of a class its features take the partner's activations, and the error term stays; or the whole value
is moved. Only the tokens that pair up are touched, BOS never. *Denoise* moves the swapped prompt's
values into the original, *noise* the original's into the swapped one. The share that passes is the
mean change of the margin under the patch over its mean change under the swap, in the direction in
which the values are moved. Where the swap itself changes nothing beyond chance there is no share.

References: Vig et al. (2020), "Investigating gender bias in language models using causal mediation
analysis"; on the two directions, Heimersheim & Nanda (2024), "How to use and interpret activation
patching".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.patching.swaps import Swapped, reversed_partners
from faultlens.auditing.result import Interval, Patch
from faultlens.features.plain_encoding import TILE
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.stats.intervals import bootstrap_mean, paired_bootstrap

RESAMPLES = 2_000  # of the bootstrap of a share
ROUNDING = 1e-4  # nats: a swap that changes the margin by less changes nothing


@dataclass(frozen=True, eq=False)
class Side:
    """The originals, or their swapped twins.

    Attributes:
        assay: at the dictionary's target site.
        x: what the dictionary reads, `[pairs, positions, d_in]`.
        activations: of the features read, `[pairs, positions, features]`.
        partner: the position on the other side that each one pairs up with, or -1.
        margin: untouched, `[pairs]`.
    """

    assay: CachedRun
    x: Tensor
    activations: Tensor
    partner: Tensor
    margin: np.ndarray

    @classmethod
    def of(
        cls,
        model: Model,
        dictionary: Dictionary,
        tokens: TaskTokens,
        prompts: np.ndarray,
        partners: Sequence[Sequence[int]],
        features: Sequence[int],
    ) -> Side:
        assay = CachedRun.of(model, dictionary.target, tokens, prompts)
        x = assay.values
        if dictionary.site != dictionary.target:
            x = CachedRun.of(model, dictionary.site, tokens, prompts).values
        partner = torch.full(x.shape[:2], -1, dtype=torch.long)
        for row, places in enumerate(partners):
            partner[row, : len(places)] = torch.tensor(places)
        flat, wanted = x.flatten(0, 1), list(features)
        tiles = range(0, len(flat), TILE)
        seen = [dictionary.encode(flat[start : start + TILE])[:, wanted] for start in tiles]
        activations = torch.cat(seen).reshape(*x.shape[:2], -1)
        return cls(assay, x, activations, partner.to(x.device), assay.measure(None)[0])

    def moved(self, mine: Tensor, theirs: Tensor) -> Tensor:
        """`theirs − mine` at the positions that pair up, else 0, in the shape of `mine`."""
        row = torch.arange(len(mine), device=mine.device)[:, None]
        pairs = (self.partner >= 0) & self.assay.editable
        return (theirs[row, self.partner.clamp(min=0)] - mine) * pairs[..., None]


@dataclass(frozen=True, eq=False)
class Patching:
    """Both sides of some pairs at one dictionary, of which `features` were read."""

    dictionary: Dictionary
    features: Sequence[int]
    original: Side
    swapped: Side

    @classmethod
    def of(
        cls,
        model: Model,
        dictionary: Dictionary,
        tokens: TaskTokens,
        swap: Swapped,
        pairs: np.ndarray,
        features: Sequence[int],
    ) -> Patching:
        """Read the pairs with the given places in the swap."""
        there = [swap.partners[i] for i in pairs]
        lengths = [len(swap.tokens.scored[i]) for i in pairs]
        back = [reversed_partners(p, n) for p, n in zip(there, lengths, strict=True)]
        return cls(
            dictionary,
            features,
            Side.of(model, dictionary, tokens, swap.prompts[pairs], there, features),
            Side.of(model, dictionary, swap.tokens, pairs, back, features),
        )

    def whole(self, into: Side, source: Side) -> Tensor:
        """The change that puts the source's whole value in, `[pairs, positions, d]`."""
        return into.moved(into.assay.values, source.assay.values)

    def of_class(self, into: Side, source: Side, features: Sequence[int]) -> Tensor:
        """The change that gives features the source's activations, `[pairs, positions, d]`."""
        columns = [self.features.index(feature) for feature in features]
        steps = into.moved(into.activations[..., columns], source.activations[..., columns])
        flat = self.dictionary.raised(into.x.flatten(0, 1), steps.flatten(0, 1), list(features))
        return flat.reshape(into.assay.values.shape)

    def patch(
        self, names: list[str], features: Sequence[int] | None, alpha: float, seed: int
    ) -> Patch:
        """Move a class, or the whole value (`features` None), both ways."""
        original, swapped = self.original, self.swapped
        effect = swapped.margin - original.margin
        if features is None:
            changes = self.whole(original, swapped), self.whole(swapped, original)
        else:
            changes = (
                self.of_class(original, swapped, features),
                self.of_class(swapped, original, features),
            )
        denoised = original.assay.measure(changes[0])[0]
        noised = swapped.assay.measure(changes[1])[0]
        turned = (original.margin <= 0) & (swapped.margin > 0)
        return Patch(
            features=names,
            site=self.dictionary.name,
            pairs=len(effect),
            activation_original=self._strongest(original, features),
            activation_swapped=self._strongest(swapped, features),
            denoise=share(denoised - original.margin, effect, alpha, seed),
            noise=share(noised - swapped.margin, -effect, alpha, seed),
            denoise_change=float((denoised - original.margin).mean()),
            noise_change=float((noised - swapped.margin).mean()),
            restored=int((turned & (denoised > 0)).sum()),
            restorable=int(turned.sum()),
        )

    def _strongest(self, side: Side, features: Sequence[int] | None) -> float | None:
        """Mean over pairs of the strongest member's largest activation."""
        if features is None:
            return None
        column = side.activations[..., self.features.index(features[0])]
        return float((column * side.assay.editable).amax(dim=1).mean())


def share(patched: np.ndarray, effect: np.ndarray, alpha: float, seed: int) -> Interval | None:
    """`mean(patched) / mean(effect)` with its 95 % bootstrap interval over pairs.

    None where the effect's own interval, of level 1 − alpha, includes 0, or it is mere rounding.

    Args:
        patched: change of the margin under the patch, `[pairs]`.
        effect: change under the swap in the same direction, `[pairs]`.
    """
    low, high = bootstrap_mean(effect, np.random.default_rng(seed), 1 - alpha)
    if low <= 0 <= high or abs(effect.mean()) < ROUNDING:
        return None
    value = float(patched.mean() / effect.mean())
    ends = paired_bootstrap(
        lambda rows: float(patched[rows].mean() / effect[rows].mean()),
        len(effect),
        np.random.default_rng(seed),
        resamples=RESAMPLES,
    )
    return Interval(value, *ends)
