"""Steps 7 and 8 put together: classes are tried, swaps are made, and the causes are searched for.

All decisive effects of one audit, of the classes and of what the search adds, make one family: Holm
runs over them, and only then is an effect shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from faultlens.audit.steps import (
    Counterfactuals,
    Intervention,
    Selection,
    SiteAttribution,
)


@dataclass(frozen=True)
class Accused:
    """A class that is to be tried."""

    rank: int  # among all classes
    site: str
    features: list[int]


@dataclass(frozen=True)
class Causes:
    """What the trials gave.

    Attributes:
        interventions: by the class's rank.
        untried: by rank, why a class could not be tried.
        counterfactuals: the swaps.
        attribution: by site.
    """

    interventions: Mapping[int, Intervention] = field(default_factory=dict)
    untried: Mapping[int, str] = field(default_factory=dict)
    counterfactuals: Counterfactuals | None = None
    attribution: Mapping[str, SiteAttribution] = field(default_factory=dict)


Inquiry = Callable[[Sequence[Accused], Selection], Causes]
"""Tries the accused classes, given what forward selection took."""
