"""Step 7 of an audit: what the user wanted to be tried, whatever the statistics say of it."""

from __future__ import annotations

from faultlens.auditing.result import ClassReading, Intervention, NamedTrial
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.classes import class_name, effect_words
from faultlens.report.numbers import counted, listed
from faultlens.report.parts import Paragraph


def tried_classes(audit: Audit) -> list[tuple[ClassReading, Intervention]]:
    """The classes that were changed, the most certain first."""
    return [
        (reading, reading.intervention)
        for _, reading in audit.classes
        if reading.intervention is not None
    ]


def by_themselves(audit: Audit) -> list[tuple[NamedTrial, Intervention]]:
    """What the user named and was tried, but for exactly a class that was tried."""
    return [
        (trial, trial.intervention)
        for trial in audit.named
        if trial.intervention is not None and trial.reason is None
    ]


def named_name(trial: NamedTrial) -> str:
    """What the user named, as the user wrote it."""
    return " + ".join(trial.features)


def named_paragraph(audit: Audit, trial: NamedTrial) -> Paragraph:
    """Where it fires, whether it was tried by itself, and the tried classes that hold a part."""
    successes = counted(trial.success_active, "success", "successes")
    said = f"It fires on {counted(trial.fail_active, 'failure')} and {successes}"
    if trial.reason is not None:
        said += f"; not tried by itself: {trial.reason}"
    said += "".join(f"; {words}" for words in _also_in(audit, trial))
    return Paragraph(f"{said}.", f"Named by the user, {named_name(trial)}:")


def _also_in(audit: Audit, trial: NamedTrial) -> list[str]:
    """The tried classes that hold some of what the user named, but are not the same."""
    return [
        f"{listed(shared, 3)} {'is' if len(shared) == 1 else 'are'} also of the tried class "
        f"{class_name(reading)}"
        for reading, _ in tried_classes(audit)
        if (shared := [f for f in trial.features if f in reading.features])
        and set(trial.features) != set(reading.features)
    ]


def named_words(audit: Audit) -> list[str]:
    """What came of each thing that the user named, a clause each."""
    return [
        f"named by the user, {named_name(trial)}: "
        + (
            trial.reason or "no reason recorded"
            if trial.intervention is None or trial.reason is not None
            else effect_words(trial.intervention)
        )
        for trial in audit.named
    ]
