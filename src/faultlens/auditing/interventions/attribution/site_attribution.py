"""Step 7, the search: what the answer's margin is due to, failures against successes.

Two attributions of the margin m (see `decomposition`) to every feature and to the error term.
Activation × gradient gives feature f `Σ_p a_f(p) · (∂m/∂x_p · D_f)`, p over the tokens after BOS:
exact where m is linear in the site's values. Integrated gradients replace the gradient by its mean
on the path from x0 (all features and the error term taken away) to x; features and error term then
sum to `m(x) − m(x0)`. Neither is an effect. How well the ranking by either tells effects is
measured: its rank correlation with the effect of setting features to their normal activation (see
`changes`). How well slopes predict that same change is another question: how linear the model is.

References: Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks"; for features
and their error term, Marks et al. (2024), "Sparse feature circuits".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import TaskTokens, by_length
from faultlens.auditing.interventions.ablation import LEAST_PROMPTS
from faultlens.auditing.interventions.attribution.changes import (
    Change,
    measured_changes,
    rank_correlation,
    sampled,
)
from faultlens.auditing.interventions.attribution.decomposition import SiteDecomposition
from faultlens.auditing.interventions.attribution.expected_effect import ExpectedEffect
from faultlens.auditing.interventions.attribution.from_normal import FromNormal
from faultlens.auditing.interventions.attribution.mean_gradient import MeanGradient
from faultlens.auditing.result import Attributed, SiteAttribution
from faultlens.models.dictionary import Dictionary
from faultlens.progress import Tick

STEPS = 128  # most nodes of the integral a prompt
TOLERANCE = 0.02  # nats that a panel of it may be off before it is halved
MOST = 6  # failures, and successes, over which it is taken
TOP = 10  # features named
EXPECTED = 6  # kept beside them: those of which setting them to normal promises most


@dataclass(frozen=True)
class RankedSite:
    """A site's attribution, and the features that it names.

    Attributes:
        attribution: the result; nothing is tested yet.
        indices: the features in `attribution.top`, in its order.
        expected: the features of which setting them to normal promises most, the most first.
        expected_indices: the same in this order.
    """

    attribution: SiteAttribution
    indices: list[int]
    expected: list[Attributed] = field(default_factory=list)
    expected_indices: list[int] = field(default_factory=list)


def site_attribution(
    dictionary: Dictionary,
    activations: TaskActivations,
    failed: np.ndarray,
    *,
    seed: int,
    classes: Mapping[int, int],
    steps: int = STEPS,
    most: int = MOST,
    top: int = TOP,
    progress: Tick | None = None,
) -> RankedSite:
    """Attribute the margin to all features of a site, and measure how well that tells effects.

    Features are named by their mean attribution (activation × gradient) over failures minus that
    over successes, from the most negative on: first those that push the margin of failures down
    most.

    Args:
        failed: the outcome, boolean `[prompts]`; some failures and some successes.
        seed: of the prompts over which the integral is taken, and of the features sampled.
        classes: by feature, the rank of the significant class that holds it.
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
    drawn = min(most, int(failed.sum()), int((~failed).sum()))
    groups = [np.sort(rng.permutation(np.flatnonzero(g))[:drawn]) for g in (failed, ~failed)]
    chosen, both = np.concatenate(groups), None
    gradient, roles = MeanAttribution(dictionary), activations.alignment.roles
    normal_parts = FromNormal(activations.alignment.n_roles, dictionary.W_dec.shape[1])
    expected = ExpectedEffect(activations.codes(dictionary).mean_by_role(np.flatnonzero(~failed)))
    for part in _batches(activations.tokens, chosen):
        decomposed = SiteDecomposition.of(dictionary, activations, part)
        if drawn and both is None:
            both = decomposed
        slopes, its_roles = decomposed.slopes(decomposed.gradient), [roles[i] for i in part]
        gradient.add(decomposed, decomposed.gradient, failed[part], slopes)
        normal_parts.add(decomposed, failed[part], its_roles)
        expected.add(decomposed, slopes, failed[part], its_roles)
        if progress is not None:
            progress(len(part))
    indices = gradient.towards_failure()[:top]
    closer = _Closer()
    if both is not None:
        normal = activations.codes(dictionary).mean(np.flatnonzero(~failed))
        closer = _Closer.of(both, failed[chosen], indices, torch.from_numpy(normal), steps, rng)
    integrated, changes = closer.integrated, closer.changes

    def named(feature: int) -> Attributed:
        promise = float(expected.each[feature])
        return _attributed(feature, dictionary, gradient, integrated, classes, promise)

    lowest = expected.lowest(EXPECTED, LEAST_PROMPTS)
    attribution = SiteAttribution(
        site=dictionary.name,
        prompts=drawn,
        steps=closer.nodes,
        error_gradient=gradient.error,
        error_integrated=None if integrated is None else integrated.error,
        features_gradient=float(gradient.difference.sum()),
        completeness=closer.completeness,
        top=[named(feature) for feature in indices],
        measured=len(changes),
        ranking_agreement=_ranking_agreement(gradient, changes),
        ranking_agreement_integrated=_ranking_agreement(integrated, changes),
        linearity=rank_correlation([(c.by_gradient, c.measured) for c in changes]),
        linearity_integrated=rank_correlation([(c.by_mean_gradient, c.measured) for c in changes]),
        features_from_normal=normal_parts.features,
        error_from_normal=normal_parts.error,
    )
    return RankedSite(attribution, indices, [named(feature) for feature in lowest], lowest)


