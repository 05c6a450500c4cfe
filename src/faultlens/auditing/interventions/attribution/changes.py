"""Changes: what setting a feature to its normal activation does to the margin, measured.

The attributions are compared with these. Each change is the one that the necessity test makes, one
feature at a time, with two simplifications: the normal activation is the mean over all tokens of
the successes, not over those of the same role, and there are no controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition

SAMPLE = 30  # features drawn beside those that attribution names
LEAST_RANKED = 5  # features, below which a rank correlation says nothing
ROWS = 64  # prompts, each under one change, in one pass


@dataclass(frozen=True)
class Change:
    """What setting a feature to its normal activation, wherever it fires, does to the margin.

    Means over the prompts where it fires: what slopes predict for this very change, and what a pass
    with it measures (the margin over whatever other token is then strongest).
    """

    feature: int
    by_gradient: float  # Σ_p ∂m/∂a · change of a
    by_mean_gradient: float  # the same with the gradient averaged on the path from x0
    measured: float


def sampled(
    decomposed: SiteDecomposition, among: np.ndarray, first: Sequence[int], rng: np.random.Generator
) -> list[int]:
    """Of the features that fire on the prompts `among`: those named first, and 30 at random."""
    chosen = torch.from_numpy(among).to(decomposed.prompt.device)
    firing = np.unique(decomposed.feature[chosen[decomposed.prompt]].cpu().numpy())
    others = rng.permutation(np.setdiff1d(firing, first))[:SAMPLE]
    return [*(f for f in first if f in firing), *others.tolist()]


@torch.no_grad()
def measured_changes(
    decomposed: SiteDecomposition,
    among: np.ndarray,
    mean_gradient: Tensor,
    features: Sequence[int],
    normal: Tensor,
) -> list[Change]:
    """Set each feature to its normal activation where it fires, one at a time.

    Args:
        among: the prompts that count, boolean `[prompts]`.
        mean_gradient: on the path from x0, `[tokens, d]`.
        features: each fires on some of these prompts.
        normal: activations to set features to, `[d_sae]`.
    """
    device, prompts = decomposed.ids.device, len(decomposed.ids)
    number = torch.full_like(normal, -1, dtype=torch.long)
    number[torch.tensor(features, device=device, dtype=torch.long)] = torch.arange(
        len(features), device=device
    )
    counts = torch.from_numpy(among).to(device)[decomposed.prompt]
    firing = ((number[decomposed.feature] >= 0) & counts).nonzero()[:, 0]
    pairs, row = torch.unique(
        number[decomposed.feature[firing]] * prompts + decomposed.prompt[firing],
        return_inverse=True,
    )  # one row to run for each feature and prompt where it fires
    of, prompt = pairs // prompts, pairs % prompts
    found = torch.zeros(3, len(pairs), device=device)
    for start in range(0, len(pairs), ROWS):
        part = slice(start, start + ROWS)
        mine = (row >= start) & (row < start + ROWS)
        at, here = firing[mine], row[mine]
        token, feature = decomposed.token[at], decomposed.feature[at]
        step = (normal[feature] - decomposed.activation[at]) * decomposed.scale[token]
        shift = step[:, None] * decomposed.dictionary.W_dec[feature]
        for place, gradient in enumerate((decomposed.gradient, mean_gradient)):
            found[place].index_add_(0, here, (gradient[token] * shift).sum(dim=-1))
        values = decomposed.values[prompt[part]]
        values[here - start, decomposed.place[token, 1]] += shift
        found[2, part] = decomposed.margins(values, prompt[part])[1]
    found[2] -= decomposed.margin[prompt]
    sums = torch.zeros(3, len(features), device=device).index_add_(1, of, found)
    means = sums / torch.bincount(of, minlength=len(features))
    return [Change(f, *mean) for f, mean in zip(features, means.T.tolist(), strict=True)]


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation; None of fewer than five pairs, or where one side is constant."""
    if len(pairs) < LEAST_RANKED or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    predicted, measured = np.array(pairs).T
    return float(spearmanr(predicted, measured).statistic)
