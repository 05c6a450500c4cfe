"""Steps 3 to 5 of an audit: what goes with failure, what changing it did, what is claimed."""

from __future__ import annotations

from faultlens.audit.result import Audit, ClassReading, Intervention
from faultlens.report.numbers import (
    NOT_DONE,
    auroc,
    counted,
    interval,
    listed,
    number,
    p_value,
    share,
    signed,
)
from faultlens.report.outcome_parts import record_parts
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, shown_first, table
from faultlens.report.reading_parts import recorded_parts

FIRST_CLASSES = 10
MEMBERS_NAMED = 8


def class_name(reading: ClassReading) -> str:
    """A class goes by its strongest member."""
    more = reading.size - 1
    return reading.features[0] + (f" and {more} alike" if more else "")


def significant(audit: Audit) -> list[tuple[str, ClassReading]]:
    """The classes that either deciding test finds, with their sites."""
    return [(site, reading) for site, reading in audit.classes if reading.p_deciding <= audit.alpha]


def correlates_parts(audit: Audit) -> list[Part]:
    """How many features each test finds, the classes, and the ladder of baselines."""
    if not audit.sites:
        why = f": {audit.verdict}" if audit.verdict else ""
        return [Paragraph(f"{NOT_DONE.capitalize()}{why}.")]
    parts: list[Part] = [_found(audit)]
    if audit.classes:
        parts += shown_first(_classes(audit), FIRST_CLASSES, "classes")
    parts += record_parts("Baselines", audit.baselines)
    parts += record_parts("Robustness", audit.robustness)
    conventions = {name: site.convention for name, site in audit.sites.items()}
    return [*parts, *recorded_parts(conventions)]


def _found(audit: Audit) -> Table:
    tests = {
        "min_p": Column("min-P", "right", "Step-down min-P of Fisher's test on firing; decides."),
        "max_t": Column("max-T", "right", "Step-down max-T of activation; decides."),
        "holm": Column("Holm", "right", "Fisher's test with Holm; beside."),
        "bh": Column("BH", "right", "Fisher's test with Benjamini–Hochberg; beside."),
    }
    rows = [
        [
            name,
            f"{site.d_sae:,}",
            f"{site.tested:,}",
            *(f"{site.significant[t]:,}" if t in site.significant else NOT_DONE for t in tests),
        ]
        for name, site in audit.sites.items()
    ]
    return table(
        "Features that go with failure or success, by test, at α = "
        f"{number(audit.alpha)} over all sites together; {audit.permutations:,} permutations of "
        f"the outcome, seed {audit.seed}.",
        [
            Column("Site"),
            Column("Features", "right"),
            Column("Tested", "right", f"Fire on at least {audit.min_support} prompts."),
            *tests.values(),
        ],
        rows,
    )


def _classes(audit: Audit) -> Table:
    return table(
        "Classes of features that fire alike, the most certain first; the numbers are those of "
        "the strongest member. ✓ marks those beyond chance: either test decides, at twice its p.",
        [
            Column("Class"),
            Column("Verdict"),
            Column("Members", "right"),
            Column("Fails", "right", "Failures on which the strongest member fires."),
            Column("Succeeds", "right", "Successes on which the strongest member fires."),
            Column("d", "right", "Cohen's d of activation, failures − successes; described."),
            Column("AUROC", "right", "Of activation, failures against successes; described."),
            Column("p Fisher", "right", "Of firing, for this feature alone."),
            Column("p Holm", "right", "Fisher's p with Holm over the features tested."),
            Column("p min-P", "right", "Adjusted, decides."),
            Column("p max-T", "right", "Adjusted, decides."),
            Column(
                "p within factors", "right", "With outcomes permuted within the factors' strata."
            ),
            Column("Fires with", explanation="A level of a factor, with the Jaccard index."),
        ],
        [_class_row(site, reading, audit.alpha) for site, reading in audit.classes],
    )


def _class_row(site: str, reading: ClassReading, alpha: float) -> list[Cell | str]:
    proxy, d, conditional = reading.proxy, reading.cohens_d, reading.p_conditional
    others = [feature.removeprefix(f"{site}/") for feature in reading.features[1:]]
    return [
        Cell(
            reading.features[0],
            f"with {listed(others, MEMBERS_NAMED)}" if others else "",
            reading.p_deciding <= alpha,
        ),
        reading.verdict,
        f"{reading.size}",
        f"{reading.fail_active:,}",
        f"{reading.success_active:,}",
        "infinite" if d is None else signed(d),
        auroc(reading.auroc),
        p_value(reading.p_fisher),
        p_value(reading.p_holm),
        p_value(reading.p_min_p),
        p_value(reading.p_max_t),
        NOT_DONE if conditional is None else p_value(conditional),
        "no level"
        if proxy is None
        else Cell(f"{proxy.factor} = {proxy.level}", f"Jaccard {number(proxy.jaccard)}"),
    ]


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


def claims_parts(audit: Audit) -> list[Part]:
    """Each claim with the controls that it passed, failed or was not given."""
    if not audit.claims:
        return [Paragraph("No claim was made.")]
    rows: list[list[Cell | str]] = [
        [
            claim.claim,
            claim.control,
            Cell(claim.outcome, marked=claim.outcome == "passed"),
            claim.detail,
        ]
        for claim in audit.claims
    ]
    columns = [Column("Claim"), Column("Control"), Column("Outcome"), Column("Detail")]
    return [table("What may be said, and what it rests on.", columns, rows)]
