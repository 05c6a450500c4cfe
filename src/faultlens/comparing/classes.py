"""Classes of two audits matched: by the features they have in common, by firing, by direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from faultlens.auditing.result import ClassReading
from faultlens.comparing.directions import Directions, OpenLens, directions_of
from faultlens.comparing.firing import TextFirings, correlation, jaccard, prompt_firings
from faultlens.comparing.reasons import changed_verdict, found_in_one
from faultlens.comparing.result import ClassPair, ComparedClass
from faultlens.comparing.result.audits import MatchedBy
from faultlens.comparing.run import StudiedRun, same_dictionary
from faultlens.comparing.shared_prompts import SharedPrompts
from faultlens.feature_name import dictionary_of

FIRES_ALIKE = 0.5
"""Jaccard index of firing from which classes correspond, as an audit follows them over seeds."""
SAME_DIRECTION = 0.9
"""Cosine from which two features count as the same, as `faultlens doctor --against` has it."""
NO_SHARED = "the runs share no prompts"


@dataclass(frozen=True, eq=False)
class Sides:
    """Two audited runs, and by what their features can be held against each other.

    Attributes:
        first, second: the runs.
        firings: of the first and of the second on the shared prompts; or why there are none.
        open_lens: loads a run's dictionaries; None: directions are not asked for.
    """

    first: StudiedRun
    second: StudiedRun
    firings: tuple[TextFirings, TextFirings] | str
    open_lens: OpenLens | None

    @classmethod
    def of(
        cls,
        first: StudiedRun,
        second: StudiedRun,
        shared: SharedPrompts,
        open_lens: OpenLens | None,
    ) -> Sides:
        """Reads what both runs kept of their features on the shared prompts."""
        return cls(first, second, _firings(first, second, shared), open_lens)

    @cached_property
    def directions(self) -> tuple[Directions, Directions] | str:
        """Of both runs' features, loaded when they are first asked for; or why there are none."""
        if self.open_lens is None:
            return "not asked for"
        if self.same_dictionaries:
            return "both runs read the same dictionaries: a feature's direction is the same"
        return directions_of(self.first, self.second, self.open_lens)

    @cached_property
    def same_dictionaries(self) -> bool:
        """Whether every dictionary of either run is one of the other."""
        names = set(self.first.audited.sites) | set(self.second.audited.sites)
        return all(same_dictionary(self.first, self.second, name) for name in names)

    def turned(self) -> Sides:
        """The second run in the first one's place."""
        firings = self.firings
        if not isinstance(firings, str):
            firings = (firings[1], firings[0])
        sides = Sides(self.second, self.first, firings, self.open_lens)
        if "directions" in self.__dict__ and not isinstance(self.directions, str):
            sides.__dict__["directions"] = (self.directions[1], self.directions[0])
        return sides

    def likeness(
        self, feature: str, counterpart: str
    ) -> tuple[float | None, float | None, float | None]:
        """Jaccard index and correlation of firing, and the cosine, as far as they are known."""
        index = together = cosine = None
        if not isinstance(self.firings, str):
            mine, yours = self.firings[0].of(feature), self.firings[1].of(counterpart)
            if mine is not None and yours is not None:
                index, together = jaccard(mine, yours), correlation(mine, yours)
        name = dictionary_of(feature)
        if feature == counterpart and same_dictionary(self.first, self.second, name):
            cosine = 1.0
        elif not isinstance(self.directions, str):
            cosine = self.directions[0].cosine(feature, self.directions[1], counterpart)
        return index, together, cosine


def _firings(
    first: StudiedRun, second: StudiedRun, shared: SharedPrompts
) -> tuple[TextFirings, TextFirings] | str:
    if not len(shared):
        return NO_SHARED
    found = []
    for run, prompts in ((first, shared.first), (second, shared.second)):
        kept = prompt_firings(run.folder, list(run.audited.sites), prompts)
        if kept is None:
            return f"{run.named} holds no activations of its prompts"
        found.append(kept)
    return found[0], found[1]


