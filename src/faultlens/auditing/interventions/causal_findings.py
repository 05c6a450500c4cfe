"""Causal findings: what the causal tests gave, steps 7 and 8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.candidate import Candidate
from faultlens.auditing.result import (
    Counterfactuals,
    Intervention,
    JointTest,
    RequestedTest,
    SiteAttribution,
)

if TYPE_CHECKING:
    from faultlens.auditing.interventions.family import Family, TrialOutcome

NONE_ASKED = "the audit was asked to test no class (test_classes = 0)"


@dataclass(frozen=True)
class CausalFindings:
    """What the causal tests gave.

    Attributes:
        interventions: of the classes that were tested.
        not_tested: by the name of a class's strongest member, why it was not tested: of the classes
            that were to be tested, and of the leading class.
        counterfactuals: the swapped levels.
        attribution: by site.
        requested: the features that the user asked for.
        together: pairs of classes that were tested together.
    """

    interventions: Mapping[FeatureSet, Intervention] = field(default_factory=dict)
    not_tested: Mapping[str, str] = field(default_factory=dict)
    counterfactuals: Counterfactuals | None = None
    attribution: Mapping[str, SiteAttribution] = field(default_factory=dict)
    requested: Sequence[RequestedTest] = ()
    together: Sequence[JointTest] = ()


def chosen_classes(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """The classes that are tested: first those that forward selection took, in its order.

    Then the others that go with failure, then those that go with success, the most certain first:
    a class that only copies one that is tested says little when it is tested too.
    """
    order = sorted(
        candidates, key=lambda c: (c.taken is None, c.taken or 0, not c.with_failure, c.rank)
    )
    return order[:most]


def to_be_tested(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """The classes whose test a reader looks for: the first, and those that are tested.

    Args:
        candidates: the most certain first.
        most: how many of them are tested.
    """
    first = ([c for c in candidates if c.with_failure] or list(candidates))[:1]
    tested = chosen_classes(candidates, most)
    return [c for c in candidates if c in tested or c in first]


def not_tested(candidates: Sequence[Candidate], most: int, why: str) -> CausalFindings:
    """What is to be said where there is a model, but nothing can be tested, for one reason."""
    reasons = {c.features.first: why for c in to_be_tested(candidates, most)}
    return CausalFindings(not_tested=reasons)


def why_not_alone(
    named: FeatureSet,
    found: Family,
    chosen: Sequence[FeatureSet],
    classes: Sequence[FeatureSet],
) -> str | None:
    """Why the features that the user named have no report of their own; None if they have one."""
    own = next((features for features in classes if features == named), None)
    if own is not None:
        why = "as the feature tests found it" if own in chosen else "as attribution names it"
        why = why if named in found.members else "because it was named"
        return f"it is the class of {own.first}, which was tested {why}"
    if named in found.members:
        return "attribution names it among the first: it was tested for that"
    return None


def untried(
    candidates: Sequence[Candidate], most: int, outcomes: dict[FeatureSet, TrialOutcome]
) -> dict[str, str]:
    """Why those that were to be tested, and the leading class, were not."""
    why = {}
    for candidate in to_be_tested(candidates, most):
        outcome = outcomes.get(candidate.features)
        if outcome is None:
            why[candidate.features.first] = NONE_ASKED
        elif outcome.reason is not None:
            why[candidate.features.first] = outcome.reason
    return why
