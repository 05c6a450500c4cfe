"""Search: what attribution names first over all sites, and as what each of these is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.family import TrialOutcome
from faultlens.auditing.result import Attributed, SiteAttribution

NOT_AMONG = "not among the features that attribution names first, over all sites"


@dataclass(frozen=True)
class Search:
    """The sites' attributions, and those whom they accuse.

    Attributes:
        attribution: by site.
        first: by feature, of those that are named first: as what it is tried. One that belongs to a
            significant class is tried as that class, since one member says nothing of its class.
    """

    attribution: Mapping[str, SiteAttribution]
    first: Mapping[str, FeatureSet]

    @classmethod
    def of(
        cls,
        attribution: Mapping[str, SiteAttribution],
        significant: Sequence[FeatureSet],
        searched: int,
    ) -> Search:
        """The search for causes among what was attributed.

        Args:
            attribution: by site.
            significant: the classes.
            searched: how many features are tried, by their attribution over failures − successes,
                the most negative first.
        """
        named = sorted(
            (reading.gradient_failures - reading.gradient_successes, site, reading.feature)
            for site, found in attribution.items()
            for reading in found.top
        )
        first = {
            name: _tried_as(site, int(name.rpartition("/")[2]), significant)
            for _, site, name in named[:searched]
        }
        return cls(attribution, first)

    @property
    def accused(self) -> list[FeatureSet]:
        """Those that are to be tried, in the order in which they are named; some may repeat."""
        return list(self.first.values())

    def told(self, trial_of: Callable[[FeatureSet], TrialOutcome]) -> dict[str, SiteAttribution]:
        """The attributions with what trying the first features gave."""
        return {
            site: replace(found, top=[self._tested(reading, trial_of) for reading in found.top])
            for site, found in self.attribution.items()
        }

    def _tested(
        self, reading: Attributed, trial_of: Callable[[FeatureSet], TrialOutcome]
    ) -> Attributed:
        accused = self.first.get(reading.feature)
        if accused is None:
            return replace(reading, effect_missing=NOT_AMONG)
        trial = trial_of(accused)
        done = trial.intervention
        return replace(
            reading,
            effect=None if done is None else done.necessity,
            effect_missing=trial.reason,
            tried_as=accused.names,
            intervention=done if accused.rank is None else None,
        )


def _tried_as(site: str, feature: int, significant: Sequence[FeatureSet]) -> FeatureSet:
    holding = (a for a in significant if a.site == site and feature in a.features)
    return next(holding, FeatureSet(None, site, [feature]))
