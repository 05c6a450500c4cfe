"""Step 7, the search: what the answer's margin is due to, failures against successes.

Two attributions of the margin m of `gradients` to every feature and to the error term. Activation ×
gradient gives feature f `Σ_p a_f(p) · (∂m/∂x_p · D_f)`, p over the tokens after BOS: exact where m
is linear in the site's values. Integrated gradients put the mean gradient on the way from x0 (all
features and the error term taken away) to x in its place; features and error term then sum to
`m(x) − m(x0)`. Neither is an effect: how well they tell effects is measured beside them.

References: Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks"; for features
and their error term, Marks et al. (2024), "Sparse feature circuits".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from faultlens.audit.gradients import Caught, MeanGradient
from faultlens.audit.steps import Attributed, Effect, SiteAttribution
from faultlens.audit.task_tokens import TaskTokens, by_length
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.progress import Tick

STEPS = 128  # most nodes of the integral a prompt
TOLERANCE = 0.02  # nats that a panel of it may be off before it is halved
MOST = 10  # failures, and successes, over which it is taken
TOP = 10  # features named
SAMPLE = 30  # further features whose effect is measured
LEAST_RANKED = 5  # features, below which a rank correlation says nothing

EffectOf = Callable[[Sequence[int]], Effect | str]
"""Measures the effect of features against controls, or says why it cannot be had."""


def site_attribution(
    model: Model,
    dictionary: Dictionary,
    tokens: TaskTokens,
    failed: np.ndarray,
    *,
    seed: int,
    classes: Mapping[int, int],
    effect_of: EffectOf,
    steps: int = STEPS,
    most: int = MOST,
    top: int = TOP,
    progress: Tick | None = None,
) -> SiteAttribution:
    """Attribute the margin to all features of a site, and measure how well that tells effects.

    Named are the features by their mean attribution (activation × gradient) over failures minus
    that over successes, from the most negative on: those that push failures down most come first.

    Args:
        failed: the outcome, boolean `[prompts]`; some failures and some successes.
        seed: of the prompts over which the integral is taken, and of the features sampled.
        classes: by feature, the rank of the significant class that holds it.
        effect_of: the decisive test, for the features named.
        steps: a prompt's most nodes of the integral; fewer are taken where it is smooth.
        most: so many failures, and as many successes, are drawn for the integral; held at once.
        top: how many features are named.
        progress: told of each prompt done: all of them once.

    Raises:
        ValueError: there are no failures, or no successes.
    """
    if failed.all() or not failed.any():
        raise ValueError("attribution compares failures with successes: expected some of each")
    rng = np.random.default_rng(seed)
    gradient, normal = MeanAttribution(dictionary), NormalActivation(dictionary)
    for batch in by_length(tokens.scored):
        part = np.array(batch)
        caught = Caught.of(model, dictionary, tokens, part)
        gradient.add(caught, caught.gradient, failed[part])
        normal.add(caught, ~failed[part])
        if progress is not None:
            progress(len(part))
    named = gradient.towards_failure()[:top]

    drawn = min(most, int(failed.sum()), int((~failed).sum()))
    nodes, integrated, incomplete, changes = 0, None, None, list[Change]()
    if drawn:
        groups = [np.sort(rng.permutation(np.flatnonzero(g))[:drawn]) for g in (failed, ~failed)]
        failures, successes = (Caught.of(model, dictionary, tokens, group) for group in groups)
        means = [MeanGradient.of(group, steps, TOLERANCE) for group in (failures, successes)]
        integrated = MeanAttribution(dictionary)
        integrated.add(failures, means[0].gradient, np.ones(drawn, dtype=bool))
        integrated.add(successes, means[1].gradient, np.zeros(drawn, dtype=bool))
        gaps = torch.cat([means[0].gap(failures), means[1].gap(successes)])
        incomplete = float(gaps.abs().max())
        nodes = int(torch.cat([mean.nodes for mean in means]).max())
        features = sampled(failures, named, rng)
        changes = measured_changes(failures, means[0].gradient, features, normal.mean)
    return SiteAttribution(
        site=dictionary.name,
        prompts=drawn,
        steps=nodes,
        error_gradient=gradient.error,
        error_integrated=None if integrated is None else integrated.error,
        features_gradient=float(gradient.difference.sum()),
        completeness=incomplete,
        top=[_attributed(f, dictionary, gradient, integrated, classes, effect_of) for f in named],
        measured=len(changes),
        agreement=rank_correlation([(c.by_gradient, c.measured) for c in changes]),
        agreement_integrated=rank_correlation([(c.by_mean_gradient, c.measured) for c in changes]),
    )


def _attributed(
    feature: int,
    dictionary: Dictionary,
    gradient: MeanAttribution,
    integrated: MeanAttribution | None,
    classes: Mapping[int, int],
    effect_of: EffectOf,
) -> Attributed:
    effect = effect_of([feature])
    of_failures, of_successes = gradient.features[:, feature].tolist()
    both = (None, None) if integrated is None else integrated.features[:, feature].tolist()
    return Attributed(
        feature=dictionary.feature(feature),
        gradient_failures=of_failures,
        gradient_successes=of_successes,
        integrated_failures=both[0],
        integrated_successes=both[1],
        in_class=classes.get(feature),
        effect=None if isinstance(effect, str) else effect,
        effect_missing=effect if isinstance(effect, str) else None,
    )


class MeanAttribution:
    """Attributions averaged over failures and over successes, taken in batch by batch."""

    def __init__(self, dictionary: Dictionary) -> None:
        device = dictionary.W_dec.device
        self._features = torch.zeros(2, dictionary.d_sae, dtype=torch.float64, device=device)
        self._error, self._prompts = np.zeros(2), np.zeros(2)

    def add(self, caught: Caught, gradient: Tensor, failed: np.ndarray) -> None:
        """Take in prompts, by the gradient `[tokens, d]` that what they hold is multiplied by."""
        due = caught.slopes(gradient) * caught.activation
        group = torch.from_numpy((~failed).astype(np.int64)).to(due.device)[caught.prompt]
        self._features.index_put_((group, caught.feature), due.double(), accumulate=True)
        error = caught.of_error(gradient).cpu().numpy()
        self._error += [error[failed].sum(), error[~failed].sum()]
        self._prompts += [failed.sum(), (~failed).sum()]

    @property
    def features(self) -> np.ndarray:
        """Over failures, over successes: `[2, d_sae]`."""
        means: np.ndarray = self._features.cpu().numpy() / self._prompts[:, None]
        return means

    @property
    def difference(self) -> np.ndarray:
        """Failures − successes, `[d_sae]`."""
        of_failures, of_successes = self.features
        difference: np.ndarray = of_failures - of_successes
        return difference

    @property
    def error(self) -> float:
        """Of the error term: failures − successes."""
        of_failures, of_successes = self._error / self._prompts
        return float(of_failures - of_successes)

    def towards_failure(self) -> list[int]:
        """The features that anything is attributed to: first those that push failures down.

        Of each sign the larger difference comes first; of equal ones the lower index.
        """
        some = np.flatnonzero(self.features.any(axis=0))
        difference = self.difference[some]
        order = np.lexsort((-np.abs(difference), difference >= 0))
        return [int(feature) for feature in some[order]]


class NormalActivation:
    """Every feature's mean activation over the tokens of the successes, BOS left out."""

    def __init__(self, dictionary: Dictionary) -> None:
        device = dictionary.W_dec.device
        self._total = torch.zeros(dictionary.d_sae, dtype=torch.float64, device=device)
        self._tokens = 0

    def add(self, caught: Caught, succeeded: np.ndarray) -> None:
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

    Means over the prompts where it fires: what attribution predicts for this very change, and what
    one pass with it measures (the margin over whatever other token is then strongest).
    """

    feature: int
    by_gradient: float  # Σ_p ∂m/∂a · change of a
    by_mean_gradient: float  # the same with the gradient averaged on the way from x0
    measured: float


def sampled(caught: Caught, named: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Of the features that fire: those named, and 30 others drawn at random."""
    firing = np.unique(caught.feature.cpu().numpy())
    others = rng.permutation(np.setdiff1d(firing, named))[:SAMPLE]
    return [*(f for f in named if f in firing), *others.tolist()]


