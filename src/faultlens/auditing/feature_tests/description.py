"""Features' effects with intervals and approximate p-values: described, never decisive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultlens.auditing.feature_tests.correlates import Correlates
from faultlens.auditing.result import Described, Interval
from faultlens.stats.cluster_bootstrap import EffectEnds, cluster_bootstrap
from faultlens.stats.effect_intervals import (
    auroc_interval,
    cohens_d_interval,
    rate_difference,
    welch_interval,
)
from faultlens.stats.moments import Moments, moments

SMALL_SUPPORT = 20  # prompts, below which the descriptions of an effect are not to be relied on


def described(
    found: Correlates,
    features: Sequence[int],
    failed: np.ndarray,
    blocks: np.ndarray | None = None,
) -> list[Described]:
    """The effects of some features of the family.

    Args:
        found: the family.
        features: their places in it.
        failed: the outcome, boolean `[prompts]`.
        blocks: the block of every prompt that belongs together: intervals are then those of a
            bootstrap over blocks, and tests that take prompts as independent are left out.
    """
    values, alone = found.values[:, list(features)], blocks is None
    columns = values.toarray()
    first, rest = moments(values, failed), moments(values, ~failed)
    difference = (first.mean - rest.mean).tolist()
    active = found.fail_active[list(features)], found.success_active[list(features)]
    d = found.cohens_d[list(features)]
    ends = (
        _large_sample_ends(columns, failed, first, rest, d, active)
        if blocks is None
        else [cluster_bootstrap(column, failed, blocks) for column in columns.T]
    )
    return [
        Described(
            mean_difference=Interval(difference[i], *ends[i].mean_difference),
            cohens_d=Interval(float(d[i]), *ends[i].cohens_d) if np.isfinite(d[i]) else None,
            auroc=Interval(float(found.auroc[feature]), *ends[i].auroc),
            rate_difference=Interval(
                float(found.rate_difference[feature]), *ends[i].rate_difference
            ),
            p_welch=float(found.p_welch[feature]) if alone else None,
            p_mann_whitney=float(found.p_mann_whitney[feature]) if alone else None,
            small_support=int(active[0][i] + active[1][i]) < SMALL_SUPPORT,
        )
        for i, feature in enumerate(features)
    ]


def _large_sample_ends(
    columns: np.ndarray,
    failed: np.ndarray,
    first: Moments,
    rest: Moments,
    d: np.ndarray,
    active: tuple[np.ndarray, np.ndarray],
) -> list[EffectEnds]:
    """The intervals that take every prompt as independent, of each feature."""
    found = (
        welch_interval(first, rest),
        cohens_d_interval(d, first.n, rest.n),
        auroc_interval(columns, failed),
        rate_difference(active[0], first.n, active[1], rest.n)[1:],
    )
    by_effect = [zip(low.tolist(), high.tolist(), strict=True) for low, high in found]
    return [EffectEnds(*ends) for ends in zip(*by_effect, strict=True)]
