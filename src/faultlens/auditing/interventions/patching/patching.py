"""Patching: values moved from one prompt of a pair into the other, at a dictionary's target site.

Of a feature set, the features take the partner's activations and the error term stays; or the whole
value is moved. Only tokens that pair up are touched, BOS never. *Denoise* moves the swapped
prompt's values into the original, *noise* the original's into the swapped one. The share of the
swap's effect is the mean change of the margin under the patch over its mean change under the swap,
in the direction in which the values are moved. Where the swap itself changes nothing beyond chance
there is no share.

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

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.patching.pair_runs import PairRuns
from faultlens.auditing.interventions.patching.swaps import reversed_partners
from faultlens.auditing.result import Interval, Patch
from faultlens.features.plain_encoding import TILE
from faultlens.models.dictionary import Dictionary
from faultlens.stats.intervals import bootstrap_mean

RESAMPLES = 2_000  # of the bootstrap of a share
LEAST_EFFECT = 1e-4  # nats: a swap that changes the margin by less changes nothing


@dataclass(frozen=True, eq=False)
class Side:
    """The originals, or their swapped twins.

    Attributes:
        run: for changes at the dictionary's target site.
        x: what the dictionary reads, `[pairs, positions, d_in]`.
        activations: of the features read, `[pairs, positions, features]`.
        partner: the position on the other side that each one pairs up with, or -1.
        margin: untouched, `[pairs]`.
    """

    run: CachedRun
    x: Tensor
    activations: Tensor
    partner: Tensor
    margin: np.ndarray

    @classmethod
    def of(
        cls,
        run: CachedRun,
        dictionary: Dictionary,
        partners: Sequence[Sequence[int]],
        features: Sequence[int],
    ) -> Side:
        """Read some features of a run's prompts.

        Args:
            partners: by pair, for each position the one on the other side.
            features: their indices; may be empty.
        """
        x = run.values_at(dictionary.site)
        partner = torch.full(x.shape[:2], -1, dtype=torch.long)
        for row, places in enumerate(partners):
            partner[row, : len(places)] = torch.tensor(places)
        flat, wanted = x.flatten(0, 1), list(features)
        activations = x[..., :0]
        if wanted:
            tiles = range(0, len(flat), TILE)
            seen = [dictionary.encode(flat[start : start + TILE])[:, wanted] for start in tiles]
            activations = torch.cat(seen).reshape(*x.shape[:2], -1)
        return cls(run, x, activations, partner.to(x.device), run.untouched.margin)

    def moved(self, mine: Tensor, theirs: Tensor) -> Tensor:
        """`theirs − mine` at the positions that pair up, else 0, in the shape of `mine`."""
        row = torch.arange(len(mine), device=mine.device)[:, None]
        pairs = (self.partner >= 0) & self.run.editable
        return (theirs[row, self.partner.clamp(min=0)] - mine) * pairs[..., None]


@dataclass(frozen=True, eq=False)
class Patching:
    """Both sides of some pairs at one dictionary, of which the features `read` were read."""

    dictionary: Dictionary
    read: Sequence[int]
    original: Side
    swapped: Side

    @classmethod
    def of(
        cls, dictionary: Dictionary, runs: PairRuns, pairs: np.ndarray, read: Sequence[int] = ()
    ) -> Patching:
        """The pairs with the given places in the swap."""
        swap = runs.swap
        there = [swap.partners[i] for i in pairs]
        lengths = [len(swap.tokens.scored[i]) for i in pairs]
        back = [reversed_partners(p, n) for p, n in zip(there, lengths, strict=True)]
        original, swapped = runs.sides(pairs, dictionary.target)
        return cls(
            dictionary,
            read,
            Side.of(original, dictionary, there, read),
            Side.of(swapped, dictionary, back, read),
        )

    def whole(self, into: Side, source: Side) -> Tensor:
        """The change that puts the source's whole value in, `[pairs, positions, d]`."""
        return into.moved(into.run.values, source.run.values)

    def of_features(self, into: Side, source: Side, features: Sequence[int]) -> Tensor:
        """The change that gives features the source's activations, `[pairs, positions, d]`."""
        columns = [self.read.index(feature) for feature in features]
        steps = into.moved(into.activations[..., columns], source.activations[..., columns])
        flat = self.dictionary.raised(into.x.flatten(0, 1), steps.flatten(0, 1), list(features))
        return flat.reshape(into.run.values.shape)

    def patch(self, features: FeatureSet | None, alpha: float, seed: int) -> Patch:
        """Move a feature set, or the whole value (None), both ways."""
        original, swapped = self.original, self.swapped
        effect = swapped.margin - original.margin
        if features is None:
            changes = self.whole(original, swapped), self.whole(swapped, original)
        else:
            changes = (
                self.of_features(original, swapped, features.indices),
                self.of_features(swapped, original, features.indices),
            )
        denoised = original.run.measure(changes[0]).margin
        noised = swapped.run.measure(changes[1]).margin
        turned = (original.margin <= 0) & (swapped.margin > 0)
        return Patch(
            features=[] if features is None else features.names,
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

    def _strongest(self, side: Side, features: FeatureSet | None) -> float | None:
        """Mean over pairs of the strongest member's largest activation."""
        if features is None:
            return None
        column = side.activations[..., self.read.index(features.indices[0])]
        return float((column * side.run.editable).amax(dim=1).mean())


def share(patched: np.ndarray, effect: np.ndarray, alpha: float, seed: int) -> Interval | None:
    """`mean(patched) / mean(effect)` with its 95 % bootstrap interval over pairs.

    None where the effect's own interval, of level 1 − alpha, includes 0, or where it is below
    `LEAST_EFFECT`.

    Args:
        patched: change of the margin under the patch, `[pairs]`.
        effect: change under the swap in the same direction, `[pairs]`.
    """
    low, high = bootstrap_mean(effect, np.random.default_rng(seed), 1 - alpha)
    if low <= 0 <= high or abs(effect.mean()) < LEAST_EFFECT:
        return None
    rows = np.random.default_rng(seed).integers(0, len(effect), size=(RESAMPLES, len(effect)))
    shares = patched[rows].mean(axis=1) / effect[rows].mean(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(float(patched.mean() / effect.mean()), float(low), float(high))
