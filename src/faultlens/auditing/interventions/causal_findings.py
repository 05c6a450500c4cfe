"""Causes: what came of steps 7 and 8, the trials of classes, the swaps and the search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.result import (
    Counterfactuals,
    Intervention,
    NamedTrial,
    Selection,
    SiteAttribution,
)


@dataclass(frozen=True)
class CausalFindings:
    """What the trials gave.

    Attributes:
        interventions: by the class's rank.
        untried: by the name of a class's strongest member, why it was not tried; of the classes
            that were to be, and of the suspect.
        counterfactuals: the swaps.
        attribution: by site.
        named: what the user wanted to be tried.
    """

    interventions: Mapping[int, Intervention] = field(default_factory=dict)
    untried: Mapping[str, str] = field(default_factory=dict)
    counterfactuals: Counterfactuals | None = None
    attribution: Mapping[str, SiteAttribution] = field(default_factory=dict)
    named: Sequence[NamedTrial] = ()


Inquiry = Callable[[Sequence[FeatureSet], int, Selection], CausalFindings]
"""Tries the first so many of the significant classes, given what forward selection took."""
