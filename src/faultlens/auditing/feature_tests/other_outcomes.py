"""The same family against outcomes that are not the audit's own: within strata, by other rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from faultlens.auditing.feature_tests.correlates import LEAST_OUTCOMES, Correlates
from faultlens.auditing.result import OtherScoring
from faultlens.stats.effects import cohens_d_of_moments
from faultlens.stats.label_null import random_sets
from faultlens.stats.moments import moments
from faultlens.stats.stepdown import max_t, min_p
from faultlens.stats.strata import stratified_sets


@dataclass(frozen=True, eq=False)
class OtherRule:
    """The family under another rule of scoring.

    Attributes:
        rule: its name.
        failures: how many prompts fail under it.
        p_deciding: of each feature, as the audit's own, `[features]`; None where too few prompts
            fail or succeed under it to test, and then the others are None too.
        rate_difference: share of failures − of successes on which each fires, `[features]`.
        cohens_d: `[features]`.
    """

    rule: str
    failures: int
    p_deciding: np.ndarray | None = None
    rate_difference: np.ndarray | None = None
    cohens_d: np.ndarray | None = None

    def reading(self, feature: int) -> OtherScoring:
        """What it says of one feature, by its place in the family."""
        return OtherScoring(
            self.rule,
            self.failures,
            _at(self.p_deciding, feature),
            _at(self.rate_difference, feature),
            _at(self.cohens_d, feature),
        )


def under_rule(
    found: Correlates, rule: str, failed: np.ndarray, permutations: int, seed: int
) -> OtherRule:
    """The deciding tests of the same family against the outcomes of another rule.

    Nothing is tested where fewer than five prompts fail, or succeed, under it.

    Args:
        found: the family.
        rule: the rule's name.
        failed: which prompts fail under it, boolean `[prompts]`.
        permutations: of the outcome.
        seed: of the permutations.
    """
    n, failures = len(failed), int(failed.sum())
    if min(failures, n - failures) < LEAST_OUTCOMES:
        return OtherRule(rule, failures)
    firing = csr_matrix((found.values > 0).astype(np.float32))
    sets = random_sets(n, failures, permutations, np.random.default_rng(seed))
    smaller = np.minimum(min_p(firing, sets, failed), max_t(found.values, sets, failed))
    fail_active = np.asarray(firing[np.flatnonzero(failed)].sum(axis=0)).ravel()
    success_active = np.asarray(firing.sum(axis=0)).ravel() - fail_active
    return OtherRule(
        rule,
        failures,
        np.minimum(2 * smaller, 1.0),
        fail_active / failures - success_active / (n - failures),
        cohens_d_of_moments(moments(found.values, failed), moments(found.values, ~failed)),
    )


def conditional_p(
    found: Correlates, failed: np.ndarray, codes: np.ndarray, permutations: int, seed: int
) -> np.ndarray:
    """max-T over the whole family with the outcomes permuted within strata, adjusted `[features]`.

    With one stratum that is `p_max_t`.

    Args:
        found: the family.
        failed: the outcome, boolean `[prompts]`.
        codes: the stratum of each prompt, `[prompts]`.
        permutations: of the outcome, within the strata.
        seed: of the permutations.
    """
    if len(np.unique(codes)) == 1:
        return found.p_max_t
    sets = stratified_sets(failed, codes, permutations, np.random.default_rng(seed))
    return max_t(found.values, sets, failed, codes)


def _at(values: np.ndarray | None, feature: int) -> float | None:
    if values is None or not np.isfinite(values[feature]):
        return None
    return float(values[feature])
