"""Step 1: outcomes."""

from __future__ import annotations

from dataclasses import dataclass, field

SCORED_WRONG = "first token right, word wrong"
"""The kind of failure that may be the scoring rule's and not the model's."""


@dataclass(frozen=True)
class PromptOutcome:
    """What the model did on one prompt.

    The margin is of the strongest right answer; logit difference and probability are the target's,
    whichever accepted answer was given.
    """

    prompt: str
    """The prompt's text."""
    target: str  # the prompt's own
    generated: str | None
    """What was generated after it; null where it was not recorded."""
    success: bool
    """Whether the answer is right under the rule."""
    kind: str
    """The kind of outcome."""
    logit_difference: float | None  # target − foil
    margin: float | None = None  # strongest right token − strongest other
    target_log_probability: float | None = None  # nats, of the whole target after the prompt
    accepted: list[str] = field(default_factory=list)  # further answers that are right
    answer: str | None = None  # the right answer that the audit's rule found; None: it found none
    before_answer: str = ""
    """What a chat model's reply says before its answer: target and foil are compared after it."""
    repeated: str = ""
    """What a chat model's reply repeats of its prompt at its beginning: rules of text read what
    comes after it."""

    @property
    def said(self) -> str:
        """What was generated, without what it repeats of the prompt."""
        return (self.generated or "")[len(self.repeated) :]

    @property
    def answers(self) -> list[str]:
        """All answers that are right, the target first."""
        return [self.target, *self.accepted]


@dataclass(frozen=True)
class Rescoring:
    """Whether the model that read a log's prompts gives the answers that the log holds."""

    rule: str | None
    """Rule by which answers are scored again; null where none can be."""
    reason: str | None
    """Why nothing is tested by intervening; null where something can be."""
    start: str
    """What stood before each prompt as it was answered, e.g. `<s>`; or `nothing`."""
    failures: int = 0
    """Failures that were scored again."""
    failures_again: int = 0
    """Those of them that fail again."""
    successes: int = 0
    """Successes that were scored again."""
    successes_again: int = 0
    """Those of them that succeed again."""
    compared: str | None = None
    """What the log recorded to know its model by: `log-likelihood` of the target, or the `text`
    that was generated; null: neither."""
    prompts: int = 0
    """Prompts on which that was compared."""
    equal: int = 0
    """Those of them on which this model gives the same."""


@dataclass(frozen=True)
class RuleReading:
    """The outcomes under one rule of scoring."""

    failures: int
    """Number of prompts that fail under the rule."""
    accuracy: float
    """Share of prompts that succeed under it."""
    levels: dict[str, dict[str, int]]  # failures at each level of each factor
