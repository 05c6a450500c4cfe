"""Steps 3 to 5, 7 and 10 put together: from outcomes and features to a verdict for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from faultlens.auditing.behaviour.rule_sensitivity import comparable
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.feature_tests.confounds import (
    confounds,
    followed_level,
    nearest_level,
    strata_of,
)
from faultlens.auditing.feature_tests.correlates import (
    Correlates,
    OtherOutcome,
    artefact_classes,
    conditional_p,
    correlate,
    decisive_under,
    significant_classes,
)
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.result import (
    ClassReading,
    Confounds,
    Described,
    Interval,
    Intervention,
    OtherScoring,
    Selection,
    SiteAudit,
    Strata,
)
from faultlens.auditing.verdicts import rules as verdicts
from faultlens.features.table import FeatureTable
from faultlens.progress import Progress
from faultlens.stats.effect_intervals import (
    auroc_interval,
    cohens_d_interval,
    rate_difference,
    welch_interval,
)
from faultlens.stats.moments import moments
from faultlens.stats.multiplicity import holm

if TYPE_CHECKING:  # it loads the model's libraries, which an audit of answers can do without
    from faultlens.auditing.interventions.causal_tests import CausalTests

SMALL_SUPPORT = 20  # prompts, below which the descriptions of an effect are not to be relied on


@dataclass(frozen=True)
class Description:
    """What describes the prompts: their factors, which of them are kept, and which were named."""

    factors: Mapping[str, Sequence[str]]
    selection: Selection
    named: Sequence[str] = ()


@dataclass(frozen=True)
class SignificantClass:
    """A class that a deciding test finds."""

    features: FeatureSet
    rank: int
    with_failure: bool


@dataclass(frozen=True)
class Conclusions:
    """Classes with verdicts, by site, and what they rest on."""

    sites: dict[str, SiteAudit] = field(default_factory=dict)
    strata: Strata | None = None
    suspect: ClassReading | None = None
    tested: int = 0
    features: dict[str, np.ndarray] | None = None
    causes: CausalFindings = field(default_factory=CausalFindings)


def conclude(
    tables: Mapping[str, FeatureTable],
    by_rule: Mapping[str, np.ndarray],
    rule: str,
    described: Description,
    *,
    alpha: float,
    min_support: int,
    permutations: int,
    seed: int,
    causal_tests: CausalTests | None,
    tried: int,
    progress: Progress,
) -> Conclusions:
    """Test all features of all tables, group them, and give each class its verdict.

    The most certain classes that go with failure are put to the test where a model is there to
    intervene in; the first of them is the suspect.

    Args:
        tables: by dictionary; empty: only the strata are made.
        by_rule: which prompts fail under each rule, boolean `[prompts]`.
        rule: the audit's own.
        described: the factors.
        alpha: the level.
        min_support: least number of prompts on which a tested feature fires.
        permutations: behind each permutation test.
        seed: of all of them.
        causal_tests: tests classes by intervening; None: there is no model.
        tried: how many of them.
        progress: told of the stages.
    """
    failed = by_rule[rule]
    strata, codes = strata_of(described.factors, failed, described.selection, described.named)
    if not tables:
        return Conclusions(strata=strata)
    tick = progress.start("Testing features", 3)
    found = correlate(tables, failed, min_support=min_support, permutations=permutations, seed=seed)
    tick(1)
    if not len(found.column):
        return Conclusions(_sites(found, tables, {}, alpha), strata, None, 0, _columns(found, None))
    conditional = conditional_p(found, failed, codes, permutations, seed)
    tick(1)
    groups = significant_classes(found, alpha)
    others = {}
    if groups:
        others = _other_rules(found, by_rule, rule, permutations, seed)
    tick(1)
    groups += artefact_classes(found, alpha)
    if not groups:  # nothing is significant: say so of the strongest feature
        groups = [found.rank(np.arange(len(found.column)))[:1]]
    with_failure = [i for i, members in enumerate(groups) if found.auroc[members[0]] > 0.5]
    suspect = next(iter([*with_failure, 0]))
    causes = CausalFindings()
    features = [_features(found, members) for members in groups]
    if causal_tests is not None:
        significant = [
            SignificantClass(features[rank], rank, bool(found.auroc[members[0]] > 0.5))
            for rank, members in enumerate(groups)
            if found.decisive[members[0]] <= alpha
        ]
        causes = causal_tests.run(significant, tried, described.selection)
    judge = _Judge(found, tables, failed, described, strata, codes, conditional, others, alpha)
    classes: dict[str, list[ClassReading]] = {name: [] for name in tables}
    first = None
    for rank, members in enumerate(groups):
        reading = judge.reading(members, rank, causes.interventions.get(features[rank]))
        classes[found.sites[found.site[members[0]]]].append(reading)
        first = reading if rank == suspect else first
    sites = _sites(found, tables, classes, alpha)
    columns = _columns(found, conditional)
    return Conclusions(sites, strata, first, len(found.column), columns, causes)


def _features(found: Correlates, members: np.ndarray) -> FeatureSet:
    name = found.sites[found.site[members[0]]]
    return FeatureSet(name, tuple(int(column) for column in found.column[members]))


def _other_rules(
    found: Correlates, by_rule: Mapping[str, np.ndarray], rule: str, permutations: int, seed: int
) -> dict[str, tuple[int, OtherOutcome | None]]:
    """The family under each comparable rule whose outcomes differ; None: too few of one kind."""
    others: dict[str, tuple[int, OtherOutcome | None]] = {}
    for name, failed in by_rule.items():
        if name == rule or name not in comparable(rule) or (failed == by_rule[rule]).all():
            continue
        enough = verdicts.of_audit(len(failed), int(failed.sum())) is None
        again = decisive_under(found, failed, permutations, seed) if enough else None
        others[name] = (int(failed.sum()), again)
    return others


@dataclass(frozen=True, eq=False)
class _Judge:
    """Everything that a class's reading rests on."""

    found: Correlates
    tables: Mapping[str, FeatureTable]
    failed: np.ndarray
    described: Description
    strata: Strata
    codes: np.ndarray
    conditional: np.ndarray
    others: Mapping[str, tuple[int, OtherOutcome | None]]
    alpha: float

    def reading(
        self, members: np.ndarray, rank: int, intervention: Intervention | None
    ) -> ClassReading:
        """A class by its strongest member."""
        found, top = self.found, int(members[0])
        table = self.tables[found.sites[found.site[top]]]
        values = found.values[:, [top]].toarray().ravel()
        counts = int(found.fail_active[top]), int(found.success_active[top])
        d = _finite(found.cohens_d[top])
        significant = bool(found.decisive[top] <= self.alpha)
        scoring = self._other_scoring(top) if significant else None
        within = self._confounds(values) if significant else None
        conditional = float(self.conditional[top])
        flagged = [] if significant else [t for t, f in found.flagged.items() if f[top]]
        verdict, proxy = verdicts.of_class(
            verdicts.Evidence(
                active=counts,
                p_deciding=float(found.decisive[top]),
                least_p=float(found.least_p[top]),
                tested=len(found.column),
                alpha=self.alpha,
                rate_difference=float(found.rate_difference[top]),
                cohens_d=d,
                p_smaller=float(min(found.p_min_p[top], found.p_max_t[top])),
                by_firing=bool(2 * found.p_min_p[top] <= self.alpha),
                flagged_by=flagged,
                other_scoring=scoring,
                nearest=nearest_level(values > 0, self.described.factors),
                followed=followed_level(values, self._held),
                confounds=within,
                p_conditional=conditional,
                held=self.strata.factors,
                intervention=intervention,
            )
        )
        return ClassReading(
            rank=rank,
            features=[table.feature(int(found.column[i])) for i in members],
            size=len(members),
            fail_active=counts[0],
            success_active=counts[1],
            cohens_d=d,
            auroc=float(found.auroc[top]),
            p_fisher=float(found.p_fisher[top]),
            p_holm=float(found.p_holm[top]),
            p_min_p=float(found.p_min_p[top]),
            p_max_t=float(found.p_max_t[top]),
            p_deciding=float(found.decisive[top]),
            p_conditional=conditional,
            proxy=proxy,
            intervention=intervention,
            verdict=verdict,
            described=_described(found, top, self.failed, values),
            confounds=within,
            other_scoring=scoring,
            flagged_by=flagged or None,
        )

    def _confounds(self, values: np.ndarray) -> Confounds:
        return confounds(values, self.failed, self.codes, self._held)

    @property
    def _held(self) -> dict[str, Sequence[str]]:
        return {name: self.described.factors[name] for name in self.strata.factors}

    def _other_scoring(self, top: int) -> list[OtherScoring]:
        return [
            OtherScoring(
                rule,
                failures,
                None if again is None else float(again.decisive[top]),
                None if again is None else float(again.rate_difference[top]),
                None if again is None else _finite(again.cohens_d[top]),
            )
            for rule, (failures, again) in self.others.items()
        ]


