"""Class pairs: classes that are tested together, since one may need the other or stand in for it.

Where failure needs two features (an AND), bringing in one breaks nothing; where either does (an
OR), taking one away restores little of what both are on. Both together show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.candidate import Candidate
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import JointTest

PAIRS_SHARE = 0.2  # of alpha, where there are pairs to be tested
FIRST = 3  # classes among which pairs are made


@dataclass(frozen=True)
class ClassPair:
    """Two classes of one dictionary that go with failure.

    Attributes:
        first: the class that is tested first.
        second: the other.
    """

    first: FeatureSet
    second: FeatureSet

    @property
    def features(self) -> FeatureSet:
        """All of their members."""
        return FeatureSet(self.first.site, (*self.first.indices, *self.second.indices))

    def test(self, outcome: TrialOutcome, alone: Mapping[FeatureSet, TrialOutcome]) -> JointTest:
        """What changing both gave, beside what changing each of them gave."""
        done, beyond = outcome.intervention, None
        each = [alone[features].intervention for features in (self.first, self.second)]
        if done is not None and all(one is not None for one in each):
            largest = max(one.necessity.adjusted for one in each if one is not None)
            beyond = done.necessity.adjusted - largest
        return JointTest(
            features=self.features.names,
            classes=[self.first.first, self.second.first],
            intervention=done,
            reason=outcome.reason,
            beyond_each=beyond,
        )


def pairs_of(tested: Sequence[Candidate]) -> list[ClassPair]:
    """The pairs among the first classes that are tested: of one dictionary, both with failure."""
    first = [c.features for c in tested if c.with_failure][:FIRST]
    return [
        ClassPair(a, b)
        for a, b in combinations(first, 2)
        if a.site == b.site and not set(a.indices) & set(b.indices)
    ]
