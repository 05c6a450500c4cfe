"""Findings: what all steps found on one set of prompts, and the result that is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.behaviour.kinds import counted_kinds
from faultlens.auditing.behaviour.rule_sensitivity import (
    failures_over_foil,
    scoring_warnings,
)
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.factors.findings import FactorFindings
from faultlens.auditing.factors.groups import Grouping
from faultlens.auditing.feature_tests.findings import FeatureFindings
from faultlens.auditing.feature_tests.strata import Stratification
from faultlens.auditing.held_out.ladder import LadderFindings
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.observed import Observed
from faultlens.auditing.replication.seeds import SeedRun
from faultlens.auditing.replication.split_half import HalfReplication
from faultlens.auditing.result import (
    BaseComparison,
    Claim,
    PromptOutcome,
    Robustness,
    RuleReading,
    SiteAudit,
    Verdict,
)
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.verdicts.outside import outside_dictionaries


@dataclass(frozen=True, eq=False)
class Findings:
    """What every step found on one set of prompts.

    Attributes:
        observed: outcomes, factors and tables that the steps started from.
        by_rule: which prompts fail under each rule, boolean `[prompts]`.
        verdict: on the audit as a whole, where it could not be carried out.
        grouping: which prompts belong together.
        scoring: the outcomes under each rule.
        factors: step 2.
        strata: within which outcomes are permuted; None where nothing could be tested.
        features: steps 3 to 5.
        ladder: step 6; None where it was not climbed.
        causes: steps 7 and 8.
        halves: step 9, on these prompts alone; None where it was not done.
        sites: step 10: every class with its verdict, by dictionary.
        against_base: the same prompts under the base; None where it was not run.
    """

    observed: Observed
    by_rule: Mapping[str, np.ndarray]
    verdict: Verdict | None
    grouping: Grouping
    scoring: dict[str, RuleReading]
    factors: FactorFindings
    strata: Stratification | None
    features: FeatureFindings
    ladder: LadderFindings | None
    causes: CausalFindings
    halves: HalfReplication | None
    sites: dict[str, SiteAudit]
    against_base: BaseComparison | None = None

    @property
    def failures(self) -> int:
        """Prompts that fail under the audit's rule."""
        return int(self.by_rule[self.observed.rule].sum())

    def run(self, seed: int, alpha: float) -> SeedRun:
        """What is compared with other seeds."""
        return SeedRun(
            seed=seed,
            n=len(self.observed.outcomes),
            failures=self.failures,
            alpha=alpha,
            verdict=self.verdict,
            sites=self.sites,
            feature_sets=[found.features for found in self.features.classes],
            baselines=None if self.ladder is None else self.ladder.baselines,
            tables=self.observed.tables,
        )

    def audit(
        self, config: AuditConfig, claims: list[Claim], robustness: Robustness | None
    ) -> Audit:
        """The result.

        Args:
            config: in force.
            claims: the ledger.
            robustness: what other prompts say.
        """
        observed, factors, causes = self.observed, self.factors, self.causes
        return Audit(
            task=observed.name,
            n=len(observed.outcomes),
            failures=self.failures,
            rule=observed.rule,
            alpha=config.alpha,
            seed=config.seed,
            permutations=config.tests.permutations,
            min_support=config.tests.min_support,
            verdict=self.verdict,
            outcome_kinds=counted_kinds(outcome.kind for outcome in observed.outcomes),
            scoring_sensitivity={rule: found.accuracy for rule, found in self.scoring.items()},
            factors=factors.table,
            sites=self.sites,
            claims=claims,
            outcomes=list(observed.outcomes),
            groups=self.grouping.record,
            scoring=self.scoring,
            factors_derived=factors.derived,
            factors_left_out=factors.left_out,
            selection=factors.selection,
            pairs=factors.pairs,
            trends=factors.trends,
            strata=None if self.strata is None else self.strata.record,
            baselines=None if self.ladder is None else self.ladder.baselines,
            ladder=None if self.ladder is None else self.ladder.ladder,
            counterfactuals=causes.counterfactuals,
            attribution=dict(causes.attribution),
            not_tested=dict(causes.not_tested),
            requested=list(causes.requested),
            together=list(causes.together),
            outside=outside_dictionaries(self.sites, causes),
            robustness=robustness,
            warnings=[
                *observed.warnings,
                *self.grouping.warnings,
                *scoring_warnings(self.by_rule, observed.rule),
                *_outcome_warnings(observed.outcomes),
            ],
            failures_over_foil=failures_over_foil(observed.outcomes),
            no_dictionaries=observed.no_dictionaries,
            against_base=self.against_base,
            rescoring=observed.rescoring,
            accuracy_by_start=dict(observed.accuracy_by_start),
            features=self.features.columns,
        )


def _outcome_warnings(outcomes: Sequence[PromptOutcome]) -> list[str]:
    """What a reader should know of the answers, a sentence each."""
    empty = sum(outcome.generated == "" for outcome in outcomes)
    return [f"{empty} of {len(outcomes)} continuations are empty"] if empty else []
