"""What was found across layers: what persists, what grows, and which category is hard to tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Successor:
    """A category's top feature at one layer and at the next.

    Dictionaries are trained one by one, so that equal indices mean nothing by themselves: the
    directions that the features write are what can be compared.
    """

    earlier: str
    """Top feature at the earlier layer."""
    later: str
    """Top feature at the later layer."""
    same_index: bool
    """Whether the two have the same index."""
    cosine: float | None  # of their decoder directions; None without the dictionaries
    rank: int | None  # of the later one among its dictionary's features by cosine; 1 is the nearest
    nearest: str | None  # the later dictionary's feature with the largest cosine to the earlier one
    nearest_cosine: float | None
    """Cosine of the earlier feature and `nearest`; null without the dictionaries."""
    chance_cosine: float | None = None  # that a direction which is no feature's rarely reaches

    @property
    def persists(self) -> bool | None:
        """Whether the later top feature is the earlier one's nearest, and nearer than by chance.

        Some feature is always the nearest, so that its cosine has to exceed `chance_cosine`: what
        1 % of random mixtures of the earlier dictionary's directions reach with their nearest. None
        if the directions are not known.
        """
        if self.rank is None or self.cosine is None:
            return None
        return self.rank == 1 and (self.chance_cosine is None or self.cosine > self.chance_cosine)


@dataclass(frozen=True)
class LayerStep:
    """From one layer to the next of the same kind of site."""

    earlier: str
    """Name of the earlier dictionary."""
    later: str
    """Name of the later dictionary."""
    typical_cosine: float | None  # median over earlier features of their nearest's cosine
    selectivity: dict[str, Successor]  # by category
    specialist: dict[str, Successor]
    """By category."""
    peak: dict[str, Successor]  # without categories on whose texts nothing fires


@dataclass(frozen=True)
class Trend:
    """A quantity of one category over the layers of one kind of site."""

    quantity: str  # "peak", "relative peak" or "top sum"
    kind: str  # of site, e.g. "res-mini"
    layers: list[int]
    """The layers, in order."""
    values: list[float]
    """The quantity at each of them."""
    rho: float | None  # Spearman's, with the layer; None below three layers or for a constant
    ratio: float | None  # deepest layer's value over the first's; None if that is 0


@dataclass(frozen=True)
class LayerComparison:
    """What changes from layer to layer."""

    steps: list[LayerStep]
    """From each layer to the next."""
    trends: dict[str, list[Trend]]  # by category


@dataclass(frozen=True)
class Difficulty:
    """How hard a category is to tell from the rest by one feature.

    Net catch of a site = (texts above the threshold inside − outside) / texts of the category, of
    the category's best feature, at least 0; difficulty = 1 − its mean over the sites.
    """

    difficulty: float
    """From 0, easy, to 1."""
    rank: int  # 1 is the easiest; equal difficulties share a rank
    sites_by_auroc: int  # at which the best feature is beyond chance by AUROC
    sites_by_score: int
    """The same by the specialist score."""
    first_site: str | None  # the first of those by AUROC, in the order of the sites
    best_auroc: float  # over the sites
    mean_auroc: float
    """Mean of the best AUROC over the sites."""
