"""Step 8: counterfactual pairs: the same prompt with one level of one factor swapped."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlens.auditing.result.correlates import Interval


@dataclass(frozen=True)
class Patch:
    """What part of a swap's effect passes through something, at the aligned positions.

    Shares are `mean change under the patch / mean change under the swap`, of the margin, with a
    bootstrap interval over pairs; None where the swap itself changes nothing beyond chance.
    """

    features: list[str]  # of the class; empty for the whole value at the site
    site: str
    pairs: int
    activation_original: float | None  # mean of the strongest member's largest; None: a whole
    activation_swapped: float | None
    denoise: Interval | None  # original prompts with the values of the swapped ones
    noise: Interval | None  # swapped prompts with the values of the original ones
    denoise_change: float  # of the margin, nats
    noise_change: float
    restored: int  # original failures, right after the swap, whose first token becomes right
    restorable: int  # original failures that the swap itself turns right (first token)
    requested: bool = False  # whether the user asked for the features: then they are no class


@dataclass(frozen=True)
class Counterfactual:
    """One level of a factor swapped for another in every prompt that has it."""

    factor: str
    level: str
    swapped_for: str
    pairs: int
    unaligned: int  # prompts left out, for the swap could not be made or aligned
    failures_original: int
    failures_swapped: int
    failure_to_success: int
    success_to_failure: int
    p_mcnemar: float
    margin_change: Interval  # swapped − original, mean over pairs, bootstrap
    patches: list[Patch]


@dataclass(frozen=True)
class Counterfactuals:
    """All swaps, or the reason why there is none."""

    swaps: list[Counterfactual]
    reason: str | None
    not_swapped: dict[str, str] = field(default_factory=dict)  # by `FACTOR = LEVEL`, why not
