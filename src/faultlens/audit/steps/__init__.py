"""What each step of an audit found: frozen records, every number in them, nothing about drawing.

Field names are keys of `audit.json`. What was not done, or is not defined, is None, never zero.
"""

from faultlens.audit.steps.attribution import (
    Attributed,
    SiteAttribution,
)
from faultlens.audit.steps.conclusions import (
    Claim,
    ClassReading,
    SiteAudit,
)
from faultlens.audit.steps.confounds import (
    Confounds,
    OddsReading,
    Strata,
    StrataCount,
)
from faultlens.audit.steps.correlates import (
    Described,
    Interval,
    OtherScoring,
    Proxy,
    StudyRule,
)
from faultlens.audit.steps.counterfactuals import (
    Counterfactual,
    Counterfactuals,
    Patch,
)
from faultlens.audit.steps.factors import (
    DroppedLevel,
    LevelReading,
    PairReading,
    PairTable,
    SelectedLevel,
    Selection,
    TrendReading,
)
from faultlens.audit.steps.interventions import (
    Effect,
    Flips,
    Intervention,
    NamedTrial,
    Null,
    Variant,
)
from faultlens.audit.steps.ladder import (
    Ladder,
    LeftOut,
    Rung,
    RungDifference,
)
from faultlens.audit.steps.outcomes import (
    SCORED_WRONG,
    PromptOutcome,
    RuleReading,
)
from faultlens.audit.steps.robustness import (
    HalfReading,
    Robustness,
    SeedReading,
    StableClass,
)

__all__ = [
    "SCORED_WRONG",
    "Attributed",
    "Claim",
    "ClassReading",
    "Confounds",
    "Counterfactual",
    "Counterfactuals",
    "Described",
    "DroppedLevel",
    "Effect",
    "Flips",
    "HalfReading",
    "Interval",
    "Intervention",
    "Ladder",
    "LeftOut",
    "LevelReading",
    "NamedTrial",
    "Null",
    "OddsReading",
    "OtherScoring",
    "PairReading",
    "PairTable",
    "Patch",
    "PromptOutcome",
    "Proxy",
    "Robustness",
    "RuleReading",
    "Rung",
    "RungDifference",
    "SeedReading",
    "SelectedLevel",
    "Selection",
    "SiteAttribution",
    "SiteAudit",
    "StableClass",
    "Strata",
    "StrataCount",
    "StudyRule",
    "TrendReading",
    "Variant",
]
