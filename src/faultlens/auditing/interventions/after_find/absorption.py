"""Absorption: other features that stand in for a class where its direction is there, and it is not.

A dictionary may split what a feature stands for: on some prompts a narrower feature that points the
same way fires in its place, and taking the class away there takes nothing away (Chanin et al. 2024,
"A is for absorption"). The narrower features are added, and the change is made again.
"""

from __future__ import annotations

import numpy as np
import torch

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import NORMAL, Ablation
from faultlens.auditing.interventions.placed_edit import edit_where_firing
from faultlens.auditing.result import Absorption

QUARTILE = 0.25  # of the projections where the class fires: from there on its direction is there
COSINE = 0.3  # of a child's direction and the class's, at least
CHILDREN = 3  # that are added, at most


def absorption(ablation: Ablation, features: FeatureSet) -> Absorption:
    """What stands in for a class on failures where it is silent, and what taking that away does.

    Projections are on the direction of the class's first feature, at the roles where it fires.
    """
    codes, dictionary = ablation.codes, ablation.dictionary
    fires = codes.fires(features.indices)
    silent = np.flatnonzero(ablation.failed & ~fires)
    children: list[int] = []
    with_direction: np.ndarray = silent[:0]
    if len(silent):
        roles = ablation.firing_roles(features)
        direction = dictionary.W_dec[features.indices[0]]
        direction = direction / direction.norm()
        firing = codes.firing_rows(features.indices, np.flatnonzero(ablation.failed & fires))
        firing = firing[np.isin(codes.roles[firing], roles)]
        rows = ablation.tokens_of_roles(silent, roles)
        limit = np.quantile(projections(ablation, firing, direction), QUARTILE)
        there = rows[projections(ablation, rows, direction) >= limit]
        with_direction = silent[np.isin(silent, prompts_of(ablation, there))]
        children = _children(ablation, there, direction, features)
    if not children:
        with_it = int((ablation.failed & fires).sum())
        return Absorption(len(silent), len(with_direction), [], with_it, None, None)
    larger = FeatureSet(features.site, (*features.indices, *children))
    prompts = ablation.drawn(np.flatnonzero(ablation.failed & codes.fires(larger.indices)))
    changes = []
    for which in (features, larger):
        placed = edit_where_firing(NORMAL, ablation.context, which, prompts)
        margin, _, changed, _ = ablation.runner.margins(placed, prompts)
        changes.append(float((changed - margin).mean()))
    names = FeatureSet(features.site, tuple(children)).names
    return Absorption(len(silent), len(with_direction), names, len(prompts), *changes)


def projections(ablation: Ablation, rows: np.ndarray, direction: torch.Tensor) -> np.ndarray:
    """The site's values at some rows of the codes along a direction, `[rows]`."""
    found = np.zeros(len(rows))
    of = prompts_of(ablation, rows)
    for prompt in np.unique(of):
        mine = of == prompt
        values = ablation.activations.values.of([int(prompt)])[ablation.dictionary.target][0]
        at = torch.from_numpy(rows[mine] - ablation.codes.starts[prompt])
        found[mine] = (values[at].float() @ direction.to(values.device)).cpu().numpy()
    return found


def prompts_of(ablation: Ablation, rows: np.ndarray) -> np.ndarray:
    """The prompt of each of some rows of the codes, `[rows]`."""
    found: np.ndarray = np.searchsorted(ablation.codes.starts, rows, side="right") - 1
    return found


def _children(
    ablation: Ablation, rows: np.ndarray, direction: torch.Tensor, features: FeatureSet
) -> list[int]:
    """The features that fire at some rows and hold most of what lies along the direction there."""
    if not len(rows):
        return []
    W_dec = ablation.dictionary.W_dec
    along = (W_dec @ direction).cpu().numpy()
    cosine = along / W_dec.norm(dim=1).cpu().numpy()
    held = np.asarray(ablation.codes.matrix[rows].sum(axis=0)).ravel() * along
    held[cosine < COSINE] = 0
    held[list(features.indices)] = 0
    order = np.argsort(-held)[:CHILDREN]
    return [int(feature) for feature in order if held[feature] > 0]
