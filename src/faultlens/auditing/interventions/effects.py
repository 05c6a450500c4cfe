"""Effect: what a change does to the margin beyond its controls, with p-value and interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.result import ControlFamily, Effect
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
        features: which controls are features, boolean `[controls]`.
    """

    margin: np.ndarray
    changed: np.ndarray
    controls: np.ndarray
    foil: np.ndarray
    features: np.ndarray


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
    seed: int,
    blocks: np.ndarray | None = None,
) -> Effect:
    """One deciding test; `with_holm` fills in `p_holm` and `shown` once the family is complete.

    p is the test's, of whether each control's change is at least as large in the direction of the
    claim; all else is taken over all controls that were run.

    Args:
        blocks: which prompts belong together, whole numbers `[prompts]`; None: none do.
    """
    up = claim == NECESSITY
    change = found.changed - found.margin
    by_control = found.controls - found.margin
    adjusted = change - by_control.mean(axis=0)
    larger = as_large(found, claim)
    counted = test.counted(larger)
    # What is right already cannot be restored, nor what is wrong be broken: a failure may begin as
    # the target does, and go wrong later.
    able = found.margin <= 0 if up else found.margin > 0
    after, controls = found.changed[able] > 0, found.controls[:, able] > 0
    turned, control_turned = after == up, (controls == up).mean(axis=0)
    turned_low, turned_high = 0.0, 1.0
    if able.any():
        turned_low, turned_high = bootstrap_mean(
            turned - control_turned, np.random.default_rng(seed),
            blocks=None if blocks is None else blocks[able],
        )  # fmt: skip
    low, high = bootstrap_mean(adjusted, np.random.default_rng(seed), blocks=blocks)
    low_90, high_90 = bootstrap_mean(adjusted, np.random.default_rng(seed), 0.9, blocks=blocks)
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
        control_features=int(found.features.sum()),
        shown=False,
        turned=int(turned.sum()),
        turned_share=float(turned.mean()) if able.any() else 0.0,
        control_turned_share=float(control_turned.mean()) if able.any() else 0.0,
        turned_low=turned_low,
        turned_high=turned_high,
        foil_change=None if np.isnan(found.foil).all() else float(np.nanmean(found.foil)),
        could_turn=int(able.sum()),
        controls_planned=test.planned,
        controls_counted=counted,
        controls_as_large=int(larger[:counted].sum()),
        families=[
            _family(name, larger[of], by_control.mean(axis=1)[of])
            for name, of in (("features", found.features), ("covariance", ~found.features))
            if of.any()
        ],
    )


def _family(name: str, larger: np.ndarray, changes: np.ndarray) -> ControlFamily:
    """The controls of one family by themselves: whether each is as large, and its mean change."""
    n, count = len(larger), int(larger.sum())
    return ControlFamily(name, n, count, float(changes.mean()), (1 + count) / (n + 1))


def with_holm(effects: list[Effect], alpha: float, least: float) -> list[Effect]:
    """The same effects with p after Holm over all of them, and whether each is shown.

    Shown: p after Holm ≤ alpha, the 95 % interval excludes 0 on the side of the claim, and the
    effect beyond the controls is `least` nats or more on that side.
    """
    if not effects:
        return []
    adjusted = holm(np.array([effect.p_value for effect in effects]))
    corrected = [
        replace(effect, p_holm=float(p), least=least)
        for effect, p in zip(effects, adjusted, strict=True)
    ]
    return [
        replace(effect, shown=effect.significant(alpha) and effect.large_enough)
        for effect in corrected
    ]
