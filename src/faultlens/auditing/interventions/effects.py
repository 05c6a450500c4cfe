"""Effect: what a change does to the margin beyond its controls, with p-value and interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.result import Effect
from faultlens.stats.intervals import bootstrap_mean
from faultlens.stats.multiplicity import holm
from faultlens.stats.sequential import SequentialTest

NECESSITY, SUFFICIENCY = "necessity", "sufficiency"


@dataclass(frozen=True, eq=False)
class Measured:
    """The answers of some prompts: clean, under a class's change, and under each control.

    Attributes:
        margin: `[prompts]`.
        changed: `[prompts]`.
        controls: in the order of the draw, `[controls, prompts]`.
        foil: change of `logit(target) − logit(foil)`, `[prompts]`; NaN where there is no foil.
    """

    margin: np.ndarray
    changed: np.ndarray
    controls: np.ndarray
    foil: np.ndarray


def as_large(found: Measured, claim: str) -> np.ndarray:
    """Whether each control's mean change is at least the class's, in the direction of the claim."""
    change = (found.changed - found.margin).mean()
    of_controls = (found.controls - found.margin).mean(axis=1)
    larger: np.ndarray = of_controls >= change if claim == NECESSITY else of_controls <= change
    return larger


def effect_of(
    found: Measured,
    test: SequentialTest,
    *,
    claim: str,
    kind: str,
    on: str,
    positions: str,
    control_features: int,
    seed: int,
) -> Effect:
    """One deciding test; `with_holm` fills in `p_holm` and `shown` once the family is complete.

    p is the test's, of whether each control's change is at least as large in the direction of the
    claim; all else is taken over all controls that were run.
    """
    up = claim == NECESSITY
    change = found.changed - found.margin
    by_control = found.controls - found.margin
    adjusted = change - by_control.mean(axis=0)
    larger = as_large(found, claim)
    # What is right already cannot be restored, nor what is wrong be broken: a failure may begin as
    # the target does, and go wrong later.
    able = found.margin <= 0 if up else found.margin > 0
    after, controls = found.changed[able] > 0, found.controls[:, able] > 0
    turned, control_turned = after == up, (controls == up).mean(axis=0)
    turned_low, turned_high = 0.0, 1.0
    if able.any():
        turned_low, turned_high = bootstrap_mean(
            turned - control_turned, np.random.default_rng(seed)
        )
    low, high = bootstrap_mean(adjusted, np.random.default_rng(seed))
    low_90, high_90 = bootstrap_mean(adjusted, np.random.default_rng(seed), level=0.9)
    return Effect(
        claim=claim,
        kind=kind,
        on=on,
        positions=positions,
        prompts=len(change),
        change=float(change.mean()),
        control_change=float(by_control.mean()),
        adjusted=float(adjusted.mean()),
        low=low,
        high=high,
        low_90=low_90,
        high_90=high_90,
        p_value=test.p_value(larger),
        p_holm=None,
        controls=len(by_control),
        control_features=control_features,
        shown=False,
        turned=int(turned.sum()),
        turned_share=float(turned.mean()) if able.any() else 0.0,
        control_turned_share=float(control_turned.mean()) if able.any() else 0.0,
        turned_low=turned_low,
        turned_high=turned_high,
        foil_change=None if np.isnan(found.foil).all() else float(np.nanmean(found.foil)),
        could_turn=int(able.sum()),
        controls_planned=test.most,
        controls_counted=test.counted(larger),
    )


def with_holm(effects: list[Effect], alpha: float) -> list[Effect]:
    """The same effects with p after Holm over all of them, and whether each is shown.

    Shown: p after Holm ≤ alpha, and the 95 % interval excludes 0 on the side of the claim.
    """
    if not effects:
        return []
    adjusted = holm(np.array([effect.p_value for effect in effects]))
    return [
        replace(
            effect,
            p_holm=float(p),
            shown=bool(
                p <= alpha and (effect.low > 0 if effect.claim == NECESSITY else effect.high < 0)
            ),
        )
        for effect, p in zip(effects, adjusted, strict=True)
    ]
