"""What a profile found: frozen, every number in it, nothing about drawing.

Field names are the keys of `profile.json`; `Profile.from_dict(profile.to_dict())` is the identity.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MostFrequent:
    """The feature that fires on the most texts."""

    feature: str
    texts: int
    coverage: float  # share of all texts


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
class CategoryReading:
    """One category at one site."""

    texts: int
    peak: Peak
    top_sum: float  # Σ: of the k largest per-feature maxima
    top_share: float  # Σ over the sum of all per-feature maxima
    gini: float  # of those k values
    selectivity: Selectivity
    specialist: Specialist
    shortlist_specialist: ShortlistSpecialist


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
    categories: dict[str, CategoryReading]


@dataclass(frozen=True)
class Length:
    """How long a category's texts are, and how well length alone tells the category."""

    mean: float
    unit: str  # "tokens" or "characters"
    auroc: float


@dataclass(frozen=True)
class Profile:
    """Which features go with which kind of text."""

    corpus: str
    n_texts: int
    pooling: str
    top_k: int
    permutations: int
    seed: int
    alpha: float
    lengths: dict[str, Length]
    sites: dict[str, SiteReading]

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
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Profile:
        lengths = {name: Length(**length) for name, length in data["lengths"].items()}
        sites = {name: _site(site) for name, site in data["sites"].items()}
        return cls(**{**data, "lengths": lengths, "sites": sites})

    def save(self, folder: str | Path) -> Path:
        """Write `profile.json` into `folder`, which is made if need be; returns the file's path."""
        path = Path(folder) / "profile.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".json.part")
        part.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(part, path)
        return path

    def _repr_html_(self) -> str:
        """The notebook view: for each category and site the most selective feature and its p."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.sites)
        rows = []
        for category in self.categories:
            cells = []
            for site in self.sites.values():
                best = site.categories[category].selectivity
                cells.append(
                    f"<td>{escape(best.feature)}<br>AUROC {best.auroc:.3f}, "
                    f"p<sub>Holm</sub> {best.p_holm:.3g}</td>"
                )
            rows.append(f"<tr><th>{escape(category)}</th>{''.join(cells)}</tr>")
        return (
            f"<table><caption>Profile of {escape(self.corpus)}: most selective features, "
            f"{self.permutations:,} permutations</caption>"
            f"<tr><th></th>{head}</tr>{''.join(rows)}</table>"
        )


def _site(data: dict[str, Any]) -> SiteReading:
    return SiteReading(
        **{
            **data,
            "most_frequent": MostFrequent(**data["most_frequent"]),
            "most_selective": (
                MostSelective(**data["most_selective"]) if data["most_selective"] else None
            ),
            "strongest": Strongest(**data["strongest"]),
            "categories": {name: _category(c) for name, c in data["categories"].items()},
        }
    )


def _category(data: dict[str, Any]) -> CategoryReading:
    return CategoryReading(
        **{
            **data,
            "peak": Peak(**data["peak"]),
            "selectivity": Selectivity(**data["selectivity"]),
            "specialist": Specialist(**data["specialist"]),
            "shortlist_specialist": ShortlistSpecialist(**data["shortlist_specialist"]),
        }
    )
