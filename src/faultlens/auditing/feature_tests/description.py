"""A feature's effects with intervals and approximate p-values: described, never decisive."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.feature_tests.correlates import Correlates
from faultlens.auditing.result import Described, Interval
from faultlens.stats.cluster_bootstrap import cluster_bootstrap
from faultlens.stats.effect_intervals import (
    auroc_interval,
    cohens_d_interval,
    rate_difference,
    welch_interval,
)
from faultlens.stats.moments import moments

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
    column = found.values[:, [feature]]
    first, rest = moments(column, failed), moments(column, ~failed)
    difference = float(first.mean[0] - rest.mean[0])
    low, high = (float(end[0]) for end in welch_interval(first, rest))
    d_interval = None
    d = float(found.cohens_d[feature])
    if np.isfinite(d):
        ends = cohens_d_interval(np.array([d]), first.n, rest.n)
        d_interval = Interval(d, *(float(end[0]) for end in ends))
    area = [float(np.ravel(end)[0]) for end in auroc_interval(column.toarray().ravel(), failed)]
    active = found.fail_active[[feature]], found.success_active[[feature]]
    rate = rate_difference(active[0], first.n, active[1], rest.n)
    if blocks is not None:
        drawn = cluster_bootstrap(column.toarray().ravel(), failed, blocks)
        return Described(
            mean_difference=Interval(difference, *drawn.mean_difference),
            cohens_d=None if not np.isfinite(d) else Interval(d, *drawn.cohens_d),
            auroc=Interval(float(found.auroc[feature]), *drawn.auroc),
            rate_difference=Interval(float(rate[0][0]), *drawn.rate_difference),
            p_welch=None,
            p_mann_whitney=None,
            small_support=int(active[0][0] + active[1][0]) < SMALL_SUPPORT,
        )
    return Described(
        mean_difference=Interval(difference, low, high),
        cohens_d=d_interval,
        auroc=Interval(float(found.auroc[feature]), *area),
        rate_difference=Interval(*(float(np.ravel(number)[0]) for number in rate)),
        p_welch=float(found.p_welch[feature]),
        p_mann_whitney=float(found.p_mann_whitney[feature]),
        small_support=int(active[0][0] + active[1][0]) < SMALL_SUPPORT,
    )
