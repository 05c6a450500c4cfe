"""Candidate: a class of features that may be tested by intervening."""

from __future__ import annotations

from typing import Protocol

from faultlens.auditing.feature_set import FeatureSet


class Candidate(Protocol):
    """What the causal tests have to know of a significant class."""

    @property
    def features(self) -> FeatureSet:
        """Its members, the strongest first."""

    @property
    def rank(self) -> int:
        """Its place among all classes, the most certain being 0."""

    @property
    def with_failure(self) -> bool:
        """Whether it goes with failure, and not with success."""

    @property
    def taken(self) -> int | None:
        """Its place in the forward selection over classes, from 0; None: not taken."""
