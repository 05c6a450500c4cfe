"""Step 8: counterfactual pairs: the same prompt with one level of one factor swapped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from faultlens.auditing.result.correlates import Interval

Positions = Literal["aligned", "swapped", "last"]
"""Where values are moved: at every token that pairs up; at those that the swap exchanged for other
tokens; at the last one, from which the answer is read."""


@dataclass(frozen=True)
class Patch:
    """What part of a swap's effect passes through something, at the aligned positions.

    Shares are `mean change under the patch / mean change under the swap`, of the margin, with a
    bootstrap interval over pairs; None where the swap itself changes nothing beyond chance.
    """

    features: list[str]  # of the class; empty for the whole value at the site
    site: str
    """Name of the dictionary, or of the site."""
    pairs: int
    """Number of pairs patched."""
    activation_original: float | None  # mean of the strongest member's largest; None: a whole
    activation_swapped: float | None
    """The same in the swapped prompts."""
    denoise: Interval | None  # original prompts with the values of the swapped ones
    noise: Interval | None  # swapped prompts with the values of the original ones
    denoise_change: float  # of the margin, nats
    noise_change: float
    """The same of the swapped prompts, nats."""
    restored: int  # original failures, right after the swap, whose first token becomes right
    restorable: int  # original failures that the swap itself turns right (first token)
    requested: bool = False  # whether the user asked for the features: then they are no class
    positions: Positions = "aligned"
    """Where the values were moved."""


@dataclass(frozen=True)
class Counterfactual:
    """One level of a factor swapped for another in every prompt that has it."""

    factor: str
    """Name of the factor."""
    level: str
    """The level that was swapped."""
    swapped_for: str
    """The level in its place."""
    pairs: int
    """Number of prompts swapped and aligned."""
    unaligned: int  # prompts left out, for the swap could not be made or aligned
    failures_original: int
    """Number of failures among the original prompts."""
    failures_swapped: int
    """Number of failures among the swapped ones."""
    failure_to_success: int
    """Number of pairs that turn from failure to success."""
    success_to_failure: int
    """Number of pairs that turn from success to failure."""
    p_mcnemar: float
    """McNemar's exact test of these two, two-sided."""
    margin_change: Interval  # swapped − original, mean over pairs, bootstrap
    patches: list[Patch]
    """What part of the effect passes through each thing that was patched."""


@dataclass(frozen=True)
class Counterfactuals:
    """All swaps, or the reason why there is none."""

    swaps: list[Counterfactual]
    """One a level that was swapped."""
    reason: str | None
    """Why there is none; null where there are some."""
    not_swapped: dict[str, str] = field(default_factory=dict)  # by `FACTOR = LEVEL`, why not
