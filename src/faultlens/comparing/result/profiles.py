"""Two profiles side by side: by category the feature that best tells it from the rest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CategoryBest:
    """The feature of one run that best tells a category from the rest, over all of its sites."""

    site: str
    """Name of its dictionary."""
    feature: str
    """Name of the feature."""
    auroc: float
    """Of its activation, the category against the rest."""
    p_holm: float
    """Against the best of all features under random labels, after Holm."""
    beyond_chance: bool
    """Whether that is beyond chance at the profile's own level."""
    sites_beyond_chance: list[str]
    """The sites at which some feature tells the category beyond chance."""


@dataclass(frozen=True)
class CategoryPair:
    """One category in two runs."""

    first: CategoryBest | None
    """In the first run; null where it has no such category."""
    second: CategoryBest | None
    """In the second run; null where it has no such category."""
    same_feature: bool | None
    """Whether both name the same feature of the same dictionary; null where the dictionaries are
    others, or one of the runs has no such category."""
    jaccard: float | None
    """Of the texts on which the two features fire; null where the texts are others or the run does
    not hold them."""
    correlation: float | None
    """Pearson's, of their pooled activations over the same texts; null likewise, and where one of
    them does not vary."""

    @property
    def changed(self) -> bool:
        """Whether it is told beyond chance in one of the runs only."""
        both = self.first is not None and self.second is not None
        return both and self.first.beyond_chance != self.second.beyond_chance  # type: ignore[union-attr]


@dataclass(frozen=True)
class ProfilePair:
    """Two profiles side by side."""

    same_texts: bool
    """Whether both are of the same corpus, by its digest."""
    categories: dict[str, CategoryPair]
    """By category: those of the first run, then those that the second alone has."""
    no_firing: str | None
    """Why features were not compared by firing; null where they were."""
    cautions: list[str]
    """What a reader should know before believing the numbers, a sentence each."""
