"""Patching: values moved from one prompt of a pair into the other, at one site.

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
from faultlens.auditing.result import Interval, Patch, Positions
from faultlens.features.plain_encoding import TILE
from faultlens.models.dictionary import Dictionary
from faultlens.models.few_features import encode_few
from faultlens.models.sites import Site
from faultlens.stats.intervals import bootstrap_mean

RESAMPLES = 2_000  # of the bootstrap of a share
LEAST_EFFECT = 1e-4  # nats: a swap that changes the margin by less changes nothing


@dataclass(frozen=True, eq=False)
class Side:
    """The originals, or their swapped twins.

    Attributes:
        run: for changes at the site.
        x: what the dictionary reads, `[pairs, positions, d_in]`; of a whole site, its values.
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
    def whole(cls, run: CachedRun, partners: Sequence[Sequence[int]]) -> Side:
        """Of a run's prompts, whose whole values alone are moved.

        Args:
            partners: by pair, for each position the one on the other side.
        """
        x = run.values
        return cls(run, x, x[..., :0], _padded(partners, x), run.untouched.margin)

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
        flat, wanted = x.flatten(0, 1), list(features)
        activations = x[..., :0]
        if wanted:
            tiles = range(0, len(flat), TILE)
            seen = [encode_few(dictionary, flat[start : start + TILE], wanted) for start in tiles]
            activations = torch.cat(seen).reshape(*x.shape[:2], -1)
        return cls(run, x, activations, _padded(partners, x), run.untouched.margin)

    def moved(self, mine: Tensor, theirs: Tensor) -> Tensor:
        """`theirs − mine` at the positions that pair up, else 0, in the shape of `mine`."""
        row = torch.arange(len(mine), device=mine.device)[:, None]
        pairs = (self.partner >= 0) & self.run.editable
        return (theirs[row, self.partner.clamp(min=0)] - mine) * pairs[..., None]


def _padded(partners: Sequence[Sequence[int]], x: Tensor) -> Tensor:
    """Partners as `[pairs, positions]`, -1 where there is none."""
    partner = torch.full(x.shape[:2], -1, dtype=torch.long)
    for row, places in enumerate(partners):
        partner[row, : len(places)] = torch.tensor(places)
    return partner.to(x.device)


@dataclass(frozen=True, eq=False)
class Patching:
    """Both sides of some pairs at one site.

    Attributes:
        dictionary: whose features were read; None: whole values alone are moved.
        read: the features that were read.
        original: the pairs' originals.
        swapped: their swapped twins.
        positions: where values are moved.
        blocks: which pairs belong together, whole numbers `[pairs]`; None: none do.
    """

    dictionary: Dictionary | None
    read: Sequence[int]
    original: Side
    swapped: Side
    positions: Positions = "aligned"
    blocks: np.ndarray | None = None

    @classmethod
    def of(
        cls, dictionary: Dictionary, runs: PairRuns, pairs: np.ndarray, read: Sequence[int] = ()
    ) -> Patching:
        """The pairs with the given places in the swap."""
        there, back = _partners(runs, pairs, "aligned")
        original, swapped = runs.sides(pairs, dictionary.target)
        return cls(
            dictionary,
            read,
            Side.of(original, dictionary, there, read),
            Side.of(swapped, dictionary, back, read),
            blocks=runs.blocks_of(pairs),
        )

    @classmethod
    def at_site(
        cls, site: Site, runs: PairRuns, pairs: np.ndarray, positions: Positions
    ) -> Patching:
        """The pairs with the given places in the swap, to move whole values of a site."""
        there, back = _partners(runs, pairs, positions)
        original, swapped = runs.sides(pairs, site)
        sides = Side.whole(original, there), Side.whole(swapped, back)
        return cls(None, (), *sides, positions, runs.blocks_of(pairs))

    def whole(self, into: Side, source: Side) -> Tensor:
        """The change that puts the source's whole value in, `[pairs, positions, d]`."""
        return into.moved(into.run.values, source.run.values)

    def of_features(self, into: Side, source: Side, features: Sequence[int]) -> Tensor:
        """The change that gives features the source's activations, `[pairs, positions, d]`."""
        assert self.dictionary is not None, "features are a dictionary's"
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
            site=original.run.site.name if self.dictionary is None else self.dictionary.name,
            pairs=len(effect),
            activation_original=self._strongest(original, features),
            activation_swapped=self._strongest(swapped, features),
            denoise=share(denoised - original.margin, effect, alpha, seed, self.blocks),
            noise=share(noised - swapped.margin, -effect, alpha, seed, self.blocks),
            denoise_change=float((denoised - original.margin).mean()),
            noise_change=float((noised - swapped.margin).mean()),
            restored=int((turned & (denoised > 0)).sum()),
            restorable=int(turned.sum()),
            positions=self.positions,
        )

    def _strongest(self, side: Side, features: FeatureSet | None) -> float | None:
        """Mean over pairs of the strongest member's largest activation."""
        if features is None:
            return None
        column = side.activations[..., self.read.index(features.indices[0])]
        return float((column * side.run.editable).amax(dim=1).mean())


def _partners(
    runs: PairRuns, pairs: np.ndarray, positions: Positions
) -> tuple[list[list[int]], list[list[int]]]:
    """By pair the partner of each position of the original, and of the twin; -1 where none."""
    swap = runs.swap
    there = [
        _kept(
            swap.partners[i],
            runs.originals.tokens.scored[swap.prompts[i]],
            swap.tokens.scored[i],
            positions,
        )
        for i in pairs
    ]
    lengths = [len(swap.tokens.scored[i]) for i in pairs]
    return there, [reversed_partners(p, n) for p, n in zip(there, lengths, strict=True)]


def _kept(
    partners: Sequence[int], original: Sequence[int], twin: Sequence[int], positions: Positions
) -> list[int]:
    """The partners of a pair's positions, -1 wherever values are not moved."""
    if positions == "aligned":
        return list(partners)
    if positions == "last":
        return [*[-1] * (len(partners) - 1), partners[-1]]
    return [
        there if there >= 0 and original[here] != twin[there] else -1
        for here, there in enumerate(partners)
    ]


def share(
    patched: np.ndarray,
    effect: np.ndarray,
    alpha: float,
    seed: int,
    blocks: np.ndarray | None = None,
) -> Interval | None:
    """`mean(patched) / mean(effect)` with its 95 % bootstrap interval over pairs.

    None where the effect's own interval, of level 1 − alpha, includes 0, or where it is below
    `LEAST_EFFECT`.

    Args:
        patched: change of the margin under the patch, `[pairs]`.
        effect: change under the swap in the same direction, `[pairs]`.
        blocks: which pairs belong together, `[pairs]`: whole blocks are drawn; None: none do.
    """
    low, high = bootstrap_mean(effect, np.random.default_rng(seed), 1 - alpha, blocks=blocks)
    if low <= 0 <= high or abs(effect.mean()) < LEAST_EFFECT:
        return None
    _, of = np.unique(np.arange(len(effect)) if blocks is None else blocks, return_inverse=True)
    sums = np.bincount(of, weights=patched), np.bincount(of, weights=effect)
    rows = np.random.default_rng(seed).integers(0, len(sums[0]), size=(RESAMPLES, len(sums[0])))
    shares = sums[0][rows].sum(axis=1) / sums[1][rows].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(float(patched.mean() / effect.mean()), float(low), float(high))
