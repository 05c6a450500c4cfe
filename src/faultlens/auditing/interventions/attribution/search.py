"""Search: the features that attribution names first, over all sites, and what testing them gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.attribution.site_attribution import RankedSite
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import Attributed, SiteAttribution

NOT_AMONG = "not among the features that attribution names first, over all sites"


@dataclass(frozen=True)
class Search:
    """The sites' attributions, and the feature sets that are to be tested because of them.

    Attributes:
        sites: by name, each with its features in the order in which attribution names them.
        classes: the significant classes.
        first: for each feature that is named first, the set as which it is tested: the significant
            class that holds it, since one member says nothing of its class, else itself.
    """

    sites: Mapping[str, RankedSite]
    classes: Sequence[FeatureSet]
    first: Mapping[FeatureSet, FeatureSet]

    @classmethod
    def of(
        cls, sites: Mapping[str, RankedSite], classes: Sequence[FeatureSet], most: int
    ) -> Search:
        """The features that are to be tested.

        Args:
            sites: what was attributed, by site.
            classes: the significant classes.
            most: how many features are tested, by their attribution over failures − successes, the
                most negative first.
        """
        named = sorted(
            (reading.gradient_failures - reading.gradient_successes, site, reading.feature, index)
            for site, ranked in sites.items()
            for reading, index in zip(ranked.attribution.top, ranked.indices, strict=True)
        )
        chosen = [FeatureSet(site, (index,)) for _, site, _, index in named[:most]]
        return cls(sites, classes, {feature: _tested_as(feature, classes) for feature in chosen})

    @property
    def feature_sets(self) -> list[FeatureSet]:
        """What is to be tested, in the order in which it is named; a class may be there twice."""
        return list(self.first.values())

    def with_outcomes(
        self, outcome_of: Callable[[FeatureSet], TrialOutcome]
    ) -> dict[str, SiteAttribution]:
        """The attributions, by site, with what testing the first features gave."""
        return {
            site: replace(
                ranked.attribution,
                top=[
                    self._tested(reading, FeatureSet(site, (index,)), outcome_of)
                    for reading, index in zip(ranked.attribution.top, ranked.indices, strict=True)
                ],
            )
            for site, ranked in self.sites.items()
        }

    def _tested(
        self,
        reading: Attributed,
        feature: FeatureSet,
        outcome_of: Callable[[FeatureSet], TrialOutcome],
    ) -> Attributed:
        tested = self.first.get(feature)
        if tested is None:
            return replace(reading, effect_missing=NOT_AMONG)
        outcome = outcome_of(tested)
        done = outcome.intervention
        return replace(
            reading,
            effect=None if done is None else done.necessity,
            effect_missing=outcome.reason,
            tested_as=tested.names,
            intervention=None if tested in self.classes else done,
        )


def _tested_as(feature: FeatureSet, classes: Sequence[FeatureSet]) -> FeatureSet:
    (index,) = feature.indices
    holding = (c for c in classes if c.site == feature.site and index in c.indices)
    return next(holding, feature)
