"""Audit: what an audit found, from the outcomes to the verdicts; frozen, every number in it.

Field names are the keys of `audit.json`; `Audit.from_dict(audit.to_dict())` is the identity. What
was not done is None, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from faultlens.auditing.result import (
    BaseComparison,
    Claim,
    ClassReading,
    Counterfactuals,
    FeatureDirection,
    JointTest,
    Ladder,
    LevelReading,
    NoDictionaries,
    OutsideDictionary,
    PairTable,
    PromptGroups,
    PromptOutcome,
    RequestedTest,
    Rescoring,
    Robustness,
    RuleReading,
    Rung,
    Selection,
    SiteAttribution,
    SiteAudit,
    Strata,
    TrendReading,
)
from faultlens.auditing.result.conclusions import leading_class, ranked_classes, significant_classes
from faultlens.auditing.result.verdict import Verdict
from faultlens.runs.results import Result
from faultlens.serialisation import MERGED, NOT_WRITTEN


@dataclass(frozen=True)
class Audit(Result):
    """Which features go with failure on a task, and what that means.

    Attributes:
        verdict: of the whole audit, where it could not be carried out.
        scoring_sensitivity: accuracy by rule of scoring; `scoring` holds the factors' part in it.
        factors: the marginal table, by factor and level.
        factors_derived: whether the factors were read off the prompts, none having been given.
        factors_left_out: those that tell nothing, with the reason.
        strata: within which the outcomes were permuted for `p_conditional`.
        baselines: the rungs of the ladder, by name; `ladder` says how they were climbed.
        counterfactuals: what swapping levels of factors did; None: no model was run.
        attribution: by site; empty where no model was run.
        not_tested: by the first feature, why a class that was to be tested by intervening, or the
            leading one, was not.
        requested: tests of features that the user asked for; empty: none.
        failures_over_foil: failures in which the target's logit is still above the foil's: how far
            the rule of scoring decides; None: not known of every failure, or there is none.
        rescoring: whether the model that read a log's prompts is the one that answered them; None:
            the prompts were run, or read by no model.
        accuracy_by_start: accuracy under the model's own start token, then under the one that the
            dictionaries were trained with; empty where they agree.
        warnings: what a reader should know of the input, a sentence each.
        features: every test of every feature in the family, a column each, `[tested]`; written to
            `tables/features.parquet`, not to `audit.json`, hence None in a result that was read.
    """

    FORMAT_VERSION: ClassVar[int] = 1
    FILE: ClassVar[str] = "audit.json"

    task: str
    """Name of the task, or of the file of outcomes."""
    n: int
    """Number of prompts."""
    failures: int
    """Number of prompts that fail under the rule."""
    rule: str
    """Rule that decided the outcomes; `given` where they came with the answers."""
    alpha: float
    """Level of every test that decides."""
    seed: int
    """Of the permutations, the folds and the random controls."""
    permutations: int
    """Random outcome vectors behind each permutation test."""
    min_support: int
    """Least number of prompts on which a tested feature fires."""
    verdict: Verdict | None = field(metadata=MERGED)
    outcome_kinds: dict[str, int]
    """Number of prompts by kind of outcome."""
    scoring_sensitivity: dict[str, float]
    factors: dict[str, dict[str, LevelReading]]
    sites: dict[str, SiteAudit]
    """What each dictionary gave, by its name."""
    claims: list[Claim]
    """The claims ledger, in the order of the argument."""
    outcomes: list[PromptOutcome]
    """One a prompt, in the order of the prompts."""
    groups: PromptGroups | None = None
    """Which prompts belong together; null where nothing was tested."""
    scoring: dict[str, RuleReading] = field(default_factory=dict)
    """The outcomes under each rule, by rule."""
    factors_derived: bool = False
    factors_left_out: dict[str, str] = field(default_factory=dict)
    selection: Selection | None = None
    """What forward selection took and dropped."""
    pairs: PairTable | None = None
    """Pairs of levels that say more than either level alone."""
    trends: dict[str, TrendReading] = field(default_factory=dict)
    """By numeric factor."""
    strata: Strata | None = None
    baselines: dict[str, Rung] | None = None
    ladder: Ladder | None = None
    """How the ladder was climbed; null where it was not."""
    counterfactuals: Counterfactuals | None = None
    attribution: dict[str, SiteAttribution] = field(default_factory=dict)
    not_tested: dict[str, str] = field(default_factory=dict)
    requested: list[RequestedTest] = field(default_factory=list)
    together: list[JointTest] = field(default_factory=list)
    """Pairs of classes that were changed together; empty where none was."""
    outside: list[OutsideDictionary] = field(default_factory=list)
    """Sites that the cause passes outside what their dictionaries describe; empty: none."""
    robustness: Robustness | None = None
    """What other prompts say; null where nothing could be tested."""
    failures_over_foil: int | None = None
    no_dictionaries: NoDictionaries | None = None
    """What was read without dictionaries, and how to get some; null where there were some, or no
    model."""
    against_base: BaseComparison | None = None
    """What tuning changed; null where no base was run."""
    rescoring: Rescoring | None = None
    directions: dict[str, FeatureDirection] = field(default_factory=dict)
    """By feature that the argument names, what its direction says by itself; empty where no model
    was at hand."""
    accuracy_by_start: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    features: dict[str, np.ndarray] | None = field(
        default=None, compare=False, repr=False, metadata=NOT_WRITTEN
    )

    @property
    def classes(self) -> list[tuple[str, ClassReading]]:
        """All classes of all sites with their site's name, the most certain first."""
        return ranked_classes(self.sites)

    @property
    def significant(self) -> list[tuple[str, ClassReading]]:
        """The classes that either deciding test finds, with their sites."""
        return significant_classes(self.sites, self.alpha)

    @property
    def leading(self) -> ClassReading | None:
        """The class to look at first: the most certain that goes with failure, not with success.

        The most certain of all where none goes with failure; None where no feature was tested.
        """
        return leading_class(self.sites)
