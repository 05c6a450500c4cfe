"""What was changed in the model: classes, what the search found, what the user named."""

from __future__ import annotations

from dataclasses import dataclass

from faultlens.auditing.result import (
    Attributed,
    ClassReading,
    Intervention,
    JointTest,
    RequestedTest,
)
from faultlens.auditing.result.argument import towards_failure
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.verdicts import class_name


@dataclass(frozen=True)
class Changed:
    """Something that was changed, under the name that the report gives it."""

    name: str
    done: Intervention


def changed(audit: Audit) -> list[Changed]:
    """All that was changed, each once: classes, what the user named, the search's finds, pairs."""
    classes = [Changed(class_name(reading), done) for reading, done in changed_classes(audit)]
    named = [Changed(named_name(trial), done) for trial, done in named_alone(audit)]
    return classes + named + found_alone(audit) + tested_together(audit)


def changed_classes(audit: Audit) -> list[tuple[ClassReading, Intervention]]:
    """The classes that were changed, the most certain first."""
    return [
        (reading, reading.intervention)
        for _, reading in audit.classes
        if reading.intervention is not None
    ]


def named_alone(audit: Audit) -> list[tuple[RequestedTest, Intervention]]:
    """What the user named and was changed by itself, not as a class that was changed anyway."""
    return [
        (trial, trial.intervention)
        for trial in audit.requested
        if trial.intervention is not None and trial.reason is None
    ]


def named_name(trial: RequestedTest) -> str:
    """What the user named, as the user wrote it."""
    return " + ".join(trial.features)


def found_alone(audit: Audit) -> list[Changed]:
    """The features that the search found and that were changed by themselves, as no class."""
    readings = [found for site in audit.attribution.values() for found in site.top]
    readings.sort(key=towards_failure)
    return [
        Changed(found.feature, done)
        for found in readings
        if (done := found.intervention) is not None
    ]


def tested_together(audit: Audit) -> list[Changed]:
    """The pairs of classes that were changed together."""
    return [
        Changed(joint_name(test), test.intervention)
        for test in audit.together
        if test.intervention is not None
    ]


def joint_name(test: JointTest) -> str:
    """A pair goes by the first features of its classes."""
    return " with ".join(test.classes)


def class_of(audit: Audit, found: Attributed) -> ClassReading | None:
    """The significant class that holds a feature which the search found."""
    return next((r for _, r in audit.classes if r.rank == found.in_class), None)
