"""What each step of an audit found: frozen records, every number in them, nothing about drawing.

Field names are keys of `audit.json`. What was not done, or is not defined, is None, never zero.
"""

from faultlens.auditing.result.after_find import (
    Absorption,
    AfterFind,
    Dose,
    ErrorRecovery,
    OffTask,
    Rewording,
    UnderRewordings,
)
from faultlens.auditing.result.attribution import (
    Attributed,
    SiteAttribution,
)
from faultlens.auditing.result.base_comparison import (
    BaseComparison,
    PairedOutcomes,
    TurnedPrompt,
)
from faultlens.auditing.result.conclusions import (
    BeyondClasses,
    Claim,
    ClassReading,
    SiteAudit,
)
from faultlens.auditing.result.confounds import (
    Confounds,
    FinestStrata,
    LostWith,
    OddsReading,
    Strata,
    StrataCount,
)
from faultlens.auditing.result.correlates import (
    Described,
    Disputed,
    Interval,
    OtherScoring,
    Proxy,
    StudyRule,
)
from faultlens.auditing.result.counterfactuals import (
    Counterfactual,
    Counterfactuals,
    Patch,
    Positions,
)
from faultlens.auditing.result.directions import (
    FeatureDirection,
    NearFeature,
    TokenLogit,
)
from faultlens.auditing.result.factors import (
    DroppedLevel,
    LevelReading,
    PairReading,
    PairTable,
    SelectedLevel,
    Selection,
    TrendReading,
)
from faultlens.auditing.result.groups import PromptGroups
from faultlens.auditing.result.interventions import (
    ControlFamily,
    Effect,
    Flips,
    Intervention,
    Null,
    RequestedTest,
    Variant,
)
from faultlens.auditing.result.joint_tests import (
    JointTest,
)
from faultlens.auditing.result.ladder import (
    Ladder,
    LeftOut,
    LeftOutDifference,
    Rung,
    RungDifference,
)
from faultlens.auditing.result.no_dictionaries import (
    KnownRelease,
    NoDictionaries,
)
from faultlens.auditing.result.outcomes import (
    SCORED_WRONG,
    PromptOutcome,
    Rescoring,
    RuleReading,
)
from faultlens.auditing.result.outside import (
    OutsideDictionary,
)
from faultlens.auditing.result.robustness import (
    HalfReading,
    Robustness,
    SeedReading,
    StableClass,
)
from faultlens.auditing.result.verdict import Verdict, VerdictKind

__all__ = [
    "SCORED_WRONG",
    "Absorption",
    "AfterFind",
    "Attributed",
    "BaseComparison",
    "BeyondClasses",
    "Claim",
    "ClassReading",
    "Confounds",
    "ControlFamily",
    "Counterfactual",
    "Counterfactuals",
    "Described",
    "Disputed",
    "Dose",
    "DroppedLevel",
    "Effect",
    "ErrorRecovery",
    "FeatureDirection",
    "FinestStrata",
    "Flips",
    "HalfReading",
    "Interval",
    "Intervention",
    "JointTest",
    "KnownRelease",
    "Ladder",
    "LeftOut",
    "LeftOutDifference",
    "LevelReading",
    "LostWith",
    "NearFeature",
    "NoDictionaries",
    "Null",
    "OddsReading",
    "OffTask",
    "OtherScoring",
    "OutsideDictionary",
    "PairReading",
    "PairTable",
    "PairedOutcomes",
    "Patch",
    "Positions",
    "PromptGroups",
    "PromptOutcome",
    "Proxy",
    "RequestedTest",
    "Rescoring",
    "Rewording",
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
    "TokenLogit",
    "TrendReading",
    "TurnedPrompt",
    "UnderRewordings",
    "Variant",
    "Verdict",
    "VerdictKind",
]
