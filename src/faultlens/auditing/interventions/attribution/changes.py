"""Changes: what setting a feature to its normal activation does to the margin, measured.

What the causal search holds its attributions against. Each change is what the necessity test makes,
one feature at a time, but for two simplifications: normal is the mean over all tokens of the
successes, not over those of the same role, and nothing is held against controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition
from faultlens.models.dictionary import Dictionary

SAMPLE = 30  # features drawn beside those that attribution names
LEAST_RANKED = 5  # features, below which a rank correlation says nothing
ROWS = 64  # prompts, each under one change, in one pass


class NormalActivation:
    """Every feature's mean activation over the tokens of the successes, BOS left out."""

    def __init__(self, dictionary: Dictionary) -> None:
        device = dictionary.W_dec.device
        self._total = torch.zeros(dictionary.d_sae, dtype=torch.float64, device=device)
        self._tokens = 0

    def add(self, caught: SiteDecomposition, succeeded: np.ndarray) -> None:
        """Take in prompts, of which `succeeded [prompts]` count."""
        chosen = torch.from_numpy(succeeded).to(self._total.device)
        firing = chosen[caught.prompt]
        self._total.index_add_(0, caught.feature[firing], caught.activation[firing].double())
        self._tokens += int(chosen[caught.place[:, 0]].sum())

    @property
    def mean(self) -> Tensor:
        """`[d_sae]`."""
        return (self._total / max(self._tokens, 1)).float()


@dataclass(frozen=True)
class Change:
    """What setting a feature to its normal activation, wherever it fires, does to the margin.

    Means over the prompts where it fires: what slopes predict for this very change, and what a pass
    with it measures (the margin over whatever other token is then strongest).
    """

    feature: int
    by_gradient: float  # Σ_p ∂m/∂a · change of a
    by_mean_gradient: float  # the same with the gradient averaged on the way from x0
    measured: float


def sampled(
    caught: SiteDecomposition, among: np.ndarray, named: Sequence[int], rng: np.random.Generator
) -> list[int]:
    """Of the features that fire on the prompts `among`: those named, and 30 others at random."""
    chosen = torch.from_numpy(among).to(caught.prompt.device)
    firing = np.unique(caught.feature[chosen[caught.prompt]].cpu().numpy())
    others = rng.permutation(np.setdiff1d(firing, named))[:SAMPLE]
    return [*(f for f in named if f in firing), *others.tolist()]


@torch.no_grad()
def measured_changes(
    caught: SiteDecomposition,
    among: np.ndarray,
    mean_gradient: Tensor,
    features: Sequence[int],
    normal: Tensor,
) -> list[Change]:
    """Set each feature to its normal activation where it fires, one at a time.

    Args:
        among: the prompts that count, boolean `[prompts]`.
        mean_gradient: on the way from x0, `[tokens, d]`.
        features: each fires on some of these prompts.
        normal: activations to set features to, `[d_sae]`.
    """
    device, prompts = caught.ids.device, len(caught.ids)
    number = torch.full_like(normal, -1, dtype=torch.long)
    number[torch.tensor(features, device=device, dtype=torch.long)] = torch.arange(
        len(features), device=device
    )
    counts = torch.from_numpy(among).to(device)[caught.prompt]
    firing = ((number[caught.feature] >= 0) & counts).nonzero()[:, 0]
    pairs, row = torch.unique(
        number[caught.feature[firing]] * prompts + caught.prompt[firing], return_inverse=True
    )  # one row to run for each feature and prompt where it fires
    of, prompt = pairs // prompts, pairs % prompts
    found = torch.zeros(3, len(pairs), device=device)
    for start in range(0, len(pairs), ROWS):
        part = slice(start, start + ROWS)
        mine = (row >= start) & (row < start + ROWS)
        at, here = firing[mine], row[mine]
        token, feature = caught.token[at], caught.feature[at]
        step = (normal[feature] - caught.activation[at]) * caught.scale[token]
        shift = step[:, None] * caught.dictionary.W_dec[feature]
        for place, gradient in enumerate((caught.gradient, mean_gradient)):
            found[place].index_add_(0, here, (gradient[token] * shift).sum(dim=-1))
        values = caught.values[prompt[part]]
        values[here - start, caught.place[token, 1]] += shift
        found[2, part] = caught.margins(values, prompt[part])[1]
    found[2] -= caught.margin[prompt]
    sums = torch.zeros(3, len(features), device=device).index_add_(1, of, found)
    means = sums / torch.bincount(of, minlength=len(features))
    return [Change(f, *mean) for f, mean in zip(features, means.T.tolist(), strict=True)]


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation; None of fewer than five pairs, or where one side is constant."""
    if len(pairs) < LEAST_RANKED or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    predicted, measured = np.array(pairs).T
    return float(spearmanr(predicted, measured).statistic)
