"""Accused: features that are tried together: a class, a find, what the user named."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureSet:
    """Features of one dictionary that are to be tried, all changed at once."""

    rank: int | None  # among all classes; None: no class that the statistics found
    site: str
    features: list[int]
    with_failure: bool = True  # goes with failure, not with success

    @property
    def name(self) -> str:
        """A class's strongest member; of others, every feature."""
        return "+".join(self.names[:1] if self.rank is not None else self.names)

    @property
    def names(self) -> list[str]:
        """Every feature, as `SITE/INDEX`."""
        return [f"{self.site}/{feature}" for feature in self.features]

    def same_as(self, other: FeatureSet) -> bool:
        """Whether both are the same features."""
        return self.site == other.site and set(self.features) == set(other.features)
