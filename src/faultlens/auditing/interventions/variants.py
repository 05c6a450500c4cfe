"""Variants: the same class changed in other ways, to see how much hangs on the way that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from faultlens.auditing.interventions.edits import Positions, Setting, edit_at
from faultlens.auditing.result import Variant

if TYPE_CHECKING:
    from faultlens.auditing.interventions.ablation import Ablation

WHERE_IT_FIRES = "where the class fires"
WORDS: dict[Positions, str] = {
    "firing": WHERE_IT_FIRES,
    "all": "all positions",
    "last": "last position",
}
SCALES = (0.0, 0.5, 1.5, 2.0)  # of the class's activations: dose and response


def variants(trials: Ablation, features: Sequence[int], prompts: np.ndarray) -> list[Variant]:
    """The failures of the necessity test under other doses, other values, other positions."""
    codes, normal = trials.codes, trials.normal
    everyone = Setting("mean", among=np.arange(len(trials.failed)))
    most = codes.values(codes.rows(trials.successes), features).max(axis=0)
    capped = Setting("clamp", bounds=(-np.inf, most))
    resampled = Setting("resample", among=trials.successes, seed=trials.seed)
    ways: list[tuple[str, Setting, Positions]] = [
        *((f"scaled by {s:g}", Setting("scale", s), "firing") for s in SCALES),
        ("set to the mean of all prompts", everyone, "firing"),
        ("clamped to its largest on successes", capped, "firing"),
        ("resampled from successes", resampled, "firing"),
        ("set to the successes' mean", normal, "all"),
        ("set to the successes' mean", normal, "last"),
    ]
    found = []
    for kind, setting, positions in ways:
        edited = edit_at(codes, features, prompts, setting, positions)
        margin, _, changed, _ = trials.bench.answers(edited, prompts)
        wrong = margin <= 0
        turned = float((changed[wrong] > 0).mean()) if wrong.any() else 0.0
        change = float((changed - margin).mean())
        scale = setting.amount if setting.kind == "scale" else None
        found.append(Variant(kind, WORDS[positions], len(prompts), change, turned, scale))
    return found
