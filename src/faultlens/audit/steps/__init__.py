"""What each step of an audit found: frozen records, every number in them, nothing about drawing.

Field names are keys of `audit.json`. What was not done, or is not defined, is None, never zero.
"""

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
    Flips,
    Intervention,
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

__all__ = [
    "SCORED_WRONG",
    "Claim",
    "ClassReading",
    "Confounds",
    "Described",
    "DroppedLevel",
    "Flips",
    "Interval",
    "Intervention",
    "Ladder",
    "LeftOut",
    "LevelReading",
    "OddsReading",
    "OtherScoring",
    "PairReading",
    "PairTable",
    "PromptOutcome",
    "Proxy",
    "RuleReading",
    "Rung",
    "RungDifference",
    "SelectedLevel",
    "Selection",
    "SiteAudit",
    "Strata",
    "StrataCount",
    "StudyRule",
    "TrendReading",
]