@torch.no_grad()
def measured_changes(
    caught: Caught, mean_gradient: Tensor, features: Sequence[int], normal: Tensor
) -> list[Change]:
    """Set each feature to its normal activation `normal[feature]` where it fires, one at a time."""
    before = caught.margins(caught.values)[1]
    gradients = caught.gradient, mean_gradient
    changes = []
    for feature in features:
        here = caught.feature == feature
        token, step = caught.token[here], normal[feature] - caught.activation[here]
        shift = (step * caught.scale[token])[:, None] * caught.dictionary.W_dec[feature]
        values = caught.values.clone()
        values[tuple(caught.place[token].T)] += shift
        some = np.unique(caught.place[token, 0].cpu().numpy())
        prompts = torch.from_numpy(some).to(token.device)
        after = caught.margins(values[prompts], prompts)[1]
        at_once, on_the_way = (float((g[token] * shift).sum()) / len(some) for g in gradients)
        measured = float((after - before[prompts]).mean())
        changes.append(Change(feature, at_once, on_the_way, measured))
    return changes


def rank_correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's correlation; None of fewer than five pairs, or where one side is constant."""
    if len(pairs) < LEAST_RANKED or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return None
    predicted, measured = np.array(pairs).T
    return float(spearmanr(predicted, measured).statistic)
