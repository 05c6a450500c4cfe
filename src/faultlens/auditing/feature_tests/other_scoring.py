"""The same family under other rules of scoring: does a finding go with failure, or with scoring?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

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

    def readings(self, features: Sequence[int]) -> list[OtherScoring]:
        """What it says of some features, by their places in the family."""
        values = csr_matrix(self.found.values[:, list(features)])
        failures = int(self.failed.sum())
        disputed = _disputed(values, self.own, self.failed)
        if self.p_deciding is None:
            return [
                OtherScoring(self.rule, failures, None, None, None, disputed=one)
                for one in disputed
            ]
        overlap = float(self.own[self.failed].mean() - self.own[~self.failed].mean())
        strengths, rates = _strengths(values, self.failed), _rates(values, self.failed)
        return [
            OtherScoring(
                rule=self.rule,
                failures=failures,
                p_deciding=float(self.p_deciding[feature]),
                rate_difference=rate.value,
                cohens_d=None if d is None else d.value,
                rate_interval=rate,
                d_interval=d,
                overlap=overlap,
                disputed=one,
            )
            for feature, d, rate, one in zip(features, strengths, rates, disputed, strict=True)
        ]


def under_rules(
    found: Correlates,
    own: np.ndarray,
    rules: Mapping[str, np.ndarray],
    permutations: int,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
) -> list[OtherRule]:
    """The deciding tests of the same family against the outcomes of other rules.

    Nothing is tested where fewer than five prompts fail, or succeed, under a rule. Rules that agree
    on every prompt, with one another or with the audit's own, share one test.

    Args:
        found: the family, tested with the same permutations, seed, blocks and parts.
        own: which prompts fail under the audit's own rule, boolean `[prompts]`.
        rules: which prompts fail under each of the others, boolean `[prompts]`, by name.
        permutations: of the outcome.
        seed: of the permutations.
        blocks: the block of each prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.
    """
    tested = {own.tobytes(): np.minimum(found.p_min_p, found.p_max_t)}
    others = []
    for rule, failed in rules.items():
        n, failures, p_deciding = len(failed), int(failed.sum()), None
        if min(failures, n - failures) >= LEAST_OUTCOMES:
            outcome = failed.tobytes()
            if outcome not in tested:
                rng = np.random.default_rng(seed)
                sets = outcome_sets(failed, permutations, rng, blocks=blocks, parts=parts)
                tested[outcome] = np.minimum(
                    min_p(found.firing, sets, failed), max_t(found.values, sets, failed)
                )
            p_deciding = np.minimum(2 * tested[outcome], 1.0)
        others.append(OtherRule(rule, found, own, failed, p_deciding))
    return others


def _rates(values: csr_matrix, failed: np.ndarray) -> list[Interval]:
    """How much more often each feature fires on failures, `[features]`."""
    active = (values > 0).toarray()
    found = rate_difference(
        active[failed].sum(axis=0), int(failed.sum()),
        active[~failed].sum(axis=0), int((~failed).sum()),
    )  # fmt: skip
    return [Interval(*ends) for ends in zip(*(part.tolist() for part in found), strict=True)]


def _strengths(values: csr_matrix, failed: np.ndarray) -> list[Interval | None]:
    """Cohen's d with the wider of its standard interval and Welch's; None where infinite.

    The standard interval supposes groups of one spread, and covers too little where the smaller
    group has the larger one.
    """
    first, rest = moments(values, failed), moments(values, ~failed)
    d = cohens_d_of_moments(first, rest)
    lows, highs = cohens_d_interval(d, first.n, rest.n)
    differ = np.isfinite(d) & (d != 0)
    spread = np.divide(difference_of_means(first, rest), d, out=np.ones_like(d), where=differ)
    low, high = (end / spread for end in welch_interval(first, rest))
    lows = np.where(differ, np.minimum(lows, low), lows)
    highs = np.where(differ, np.maximum(highs, high), highs)
    ends = zip(d.tolist(), lows.tolist(), highs.tolist(), strict=True)
    return [Interval(*one) if np.isfinite(one[0]) else None for one in ends]


def _disputed(values: csr_matrix, own: np.ndarray, other: np.ndarray) -> Sequence[Disputed | None]:
    """The failures by the audit's rule that are none by the other, beside those by both.

    Of each feature, values `[prompts, features]`.
    """
    disputed, agreed, successes = own & ~other, own & other, ~own
    n, n_disputed, n_agreed = values.shape[1], int(disputed.sum()), int(agreed.sum())
    if not n_disputed:
        return [None] * n
    active = (values > 0).toarray()
    fires = active[disputed].sum(axis=0), active[agreed].sum(axis=0)
    strengths: Sequence[Interval | None] = [None] * n
    if n_agreed > 1:
        compared = agreed | successes
        strengths = _strengths(csr_matrix(values[compared]), agreed[compared])
    shares = [None] * n
    if n_agreed:
        shares = (active[agreed].mean(axis=0) - active[successes].mean(axis=0)).tolist()
    p_strength = _p_strength(values.toarray(), disputed, agreed)
    return [
        Disputed(
            failures=n_disputed,
            active=int(fires[0][i]),
            agreed=n_agreed,
            agreed_active=int(fires[1][i]),
            agreed_rate_difference=shares[i],
            agreed_cohens_d=None if strength is None else strength.value,
            p_firing=_p_firing(int(fires[0][i]), n_disputed, int(fires[1][i]), n_agreed),
            p_strength=float(p_strength[i]),
        )
        for i, strength in enumerate(strengths)
    ]


@lru_cache(maxsize=4096)
def _p_firing(active: int, n: int, other_active: int, other_n: int) -> float:
    """Fisher's exact test of firing in two groups; many features share their counts."""
    counts = np.array([[active, n - active], [other_active, other_n - other_active]])
    return float(fisher_exact(counts).pvalue)


def _p_strength(values: np.ndarray, disputed: np.ndarray, agreed: np.ndarray) -> np.ndarray:
    """Mann–Whitney's test of each feature in two groups, `[features]`; 1 where it is constant."""
    p = np.ones(values.shape[1])
    varies = np.ptp(values[disputed | agreed], axis=0) > 0
    if agreed.any() and varies.any():
        two = values[disputed][:, varies], values[agreed][:, varies]
        p[varies] = mannwhitneyu(*two, method="asymptotic").pvalue
    return p
