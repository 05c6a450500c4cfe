"""What was found at one site: over the whole corpus, and for each category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MostFrequent:
    """The feature that fires on the most texts."""

    feature: str
    """Name of the feature."""
    texts: int
    """Number of texts on which it fires."""
    coverage: float  # share of the texts it could fire on
    ties: int = 1  # features that fire on as many, this one included


@dataclass(frozen=True)
class MostSelective:
    """Among features with any text above the threshold, the one with the fewest such texts."""

    feature: str
    """Name of the feature."""
    texts: int
    """Number of texts above the threshold."""
    ties: int  # features with as few, this one included


@dataclass(frozen=True)
class Strongest:
    """The largest pooled activation of the site."""

    feature: str
    """Name of the feature."""
    activation: float
    """Its pooled activation."""
    text: str
    """The text on which it is reached."""


@dataclass(frozen=True)
class Peak:
    """The largest pooled activation within a category."""

    feature: str
    """Name of the feature."""
    activation: float
    """Its pooled activation."""
    relative: float | None  # to the mean residual norm at the site; None where it is not known


@dataclass(frozen=True)
class Selectivity:
    """The feature that best tells the category from the rest, by AUROC."""

    feature: str
    """Name of the feature."""
    auroc: float
    """Of its activation, the category against the rest."""
    p_value: float  # against the best of all features under random labels
    p_holm: float  # Holm over categories × sites
    ties: int
    """Number of features with this AUROC, this one included."""


@dataclass(frozen=True)
class Specialist:
    """The feature with the largest score: texts above the threshold inside, minus outside."""

    feature: str
    """Name of the feature."""
    score: int
    """Texts above the threshold inside the category, minus outside."""
    inside: int
    """Texts of the category above the threshold."""
    outside: int
    """Other texts above the threshold."""
    p_value: float
    """Against the best score of all features under random labels."""
    p_holm: float
    """Holm over categories × sites."""
    ties: int
    """Number of features with this score, this one included."""


@dataclass(frozen=True)
class ShortlistSpecialist:
    """The same among the few features that peak highest: the published rule, which has no null."""

    feature: str
    """Name of the feature."""
    score: int
    """Texts above the threshold inside the category, minus outside."""
    inside: int
    """Texts of the category above the threshold."""
    outside: int
    """Other texts above the threshold."""


@dataclass(frozen=True)
class Tail:
    """How activation spreads over features; `a_f` is a feature's total over the texts."""

    participation_ratio: float  # (Σ a)² / Σ a²: as many features if all were alike
    features_50: int  # the fewest features that hold 50 % of the total
    features_90: int
    """The same of 90 %."""
    features_99: int
    """The same of 99 %."""


@dataclass(frozen=True)
class TailCurve:
    """Cumulative share of the total activation held by the features up to each rank."""

    ranks: list[int]  # 1 is the feature with the largest total
    shares: list[float]
    """Cumulative share of the total at each of these ranks."""


TOP_BY = ("selectivity", "specialist", "peak")
"""The measures by which a category has a top feature."""


@dataclass(frozen=True)
class CategoryReading:
    """One category at one site; None is what has no meaning where nothing fires on its texts."""

    texts: int
    """Number of texts."""
    peak: Peak | None
    """The largest pooled activation within the category."""
    top_sum: float  # Σ: of the k largest per-feature maxima
    top_share: float | None  # Σ over the sum of all per-feature maxima
    gini: float | None  # of those k values
    selectivity: Selectivity
    """The feature that best tells the category, by AUROC."""
    specialist: Specialist
    """The best feature by score, of all features."""
    shortlist_specialist: ShortlistSpecialist | None
    """The same by the published rule."""
    most_frequent: MostFrequent | None  # over the category's texts alone
    most_selective: MostSelective | None  # likewise; None where none of them is above the threshold
    tail: Tail | None  # likewise

    @property
    def top(self) -> dict[str, str | None]:
        """The top feature by each measure of `TOP_BY`; None where nothing fires on its texts."""
        peak = None if self.peak is None else self.peak.feature
        found = (self.selectivity.feature, self.specialist.feature, peak)
        return dict(zip(TOP_BY, found, strict=True))


@dataclass(frozen=True)
class SiteReading:
    """One dictionary over the whole corpus."""

    layer: int | None
    """Layer of the site; null where it is not known."""
    d_sae: int
    """Number of features in the dictionary."""
    firing: int  # features that fire on at least one text
    threshold: float
    """τ of the specialist score, in activation units."""
    residual_norm: float | None
    """Mean norm of the site's values; null where it is not known."""
    convention: dict[str, Any]
    """How the activations were read and pooled, by setting."""
    most_frequent: MostFrequent
    """The feature that fires on the most texts."""
    most_selective: MostSelective | None  # None where no text is above the threshold
    strongest: Strongest
    """The largest pooled activation."""
    tail: Tail
    """How activation spreads over features."""
    curve: TailCurve
    """The same spread, rank by rank."""
    categories: dict[str, CategoryReading]
    """By category."""
