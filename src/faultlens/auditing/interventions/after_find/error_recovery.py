"""Error recovery: what of a class's direction the dictionary leaves in the error term.

An edit of features keeps the error term, and what the model reads along their direction can come
back through it. The same edit is made once more with the error term's part along the direction of
the class's first feature set to its mean over the successes, at the edited tokens.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import NORMAL, Ablation
from faultlens.auditing.interventions.after_find.absorption import prompts_of
from faultlens.auditing.interventions.placed_edit import edit_where_firing
from faultlens.auditing.result import ErrorRecovery


def error_recovery(ablation: Ablation, features: FeatureSet) -> ErrorRecovery | None:
    """The necessity test's change with and without the error term's part; None of a transcoder."""
    dictionary = ablation.dictionary
    if dictionary.target != dictionary.site:
        return None
    failing = np.flatnonzero(ablation.failed & ablation.codes.fires(features.indices))
    prompts = ablation.drawn(failing)
    direction = dictionary.W_dec[features.indices[0]]
    direction = direction / direction.norm()
    usual = _usual(ablation, features, direction)
    placed = edit_where_firing(NORMAL, ablation.context, features, prompts)
    alone, both = [], []
    for run in ablation.runner.cached_runs(placed, prompts):
        change = ablation.runner.change(placed, run)
        error = _along(ablation, run.values_at(dictionary.site), direction)
        edited = (change != 0).any(dim=-1)
        further = (usual - error)[..., None] * direction * edited[..., None]
        before = run.untouched.margin
        alone += (run.measure(change).margin - before).tolist()
        both += (run.measure(change + further.to(change.dtype)).margin - before).tolist()
    return ErrorRecovery(len(prompts), float(np.mean(alone)), float(np.mean(both)))


def _usual(ablation: Ablation, features: FeatureSet, direction: Tensor) -> float:
    """The error term's mean along the direction, over successes, at the roles of the class."""
    roles = ablation.firing_roles(features)
    successes = ablation.drawn(ablation.successes)
    rows = ablation.tokens_of_roles(successes, roles)
    if not len(rows):
        return 0.0
    found = []
    of = prompts_of(ablation, rows)
    for prompt in np.unique(of):
        values = ablation.activations.values.of([int(prompt)])[ablation.dictionary.site]
        at = torch.from_numpy(rows[of == prompt] - ablation.codes.starts[prompt])
        found += _along(ablation, values, direction)[0][at].tolist()
    return float(np.mean(found))


@torch.no_grad()
def _along(ablation: Ablation, values: Tensor, direction: Tensor) -> Tensor:
    """The error term along a direction, `[prompts, positions]`."""
    flat = values.float().flatten(0, 1)
    error = flat - ablation.dictionary.reconstruct(flat)
    return (error @ direction).view(values.shape[:2])
