"""Family: feature sets that are tested together; Holm's correction runs over all their effects.

An audit has two. The first holds what the audit itself finds: the classes that the feature tests
chose, and the features that attribution names. The second holds what the user named. They are kept
apart so that naming a feature changes neither the controls nor the p-values of anything else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import ceil

import numpy as np

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.effects import Measured, with_holm
from faultlens.auditing.result import Effect, Intervention
from faultlens.serialisation import NOT_WRITTEN
from faultlens.stats.multiplicity import holm
from faultlens.stats.sequential import SequentialTest

EFFECTS = 2  # of each feature set: necessity and sufficiency
MOST_OF_ALPHA = 0.8
NEAR = 3  # controls as large, of all that are planned, with which the decision is near
FURTHER = 5  # times as many are then drawn


@dataclass(frozen=True)
class TrialOutcome:
    """What the tests of a feature set gave, or the reason why it could not be tested."""

    intervention: Intervention | None
    reason: str | None


@dataclass(frozen=True)
class DecidingTests:
    """The deciding tests of a feature set; empty where it could not be tested."""

    effects: list[Effect]


@dataclass(frozen=True)
class FirstControls:
    """What the first controls of a feature set leave open.

    Attributes:
        least_p: the smallest p that each of its effects can still reach; empty where it could not
            be tested.
        begun: its deciding tests with these controls, by claim; not there where the record was
            read: what follows is then begun anew.
    """

    least_p: list[float]
    begun: Mapping[str, Measured] = field(default_factory=dict, metadata=NOT_WRITTEN)


@dataclass(frozen=True)
class Family:
    """Feature sets whose effects are corrected together.

    Attributes:
        name: of the family.
        members: the feature sets, no two equal.
        alpha: the level.
        stop_early: whether a test ends once it can no longer be significant, by itself or beside
            the others.
        share: of alpha that this family has; the rest is another's.
        reverse: those of the members that go with success, and are tested the other way round.
    """

    name: str
    members: Sequence[FeatureSet]
    alpha: float
    stop_early: bool
    share: float = 1.0
    reverse: Collection[FeatureSet] = ()

    @classmethod
    def of(
        cls,
        name: str,
        members: Iterable[FeatureSet],
        alpha: float,
        stop_early: bool,
        share: float = 1.0,
        reverse: Collection[FeatureSet] = (),
    ) -> Family:
        """A family of all of them, each once: of equal ones the first."""
        return cls(name, list(dict.fromkeys(members)), alpha, stop_early, share, reverse)

    @property
    def level(self) -> float:
        """Its share of alpha, at which its effects are shown."""
        return self.share * self.alpha

    @property
    def test(self) -> SequentialTest:
        """How many controls each effect is given, and when they stop."""
        # Four fifths of alpha are within the quarter more that is taken for all of it.
        alpha = self.alpha if self.share >= MOST_OF_ALPHA else self.level
        controls = controls_for(EFFECTS * len(self.members), alpha)
        most = FURTHER * (controls + 1) - 1
        return SequentialTest.at_level(controls, alpha, NEAR, most, self.stop_early)

    def test_beside(self, others: Sequence[float], own: int = EFFECTS) -> SequentialTest:
        """The test of one member, which ends where Holm's correction leaves it nothing to show.

        An effect whose p is significant has as many p behind it as can never be significant: with d
        of those it needs `level / (d + 1)` or less. So no effect that all controls would show is
        lost, and none is gained.

        Args:
            others: the smallest p that each effect of the other members can still reach.
            own: how many effects the member has itself.
        """
        at_best = holm(np.array([*others, *[0.0] * own]))[: len(others)]
        never = int((at_best > self.level * (1 + 1e-9)).sum())
        return self.test.needing(self.level / (never + 1))

    def checkpoint_name(self, features: FeatureSet) -> str:
        """The name under which a member's outcome is kept, whatever the order of its features."""
        indices = "+".join(map(str, sorted(features.indices)))
        digest = sha256(f"{features.site}/{indices}".encode()).hexdigest()[:16]
        return f"trial-{self.name}-{digest}"

    def with_holm(self, outcomes: Sequence[TrialOutcome], least: float) -> list[TrialOutcome]:
        """The same outcomes, each effect with its p after Holm over all of them.

        Args:
            outcomes: one a member, in their order.
            least: nats that an effect must have to be shown.
        """
        done = [outcome.intervention for outcome in outcomes if outcome.intervention is not None]
        effects = [effect for intervention in done for effect in intervention.effects]
        corrected = iter(with_holm(effects, self.level, least))
        return [
            outcome
            if outcome.intervention is None
            else replace(
                outcome,
                intervention=replace(
                    outcome.intervention,
                    necessity=next(corrected),
                    sufficiency=next(corrected) if outcome.intervention.sufficiency else None,
                ),
            )
            for outcome in outcomes
        ]


def controls_for(effects: int, alpha: float) -> int:
    """How many controls each of a family's effects is given at most: at least 199.

    The least p is 1 / (controls + 1), and Holm multiplies it by the size of the family: with more
    effects 199 controls could show nothing. A quarter more than the least that can is taken.

    >>> controls_for(8, 0.05), controls_for(12, 0.05)
    (199, 299)
    """
    return max(CONTROLS, 100 * ceil(1.25 * effects / alpha / 100) - 1)
