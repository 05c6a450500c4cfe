"""Variants: the same class changed in other ways, to see how much hangs on the way that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from faultlens.audit.interventions.controls import Edited
from faultlens.audit.steps import Variant

if TYPE_CHECKING:
    from faultlens.audit.interventions.trials import Trials

WHERE_IT_FIRES = "where the class fires"
SCALES = (0.0, 0.5, 1.5, 2.0)  # of the class's activations: dose and response


def variants(trials: Trials, features: Sequence[int], prompts: np.ndarray) -> list[Variant]:
    """The failures of the necessity test under other doses, other values, other positions."""
    codes = trials.codes
    roles, rows = codes.roles, codes.firing_rows(features, prompts)
    own = codes.values(rows, features)
    everywhere = codes.rows(prompts)
    last = np.array([codes.rows_of(int(prompt)).stop - 1 for prompt in prompts])
    means = trials.success_means[:, list(features)]
    overall = codes.mean_by_role(np.arange(len(trials.failed)))[:, list(features)]
    successes = codes.rows(np.flatnonzero(~trials.failed))
    most = codes.values(successes, features).max(axis=0)
    resampled = _resampled(trials, features, rows)
    ways: list[tuple[str, str, np.ndarray, np.ndarray, float | None]] = [
        *((f"scaled by {s:g}", WHERE_IT_FIRES, rows, s * own, s) for s in SCALES),
        ("set to the mean of all prompts", WHERE_IT_FIRES, rows, overall[roles[rows]], None),
        ("clamped to its largest on successes", WHERE_IT_FIRES, rows, np.minimum(own, most), None),
        ("resampled from successes", WHERE_IT_FIRES, rows, resampled, None),
        ("set to the successes' mean", "all positions", everywhere, means[roles[everywhere]], None),
        ("set to the successes' mean", "last position", last, means[roles[last]], None),
    ]
    found = []
    for kind, positions, at, wanted, scale in ways:
        margin, changed, _ = trials.answers(Edited(at, features, wanted), prompts)
        turned = (margin <= 0) & (changed > 0)
        change = float((changed - margin).mean())
        found.append(Variant(kind, positions, len(prompts), change, float(turned.mean()), scale))
    return found


def _resampled(trials: Trials, features: Sequence[int], rows: np.ndarray) -> np.ndarray:
    """For each token the activations at the same role of a random success, `[rows, features]`.

    A role that no success has takes the successes' mean.
    """
    codes = trials.codes
    rng = np.random.default_rng(trials.seed)
    donors = codes.rows(np.flatnonzero(~trials.failed))
    found: np.ndarray = trials.success_means[codes.roles[rows]][:, list(features)]
    for role in np.unique(codes.roles[rows]):
        able = donors[codes.roles[donors] == role]
        mine = np.flatnonzero(codes.roles[rows] == role)
        if len(able):
            found[mine] = codes.values(rng.choice(able, len(mine)), features)
    return found
