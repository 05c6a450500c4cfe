"""What was found under every combination of the choices that a study of this kind makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Specification:
    """One combination of choices."""

    pooling: str  # max, mean, sum, last
    bos: bool  # whether position 0 is pooled
    padding: bool  # whether padding is pooled, as if it were text
    order: str  # "encode, then pool" or "pool, then encode"
    relative: bool  # activations divided by the text's mean residual norm
    percentile: float | None  # of the positive values: the threshold; None for AUROC, or if given
    rule: str | None  # "exhaustive" or "shortlist"; None for AUROC
    errors: list[str]  # why its numbers are not what they seem; empty if it is sound
    threshold: float | None = None  # τ as it was asked for, in activation units; None otherwise

    @property
    def sound(self) -> bool:
        return not self.errors


@dataclass(frozen=True)
class MultiverseClaim:
    """One claim under every specification: that a category has a feature beyond chance."""

    category: str
    """Name of the category."""
    by: str  # "selectivity" (AUROC) or "specialist" (score)
    by_default: bool  # whether it holds under the default specification
    share: float  # of all specifications under which it holds
    share_sound: float  # of the sound ones
    holds: list[bool]  # in the order of the specifications of that measure
    values: list[float]  # the category's best AUROC or score over the sites


@dataclass(frozen=True)
class Choice:
    """What one choice does: with the defaults otherwise, and averaged over all other choices."""

    name: str  # e.g. "padding"
    value: str  # e.g. "pooled"
    by: str  # "selectivity" for what decides a table, "specialist" for threshold and rule
    error: str  # why it is an error; empty if it is not
    beyond_alone: float  # share of categories with a feature beyond chance, all else as by default
    same_alone: float  # share of categories × sites whose top feature is then the default's
    specifications: int  # that make this choice
    beyond_mean: float  # the same two, averaged over them
    same_mean: float
    """The share of equal top features, averaged likewise."""


@dataclass(frozen=True)
class Multiverse:
    """A method study: which claims depend on how it was done."""

    permutations: int
    """Random labellings behind each p-value."""
    specifications: dict[str, list[Specification]]  # by "selectivity" and "specialist"
    default: dict[str, int]  # the place of the default specification among each measure's
    claims: list[MultiverseClaim]
    """One a category and measure."""
    choices: list[Choice]
    """What each single choice does."""
    padded_together: int  # texts a batch, each padded to the longest of them