def _batches(tokens: TaskTokens, first: np.ndarray) -> Iterator[np.ndarray]:
    """Every prompt once: those of `first` together, then the others by length."""
    if len(first):
        yield first
    others = np.setdiff1d(np.arange(len(tokens.scored)), first)
    for batch in by_length([tokens.scored[i] for i in others]):
        yield others[batch]


def _attributed(
    feature: int,
    dictionary: Dictionary,
    gradient: MeanAttribution,
    integrated: MeanAttribution | None,
    classes: Mapping[int, int],
    from_normal: float,
) -> Attributed:
    of_failures, of_successes = gradient.features[:, feature].tolist()
    both = (None, None) if integrated is None else integrated.features[:, feature].tolist()
    return Attributed(
        feature=dictionary.feature(feature),
        gradient_failures=of_failures,
        gradient_successes=of_successes,
        integrated_failures=both[0],
        integrated_successes=both[1],
        in_class=classes.get(feature),
        effect=None,
        effect_missing=None,
        from_normal=from_normal,
    )


def _ranking_agreement(ranked: MeanAttribution | None, changes: Sequence[Change]) -> float | None:
    """Spearman's, of attribution with its sign reversed and the change that was measured."""
    if ranked is None:
        return None
    scores = ranked.difference
    return rank_correlation([(-float(scores[c.feature]), c.measured) for c in changes])


class MeanAttribution:
    """Attributions averaged over failures and over successes, added batch by batch."""

    def __init__(self, dictionary: Dictionary) -> None:
        device = dictionary.W_dec.device
        self._features = torch.zeros(2, dictionary.d_sae, dtype=torch.float64, device=device)
        self._error, self._prompts = np.zeros(2), np.zeros(2)

    def add(
        self,
        decomposed: SiteDecomposition,
        gradient: Tensor,
        failed: np.ndarray,
        slopes: Tensor | None = None,
    ) -> None:
        """Take in prompts, by the gradient `[tokens, d]` that what they hold is multiplied by.

        `slopes`: of each firing along it, if they are known.
        """
        slopes = decomposed.slopes(gradient) if slopes is None else slopes
        due = slopes * decomposed.activation
        group = torch.from_numpy((~failed).astype(np.int64)).to(due.device)[decomposed.prompt]
        self._features.index_put_((group, decomposed.feature), due.double(), accumulate=True)
        error = decomposed.of_error(gradient).cpu().numpy()
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


@dataclass(frozen=True, eq=False)
class _Closer:
    """What is computed on a few prompts only; nothing where there are none.

    Attributes:
        integrated: by integrated gradients.
        nodes: the most that a prompt's integral took.
        completeness: the largest gap between its sum and the margin's difference, nats.
        changes: measured on the failures among them.
    """

    integrated: MeanAttribution | None = None
    nodes: int = 0
    completeness: float | None = None
    changes: Sequence[Change] = ()

    @classmethod
    def of(
        cls,
        decomposed: SiteDecomposition,
        failed: np.ndarray,
        first: Sequence[int],
        normal: Tensor,
        steps: int,
        rng: np.random.Generator,
    ) -> _Closer:
        mean = MeanGradient.of(decomposed, steps, TOLERANCE)
        integrated = MeanAttribution(decomposed.dictionary)
        integrated.add(decomposed, mean.gradient, failed)
        features = sampled(decomposed, failed, first, rng)
        return cls(
            integrated,
            int(mean.nodes.max()),
            float(mean.gap(decomposed).abs().max()),
            measured_changes(
                decomposed, failed, mean.gradient, features, normal.to(decomposed.ids.device)
            ),
        )
