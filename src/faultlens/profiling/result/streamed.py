"""Streamed profile: what can be said of a corpus that is larger than memory, from one pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from faultlens.profiling.result.sites import MostFrequent
from faultlens.runs.folder import STREAMED
from faultlens.runs.results import Saved


@dataclass(frozen=True)
class StrongestToken:
    """The largest activation, and where it is."""

    feature: str
    """Name of the feature."""
    activation: float
    """Its activation."""
    text: int
    """Number of the text in the corpus, from 0."""
    position: int
    """Of the token in its text, from 0."""


@dataclass(frozen=True)
class FiringSpecialist:
    """The feature that tells the category best by whether it fires on a text at all."""

    feature: str
    """Name of the feature."""
    score: int
    """Texts on which it fires inside the category, minus outside."""
    inside: int
    """Texts of the category on which it fires."""
    outside: int
    """Other texts on which it fires."""
    auroc: float
    """Of firing alone: half of one plus the share inside minus the share outside."""
    p_value: float
    """That a feature which fires on as many texts does so inside as often or oftener, labels being
    random (one-sided Fisher)."""
    p_bonferroni: float
    """The same times all firing features of all dictionaries times the categories."""
    ties: int
    """Number of features with this score, this one included."""


@dataclass(frozen=True)
class StreamedCategory:
    """One category at one site; null is what has no meaning where nothing fires on its texts."""

    texts: int
    """Number of texts."""
    tokens: int | None
    """Tokens that count; null where they were not counted."""
    peak: StrongestToken | None
    """The largest activation within the category."""
    top_sum: float
    """Sum of the k largest per-feature maxima."""
    top_share: float | None
    """Its share of the sum of all per-feature maxima."""
    gini: float | None
    """Gini index of those k maxima."""
    most_frequent: MostFrequent | None
    """The feature that fires on the most texts of the category."""
    specialist: FiringSpecialist
    """The feature with the largest score, of all features."""
    selective: FiringSpecialist
    """The feature with the largest AUROC of firing, of all features."""


@dataclass(frozen=True)
class StreamedSite:
    """One dictionary over the whole corpus."""

    d_sae: int
    """Number of features in the dictionary."""
    firing: int
    """Features that fire on at least one text."""
    convention: dict[str, Any]
    """How the activations were read, by setting."""
    most_frequent: MostFrequent
    """The feature that fires on the most texts."""
    strongest: StrongestToken
    """The largest activation."""
    categories: dict[str, StreamedCategory]
    """By category."""


@dataclass(frozen=True)
class StreamedProfile(Saved):
    """Which features go with which kind of text, by whether they fire on it and how strongly."""

    FORMAT_VERSION: ClassVar[int] = 1
    FILE: ClassVar[str] = STREAMED

    corpus: str
    """Name of the corpus."""
    n_texts: int
    """Number of texts."""
    top_k: int
    """Number of maxima in the top-k measures."""
    alpha: float
    """Level after Bonferroni."""
    sites: dict[str, StreamedSite]
    """What each dictionary gave, by its name."""
    warnings: list[str] = field(default_factory=list)
    """What to know of the corpus and of how it was read."""
