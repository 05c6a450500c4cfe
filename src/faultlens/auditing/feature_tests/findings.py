"""Steps 3 to 5 in order: tables → tested features, their classes, and what each class says.

A class is spoken of by its strongest member: all numbers of a class are those of that feature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from faultlens.auditing.config import FeatureTestConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.feature_tests.class_selection import SHARE, TakenClass, select_classes
from faultlens.auditing.feature_tests.classes import feature_classes
from faultlens.auditing.feature_tests.conditional import conditional_p
from faultlens.auditing.feature_tests.confounds import confounds, followed_level, nearest_level
from faultlens.auditing.feature_tests.correlates import Correlates, correlate
from faultlens.auditing.feature_tests.description import described
from faultlens.auditing.feature_tests.other_scoring import OtherRule, under_rules
from faultlens.auditing.feature_tests.strata import Stratification
from faultlens.auditing.result import (
    BeyondClasses,
    Confounds,
    Described,
    OtherScoring,
    Proxy,
    StudyRule,
)
from faultlens.features.table import FeatureTable
from faultlens.progress import SILENT, Progress

SUPPRESSED = 0.2  # of alpha: for what goes with failure within strata and not over all prompts
REPEATED = 2_000  # permutations, at most, of the test that is repeated within the finest strata


@dataclass(frozen=True)
class FeatureClass:
    """Features that cannot be told apart on these prompts, and what the tests say of them.

    Attributes:
        features: the members, the strongest first.
        rank: among all classes of all sites, from 0: the most certain.
        significant: whether a deciding test finds it.
        fail_active: failures on which it fires; success_active: successes.
        rate_difference: share of failures − share of successes on which it fires.
        cohens_d: None where infinite.
        p_deciding: twice the smaller of `p_min_p` and `p_max_t`, at most 1.
        p_conditional: strength or firing with the outcomes permuted within strata, adjusted.
        p_suppressed: of one that is found within strata only, `p_conditional` adjusted for sharing
            alpha with the deciding tests; None: it is none.
        least_p: the least unadjusted p that it admits.
        flagged_by: the describing tests by which it is significant, where no deciding one finds it.
        nearest: the level, or union of levels, that it fires with most.
        followed: the level of a held factor that its activation goes with most.
        confounds: what it says within strata; None where it is not significant.
        other_scoring: the class under the other rules; None where it is not significant.
        taken: its place in the forward selection over classes, from 0; None: not taken.
        beyond: how it goes with the outcome beyond the classes taken before it; None of the first.
    """

    features: FeatureSet
    rank: int
    significant: bool
    fail_active: int
    success_active: int
    rate_difference: float
    cohens_d: float | None
    auroc: float
    p_fisher: float
    p_holm: float
    p_min_p: float
    p_max_t: float
    p_deciding: float
    p_conditional: float
    p_suppressed: float | None
    least_p: float
    described: Described
    flagged_by: list[str]
    nearest: Proxy | None
    followed: Proxy | None
    confounds: Confounds | None
    other_scoring: list[OtherScoring] | None
    taken: int | None = None
    beyond: BeyondClasses | None = None

    @property
    def testable(self) -> bool:
        """Whether it goes with the outcome: over all prompts, or within strata."""
        return self.significant or self.p_suppressed is not None or self.beyond is not None

    @property
    def with_failure(self) -> bool:
        """Whether it goes with failure, not with success."""
        return self.auroc > 0.5


@dataclass(frozen=True)
class SiteTests:
    """One dictionary: how many of its features were tested, and how many each test finds.

    Attributes:
        significant: by test: `min_p`, `max_t`, `holm`, `bh`; described: `welch`, `mann_whitney`.
    """

    layer: int | None
    d_sae: int
    tested: int
    significant: dict[str, int]
    convention: dict[str, Any]
    study_rule: StudyRule


@dataclass(frozen=True, eq=False)
class FeatureFindings:
    """What the tests of all features of all sites gave.

    Attributes:
        tested: features in the family.
        sites: by dictionary.
        classes: the most certain first.
        columns: every test of every feature in the family, `[tested]` each; None without tables.
    """

    tested: int = 0
    sites: dict[str, SiteTests] = field(default_factory=dict)
    classes: list[FeatureClass] = field(default_factory=list)
    columns: dict[str, np.ndarray] | None = None

    @property
    def significant(self) -> list[FeatureClass]:
        """The classes that a deciding test finds."""
        return [found for found in self.classes if found.significant]

    @property
    def testable(self) -> list[FeatureClass]:
        """The classes whose effect may be tested: those that go with the outcome in any way."""
        return [found for found in self.classes if found.testable]


def find_features(
    tables: Mapping[str, FeatureTable],
    failed: np.ndarray,
    strata: Stratification,
    factors: Mapping[str, Sequence[str]],
    other_rules: Mapping[str, np.ndarray],
    *,
    config: FeatureTestConfig,
    alpha: float,
    seed: int,
    blocks: np.ndarray | None = None,
    parts: np.ndarray | None = None,
    progress: Progress = SILENT,
) -> FeatureFindings:
    """Test all features of all tables, group those that go with the outcome, and describe them.

    Args:
        tables: by dictionary, rows = prompts; may be empty.
        failed: the outcome, boolean `[prompts]`.
        strata: within which the outcomes are permuted for the conditional test.
        factors: for each factor the level of every prompt, rare levels pooled.
        other_rules: other rules of scoring, by name: which prompts fail under each, boolean
            `[prompts]`.
        config: least support, and permutations.
        alpha: the family-wise level.
        seed: of all permutations.
        blocks: the block of every prompt that belongs together; None: each stands by itself.
        parts: which prompts of a block repeat one another; None: none do.
        progress: told of the stages.
    """
    if not tables:
        return FeatureFindings()
    permutations = config.permutations
    tick = progress.start("Testing features", 3)
    # What goes with failure within strata only is found as well, with a share of alpha.
    within = bool(strata.record.factors)
    found = correlate(
        tables, failed, min_support=config.min_support, permutations=permutations, seed=seed,
        blocks=blocks, parts=parts,
    )  # fmt: skip
    tick(1)
    if within:
        found = replace(found, share=1 - SUPPRESSED)
    sites = _site_tests(found, tables, alpha)
    if not len(found.column):
        return FeatureFindings(0, sites, [], found.columns)
    conditional = conditional_p(found, failed, strata.codes, permutations, seed, blocks, parts)
    tick(1)
    p_suppressed = np.minimum(conditional / SUPPRESSED, 1.0) if within else None
    groups = feature_classes(found, alpha, p_suppressed)
    taken = select_classes(
        found, failed, groups, alpha=alpha, permutations=permutations, seed=seed, blocks=blocks,
        parts=parts,
    )  # fmt: skip
    groups = _with_taken(groups, taken, sum(found.decisive[g[0]] <= alpha for g in groups))
    others, finest = [], None
    if found.decisive[groups[0][0]] <= alpha:
        if strata.finest is not None:
            repeated = min(permutations, REPEATED)
            finest = conditional_p(found, failed, strata.finest, repeated, seed, blocks, parts)
        others = under_rules(found, failed, other_rules, permutations, seed, blocks, parts)
    tick(1)
    describer = _Describer(
        found, failed, strata, factors, conditional, p_suppressed, finest, others, alpha, blocks,
        {int(one.members[0]): (place, one) for place, one in enumerate(taken)},
    )  # fmt: skip
    return FeatureFindings(
        len(found.column),
        sites,
        describer.classes(groups),
        {**found.columns, "p_conditional": conditional},
    )


def _with_taken(
    groups: list[np.ndarray], taken: Sequence[TakenClass], significant: int
) -> list[np.ndarray]:
    """The classes with those that forward selection alone finds, behind the significant ones."""
    known = {int(members[0]) for members in groups[:significant]}
    new = [one.members for one in taken if int(one.members[0]) not in known]
    found = {int(member) for members in new for member in members}
    rest = [members for members in groups[significant:] if not found & set(members.tolist())]
    return [*groups[:significant], *new, *rest]


def _site_tests(
    found: Correlates, tables: Mapping[str, FeatureTable], alpha: float
) -> dict[str, SiteTests]:
    return {
        name: SiteTests(
            layer=table.layer,
            d_sae=table.d_sae,
            tested=int((found.site == index).sum()),
            significant={
                test: int((p[found.site == index] <= alpha).sum())
                for test, p in found.adjusted.items()
            },
            convention=table.convention,
            study_rule=found.study[name],
        )
        for index, (name, table) in enumerate(tables.items())
    }


@dataclass(frozen=True, eq=False)
class _Describer:
    """Everything that the description of a class rests on."""

    found: Correlates
    failed: np.ndarray
    strata: Stratification
    factors: Mapping[str, Sequence[str]]
    conditional: np.ndarray
    p_suppressed: np.ndarray | None
    finest: np.ndarray | None
    others: Sequence[OtherRule]
    alpha: float
    blocks: np.ndarray | None
    taken: Mapping[int, tuple[int, TakenClass]]

    def classes(self, groups: Sequence[np.ndarray]) -> list[FeatureClass]:
        """All classes, the most certain first, of their members, the strongest first."""
        tops = [int(members[0]) for members in groups]
        effects = described(self.found, tops, self.failed, self.blocks)
        decided = [top for top in tops if self.found.decisive[top] <= self.alpha]
        others: dict[int, list[OtherScoring]] = {top: [] for top in decided}
        for rule in self.others:
            for top, reading in zip(decided, rule.readings(decided), strict=True):
                others[top].append(reading)
        return [
            self._class(rank, members, effects[rank], others.get(tops[rank]))
            for rank, members in enumerate(groups)
        ]

    def _class(
        self,
        rank: int,
        members: np.ndarray,
        effects: Described,
        others: list[OtherScoring] | None,
    ) -> FeatureClass:
        """One class; `others`: under the other rules, where a deciding test finds it."""
        found, top = self.found, int(members[0])
        values = found.values[:, [top]].toarray().ravel()
        significant = bool(found.decisive[top] <= self.alpha)
        flagged = found.flagged(self.alpha).items()
        held = {name: self.factors[name] for name in self.strata.record.factors}
        within, p_suppressed = None, None
        if self.p_suppressed is not None and not significant:
            p = float(self.p_suppressed[top])
            p_suppressed = p if p <= self.alpha else None
        place, beyond = self._beyond(top, significant)
        if significant or p_suppressed is not None or beyond is not None:
            p_finest = None if self.finest is None else float(self.finest[top])
            within = confounds(values, self.failed, self.strata, p_finest, self.blocks)
        d = float(found.cohens_d[top])
        return FeatureClass(
            features=FeatureSet(
                found.sites[found.site[top]],
                tuple(int(column) for column in found.column[members]),
            ),
            rank=rank,
            significant=significant,
            fail_active=int(found.fail_active[top]),
            success_active=int(found.success_active[top]),
            rate_difference=float(found.rate_difference[top]),
            cohens_d=d if np.isfinite(d) else None,
            auroc=float(found.auroc[top]),
            p_fisher=float(found.p_fisher[top]),
            p_holm=float(found.p_holm[top]),
            p_min_p=float(found.p_min_p[top]),
            p_max_t=float(found.p_max_t[top]),
            p_deciding=float(found.decisive[top]),
            p_conditional=float(self.conditional[top]),
            p_suppressed=p_suppressed,
            least_p=float(found.least_p[top]),
            described=effects,
            flagged_by=[t for t, flag in flagged if flag[top] and within is None],
            nearest=nearest_level(values > 0, self.factors),
            followed=followed_level(values, held),
            confounds=within,
            other_scoring=others,
            taken=place,
            beyond=beyond,
        )

    def _beyond(self, top: int, significant: bool) -> tuple[int | None, BeyondClasses | None]:
        """A class's place in the forward selection, and what it says beyond those before it."""
        place, taken = self.taken.get(top, (None, None))
        if taken is None or not taken.others:
            return place, None
        found = self.found
        return place, BeyondClasses(
            classes=[f"{found.sites[found.site[o]]}/{found.column[o]}" for o in taken.others],
            p_value=taken.p_value if significant else min(taken.p_value / SHARE, 1.0),
            failures_in_them=taken.failures_in_them,
        )
