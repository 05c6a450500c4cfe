"""Class selection: which features still go with the outcome once other classes are accounted for.

Forward selection over the family. The class that goes with failure most surely is taken; the whole
family is then tested within strata of prompts on which that class is silent, fires weakly, or fires
strongly; the strongest feature that is left is taken with its class, and so on. What is only a copy
of a class that was taken, at another site, falls out; a second cause that the first one hides (of
an OR whose parts often fire together) comes to light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.feature_tests.conditional import conditional_p
from faultlens.auditing.feature_tests.correlates import Correlates
from faultlens.auditing.feature_tests.strata import LEAST_INFORMATIVE
from faultlens.stats.equivalence import equivalence_classes
from faultlens.stats.strata import informative

MOST_TAKEN = 3  # classes, the first among them
MOST_PERMUTATIONS = 1_000  # of each step
SHARE = 0.2  # of alpha: for what goes with the outcome beyond other classes and not by itself


@dataclass(frozen=True, eq=False)
class TakenClass:
    """A class that forward selection took.

    Attributes:
        members: its features, as places in the family, the strongest first.
        others: the leaders of the classes taken before, as places in the family.
        p_value: adjusted over the whole family, within strata of these; of the first, its own.
        failures_in_them: failures in strata that hold both outcomes.
    """

    members: np.ndarray
    others: tuple[int, ...]
    p_value: float
    failures_in_them: int


def select_classes(
    found: Correlates,
    failed: np.ndarray,
    groups: Sequence[np.ndarray],
    *,
    alpha: float,
    permutations: int,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> list[TakenClass]:
    """The classes that forward selection takes, in its order; none where none is significant.

    Args:
        found: the family.
        failed: the outcome, boolean `[prompts]`.
        groups: the classes that the audit speaks of, the most certain first.
        alpha: of each step, which is only made once the one before found something; of what the
            deciding tests do not find, a fifth of it.
        permutations: of the outcome, behind each step; at most 1,000 are made.
        seed: of these.
        blocks: the block of each prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.
    """
    significant = [members for members in groups if found.decisive[members[0]] <= alpha]
    if not significant:
        return []
    first = next((m for m in significant if found.auroc[m[0]] > 0.5), significant[0])
    taken = [TakenClass(first, (), float(found.decisive[first[0]]), found.failures)]
    codes = np.zeros(len(failed), dtype=int)
    while len(taken) < MOST_TAKEN:
        codes = 3 * codes + _strength(found.values, int(taken[-1].members[0]))
        codes = np.unique(codes, return_inverse=True)[1]
        telling = informative(failed, codes)[codes]
        left = int((failed & telling).sum())
        if left < LEAST_INFORMATIVE or len(np.unique(codes)) == 1:
            break
        repeated = min(permutations, MOST_PERMUTATIONS)
        p = conditional_p(found, failed, codes, repeated, seed, blocks, parts)
        level = np.where(found.decisive <= alpha, alpha, SHARE * alpha)
        able = np.flatnonzero(p <= level)
        if not len(able):
            break
        leader = _strongest(found, able, p, failed, codes)
        members = _class_of(found, leader, able, groups)
        others = tuple(int(before.members[0]) for before in taken)
        taken.append(TakenClass(members, others, float(p[leader]), left))
    return taken


def _strength(values: csr_matrix, feature: int) -> np.ndarray:
    """0 where a feature is silent, 1 where it fires weakly, 2 where it fires strongly."""
    column = values[:, [feature]].toarray().ravel()
    fires = column > 0
    middle = np.median(column[fires])
    strength: np.ndarray = fires.astype(int) + (column > middle)
    return strength


def _strongest(
    found: Correlates, able: np.ndarray, p: np.ndarray, failed: np.ndarray, codes: np.ndarray
) -> int:
    """The feature of the least p; between equal ones that of the largest effect within strata."""
    least = able[p[able] == p[able].min()]
    firing, values = found.firing[:, least], found.values[:, least]
    z = np.maximum(_stratified_z(firing, failed, codes), _stratified_z(values, failed, codes))
    return int(least[int(np.argmax(z))])


def _stratified_z(values: csr_matrix, failed: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """|z| of the failures' sum within strata, by its permutation moments, `[features]`."""
    dense = values.toarray().astype(float)
    gap, variance = np.zeros(dense.shape[1]), np.zeros(dense.shape[1])
    for stratum in np.unique(codes):
        rows = codes == stratum
        n, fails = int(rows.sum()), int(failed[rows].sum())
        if n < 2 or not 0 < fails < n:
            continue
        gap += dense[rows & failed].sum(axis=0) - fails * dense[rows].mean(axis=0)
        variance += dense[rows].var(axis=0, ddof=1) * fails * (n - fails) / n
    z: np.ndarray = np.abs(gap) / np.sqrt(np.maximum(variance, 1e-30))
    return np.where(variance > 0, z, 0.0)


def _class_of(
    found: Correlates, leader: int, able: np.ndarray, groups: Sequence[np.ndarray]
) -> np.ndarray:
    """The class of a feature: the one the audit has of it already, else what is alike it."""
    for members in groups:
        if leader in members:
            return np.asarray(members)
    same_site = able[found.site[able] == found.site[leader]]
    effects = found.auroc[same_site] - 0.5
    for group in equivalence_classes(csr_matrix(found.values[:, same_site]), effects):
        members = same_site[group]
        if leader in members:
            return np.concatenate([[leader], members[members != leader]])
    return np.array([leader])
