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
    """The pairs of classes that are tested: of one dictionary, both with failure."""
    return [
        ClassPair(a, b)
        for a, b in combinations([c.features for c in tested if c.with_failure], 2)
        if a.site == b.site and not set(a.indices) & set(b.indices)
    ]


def likeliest(
    pairs: Sequence[ClassPair], alone: Mapping[FeatureSet, TrialOutcome]
) -> ClassPair | None:
    """The pair whose classes, each by itself, move the margin of failures most; one is tested.

    None where no effect is shown of either class of any pair, or a class is a cause by itself.
    """
    done = {features: outcome.intervention for features, outcome in alone.items()}
    if any(one is not None and one.is_cause for one in done.values()):
        return None
    able = []
    for pair in pairs:
        first, second = done.get(pair.first), done.get(pair.second)
        if first is not None and second is not None and (first.shown or second.shown):
            able.append((first.necessity.adjusted + second.necessity.adjusted, pair))
    return max(able, key=lambda one: one[0])[1] if able else None
