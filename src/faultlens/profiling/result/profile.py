"""Profile: all that one run of the study found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from faultlens.profiling.result.layers import Difficulty, LayerComparison
from faultlens.profiling.result.multiverse import Multiverse
from faultlens.profiling.result.pairs import MinimalPairs
from faultlens.profiling.result.sites import SiteReading
from faultlens.profiling.result.tokens import TokenEvidence
from faultlens.runs.results import Result


@dataclass(frozen=True)
class Length:
    """How long a category's texts are, and how well length alone tells the category."""

    mean: float
    """Mean length of the category's texts."""
    unit: str  # "tokens" or "characters"
    auroc: float
    """AUROC of length alone for the category against the rest."""


@dataclass(frozen=True)
class Profile(Result):
    """Which features go with which kind of text."""

    FORMAT_VERSION: ClassVar[int] = 1
    FILE: ClassVar[str] = "profile.json"

    corpus: str
    """Name of the corpus."""
    n_texts: int
    """Number of texts."""
    pooling: str
    """How a text's token activations became one number."""
    top_k: int
    """Number of maxima in the top-k measures and in the shortlist."""
    permutations: int
    """Random labellings behind each p-value."""
    seed: int
    """Of the random labellings."""
    alpha: float
    """Level after Holm."""
    lengths: dict[str, Length]
    """By category."""
    sites: dict[str, SiteReading]
    """What each dictionary gave, by its name."""
    difficulty: dict[str, Difficulty]
    """By category."""
    length_strata: int | None = None  # that came about; labels were shuffled only within them
    warnings: list[str] = field(default_factory=list)  # what to know of the corpus
    layers: LayerComparison | None = None  # None with fewer than two layers of a kind
    tokens: TokenEvidence | None = None  # None without a model
    pairs: MinimalPairs | None = None  # None unless asked for
    multiverse: Multiverse | None = None  # None unless asked for

    @property
    def categories(self) -> list[str]:
        return list(self.lengths)

    def beyond_chance(self, by: str = "selectivity") -> dict[str, list[str]]:
        """For each category the sites at which its best feature beats chance after Holm.

        `by` is `"selectivity"` (AUROC) or `"specialist"` (score).
        """
        return {
            category: [
                name
                for name, site in self.sites.items()
                if getattr(site.categories[category], by).p_holm <= self.alpha
            ]
            for category in self.categories
        }