def matched_classes(sides: Sides) -> list[ClassPair]:
    """The significant classes of the first run with their counterparts; then the second's own."""
    first, second = sides.first.audited, sides.second.audited
    pairs, taken = [], set()
    for _, reading in first.significant:
        match = _match(sides, reading)
        if match is not None:
            taken.add(match[1].rank)
        pairs.append(_pair(sides, reading, match))
    back = sides.turned()
    for _, reading in second.significant:
        if reading.rank not in taken:
            match = _match(back, reading)
            pairs.append(_swapped(_pair(back, reading, match)))
    return pairs


def _match(sides: Sides, reading: ClassReading) -> tuple[MatchedBy, ClassReading] | None:
    """The class of the second run that corresponds to a class of the first."""
    others = [other for _, other in sides.second.audited.classes]
    common = [(_common(sides, reading, other), other) for other in others]
    if common and (most := max(common, key=lambda pair: pair[0]))[0]:
        return "feature", most[1]
    strongest = reading.features[0]
    scored: list[tuple[MatchedBy, float, Callable[[str], float | None]]] = [
        ("firing", FIRES_ALIKE, lambda feature: sides.likeness(strongest, feature)[0]),
        ("direction", SAME_DIRECTION, lambda feature: sides.likeness(strongest, feature)[2]),
    ]
    for by, least, likeness in scored:
        values = [likeness(other.features[0]) for other in others]
        near = [-1.0 if value is None else value for value in values]
        if near and max(near) >= least:
            return by, others[int(np.argmax(near))]
    return None


def _common(sides: Sides, reading: ClassReading, other: ClassReading) -> int:
    """How many features of the same dictionaries two classes have in common."""
    both = set(reading.features) & set(other.features)
    return sum(same_dictionary(sides.first, sides.second, dictionary_of(f)) for f in both)


def _pair(
    sides: Sides, reading: ClassReading, match: tuple[MatchedBy, ClassReading] | None
) -> ClassPair:
    """A class of the first run beside its match, or beside the feature that is nearest to it."""
    strongest = reading.features[0]
    by, other = match or (None, None)
    nearest = _nearest(sides, strongest) if other is None else other.features[0]
    if other is not None and strongest in other.features and by == "feature":
        nearest = strongest
    index, together, cosine = (
        (None, None, None) if nearest is None else sides.likeness(strongest, nearest)
    )
    reasons = (
        found_in_one(sides.first, reading, sides.second, nearest, index)
        if other is None
        else changed_verdict(sides.first, reading, sides.second, other)
    )
    return ClassPair(
        _compared(sides.first, reading),
        None if other is None else _compared(sides.second, other),
        by, nearest, index, together, cosine, reasons,
    )  # fmt: skip


def _nearest(sides: Sides, feature: str) -> str | None:
    """The same feature where the second run has it too, else the one that fires most like it."""
    name = dictionary_of(feature)
    if same_dictionary(sides.first, sides.second, name) and name in sides.second.audited.sites:
        return feature
    if isinstance(sides.firings, str):
        return None
    mine = sides.firings[0].of(feature)
    return None if mine is None else sides.firings[1].most_alike(mine)


def _compared(run: StudiedRun, reading: ClassReading) -> ComparedClass:
    return ComparedClass(
        site=dictionary_of(reading.features[0]),
        features=reading.features,
        fail_active=reading.fail_active,
        success_active=reading.success_active,
        auroc=reading.auroc,
        p_deciding=reading.p_deciding,
        significant=reading.p_deciding <= run.audited.alpha,
        verdict=reading.verdict.label,
        verdict_kind=reading.verdict.kind,
        sentence=reading.verdict.sentence,
    )


def _swapped(pair: ClassPair) -> ClassPair:
    """A pair that was made from the second run's side, as it stands in the comparison."""
    return ClassPair(
        pair.second, pair.first, pair.matched_by, pair.nearest, pair.jaccard, pair.correlation,
        pair.cosine, pair.reasons,
    )  # fmt: skip
