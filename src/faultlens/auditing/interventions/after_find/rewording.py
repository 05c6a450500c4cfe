"""Rewording: the effect again, wording by wording, where a factor gives wordings."""

from __future__ import annotations

import numpy as np

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import NORMAL, Ablation
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.placed_edit import PlacedEdit, edit_where_firing, place_edit
from faultlens.auditing.interventions.reversed_test import edited_rows, usual, with_roles
from faultlens.auditing.result import Rewording
from faultlens.corpus.task import Task

WORDINGS = ("template", "template_id", "wording", "paraphrase", "phrasing")
"""Factors by these names have wordings of the same question as their levels."""
LEAST = 3  # failures of a wording on which something can be said
MOST = 20  # on which it is measured


def by_wording(
    ablation: Ablation, features: FeatureSet, task: Task, reverse: bool
) -> list[Rewording]:
    """The necessity test's change on failures of each wording; empty where none are given."""
    factor = next((name for name in WORDINGS if name in task.factors), None)
    if factor is None:
        return []
    fires = ablation.codes.fires(features.indices)
    failing = np.flatnonzero(ablation.failed & (~fires if reverse else fires))
    if reverse:
        failing = with_roles(ablation, features, failing)
    levels = np.array(task.factors[factor])
    found = []
    for level in sorted(set(levels.tolist())):
        prompts = failing[levels[failing] == level][:MOST]
        if len(prompts) < LEAST:
            continue
        placed = placed_again(ablation, features, prompts, reverse)
        found.append(_measured(ablation.runner, placed, prompts, factor, level))
    return found


def placed_again(
    ablation: Ablation, features: FeatureSet, prompts: np.ndarray, reverse: bool
) -> PlacedEdit:
    """The necessity test's edit on some failures; `reverse`: of features that go with success."""
    if not reverse:
        return edit_where_firing(NORMAL, ablation.context, features, prompts)
    rows = edited_rows(ablation, features, prompts)
    return place_edit(usual(ablation, features), ablation.context, features, rows, "none")


def _measured(
    runner: EditRunner, placed: PlacedEdit, prompts: np.ndarray, factor: str, level: str
) -> Rewording:
    margin, _, changed, _ = runner.margins(placed, prompts)
    wrong = margin <= 0
    return Rewording(
        factor,
        level,
        len(prompts),
        float((changed - margin).mean()),
        int((changed[wrong] > 0).sum()),
        int(wrong.sum()),
    )
