"""What a comparison of runs found: frozen records, every number in them, nothing about drawing.

Field names are the keys of what `faultlens compare --json` prints.
"""

from faultlens.comparing.result.audits import (
    AuditPair,
    ClassPair,
    ComparedClass,
    LevelPair,
    LevelRate,
    PairedFailures,
    TurnedPrompt,
)
from faultlens.comparing.result.comparison import ComparedRun, Comparison, RunPair, Setting
from faultlens.comparing.result.profiles import CategoryBest, CategoryPair, ProfilePair

__all__ = [
    "AuditPair",
    "CategoryBest",
    "CategoryPair",
    "ClassPair",
    "ComparedClass",
    "ComparedRun",
    "Comparison",
    "LevelPair",
    "LevelRate",
    "PairedFailures",
    "ProfilePair",
    "RunPair",
    "Setting",
    "TurnedPrompt",
]
