"""What was found on minimal pairs: the same meaning in several surface forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contrast:
    """Mean similarity of texts of different form, within a meaning and between meanings."""

    within: float
    """Mean similarity within a meaning."""
    between: float
    """Mean similarity between meanings."""
    difference: float  # within − between
    p_value: float  # meanings permuted independently within each form


@dataclass(frozen=True)
class PairSite:
    """The pairs through one dictionary; similarity is the Jaccard index of the top-k features."""

    similarity: Contrast
    """Of the features that are strongest in each text."""
    p_holm: float  # Holm over the sites
    meanings: dict[str, float]  # mean similarity of each meaning's forms
    matrix: list[list[float | None]]
    """`[meanings, meanings]`: mean similarity of their texts of different form; None where no two
    forms of theirs are compared."""


@dataclass(frozen=True)
class MinimalPairs:
    """Does what fires follow the meaning or the surface?"""

    name: str
    """Name of the set of pairs."""
    texts: int
    """Number of texts."""
    pairs: int  # of texts with one meaning in two forms
    forms: list[str]
    """Names of the surface forms."""
    top_k: int
    """Number of strongest features of a text that are compared."""
    permutations: int
    """Random meanings behind each p-value."""
    words: Contrast
    """The same with the Jaccard index of the texts' words: how far the surface alone goes with
    meaning in this set."""
    sites: dict[str, PairSite]
    """By dictionary."""
