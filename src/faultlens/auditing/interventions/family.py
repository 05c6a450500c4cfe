"""Family: those who are tried together; Holm runs over all their effects.

An audit has two. The first holds what the audit itself accuses: the classes that the statistics
chose, and what the causal search adds. The second holds what the user named. They are kept apart so
that naming a suspect changes neither the controls nor the p-values of anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import ceil

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.effects import settled
from faultlens.auditing.result import Intervention

EFFECTS = 2  # of each trial: necessity and sufficiency


@dataclass(frozen=True)
class TrialOutcome:
    """What was found of one accused, or the reason why it could not be tried."""

    intervention: Intervention | None
    reason: str | None


@dataclass(frozen=True)
class Family:
    """Those whose effects are corrected together.

    Attributes:
        name: of the family.
        accused: its members, no two the same.
        alpha: the level.
    """

    name: str
    accused: Sequence[FeatureSet]
    alpha: float

    @classmethod
    def of(cls, name: str, accused: Sequence[FeatureSet], alpha: float) -> Family:
        """A family of all of them, each once: the first of those that are the same."""
        distinct: list[FeatureSet] = []
        for one in accused:
            if not any(one.same_as(known) for known in distinct):
                distinct.append(one)
        return cls(name, distinct, alpha)

    @property
    def controls(self) -> int:
        """How many each effect is given."""
        return controls_for(EFFECTS * len(self.accused), self.alpha)

    def twin(self, accused: FeatureSet) -> FeatureSet | None:
        """The member that is the same features, if there is one."""
        return next((member for member in self.accused if member.same_as(accused)), None)

    def stage(self, accused: FeatureSet) -> str:
        """The name under which a member's trial is kept: by all its features, in any order."""
        features = "+".join(map(str, sorted(accused.features)))
        digest = sha256(f"{accused.site}/{features}".encode()).hexdigest()[:16]
        return f"trial-{self.name}-{digest}"

    def settled(self, trials: Sequence[TrialOutcome]) -> list[TrialOutcome]:
        """The same trials, each effect with its p after Holm over all of them, and if it is shown.

        Args:
            trials: one a member, in their order.
        """
        found = [trial.intervention for trial in trials if trial.intervention is not None]
        after = iter(settled([effect for done in found for effect in done.effects], self.alpha))
        return [
            trial
            if trial.intervention is None
            else replace(
                trial,
                intervention=replace(
                    trial.intervention,
                    necessity=next(after),
                    sufficiency=next(after) if trial.intervention.sufficiency else None,
                ),
            )
            for trial in trials
        ]


def controls_for(effects: int, alpha: float) -> int:
    """How many controls each of a family's effects is given: at least 199.

    The least p is 1 / (controls + 1), and Holm multiplies it by the size of the family: with more
    effects 199 controls could show nothing. A quarter more than the bare number is taken.

    >>> controls_for(8, 0.05), controls_for(12, 0.05)
    (199, 299)
    """
    return max(CONTROLS, 100 * ceil(1.25 * effects / alpha / 100) - 1)
