"""A tuned model against the model that it was tuned from, on the same prompts."""

from __future__ import annotations

from dataclasses import dataclass, field

from faultlens.auditing.result.correlates import Interval


@dataclass(frozen=True)
class PairedOutcomes:
    """The outcomes of the same prompts under both models."""

    n: int
    """Number of prompts."""
    failures_base: int
    """Failures of the base."""
    failures_tuned: int
    """Failures of the tuned model."""
    new: int
    """Prompts that the base gets right and the tuned model does not."""
    gone: int
    """Prompts that the tuned model gets right and the base does not."""
    p_mcnemar: float
    """McNemar's exact test of these two, two-sided."""
    p_holm: float | None = None
    """The same after Holm over all levels of all factors; null of all prompts together."""


@dataclass(frozen=True)
class TurnedPrompt:
    """A prompt whose outcome is another under the tuned model."""

    prompt: int
    """Its number, from 0."""
    became: str
    """`failure` or `success`: what it is under the tuned model."""
    generated_base: str | None
    """What the base generated."""
    generated_tuned: str | None
    """What the tuned model generated."""


@dataclass(frozen=True)
class BaseComparison:
    """What tuning changed."""

    base: str
    """The base, by its name."""
    adapter: str | None
    """The adapter's folder; null where the tuned model is a model of its own."""
    all: PairedOutcomes
    """All prompts together."""
    margin_change: Interval | None
    """Of the margin, tuned − base, mean over prompts, nats, 95 % bootstrap; null where it is not
    known of every prompt."""
    levels: dict[str, dict[str, PairedOutcomes]] = field(default_factory=dict)
    """By factor and level."""
    turned: list[TurnedPrompt] = field(default_factory=list)
    """The prompts whose outcome is another, in the order of the task."""