def _described(found: Correlates, top: int, failed: np.ndarray, values: np.ndarray) -> Described:
    column = found.values[:, [top]]
    first, rest = moments(column, failed), moments(column, ~failed)
    difference = float(first.mean[0] - rest.mean[0])
    low, high = (float(end[0]) for end in welch_interval(first, rest))
    d = _finite(found.cohens_d[top])
    d_interval = None
    if d is not None:
        ends = cohens_d_interval(np.array([d]), first.n, rest.n)
        d_interval = Interval(d, *(float(end[0]) for end in ends))
    area = [float(np.ravel(end)[0]) for end in auroc_interval(values, failed)]
    rate = rate_difference(found.fail_active[[top]], first.n, found.success_active[[top]], rest.n)
    support = int(found.fail_active[top] + found.success_active[top])
    return Described(
        mean_difference=Interval(difference, low, high),
        cohens_d=d_interval,
        auroc=Interval(float(found.auroc[top]), *area),
        rate_difference=Interval(*(float(np.ravel(number)[0]) for number in rate)),
        p_welch=float(found.p_welch[top]),
        p_mann_whitney=float(found.p_mann_whitney[top]),
        small_support=support < SMALL_SUPPORT,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _sites(
    found: Correlates,
    tables: Mapping[str, FeatureTable],
    classes: Mapping[str, list[ClassReading]],
    alpha: float,
) -> dict[str, SiteAudit]:
    adjusted = {
        "min_p": found.p_min_p,
        "max_t": found.p_max_t,
        "holm": found.p_holm,
        "bh": found.p_bh,
        "welch": holm(found.p_welch),
        "mann_whitney": holm(found.p_mann_whitney),
    }
    return {
        name: SiteAudit(
            layer=table.layer,
            d_sae=table.d_sae,
            tested=int((found.site == index).sum()),
            significant={
                test: int((p[found.site == index] <= alpha).sum()) for test, p in adjusted.items()
            },
            convention=table.convention,
            classes=list(classes.get(name, [])),
            study_rule=found.study[name],
        )
        for index, (name, table) in enumerate(tables.items())
    }


def _columns(found: Correlates, conditional: np.ndarray | None) -> dict[str, np.ndarray]:
    """Every test of every feature in the family, a column each."""
    columns = {
        "site": np.array(found.sites, dtype=object)[found.site],
        "feature": found.column,
        "fail_active": found.fail_active,
        "success_active": found.success_active,
        "mean_failure": found.mean_failure,
        "mean_success": found.mean_success,
        "rate_difference": found.rate_difference,
        "cohens_d": found.cohens_d,
        "auroc": found.auroc,
        "p_fisher": found.p_fisher,
        "p_holm": found.p_holm,
        "p_bh": found.p_bh,
        "p_min_p": found.p_min_p,
        "p_max_t": found.p_max_t,
        "p_deciding": found.decisive,
        "p_welch": found.p_welch,
        "p_mann_whitney": found.p_mann_whitney,
        "p_study_holm": found.p_study,
    }
    return columns if conditional is None else {**columns, "p_conditional": conditional}
