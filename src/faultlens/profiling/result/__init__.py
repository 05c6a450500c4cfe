"""What a profile found: frozen, every number in it, nothing about drawing.

Field names are the keys of `profile.json`; `Profile.from_dict(profile.to_dict())` is the identity.
What was not done, or cannot be had, is None.
"""

from faultlens.profiling.result.layers import (
    Difficulty,
    LayerComparison,
    LayerStep,
    Successor,
    Trend,
)
from faultlens.profiling.result.multiverse import (
    Choice,
    Multiverse,
    MultiverseClaim,
    Specification,
)
from faultlens.profiling.result.pairs import Contrast, MinimalPairs, PairSite
from faultlens.profiling.result.profile import Length, Profile
from faultlens.profiling.result.sites import (
    CategoryReading,
    MostFrequent,
    MostSelective,
    Peak,
    Selectivity,
    ShortlistSpecialist,
    SiteReading,
    Specialist,
    Strongest,
    Tail,
    TailCurve,
)
from faultlens.profiling.result.tokens import ClassShare, Example, FeatureTokens, TokenEvidence

__all__ = [
    "CategoryReading",
    "Choice",
    "ClassShare",
    "Contrast",
    "Difficulty",
    "Example",
    "FeatureTokens",
    "LayerComparison",
    "LayerStep",
    "Length",
    "MinimalPairs",
    "MostFrequent",
    "MostSelective",
    "Multiverse",
    "MultiverseClaim",
    "PairSite",
    "Peak",
    "Profile",
    "Selectivity",
    "ShortlistSpecialist",
    "SiteReading",
    "Specialist",
    "Specification",
    "Strongest",
    "Successor",
    "Tail",
    "TailCurve",
    "TokenEvidence",
    "Trend",
]
