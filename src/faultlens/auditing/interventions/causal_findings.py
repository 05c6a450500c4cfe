"""Causal findings: what the causal tests gave, steps 7 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.candidate import Candidate
from faultlens.auditing.result import Counterfactuals, Intervention, RequestedTest, SiteAttribution

NONE_ASKED = "the audit was asked to test no class (test_classes = 0)"
WITH_SUCCESS = "it goes with success: only classes that go with failure are tested unasked"


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


def to_be_tested(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """The significant classes whose test a reader looks for: the first, and those that are tested.

    Args:
        candidates: the most certain first.
        most: how many of those that go with failure are tested.
    """
    with_failure = [c for c in candidates if c.with_failure]
    first = (with_failure or list(candidates))[:1]
    return [c for c in candidates if c in with_failure[:most] or c in first]


def not_tested(candidates: Sequence[Candidate], most: int, why: str) -> CausalFindings:
    """What is to be said where there is a model, but nothing can be tested, for one reason."""
    expected = to_be_tested(candidates, most)
    reasons = {c.features.first: why if c.with_failure else WITH_SUCCESS for c in expected}
    return CausalFindings(not_tested=reasons)
