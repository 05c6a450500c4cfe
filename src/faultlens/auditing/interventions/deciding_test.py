"""Deciding test: an edit of some prompts whose effect on the margin decides, before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from faultlens.auditing.interventions.effects import Measured
from faultlens.auditing.interventions.placed_edit import PlacedEdit

NOTHING: Mapping[str, Measured] = {}
"""No test has begun."""


@dataclass(frozen=True, eq=False)
class DecidingTest:
    """What a deciding test does, before any of it is run.

    Attributes:
        placed: the edit.
        prompts: those that it is run on.
        among: the prompts over which the edit takes its means, and its controls theirs.
        claim: `necessity` or `sufficiency`.
        kind: what the features are set to, in words.
        on: which prompts these are.
        positions: which tokens are edited.
    """

    placed: PlacedEdit
    prompts: np.ndarray
    among: np.ndarray
    claim: str
    kind: str
    on: str
    positions: str
