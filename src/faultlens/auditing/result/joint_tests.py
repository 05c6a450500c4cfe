"""Classes that were changed together: two causes may need, or stand in for, each other."""

from __future__ import annotations

from dataclasses import dataclass

from faultlens.auditing.result.interventions import Intervention


@dataclass(frozen=True)
class JointTest:
    """Two classes of one dictionary, changed together as one.

    Where none of the classes that are tested is a cause by itself, the two of one dictionary that
    move the margin of failures most are tested together, at a fifth of alpha, which leaves the
    classes four fifths.
    """

    features: list[str]
    """The members of both classes."""
    classes: list[str]
    """The first feature of each class."""
    intervention: Intervention | None
    """What changing both did; null where it could not be done."""
    reason: str | None
    """Why it could not be done."""
    beyond_each: float | None
    """Change of the margin of failures under both − the larger change under one of them, nats;
    null where one was not measured."""
