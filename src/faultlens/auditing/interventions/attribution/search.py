"""Search: the features that attribution names first, over all sites, and what testing them gave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.attribution.site_attribution import RankedSite
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import Attributed, SiteAttribution

NOT_AMONG = "not among the features that attribution names first, or tested as a class"


@dataclass(frozen=True)
class Search:
    """The sites' attributions, and the feature sets that are to be tested because of them.

    Attributes:
        sites: by name, each with its features in the order in which attribution names them.
        classes: the significant classes.
        first: for each feature that is named first, the set as which it is tested: the significant
            class that holds it, since one member says nothing of its class, else itself.
        anyway: the classes that are tested whatever attribution says.
    """

    sites: Mapping[str, RankedSite]
    classes: Sequence[FeatureSet]
    first: Mapping[FeatureSet, FeatureSet]
    anyway: Collection[FeatureSet] = ()

    @classmethod
    def of(
        cls,
        sites: Mapping[str, RankedSite],
        classes: Sequence[FeatureSet],
        most: int,
        tested: Collection[FeatureSet] = (),
    ) -> Search:
        """The features that are to be tested.

        Those of significant classes come before others, and each site's first before any site's
        second; then the more negative attribution over failures − successes. Over all sites at once
        a feature that fires everywhere comes first in most models, and the cause stands among the
        first few of its own site.

        Args:
            sites: what was attributed, by site.
            classes: the significant classes.
            most: how many features are tested beside the classes that are tested anyway.
            tested: those classes.
        """
        named = []
        for site, ranked in sites.items():
            sets = [
                (reading, FeatureSet(site, (index,)))
                for reading, index in zip(ranked.attribution.top, ranked.indices, strict=True)
            ]
            new = [pair for pair in sets if _tested_as(pair[1], classes) not in tested]
            of_classes = [pair for pair in new if _tested_as(pair[1], classes) in classes]
            others = [pair for pair in new if pair not in of_classes]
            for group, pairs in enumerate((of_classes, others)):
                for place, (reading, feature) in enumerate(pairs):
                    due = reading.gradient_failures - reading.gradient_successes
                    named.append((group, place, due, site, reading.feature, feature))
        named.sort(key=lambda one: one[:5])
        chosen = [feature for *_, feature in named[:most]]
        first = {feature: _tested_as(feature, classes) for feature in chosen}
        return cls(sites, classes, first, tested)

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
        tested = self.first.get(feature, _tested_as(feature, self.classes))
        if feature not in self.first and tested not in self.anyway:
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
