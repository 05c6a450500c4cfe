"""What is asked of features once an effect of theirs is shown; described, none of it decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dose:
    """How the margin answers to how much of a class there is."""

    scales: list[float]
    """Times its own activation; of a reversed test times its mean where it fires."""
    changes: list[float]
    """Mean change of the margin of failures at each scale, nats."""
    monotone: bool
    """Whether more of the class always moves the margin the same way, but for a twentieth of the
    whole range."""


@dataclass(frozen=True)
class Absorption:
    """Whether other features stand in for a class where its direction is there and it is silent."""

    silent: int
    """Failures on which the class is silent."""
    with_direction: int
    """Of these, those whose values reach along the class's direction at least as far, in the same
    places, as where it fires weakly (the lower quartile)."""
    children: list[str]
    """Features that fire there and point the same way (cosine at least .3), at most three, those
    that hold most of it first."""
    prompts: int
    """Failures on which the class, or one of these, fires: taken away together below."""
    alone: float | None
    """Mean change of their margin with the class alone taken away, nats; null without children."""
    with_children: float | None
    """The same with the children taken away as well."""


@dataclass(frozen=True)
class ErrorRecovery:
    """How much of a class's direction its dictionary leaves in the error term."""

    prompts: int
    """Number of failures: those of the necessity test."""
    features: float
    """Mean change of the margin when the class alone is set to normal, nats."""
    with_error: float
    """The same when the error term's part along the class's direction is set to its mean over the
    successes, too."""


@dataclass(frozen=True)
class OffTask:
    """What the change does where it should do nothing."""

    text: str
    """What was read: `general text`, or a task."""
    tokens: int
    """Number of tokens whose next token was predicted."""
    fires: int
    """Tokens at which the class fires, and is changed."""
    kl: float
    """Mean Kullback–Leibler divergence of the prediction from the unchanged one, nats a token."""
    control_kl: float
    """The same under changes as long at the same tokens, along other features' directions; mean."""
    controls: int
    """Number of these."""
    as_large: int
    """Number of them with at least the class's divergence."""


@dataclass(frozen=True)
class Rewording:
    """The effect on prompts of one wording."""

    factor: str
    """The factor whose levels are wordings of the same question."""
    level: str
    """The wording."""
    prompts: int
    """Failures with this wording on which necessity was measured again."""
    change: float
    """Mean change of their margin, nats; no controls."""
    turned: int
    """Of those whose first token was wrong, the number that come right."""
    could_turn: int
    """Number of those."""


@dataclass(frozen=True)
class UnderRewordings:
    """The effect on the prompts in other words, which the user gave."""

    rewordings: int
    """Rewordings of failures on which the class fires (of a reversed test: is silent)."""
    failures: int
    """Of these, the number that fail too: no right answer's first token is the likeliest."""
    fires: int
    """Of those, the number on which the class fires too (is silent, and can be brought in)."""
    prompts: int
    """Of those, the number on which necessity was measured again; 30 at most."""
    change: float | None
    """Mean change of their margin, nats; no controls. Null where it was not measured."""
    low: float | None
    """Lower end of its 95 % interval, by a bootstrap over the prompts that they reword."""
    high: float | None
    """Upper end of the same interval."""
    on_originals: float | None
    """The same change, on the prompts that they reword."""
    turned: int
    """Of those whose first token was wrong, the number that come right."""
    could_turn: int
    """Number of those."""
    missing: str | None = None
    """Why it was not measured; null where it was."""

    @property
    def holds(self) -> bool | None:
        """Whether the change raises the margin again, beyond chance; None: not measured."""
        return None if self.low is None else self.low > 0


@dataclass(frozen=True)
class AfterFind:
    """What was asked once an effect was shown; an entry is null where it could not be."""

    dose: Dose | None
    """Dose and response."""
    absorption: Absorption | None
    """Other features that stand in for it; null of a reversed test."""
    error_recovery: ErrorRecovery | None
    """What of it the error term holds; null of a reversed test, and of a transcoder."""
    off_task: list[OffTask]
    """What it costs elsewhere: on general text, and on another task."""
    rewordings: list[Rewording]
    """The effect by wording; empty where no factor gives wordings."""
    under_rewordings: UnderRewordings | None = None
    """The effect on the prompts in the user's other words; null where none were given."""
