"""FeatureSet: features of one dictionary that are tested, changed and reported together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Some features of one dictionary.

    Two sets are equal if they hold the same features of the same dictionary, in whatever order.

    Attributes:
        site: the dictionary's name.
        indices: its features, at least one and none twice, the one that stands for the set first:
            of an equivalence class that is the strongest member.

    Raises:
        ValueError: no features, or one twice.

    >>> FeatureSet("3-res-mini", (808, 26)) == FeatureSet("3-res-mini", (26, 808))
    True
    >>> str(FeatureSet("3-res-mini", (808, 26)))
    '3-res-mini/808+3-res-mini/26'
    """

    site: str
    indices: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.indices or len(set(self.indices)) < len(self.indices):
            raise ValueError(f"features {self.indices}: expected at least one, and none twice")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FeatureSet):
            return NotImplemented
        return self.site == other.site and set(self.indices) == set(other.indices)

    def __hash__(self) -> int:
        return hash((self.site, frozenset(self.indices)))

    def __len__(self) -> int:
        return len(self.indices)

    def __str__(self) -> str:
        """Every feature's name, joined by `+`, as a user writes it."""
        return "+".join(self.names)

    @property
    def names(self) -> list[str]:
        """Every feature as `SITE/INDEX`."""
        return [f"{self.site}/{index}" for index in self.indices]

    @property
    def first(self) -> str:
        """The name of the feature that stands for the set."""
        return self.names[0]
