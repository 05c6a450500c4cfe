"""Which levels matter once the strongest are accounted for, and which pairs matter as pairs.

One strong level distorts the table of all: where it holds most failures, every level that rarely
goes with it looks protective.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import binomtest

from faultlens.auditing.factors.level_test import LevelTest
from faultlens.auditing.factors.levels import LEAST_LEVEL, Level, level_members, matched
from faultlens.auditing.result import DroppedLevel, PairReading, PairTable, SelectedLevel, Selection
from faultlens.stats.fisher import fisher_exact
from faultlens.stats.multiplicity import holm

STRONGEST_PAIRS = 5  # shown even where no pair is significant
SAME_P = 1e-7  # p-values within this of each other, relatively, are equal


def select_levels(
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    alpha: float,
    test: LevelTest | None = None,
) -> Selection:
    """Forward selection of the levels that go with failure or success.

    At each step the prompts outside the levels taken so far, those at none of them, are compared:
    at a further level against the rest (Fisher's exact test; in the first step over all prompts),
    Holm over these levels. The one with the smallest p is taken, until none is at most `alpha`;
    between equal p the higher failure rate over all prompts decides. The two levels of a binary
    factor are one split: both count in the family, as in `factor_table`, but only the one with the
    higher failure rate is taken or named. A level with all or none of the prompts outside has
    nothing left to be tested and leaves the family.

    Why outside: where a level nearly always fails, its prompts can hardly tell anything about other
    levels, and a rate outside it is one that the reader can check by counting. The price is data:
    what the prompts at the taken levels do say is discarded. `p_stratified` uses all prompts: the
    exact conditional test in the strata that the taken levels make. It is described, not decided
    by.

    Args:
        factors: for each factor the level of every prompt, as `prepared` gives them.
        failed: the outcome, boolean `[prompts]`.
        alpha: the family-wise level of each step; hence the chance of taking anything at all where
            no factor goes with failure is at most `alpha`.
        test: of a level, in place of Fisher's and the exact conditional one where prompts belong
            together; None: those.

    Raises UserError where a factor has not one level a prompt.
    """
    matched(factors, failed)
    test = test or LevelTest(failed)
    members = level_members(factors)
    named = _named(members, failed)
    outside = np.ones(len(failed), dtype=bool)
    strata = np.zeros(len(failed), dtype=int)
    selected: list[SelectedLevel] = []
    taken: list[Level] = []
    marginal: dict[Level, float] = {}  # the significant ones of the first step, Holm's p
    dropped: dict[Level, DroppedLevel] = {}
    while True:
        tests = _tests_outside(members, outside, test)
        if not taken:
            marginal = {level: tests[level][1] for level in named if tests[level][1] <= alpha}
        for level in (level for level in marginal if level not in {*taken, *dropped}):
            p, p_holm = tests.get(level, (None, None))
            if p_holm is None or p_holm > alpha:
                after = list(taken[-1])
                dropped[level] = DroppedLevel(*level, marginal[level], p, p_holm, after)
        best = _strongest(tests, named)
        if best is None or tests[best][1] > alpha:
            break
        here = members[best]
        at, rest = outside & here, outside & ~here
        selected.append(
            SelectedLevel(
                *best,
                failures=int(failed[at].sum()),
                n=int(at.sum()),
                rest_failures=int(failed[rest].sum()),
                rest_n=int(rest.sum()),
                p_value=tests[best][0],
                p_holm=tests[best][1],
                p_stratified=test.conditional_p(here, strata),
            )
        )
        taken.append(best)
        outside = rest
        strata = np.unique(2 * strata + here, return_inverse=True)[1]
    return Selection(
        selected=selected,
        dropped=sorted(
            (fallen for level, fallen in dropped.items() if level not in taken),
            key=lambda fallen: fallen.p_marginal_holm,
        ),
        kept=list(dict.fromkeys(factor for factor, _ in taken)),
    )


def _tests_outside(
    members: Mapping[Level, np.ndarray], outside: np.ndarray, test: LevelTest
) -> dict[Level, tuple[float, float]]:
    """p and Holm's p, among the prompts outside, of every level that some, not all, are at."""
    n = int(outside.sum())
    sizes = {level: int(here[outside].sum()) for level, here in members.items()}
    varying = [level for level, size in sizes.items() if 0 < size < n]
    at = np.array([members[level] for level in varying], dtype=bool)
    p_values = test.p_values(at.reshape(len(varying), len(outside)), outside)
    tests = zip(p_values.tolist(), holm(p_values).tolist(), strict=True)
    return dict(zip(varying, tests, strict=True))


def _named(members: Mapping[Level, np.ndarray], failed: np.ndarray) -> list[Level]:
    """The levels that may be taken, by falling failure rate: one of a binary factor's two."""
    rate = {level: float(failed[here].mean()) for level, here in members.items()}
    ranked = sorted(members, key=lambda level: -rate[level])
    levels = Counter(factor for factor, _ in members)
    higher = dict(reversed(ranked))
    return [(f, level) for f, level in ranked if levels[f] > 2 or level == higher[f]]


def _strongest(tests: Mapping[Level, tuple[float, float]], named: Sequence[Level]) -> Level | None:
    p_values = {level: tests[level][0] for level in named if level in tests}
    least = min(p_values.values(), default=1.0)
    return next((level for level, p in p_values.items() if p <= least * (1 + SAME_P)), None)


def pair_table(
    factors: Mapping[str, Sequence[str]],
    failed: np.ndarray,
    alpha: float,
    test: LevelTest | None = None,
) -> PairTable:
    """The pairs of levels of two factors that say more about failure than either level alone.

    Tested is every pair on at least five prompts, neither of whose levels lies within the other.
    Its p is the larger of two of Fisher's: among the prompts at the first level, those at the
    second against the others; and the other way round. That tests "one of the two adds nothing to
    the other" (intersection–union: Berger 1982); Holm over all pairs. Two levels that each raise
    the failure rate by themselves make a significant pair without any interaction.

    Args:
        factors: for each factor the level of every prompt, as `prepared` gives them.
        failed: the outcome, boolean `[prompts]`.
        alpha: the family-wise level.
        test: of a level, where prompts belong together; None: Fisher's.

    Returns:
        the pairs with Holm's p at most `alpha`, or else the five strongest, by rising p. Raises
        UserError where a factor has not one level a prompt.
    """
    matched(factors, failed)
    members = level_members(factors)
    levels = list(members)
    at = np.array(list(members.values()), dtype=float).reshape(len(levels), len(failed))
    n = (at @ at.T).astype(int)  # [levels, levels]; the diagonal is the level by itself
    failures = ((at * failed) @ at.T).astype(int)
    size = n.diagonal()
    names = np.array([factor for factor, _ in levels], dtype=object)
    tested = (names[:, None] != names) & (n >= LEAST_LEVEL) & (n < size) & (n < size[:, None])
    p_within = np.zeros(n.shape)  # row: the level within which the column's is tested
    if test is not None and test.blocks is not None:
        inside = at.astype(bool)
        for row in np.flatnonzero(tested.any(axis=1)):
            p_within[row, tested[row]] = test.quick_p(inside[tested[row]], inside[row])
    margins = np.column_stack([size, failures.diagonal()])
    for prompts, failing in np.unique(margins, axis=0).tolist():  # rows that share their tables
        same = tested & (margins == (prompts, failing)).all(axis=1)[:, None]
        exact = fisher_exact(failures[same], n[same], failing, prompts)
        p_within[same] = np.maximum(exact, p_within[same])
    first, second = np.nonzero(np.triu(tested))
    p_values = np.maximum(p_within, p_within.T)[first, second]
    adjusted = holm(p_values)
    shown = max(STRONGEST_PAIRS, int((adjusted <= alpha).sum()))
    pairs = []
    for k in np.argsort(p_values, kind="stable")[:shown]:
        i, j = int(first[k]), int(second[k])
        interval = binomtest(int(failures[i, j]), int(n[i, j])).proportion_ci()  # Clopper–Pearson
        pairs.append(
            PairReading(
                factors=[levels[i][0], levels[j][0]],
                levels=[levels[i][1], levels[j][1]],
                failures=int(failures[i, j]),
                n=int(n[i, j]),
                rate=float(failures[i, j] / n[i, j]),
                low=interval.low,
                high=interval.high,
                p_value=float(p_values[k]),
                p_holm=float(adjusted[k]),
            )
        )
    return PairTable(tested=len(p_values), pairs=pairs)
