"""What was found at one site: over the whole corpus, and for each category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MostFrequent:
    """The feature that fires on the most texts."""

    feature: str
    texts: int
    coverage: float  # share of the texts it could fire on
    ties: int = 1  # features that fire on as many, this one included


@dataclass(frozen=True)
class MostSelective:
    """Among features with any text above the threshold, the one with the fewest such texts."""

    feature: str
    texts: int
    ties: int  # features with as few, this one included


@dataclass(frozen=True)
class Strongest:
    """The largest pooled activation of the site."""

    feature: str
    activation: float
    text: str


@dataclass(frozen=True)
class Peak:
    """The largest pooled activation within a category."""

    feature: str
    activation: float
    relative: float | None  # to the mean residual norm at the site; None where it is not known


@dataclass(frozen=True)
class Selectivity:
    """The feature that best tells the category from the rest, by AUROC."""

    feature: str
    auroc: float
    p_value: float  # against the best of all features under random labels
    p_holm: float  # Holm over categories × sites
    ties: int


@dataclass(frozen=True)
class Specialist:
    """The feature with the largest score: texts above the threshold inside, minus outside."""

    feature: str
    score: int
    inside: int
    outside: int
    p_value: float
    p_holm: float
    ties: int


@dataclass(frozen=True)
class ShortlistSpecialist:
    """The same among the few features that peak highest: the published rule, which has no null."""

    feature: str
    score: int
    inside: int
    outside: int


@dataclass(frozen=True)
class Tail:
    """How activation spreads over features; `a_f` is a feature's total over the texts."""

    participation_ratio: float  # (Σ a)² / Σ a²: as many features if all were alike
    features_50: int  # the fewest features that hold 50 % of the total
    features_90: int
    features_99: int


@dataclass(frozen=True)
class TailCurve:
    """Cumulative share of the total activation held by the features up to each rank."""

    ranks: list[int]  # 1 is the feature with the largest total
    shares: list[float]


@dataclass(frozen=True)
class CategoryReading:
    """One category at one site; None is what has no meaning where nothing fires on its texts."""

    texts: int
    peak: Peak | None
    top_sum: float  # Σ: of the k largest per-feature maxima
    top_share: float | None  # Σ over the sum of all per-feature maxima
    gini: float | None  # of those k values
    selectivity: Selectivity
    specialist: Specialist
    shortlist_specialist: ShortlistSpecialist | None
    most_frequent: MostFrequent | None  # over the category's texts alone
    most_selective: MostSelective | None  # likewise; None where none of them is above the threshold
    tail: Tail | None  # likewise


@dataclass(frozen=True)
class SiteReading:
    """One dictionary over the whole corpus."""

    layer: int | None
    d_sae: int
    firing: int  # features that fire on at least one text
    threshold: float
    residual_norm: float | None
    convention: dict[str, Any]
    most_frequent: MostFrequent
    most_selective: MostSelective | None  # None where no text is above the threshold
    strongest: Strongest
    tail: Tail
    curve: TailCurve
    categories: dict[str, CategoryReading]
