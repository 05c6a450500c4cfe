"""Equivalence test: when the absence of an effect is proven, and not merely not found."""

from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from faultlens.auditing.result import Effect, Null

SHARE_OF_GAP = 0.1  # of the gap between successes and failures: what counts as no effect
MOST_RESTORED = 0.1  # one-sided 95 % upper bound of restoration; zero flips need n >= 29
LEAST_PATCHED = 0.5  # share of failures that patching the whole value must restore


def margin_gap(margin: np.ndarray, failed: np.ndarray) -> float:
    """Median margin of the successes minus that of the failures, in nats."""
    return float(np.median(margin[~failed]) - np.median(margin[failed]))


def negligible(gap: float) -> float:
    """The change of the margin up to which there is no effect to speak of, in nats.

    A null is proven within it, and an effect is shown beyond it.
    """
    return SHARE_OF_GAP * abs(gap)


def equivalence_test(necessity: Effect, gap: float, restored: float | None, patched: int) -> Null:
    """Condition by condition, whether features are proven to have no effect on the failures.

    Args:
        necessity: its test.
        gap: see `margin_gap`.
        restored: share of failures that patching the site's whole value from the swapped prompt, at
            the positions where the class is changed, restores; None: no prompt could be swapped.
        patched: on how many prompts.
    """
    bound = negligible(gap)
    # Clopper–Pearson: the one-sided 95 % bound is the upper end of the two-sided 90 %.
    turned, able = necessity.turned, necessity.able
    high = binomtest(turned, able).proportion_ci(confidence_level=0.9).high if able else 1.0
    within = bool(-bound <= necessity.low_90 and necessity.high_90 <= bound)
    few = bool(high <= MOST_RESTORED)
    sees = None if restored is None else bool(restored >= LEAST_PATCHED)
    return Null(
        gap=gap,
        bound=bound,
        restoration_high=float(high),
        restoration_bound=MOST_RESTORED,
        positive_control_restored=restored,
        positive_control_bound=LEAST_PATCHED,
        positive_control_prompts=patched,
        within=within,
        few_restored=few,
        positive_control_passed=sees,
        proven=bool(within and few and sees),
    )
