"""Sensitivity: the same features edited in other ways, to see how much depends on the edit."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.edits import Clamp, Edit, EditContext, Mean, Resample, Scale
from faultlens.auditing.interventions.placed_edit import Generated, PlacedEdit, place_edit
from faultlens.auditing.result import Variant

WHERE_IT_FIRES = "where the class fires"
SCALES = (0.0, 0.5, 1.5, 2.0)  # of the class's activations: dose and response


def variants(
    runner: EditRunner, context: EditContext, features: FeatureSet, prompts: np.ndarray, seed: int
) -> list[Variant]:
    """The prompts of the necessity test under other doses, other values and other positions.

    Args:
        prompts: failures on which the class fires.
        seed: of resampling.
    """
    codes, indices = context.codes, features.indices
    firing, everywhere = codes.firing_rows(indices, prompts), codes.rows(prompts)
    last = np.array([codes.rows_of(int(prompt)).stop - 1 for prompt in prompts])
    successes = context.groups.indices("successes")
    most = codes.values(codes.rows(successes), indices).max(axis=0)
    normal = Mean(among="successes")
    at_firing: list[tuple[str, Edit, float | None]] = [
        *((f"scaled by {s:g}", Scale(s), s) for s in SCALES),
        ("set to the mean of all prompts", Mean(among="all"), None),
        ("clamped to its largest on successes", Clamp(-np.inf, most), None),
        ("resampled from successes", Resample(among="successes", seed=seed), None),
    ]

    def placed(edit: Edit, rows: np.ndarray, generated: Generated) -> PlacedEdit:
        return place_edit(edit, context, features, rows, generated)

    def measured(kind: str, where: str, edit: PlacedEdit, scale: float | None = None) -> Variant:
        return measured_variant(runner, edit, prompts, kind, where, scale)

    return [
        *(
            measured(kind, WHERE_IT_FIRES, placed(edit, firing, "firing"), scale)
            for kind, edit, scale in at_firing
        ),
        measured("set to the successes' mean", "all positions", placed(normal, everywhere, "all")),
        measured("set to the successes' mean", "last position", placed(normal, last, "all")),
    ]


def measured_variant(
    runner: EditRunner,
    edit: PlacedEdit,
    prompts: np.ndarray,
    kind: str,
    where: str,
    scale: float | None = None,
) -> Variant:
    """What an edit does to some prompts: how far the margin moves, how many failures turn right."""
    margin, _, changed, _ = runner.margins(edit, prompts)
    wrong = margin <= 0
    turned = float((changed[wrong] > 0).mean()) if wrong.any() else 0.0
    return Variant(kind, where, len(prompts), float((changed - margin).mean()), turned, scale)
