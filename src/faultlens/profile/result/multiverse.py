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
    percentile: float | None  # of the positive values: the threshold; None for AUROC
    rule: str | None  # "exhaustive" or "shortlist"; None for AUROC
    errors: list[str]  # why its numbers are not what they seem; empty if it is sound

    @property
    def sound(self) -> bool:
        return not self.errors


@dataclass(frozen=True)
class MultiverseClaim:
    """One claim under every specification: that a category has a feature beyond chance."""

    category: str
    by: str  # "selectivity" (AUROC) or "specialist" (score)
    by_default: bool  # whether it holds under the default specification
    share: float  # of all specifications under which it holds
    share_sound: float  # of the sound ones
    holds: list[bool]  # in the order of the specifications of that measure
    values: list[float]  # the category's best AUROC or score over the sites


@dataclass(frozen=True)
class Choice:
    """What one choice does, averaged over all others."""

    name: str  # e.g. "padding"
    value: str  # e.g. "pooled"
    error: str  # why it is an error; empty if it is not
    specifications: int
    beyond_chance: float  # mean share of categories with a feature beyond chance by AUROC
    same_feature: float  # share of categories × sites whose top feature is the default's


@dataclass(frozen=True)
class Multiverse:
    """A method study: which claims depend on how it was done."""

    permutations: int
    specifications: dict[str, list[Specification]]  # by "selectivity" and "specialist"
    claims: list[MultiverseClaim]
    choices: list[Choice]
