"""Placed edit: an edit worked out for given tokens, ready to be run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.edits import Edit, EditContext, GeneratedRule

Generated = Literal["all", "firing", "none"]
"""Which generated tokens are edited: each one, those at which a feature fires, or none."""


@dataclass(frozen=True, eq=False)
class PlacedEdit:
    """What features are set to at which tokens.

    Attributes:
        rows: the edited tokens, as rows of the codes.
        features: the features.
        wanted: what they are set to there, `[rows, features]`.
        generated: what they are set to at each generated token; None: those are left as they are.
    """

    rows: np.ndarray
    features: FeatureSet
    wanted: np.ndarray
    generated: GeneratedRule | None = None


def place_edit(
    edit: Edit,
    context: EditContext,
    features: FeatureSet,
    rows: np.ndarray,
    generated: Generated = "all",
) -> PlacedEdit:
    """Work an edit out for the tokens `rows`, and for the tokens that are generated."""
    indices = features.indices
    rule = None if generated == "none" else edit.at_generated(context, indices)
    if rule is not None and generated == "firing":
        rule = _where_firing(rule)
    return PlacedEdit(rows, features, edit.at_prompt(context, rows, indices), rule)


def edit_where_firing(
    edit: Edit, context: EditContext, features: FeatureSet, prompts: np.ndarray
) -> PlacedEdit:
    """An edit at every token at which one of the features fires, generated tokens included."""
    rows = context.codes.firing_rows(features.indices, prompts)
    return place_edit(edit, context, features, rows, "firing")


def _where_firing(rule: GeneratedRule) -> GeneratedRule:
    return lambda own: torch.where((own > 0).any(dim=-1, keepdim=True), rule(own), own)
