"""Causal findings: what the causal tests gave, steps 7 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.result import Counterfactuals, Intervention, RequestedTest, SiteAttribution


@dataclass(frozen=True)
class CausalFindings:
    """What the causal tests gave.

    Attributes:
        interventions: of the significant classes that were tested.
        not_tested: by the name of a class's strongest member, why it was not tested: of the classes
            that were to be tested, and of the leading class.
        counterfactuals: the swapped levels.
        attribution: by site.
        requested: the features that the user asked for.
    """

    interventions: Mapping[FeatureSet, Intervention] = field(default_factory=dict)
    not_tested: Mapping[str, str] = field(default_factory=dict)
    counterfactuals: Counterfactuals | None = None
    attribution: Mapping[str, SiteAttribution] = field(default_factory=dict)
    requested: Sequence[RequestedTest] = ()
