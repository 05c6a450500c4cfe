"""Step 7: what was changed in the model, and what the search for causes found."""

from __future__ import annotations

from faultlens.auditing.result import JointTest, RequestedTest
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, listed, signed
from faultlens.report.audit.attribution import NOT_SEARCHED, attribution_parts, search_words
from faultlens.report.audit.effects import changed_parts
from faultlens.report.audit.trials import (
    changed,
    changed_classes,
    found_alone,
    joint_name,
    named_alone,
    named_name,
)
from faultlens.report.audit.verdicts import class_name, effect_words, fires_on
from faultlens.report.parts import Column, Folded, Paragraph, Part, table

TITLE = "Interventions"
NOTHING_CHANGED = "no class was changed to see what happens"


def sentence(audit: Audit) -> str:
    """How many of what was changed move the answer, and what the search and the user named gave."""
    done = changed(audit)
    said = []
    if done:
        shown = [one.name for one in done if one.done.shown]
        null = [one.name for one in done if one.done.null is not None and one.done.null.proven]
        said.append(f"an effect is shown for {len(shown)} of {len(done)} that were changed")
        if null:
            said.append(f"{listed(null, 3)} shown to do nothing")
    else:
        why = listed([f"{first}: {reason}" for first, reason in audit.not_tested.items()], 1)
        said.append(f"{NOT_DONE}: {why or NOTHING_CHANGED}")
    search = search_words(audit)
    said += [search] if search else []
    said += [f"named by the user, {named_name(t)}: {_named_words(t)}" for t in audit.requested]
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _named_words(trial: RequestedTest) -> str:
    """What came of something that the user named."""
    if trial.intervention is None or trial.reason is not None:
        return trial.reason or "no reason recorded"
    return effect_words(trial.intervention)


def parts(audit: Audit) -> list[Part]:
    """What could not be changed, what the user named, and the search with what it found.

    What changing a class did stands with the class.
    """
    if not (changed(audit) or audit.not_tested or audit.requested or audit.attribution):
        return []
    found = [*_outside(audit), *_untried(audit)]
    for test in audit.together:
        found.append(_together(test))
        if test.intervention is not None:
            name = joint_name(test)
            found.append(Folded(name, tuple(changed_parts(name, test.intervention, audit.alpha))))
    alone = {named_name(trial): done for trial, done in named_alone(audit)}
    for trial in audit.requested:
        name = named_name(trial)
        found.append(_named(audit, trial))
        if name in alone:
            found.append(Folded(name, tuple(changed_parts(name, alone[name], audit.alpha))))
    if not audit.attribution:
        return [*found, Paragraph(f"{NOT_DONE}: {NOT_SEARCHED}.", "Search for causes:")]
    found += attribution_parts(audit)
    for one in found_alone(audit):
        found.append(Folded(one.name, tuple(changed_parts(one.name, one.done, audit.alpha))))
    return found


def _outside(audit: Audit) -> list[Part]:
    """The sites that the cause passes outside what their dictionaries describe."""
    return [
        Paragraph(f"{one.sentence[:1].upper()}{one.sentence[1:]}.", "Outside the dictionary:")
        for one in audit.outside
    ]


def _together(test: JointTest) -> Paragraph:
    """What came of changing two classes together."""
    label = f"Changed together, {joint_name(test)}:"
    if test.intervention is None:
        return Paragraph(f"{NOT_DONE}: {test.reason or 'no reason recorded'}.", label)
    said = effect_words(test.intervention)
    if test.beyond_each is not None:
        said += (
            f"; on failures both move the margin by {signed(test.beyond_each)} nats beyond the "
            "larger change of one"
        )
    return Paragraph(f"{said[:1].upper()}{said[1:]}.", label)


def _untried(audit: Audit) -> list[Part]:
    """The classes that were to be changed, or would have been first, and were not."""
    if not audit.not_tested:
        return []
    names = {reading.features[0]: class_name(reading) for _, reading in audit.classes}
    rows = [[names.get(first, first), reason] for first, reason in audit.not_tested.items()]
    caption = "Classes that were not changed, though they were to be or come first."
    return [table(caption, [Column("Class"), Column("Why not")], rows)]


def _named(audit: Audit, trial: RequestedTest) -> Paragraph:
    """Where it fires, whether it was changed by itself, and the classes that hold a part of it."""
    said = f"It fires on {fires_on(trial.fail_active, trial.success_active)}"
    if trial.reason is not None:
        said += f"; not changed by itself: {trial.reason}"
    said += "".join(f"; {words}" for words in _also_in(audit, trial))
    return Paragraph(f"{said}.", f"Named by the user, {named_name(trial)}:")


def _also_in(audit: Audit, trial: RequestedTest) -> list[str]:
    """The changed classes that hold some of what the user named, but are not the same."""
    return [
        f"{listed(shared, 3)} {'is' if len(shared) == 1 else 'are'} also in the class "
        f"{class_name(reading)}, which was changed"
        for reading, _ in changed_classes(audit)
        if (shared := [f for f in trial.features if f in reading.features])
        and set(trial.features) != set(reading.features)
    ]
