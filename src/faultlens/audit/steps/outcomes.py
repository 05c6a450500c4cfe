"""Step 1: outcomes."""

from __future__ import annotations

from dataclasses import dataclass

SCORED_WRONG = "first token right, word wrong"
"""The kind of failure that may be the scoring rule's and not the model's."""


@dataclass(frozen=True)
class PromptOutcome:
    """What the model did on one prompt."""

    prompt: str
    target: str
    generated: str | None
    success: bool
    kind: str
    logit_difference: float | None  # target − foil
    margin: float | None = None  # strongest right token − strongest other
    target_log_probability: float | None = None  # nats, of the whole target after the prompt


@dataclass(frozen=True)
class RuleReading:
    """The outcomes under one rule of scoring."""

    failures: int
    accuracy: float
    levels: dict[str, dict[str, int]]  # failures at each level of each factor
