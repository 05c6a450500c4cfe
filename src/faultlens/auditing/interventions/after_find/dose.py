"""Dose and response: does more of a class always move the margin the same way?"""

from __future__ import annotations

import numpy as np

from faultlens.auditing.result import Dose, Intervention

TOLERANCE = 0.05  # of the whole range of changes: a step back that is none


def dose_response(done: Intervention) -> Dose | None:
    """The scaled variants of a trial in order; None of a trial that has none.

    Its own activation (times 1) is no change; of a reversed test nothing (times 0) is none.
    """
    doses = {v.scale: v.change for v in done.variants if v.scale is not None}
    if not doses:
        return None
    doses[0.0 if done.reversed else 1.0] = 0.0
    scales = sorted(doses)
    changes = np.array([doses[scale] for scale in scales])
    steps = np.diff(changes) * (1 if done.reversed else -1)
    monotone = bool((steps >= -TOLERANCE * np.ptp(changes)).all() or
                    (steps <= TOLERANCE * np.ptp(changes)).all())  # fmt: skip
    return Dose(scales, changes.tolist(), monotone)
