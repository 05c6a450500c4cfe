"""The same family under other rules of scoring: does a finding go with failure, or with scoring?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import fisher_exact, mannwhitneyu

from faultlens.auditing.feature_tests.correlates import LEAST_OUTCOMES, Correlates
from faultlens.auditing.result import Disputed, Interval, OtherScoring
from faultlens.stats.block_sets import outcome_sets
from faultlens.stats.effect_intervals import cohens_d_interval, rate_difference, welch_interval
from faultlens.stats.effects import cohens_d_of_moments
from faultlens.stats.moments import difference_of_means, moments
from faultlens.stats.stepdown import max_t, min_p


@dataclass(frozen=True, eq=False)
class OtherRule:
    """The family under another rule of scoring.

    Attributes:
        rule: its name.
        found: the family under the audit's own rule.
        own: which prompts fail under that, boolean `[prompts]`.
        failed: which prompts fail under this rule, boolean `[prompts]`.
        p_deciding: of each feature, as the audit's own, `[features]`; None where too few prompts
            fail or succeed under it to test.
    """

    rule: str
    found: Correlates
    own: np.ndarray
    failed: np.ndarray
    p_deciding: np.ndarray | None

    def reading(self, feature: int) -> OtherScoring:
        """What it says of one feature, by its place in the family."""
        column = csr_matrix(self.found.values[:, [feature]])
        failures = int(self.failed.sum())
        disputed = _disputed(column, self.own, self.failed)
        if self.p_deciding is None:
            return OtherScoring(self.rule, failures, None, None, None, disputed=disputed)
        d, rate = _strength(column, self.failed), _rate(column, self.failed)
        return OtherScoring(
            rule=self.rule,
            failures=failures,
            p_deciding=float(self.p_deciding[feature]),
            rate_difference=rate.value,
            cohens_d=None if d is None else d.value,
            rate_interval=rate,
            d_interval=d,
            overlap=float(self.own[self.failed].mean() - self.own[~self.failed].mean()),
            disputed=disputed,
        )


def under_rule(
    found: Correlates,
    own: np.ndarray,
    rule: str,
    failed: np.ndarray,
    permutations: int,
    seed: int,
    blocks: np.ndarray | None = None,
) -> OtherRule:
    """The deciding tests of the same family against the outcomes of another rule.

    Nothing is tested where fewer than five prompts fail, or succeed, under it.

    Args:
        found: the family.
        own: which prompts fail under the audit's own rule, boolean `[prompts]`.
        rule: the other rule's name.
        failed: which prompts fail under it, boolean `[prompts]`.
        permutations: of the outcome.
        seed: of the permutations.
        blocks: the block of each prompt that belongs together; None: each stands by itself.
    """
    n, failures = len(failed), int(failed.sum())
    if min(failures, n - failures) < LEAST_OUTCOMES:
        return OtherRule(rule, found, own, failed, None)
    firing = found.firing
    sets = outcome_sets(failed, permutations, np.random.default_rng(seed), blocks=blocks)
    smaller = np.minimum(min_p(firing, sets, failed), max_t(found.values, sets, failed))
    return OtherRule(rule, found, own, failed, np.minimum(2 * smaller, 1.0))


def _rate(column: csr_matrix, failed: np.ndarray) -> Interval:
    active = np.asarray((column > 0).todense()).ravel()
    found = rate_difference(
        np.array([(active & failed).sum()]), int(failed.sum()),
        np.array([(active & ~failed).sum()]), int((~failed).sum()),
    )  # fmt: skip
    return Interval(*(float(part[0]) for part in found))


def _strength(column: csr_matrix, failed: np.ndarray) -> Interval | None:
    """Cohen's d with the wider of its standard interval and Welch's; None where infinite.

    The standard interval supposes groups of one spread, and covers too little where the smaller
    group has the larger one.
    """
    first, rest = moments(column, failed), moments(column, ~failed)
    d = cohens_d_of_moments(first, rest)
    if not np.isfinite(d[0]):
        return None
    low, high = cohens_d_interval(d, first.n, rest.n)
    if d[0]:
        spread = difference_of_means(first, rest) / d
        of_means = [end / spread for end in welch_interval(first, rest)]
        low, high = np.minimum(low, of_means[0]), np.maximum(high, of_means[1])
    return Interval(float(d[0]), float(low[0]), float(high[0]))


def _disputed(column: csr_matrix, own: np.ndarray, other: np.ndarray) -> Disputed | None:
    """The failures by the audit's rule that are none by the other, beside those by both."""
    disputed, agreed = own & ~other, own & other
    if not disputed.any():
        return None
    values = column.toarray().ravel()
    active = values > 0
    counts = [[int((active & k).sum()), int((~active & k).sum())] for k in (disputed, agreed)]
    successes = ~own
    d = None
    if agreed.sum() > 1:
        compared = agreed | successes
        strength = _strength(csr_matrix(column[compared]), agreed[compared])
        d = None if strength is None else strength.value
    share = active[agreed].mean() - active[successes].mean() if agreed.any() else None
    both = agreed.any() and np.ptp(values[own]) > 0
    p = mannwhitneyu(values[disputed], values[agreed], method="asymptotic").pvalue if both else 1.0
    return Disputed(
        failures=int(disputed.sum()),
        active=counts[0][0],
        agreed=int(agreed.sum()),
        agreed_active=counts[1][0],
        agreed_rate_difference=None if share is None else float(share),
        agreed_cohens_d=d,
        p_firing=float(fisher_exact(np.array(counts)).pvalue),
        p_strength=float(p),
    )
