"""Step 7: interventions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Flips:
    """Outcomes before and after an intervention, on all prompts where the class fires."""

    prompts: int
    failure_to_success: int
    success_to_failure: int
    p_mcnemar: float  # exact, two-sided


@dataclass(frozen=True)
class Intervention:
    """What setting a class to its mean over the successes does, against matched controls.

    Effects are mean changes of the margin `logit(target) − strongest other logit` at the answer, in
    nats, over the failures where the class fires; the margin's sign is the first token's fate.
    """

    kind: str
    positions: str
    failures: int  # failing prompts on which the class fires: the effect is measured on these
    effect: float
    foil_effect: (
        float | None
    )  # the same of `logit(target) − logit(foil)`: described, not decided by
    control_effect: float  # mean over the controls
    adjusted: float  # effect − control_effect
    low: float  # bootstrap over prompts, 95 %, of the adjusted effect
    high: float
    p_value: float  # (1 + controls with at least the effect) / (controls + 1)
    controls: int
    control_features: int  # of the controls, other features; the rest are random directions
    shown: bool  # p ≤ alpha and the interval excludes 0, on the positive side
    restored: float  # share of those failures whose first token was wrong and becomes right
    control_restored: float
    flips: Flips
