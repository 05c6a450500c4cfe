"""Step 9, on one corpus: classes found in half of the prompts, and their effect in the other half.

What is picked for being large among thousands is larger than it is: the half that did not pick it
says how large. The halves are drawn at random, each with half of the failures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import fisher_exact

from faultlens.auditing.config import FeatureTestConfig
from faultlens.auditing.feature_tests.classes import significant_classes
from faultlens.auditing.feature_tests.correlates import LEAST_OUTCOMES, correlate
from faultlens.auditing.result import HalfReading, Interval
from faultlens.features.table import FeatureTable
from faultlens.stats.cluster_score import cluster_score_p
from faultlens.stats.effect_intervals import cohens_d_interval
from faultlens.stats.effects import cohens_d_of_moments
from faultlens.stats.moments import moments

MOST = 10  # classes that are carried over, the strongest first
LEAST_FAILURES = 10  # below which a half has fewer than five


@dataclass(frozen=True)
class HalfReplication:
    """Classes that go with failure in one half, and their effect in the other.

    Attributes:
        readings: of each class.
        shrinkage: mean d in replication over mean d in discovery; None without a class whose d is
            finite in both, or where the latter is 0.
    """

    readings: list[HalfReading] = field(default_factory=list)
    shrinkage: float | None = None


def halves(
    failed: np.ndarray, seed: int, blocks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Prompts of discovery and of replication: a random half of the failures and of the rest.

    Where prompts belong together, whole blocks, until half of the failures are among them.
    """
    rng = np.random.default_rng(seed)
    if blocks is not None:
        of_block = np.unique(blocks, return_inverse=True)[1]
        order = rng.permutation(int(of_block.max()) + 1)
        failures = np.cumsum(np.bincount(of_block, weights=failed)[order])
        taken = order[: 1 + int(np.searchsorted(failures, failed.sum() / 2))]
        inside = np.isin(of_block, taken)
        return np.flatnonzero(inside), np.flatnonzero(~inside)
    first = np.zeros(len(failed), dtype=bool)
    for group in (np.flatnonzero(failed), np.flatnonzero(~failed)):
        first[rng.permutation(group)[: (len(group) + 1) // 2]] = True
    return np.flatnonzero(first), np.flatnonzero(~first)


def replicate(
    tables: Mapping[str, FeatureTable],
    failed: np.ndarray,
    *,
    config: FeatureTestConfig,
    alpha: float,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> HalfReplication:
    """Discover classes in one half, and measure each one's strongest member in the other.

    Args:
        tables: one a dictionary, rows = prompts.
        failed: boolean `[prompts]`.
        config: prompts of a half on which a feature must fire, and permutations.
        alpha: the level of discovery.
        seed: of the halves and the permutations.
        blocks: the block of every prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.
    """
    successes = len(failed) - int(failed.sum())
    if not tables or min(int(failed.sum()), successes) < LEAST_FAILURES:
        return HalfReplication()
    first, second = halves(failed, seed, blocks)
    rest = int((~failed[first]).sum()), int((~failed[second]).sum())
    if blocks is not None and min(*rest, int(failed[second].sum())) < LEAST_OUTCOMES:
        return HalfReplication()
    half = {name: _rows(table, first) for name, table in tables.items()}
    found = correlate(
        half,
        failed[first],
        min_support=config.min_support,
        permutations=config.permutations,
        seed=seed,
        blocks=None if blocks is None else blocks[first],
        parts=None if parts is None else parts[first],
    )
    if not len(found.column):
        return HalfReplication()
    groups = [g for g in significant_classes(found, alpha) if found.auroc[g[0]] > 0.5][:MOST]
    readings = []
    for group in groups:
        table = tables[found.sites[found.site[group[0]]]]
        columns = [int(found.column[i]) for i in group]
        readings.append(_reading(table, columns, failed, first, second, blocks))
    both = [
        (r.discovery, r.replication.value)
        for r in readings
        if r.discovery is not None and r.replication is not None
    ]
    discovered, replicated = np.mean(both, axis=0) if both else (0.0, 0.0)
    return HalfReplication(readings, float(replicated / discovered) if discovered else None)


def _reading(
    table: FeatureTable,
    columns: list[int],
    failed: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    blocks: np.ndarray | None,
) -> HalfReading:
    values = csr_matrix(table.matrix[:, [columns[0]]])
    found, again = values[first], values[second]
    discovery = _cohens_d(found, failed[first])
    replication = _cohens_d(again, failed[second])
    interval = None
    if np.isfinite(replication):
        n = int(failed[second].sum())
        low, high = cohens_d_interval(np.array([replication]), n, len(second) - n)
        interval = Interval(replication, float(low[0]), float(high[0]))
    table_of = _counts(again, failed[second])
    return HalfReading(
        features=[table.feature(column) for column in columns],
        discovery=discovery if np.isfinite(discovery) else None,
        replication=interval,
        rate_discovery=_rate(_counts(found, failed[first])),
        rate_replication=_rate(table_of),
        p_replication=_p_again(again, failed[second], None if blocks is None else blocks[second]),
    )


def _rows(table: FeatureTable, rows: np.ndarray) -> FeatureTable:
    return replace(table, matrix=csr_matrix(table.matrix[rows]), rows=table.rows.iloc[rows])


def _cohens_d(values: csr_matrix, failed: np.ndarray) -> float:
    return float(cohens_d_of_moments(moments(values, failed), moments(values, ~failed))[0])


def _counts(values: csr_matrix, failed: np.ndarray) -> np.ndarray:
    """`[[failures firing, successes firing], [failures silent, successes silent]]`."""
    fires = np.asarray((values > 0).todense()).ravel()
    return np.array(
        [
            [(fires & failed).sum(), (fires & ~failed).sum()],
            [(~fires & failed).sum(), (~fires & ~failed).sum()],
        ]
    )


def _p_again(values: csr_matrix, failed: np.ndarray, blocks: np.ndarray | None) -> float:
    """One-sided p of firing on failures; of the score test by block, too, the larger."""
    counts = _counts(values, failed)
    p = float(fisher_exact(counts, alternative="greater").pvalue)
    if blocks is None:
        return p
    active = np.asarray((values > 0).todense()).ravel()
    half = float(cluster_score_p(active[None], failed, blocks)[0]) / 2
    return max(p, half if _rate(counts) > 0 else 1 - half)


def _rate(counts: np.ndarray) -> float:
    share = counts[0] / counts.sum(axis=0)
    return float(share[0] - share[1])
