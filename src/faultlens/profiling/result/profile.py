"""Profile: all that one run of the study found."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from faultlens.profiling.result.layers import Difficulty, LayerComparison
from faultlens.profiling.result.multiverse import Multiverse
from faultlens.profiling.result.pairs import MinimalPairs
from faultlens.profiling.result.sites import SiteReading
from faultlens.profiling.result.tokens import TokenEvidence
from faultlens.runs.results import save_result
from faultlens.serialisation import from_json, to_json


@dataclass(frozen=True)
class Length:
    """How long a category's texts are, and how well length alone tells the category."""

    mean: float
    """Mean length of the category's texts."""
    unit: str  # "tokens" or "characters"
    auroc: float
    """AUROC of length alone for the category against the rest."""


@dataclass(frozen=True)
class Profile:
    """Which features go with which kind of text."""

    FORMAT_VERSION: ClassVar[int] = 1

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

    def to_dict(self) -> dict[str, Any]:
        """Everything, in the shape of `profile.json`."""
        data: dict[str, Any] = to_json(self)
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Profile:
        """The profile that `to_dict` wrote.

        Raises UserError for another format version, an unknown or a missing key, and a value of
        another type.
        """
        return from_json(cls, data)

    def save(self, folder: str | Path) -> Path:
        """Write `profile.json` into `folder`, which is made if need be; returns the file's path."""
        return save_result(self, Path(folder) / "profile.json")

    def _repr_html_(self) -> str:
        """The notebook view: the answer and the categories, in the report's words.

        The report is found by its name: a result knows nothing of how it is shown.
        """
        return str(import_module("faultlens.report.notebook").view(self))
