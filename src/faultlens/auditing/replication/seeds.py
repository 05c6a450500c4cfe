"""Step 9, over seeds: the same audit on prompts from other seeds, and which verdicts hold.

The model and the dictionaries stay; only the prompts are others. A class of the first seed is
looked for among the classes of each other one: the match fires alike, over the prompts of both
seeds together, and has a decoder direction in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.result import (
    ClassReading,
    Rung,
    SeedReading,
    SiteAudit,
    StableClass,
    Verdict,
)
from faultlens.auditing.result.conclusions import leading_class, significant_classes
from faultlens.features.table import FeatureTable

if TYPE_CHECKING:
    from faultlens.features.lens import Lens

FIRES_ALIKE = 0.5  # Jaccard index of the prompts on which any member fires
SAME_DIRECTION = 0.9  # cosine of two members' decoder directions
STABLE = 0.8  # share of the seeds with the first one's verdict; or on which a class is found again
MOST = 20  # classes that are followed, the most certain first
REPEATS = 2  # of the ladder, on the other seeds' prompts


@dataclass(frozen=True, eq=False)
class SeedRun:
    """What the audit of one seed's prompts concluded, and the tables that it concluded from.

    Attributes:
        seed: of the prompts.
        n: prompts.
        failures: among them.
        alpha: the level of the deciding tests.
        verdict: on the audit as a whole, where it could not be carried out.
        sites: the classes, by dictionary.
        feature_sets: of each class its features, by its rank.
        baselines: the ladder's rungs; None where it was not climbed.
        tables: by dictionary, rows = prompts.
    """

    seed: int
    n: int
    failures: int
    alpha: float
    verdict: Verdict | None
    sites: Mapping[str, SiteAudit]
    feature_sets: Sequence[FeatureSet]
    baselines: Mapping[str, Rung] | None
    tables: Mapping[str, FeatureTable]

    @property
    def significant(self) -> list[ClassReading]:
        """The classes that a deciding test finds, the most certain first."""
        return [reading for _, reading in significant_classes(self.sites, self.alpha)]

    def features(self, reading: ClassReading) -> FeatureSet:
        """The features of one of its classes."""
        return self.feature_sets[reading.rank]

    def fires(self, features: FeatureSet) -> np.ndarray:
        """Whether any of the features fires, boolean `[prompts]`."""
        values = self.tables[features.site].matrix[:, list(features.indices)]
        fires: np.ndarray = np.asarray((values > 0).sum(axis=1)).ravel() > 0
        return fires


@dataclass(frozen=True)
class SeedComparison:
    """What the seeds say together.

    Attributes:
        readings: one a seed.
        classes: the first seed's, followed over the others.
        needed: so many seeds make a class stable, or replicated: four fifths.
    """

    readings: list[SeedReading]
    classes: list[StableClass]
    needed: int


def config_of_other_seed(config: AuditConfig) -> AuditConfig:
    """How the prompts of every seed but the first are audited: for the verdicts of its classes.

    The ladder is climbed with two repeats, and features are tested by intervening only if they are
    of a significant class.
    """
    return replace(
        config,
        ladder=replace(config.ladder, repeats=REPEATS),
        interventions=replace(config.interventions, test_features=(), test_attributed=0),
    )


def compare_seeds(lens: Lens, runs: Sequence[SeedRun]) -> SeedComparison:
    """Compare the verdicts of several seeds.

    Args:
        lens: whose decoder directions tell whether two features are the same.
        runs: at least two; the first is the one that is reported.
    """
    needed = ceil(STABLE * len(runs))
    return SeedComparison(
        [_seed_reading(run) for run in runs],
        [_followed(lens, reading, runs, needed) for reading in runs[0].significant[:MOST]],
        needed,
    )


def matched(
    lens: Lens, reading: ClassReading, here: SeedRun, there: SeedRun
) -> ClassReading | None:
    """The class of `there` that is most like a class of `here`; None if none is alike enough.

    Alike: over the prompts of both seeds the Jaccard index of firing is at least 0.5, and two of
    their members have a decoder cosine of at least 0.9 (a common member has 1).
    """
    own = here.features(reading)
    fires = _fires(own, here, there)
    best: tuple[float, ClassReading] | None = None
    for other in there.significant:
        theirs = there.features(other)
        if theirs.site != own.site or not _share_direction(lens, own, theirs):
            continue
        both = _fires(theirs, here, there)
        jaccard = float((fires & both).sum() / max((fires | both).sum(), 1))
        if jaccard >= FIRES_ALIKE and (best is None or jaccard > best[0]):
            best = (jaccard, other)
    return None if best is None else best[1]


def _followed(
    lens: Lens, reading: ClassReading, runs: Sequence[SeedRun], needed: int
) -> StableClass:
    found = [matched(lens, reading, runs[0], other) for other in runs[1:]]
    own = reading.verdict.label
    verdicts = [own, *(None if match is None else match.verdict.label for match in found)]
    same = verdicts.count(own)
    again = sum(match is not None and _same_sign(reading, match) for match in found)
    return StableClass(
        features=reading.features,
        verdicts=verdicts,
        same=same,
        verdict=own,
        stable=same >= needed,
        replicated=1 + again,
    )


def _same_sign(one: ClassReading, other: ClassReading) -> bool:
    """Whether both go with failure, or both with success."""
    return (one.auroc > 0.5) == (other.auroc > 0.5)


def _seed_reading(run: SeedRun) -> SeedReading:
    leading = leading_class(run.sites)
    return SeedReading(
        seed=run.seed,
        n=run.n,
        failures=run.failures,
        significant=len(run.significant),
        leading=[] if leading is None else leading.features,
        verdict=run.verdict if leading is None else leading.verdict,
        baselines={name: rung.auroc for name, rung in (run.baselines or {}).items()},
    )


def _fires(features: FeatureSet, here: SeedRun, there: SeedRun) -> np.ndarray:
    """Whether any of the features fires, over the prompts of both runs."""
    return np.concatenate([here.fires(features), there.fires(features)])


def _share_direction(lens: Lens, own: FeatureSet, theirs: FeatureSet) -> bool:
    if set(own.indices) & set(theirs.indices):
        return True
    directions = lens[own.site].W_dec
    unit = directions / directions.norm(dim=1, keepdim=True)
    return bool((unit[list(own.indices)] @ unit[list(theirs.indices)].T).max() >= SAME_DIRECTION)
