"""Step 7 of an audit: what changing a class did, against its controls."""

from __future__ import annotations

from faultlens.audit.result import Audit
from faultlens.audit.steps import Intervention
from faultlens.report.class_parts import class_name
from faultlens.report.numbers import NOT_DONE, counted, interval, number, p_value, share, signed
from faultlens.report.parts import Column, Paragraph, Part, table


def intervention_parts(audit: Audit) -> list[Part]:
    """What changing a class did, against its controls."""
    parts: list[Part] = []
    for _, reading in audit.classes:
        if reading.intervention is not None:
            parts += _intervention(class_name(reading), reading.intervention, audit.alpha)
    if parts:
        return parts
    return [Paragraph(f"{NOT_DONE.capitalize()}: no class was changed to see what happens.")]


def _intervention(name: str, done: Intervention, alpha: float) -> list[Part]:
    columns = [
        Column("Change"),
        Column("Class", "right", f"Mean over {done.failures} failures on which the class fires."),
        Column("Controls", "right", "The same for the mean of the controls."),
        Column("Beyond controls", "right"),
        Column("95% interval", "right", "Bootstrap over prompts."),
        Column("p", "right", "(1 + controls with at least the effect) / (controls + 1)."),
    ]
    caption = (
        f"{name}: {done.kind}, {done.positions}, on {counted(done.failures, 'failure')}. An effect "
        f"is {'shown' if done.shown else 'not shown'}: it takes p ≤ {number(alpha)} and an "
        "interval above 0."
    )
    flips = done.flips
    return [
        table(caption, columns, _changes(done)),
        Paragraph(
            f"{counted(done.controls, 'control')} that push at the same places equally hard: "
            f"{counted(done.control_features, 'other feature')} and "
            f"{counted(done.controls - done.control_features, 'random direction')}.",
            "Controls.",
        ),
        Paragraph(
            f"Of {counted(flips.prompts, 'prompt')} on which the class fires, "
            f"{flips.failure_to_success} went from failure to success and "
            f"{flips.success_to_failure} from success to failure (exact McNemar test, p = "
            f"{p_value(flips.p_mcnemar)}).",
            "Flips.",
        ),
    ]


def _changes(done: Intervention) -> list[list[str]]:
    foil = done.foil_effect
    return [
        [
            "Margin of the target over the strongest other token, in nats",
            signed(done.effect),
            signed(done.control_effect),
            signed(done.adjusted),
            interval(done.low, done.high),
            p_value(done.p_value),
        ],
        [
            "Logit of the target over the foil's, in nats (described)",
            NOT_DONE if foil is None else signed(foil),
            *(NOT_DONE,) * 4,
        ],
        [
            "Failures restored: the first token becomes the target's",
            share(done.restored),
            share(done.control_restored),
            f"{signed(100 * (done.restored - done.control_restored))} points",
            *(NOT_DONE,) * 2,
        ],
    ]
