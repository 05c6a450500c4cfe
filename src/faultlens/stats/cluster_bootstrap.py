"""Intervals of one feature's effects where rows belong together: whole blocks are drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

RESAMPLES = 1_000

Ends = tuple[float, float]


@dataclass(frozen=True)
class EffectEnds:
    """The ends of each effect's interval."""

    mean_difference: Ends
    cohens_d: Ends
    auroc: Ends
    rate_difference: Ends


def cluster_bootstrap(
    values: np.ndarray, first: np.ndarray, blocks: np.ndarray, level: float = 0.95, seed: int = 0
) -> EffectEnds:
    """Percentile intervals of four effects, first − rest, over 1,000 draws of the blocks.

    Each draw takes as many blocks as there are, with replacement, and every row of them; draws
    without one of the groups are left out. Reference: Davison & Hinkley (1997), section 3.8.

    Args:
        values: of one feature, `[n]`.
        first: boolean, `[n]`.
        blocks: whole numbers, `[n]`.
        level: of the two-sided intervals.
        seed: of the draws.

    >>> values, first = np.repeat([3.0, 1.0, 0.0, 2.0, 0.0, 0.0], 5), np.repeat([True, False], 15)
    >>> ends = cluster_bootstrap(values, first, np.arange(30) // 5)
    >>> alone = cluster_bootstrap(values, first, np.arange(30))
    >>> np.diff(ends.mean_difference) > 1.5 * np.diff(alone.mean_difference)
    array([ True])
    """
    draws = _draws(first.tobytes(), np.asarray(blocks, dtype=int).tobytes(), seed)
    n_first, n_rest = draws.n_first, draws.n_rest
    means, squares = [], np.zeros(len(n_first))
    parts = (first, draws.of_first, n_first), (~first, draws.of_rest, n_rest)
    for group, own, size in parts:
        mean = own @ values[group] / size
        means.append(mean)
        squares += np.maximum(own @ values[group] ** 2 - size * mean**2, 0.0)
    difference = means[0] - means[1]
    spread = np.sqrt(squares / np.maximum(n_first + n_rest - 2, 1))
    d = np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
    fires = (values > 0).astype(float)
    rates = draws.of_first @ fires[first] / n_first - draws.of_rest @ fires[~first] / n_rest
    area = _weighted_auroc(values[first], values[~first], draws.of_first, draws.of_rest)
    low, high = np.quantile(
        np.stack([difference, d, area, rates]), [(1 - level) / 2, (1 + level) / 2], axis=1
    )
    return EffectEnds(*zip(low.tolist(), high.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class _Draws:
    """How often each row is drawn, `[draws, rows]`: of the first group and of the rest; in all."""

    of_first: np.ndarray
    of_rest: np.ndarray
    n_first: np.ndarray
    n_rest: np.ndarray


@lru_cache(maxsize=2)
def _draws(first: bytes, blocks: bytes, seed: int) -> _Draws:
    """Of rows in groups and blocks, by their bytes: the features of a study share theirs."""
    group = np.frombuffer(first, dtype=bool)
    of_block = np.unique(np.frombuffer(blocks, dtype=int), return_inverse=True)[1]
    count = int(of_block.max()) + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)[:, of_block]
    weights = times.astype(float)
    n_first, n_rest = weights @ group, weights @ ~group
    kept = (n_first > 0) & (n_rest > 0)
    weights = weights[kept]
    return _Draws(weights[:, group], weights[:, ~group], n_first[kept], n_rest[kept])


def _weighted_auroc(
    first: np.ndarray, rest: np.ndarray, of_first: np.ndarray, of_rest: np.ndarray
) -> np.ndarray:
    """P(first > rest) + P(equal) / 2 in each draw, `[draws]`.

    Many rows hold the least value, as where a feature is silent: only the others are compared pair
    by pair. Weights are whole numbers and a pair counts 0, ½ or 1, so that no sum is rounded.

    Args:
        first: the first group's values, `[n1]`.
        rest: the rest's, `[n2]`.
        of_first: how often each row of the first group is drawn, `[draws, n1]`.
        of_rest: each row of the rest, `[draws, n2]`.
    """
    n_first, n_rest = of_first.sum(axis=1), of_rest.sum(axis=1)
    least = min(first.min(), rest.min())
    of_first, of_rest = of_first[:, first > least], of_rest[:, rest > least]
    above, silent = of_first.sum(axis=1), n_rest - of_rest.sum(axis=1)
    gaps = first[first > least][:, None] - rest[rest > least]
    concordant = ((of_first @ ((np.sign(gaps) + 1) / 2)) * of_rest).sum(axis=1)
    concordant += (above + (n_first - above) / 2) * silent
    area: np.ndarray = concordant / (n_first * n_rest)
    return area
