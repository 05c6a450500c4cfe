"""A feature's effects with intervals and approximate p-values: described, never decisive."""

from __future__ import annotations

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
    found: Correlates, feature: int, failed: np.ndarray, blocks: np.ndarray | None = None
) -> Described:
    """The effects of one feature of the family.

    Args:
        found: the family.
        feature: the feature's place in it.
        failed: the outcome, boolean `[prompts]`.
        blocks: the block of every prompt that belongs together: intervals are then those of a
            bootstrap over blocks, and tests that take prompts as independent are left out.
    """
    values = found.values[:, [feature]]
    column = values.toarray().ravel()
    first, rest = moments(values, failed), moments(values, ~failed)
    active = int(found.fail_active[feature]), int(found.success_active[feature])
    d = float(found.cohens_d[feature])
    alone = blocks is None
    ends = (
        _large_sample_ends(column, failed, first, rest, d, active)
        if blocks is None
        else cluster_bootstrap(column, failed, blocks)
    )
    return Described(
        mean_difference=Interval(float(first.mean[0] - rest.mean[0]), *ends.mean_difference),
        cohens_d=Interval(d, *ends.cohens_d) if np.isfinite(d) else None,
        auroc=Interval(float(found.auroc[feature]), *ends.auroc),
        rate_difference=Interval(active[0] / first.n - active[1] / rest.n, *ends.rate_difference),
        p_welch=float(found.p_welch[feature]) if alone else None,
        p_mann_whitney=float(found.p_mann_whitney[feature]) if alone else None,
        small_support=sum(active) < SMALL_SUPPORT,
    )


def _large_sample_ends(
    column: np.ndarray,
    failed: np.ndarray,
    first: Moments,
    rest: Moments,
    d: float,
    active: tuple[int, int],
) -> EffectEnds:
    """The intervals that take every prompt as independent."""
    fail_active, success_active = (np.array([count]) for count in active)
    found = (
        welch_interval(first, rest),
        cohens_d_interval(np.array([d]), first.n, rest.n),
        auroc_interval(column, failed),
        rate_difference(fail_active, first.n, success_active, rest.n)[1:],
    )
    return EffectEnds(*((float(low[0]), float(high[0])) for low, high in found))
