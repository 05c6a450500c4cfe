"""Charts of one feature's activations."""

from __future__ import annotations

import numpy as np

from faultlens.numbers import number
from faultlens.report.figures.chart import Bars

BINS = 6


def activation_bars(largest: np.ndarray, failed: np.ndarray) -> Bars:
    """How the largest activation on each prompt is spread, failures beside successes.

    Args:
        largest: by prompt, 0 where the feature is silent, `[prompts]`.
        failed: which prompts fail, `[prompts]`.
    """
    edges = np.linspace(0.0, float(largest.max(initial=0.0)) or 1.0, BINS + 1)
    place = np.ceil(largest / edges[-1] * BINS).astype(int).clip(0, BINS)  # 0: silent
    names = ["silent", *(f"≤ {number(float(edge))}" for edge in edges[1:])]
    return Bars(
        tuple(names),
        (
            ("failures", "striking", _shares(place[failed])),
            ("successes", "plain", _shares(place[~failed])),
        ),
        "largest activation on a prompt",
        "share of prompts",
    )


def _shares(places: np.ndarray) -> tuple[float, ...]:
    counts = np.bincount(places, minlength=BINS + 1)
    return tuple((counts / max(len(places), 1)).tolist())
