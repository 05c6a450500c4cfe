"""Search: the features that attribution names first, over all sites, and what testing them gave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.attribution.site_attribution import RankedSite
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import Attributed, SiteAttribution

TRIED = 4  # features of each site whose effect is measured before some are tested
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
        effect: Callable[[FeatureSet], float] | None = None,
    ) -> Search:
        """The features that are to be tested.

        Of each site the four are tried of which setting them to normal promises most, to first
        order; and tested are those that move the margin of failures most when they are. By slopes
        alone a feature that fires everywhere comes first in most models. Where the effect cannot be
        measured, each site's first comes before any site's second.

        Args:
            sites: what was attributed, by site.
            classes: the significant classes.
            most: how many features are tested beside the classes that are tested anyway.
            tested: those classes.
            effect: how far setting features to normal moves the margin, mean over all failures;
                None: it is not measured.
        """
        named = []
        for site, ranked in sites.items():
            features = [FeatureSet(site, (index,)) for index in ranked.expected_indices]
            new = [f for f in features if _tested_as(f, classes) not in tested]
            named += [(place, site, feature) for place, feature in enumerate(new[:TRIED])]
        named.sort(key=lambda one: one[0])  # of the same place in the order of the sites
        chosen = [feature for *_, feature in named] if most else []
        if effect is not None:
            moved = {feature: effect(_tested_as(feature, classes)) for feature in chosen}
            chosen.sort(key=lambda feature: -moved[feature])
        chosen = chosen[:most]
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
                    for reading, index in self._shown(site, ranked)
                ],
            )
            for site, ranked in self.sites.items()
        }

    def _shown(self, site: str, ranked: RankedSite) -> list[tuple[Attributed, int]]:
        """The features that attribution ranks first, and others of the site that are tested."""
        named = list(zip(ranked.attribution.top, ranked.indices, strict=True))
        others = zip(ranked.expected, ranked.expected_indices, strict=True)
        return named + [
            (reading, index)
            for reading, index in others
            if index not in ranked.indices and FeatureSet(site, (index,)) in self.first
        ]

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
