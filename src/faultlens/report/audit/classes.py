"""Step 4 of an audit: the classes of features that fire alike, and how large their effects are."""

from __future__ import annotations

from collections import Counter

from faultlens.auditing.result import ClassReading, Interval, Intervention
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.correlates import no_features
from faultlens.report.numbers import (
    NOT_DONE,
    auroc,
    counted,
    interval,
    listed,
    number,
    p_value,
    signed,
)
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, shown_first, table

FIRST_CLASSES = 10
MEMBERS_NAMED = 8

TOO_FEW = "too few fail or succeed"


def class_name(reading: ClassReading) -> str:
    """A class goes by its strongest member."""
    return members_name(reading.features[0], reading.size)


def members_name(first: str, size: int) -> str:
    """A class of so many features, by the first of them."""
    return first + (f" and {size - 1} alike" if size > 1 else "")


def tally(audit: Audit) -> str:
    """How many classes have each verdict, whatever it is a proxy of."""
    verdicts = [reading.verdict for _, reading in audit.classes]
    counts = Counter(v.kind if v.kind == "PROXY" else v.label for v in verdicts)
    return listed([f"{count} {verdict}" for verdict, count in counts.most_common()])


def effect_words(done: Intervention) -> str:
    """What is known of a class's effect, in a few words."""
    shown = [effect.claim for effect in done.effects if effect.shown]
    if len(shown) == 2:
        return "both effects shown"
    if shown:
        return f"{shown[0]} shown"
    if done.null is not None and done.null.proven:
        return "null proven"
    return "inconclusive"


def estimate(reading: Interval | None, missing: str = "infinite") -> Cell | str:
    """A change with its interval below it."""
    if reading is None:
        return missing
    return Cell(signed(reading.value), interval(reading.low, reading.high))


def classes_parts(audit: Audit) -> list[Part]:
    """The classes with the tests that decide, their effects, and what other scoring makes of it."""
    if not audit.classes:
        return [Paragraph(f"{NOT_DONE.capitalize()}: {no_features(audit)}.")]
    return [
        *shown_first(_classes(audit), FIRST_CLASSES, "classes"),
        *_effects(audit),
        *_other_scoring(audit),
    ]


def _classes(audit: Audit) -> Table:
    return table(
        "Classes of features that fire alike, the most certain first; the numbers are those of "
        "the strongest member. ✓ marks those beyond chance: either test decides, at twice its p.",
        [
            Column("Class"),
            Column("Verdict"),
            Column(
                "Fires on", "right", "Failures and successes on which the strongest member does."
            ),
            Column(
                "p Fisher", "right", "Of firing, for this feature alone; Holm: over all tested."
            ),
            Column("p min-P", "right", "Adjusted, decides."),
            Column("p max-T", "right", "Adjusted, decides."),
            Column(
                "Effect",
                explanation="What is shown of changing it; below, by how many nats beyond controls "
                "taking it away and bringing it in moves the margin.",
            ),
            Column(
                "Stands for", explanation="A level of a factor, or levels; with the Jaccard index."
            ),
        ],
        [_class_row(site, reading, audit.alpha) for site, reading in audit.classes],
    )


def _class_row(site: str, reading: ClassReading, alpha: float) -> list[Cell | str]:
    proxy, flagged = reading.proxy, reading.flagged_by or []
    others = [feature.removeprefix(f"{site}/") for feature in reading.features[1:]]
    return [
        Cell(
            reading.features[0],
            f"with {listed(others, MEMBERS_NAMED)}" if others else "",
            reading.p_deciding <= alpha,
        ),
        Cell(reading.verdict.label, f"flagged by {listed(flagged)}" if flagged else ""),
        Cell(
            counted(reading.fail_active, "failure"),
            counted(reading.success_active, "success", "successes"),
        ),
        Cell(p_value(reading.p_fisher), f"Holm {p_value(reading.p_holm)}"),
        p_value(reading.p_min_p),
        p_value(reading.p_max_t),
        _effect_cell(reading),
        "no level"
        if proxy is None
        else Cell(f"{proxy.factor} = {proxy.level}", f"Jaccard {number(proxy.jaccard)}"),
    ]


def _effect_cell(reading: ClassReading) -> Cell:
    done = reading.intervention
    if done is None:
        return Cell(NOT_DONE)
    sizes = [signed(effect.adjusted) for effect in done.effects]
    return Cell(effect_words(done).removesuffix(" shown"), " and ".join(sizes))


def _effects(audit: Audit) -> list[Part]:
    caption = (
        "How large the effects are, failures − successes, with 95% intervals. Described: none of "
        "this decides, and with random labels the largest of many effects is large too."
    )
    columns = [
        Column("Class"),
        Column("Mean difference", "right", "Of activation; Welch."),
        Column("d", "right", "Cohen's, of activation."),
        Column("AUROC", "right", "Of activation, failures against successes; DeLong."),
        Column("Rate difference", "right", "Of the share on which it fires; Newcombe."),
        Column("p Welch", "right", "For this feature alone."),
        Column("p Mann–Whitney", "right", "For this feature alone."),
        Column("Support", explanation="Small: it fires, or is silent, on fewer than 20 prompts."),
    ]
    rows = [_effect_row(reading) for _, reading in audit.classes]
    return shown_first(table(caption, columns, rows), FIRST_CLASSES, "classes")


def _effect_row(reading: ClassReading) -> list[Cell | str]:
    found, d = reading.described, reading.cohens_d
    if found is None:
        plain = "infinite" if d is None else signed(d)
        return [reading.features[0], NOT_DONE, plain, auroc(reading.auroc), *(NOT_DONE,) * 4]
    area = found.auroc
    return [
        reading.features[0],
        estimate(found.mean_difference),
        estimate(found.cohens_d),
        "not defined"
        if area is None
        else Cell(auroc(area.value), f"[{auroc(area.low)}, {auroc(area.high)}]"),
        estimate(found.rate_difference),
        p_value(found.p_welch),
        p_value(found.p_mann_whitney),
        Cell("small", "intervals and p unreliable") if found.small_support else "enough",
    ]


def _other_scoring(audit: Audit) -> list[Part]:
    """Whether what a class goes with is the model's failure or the rule's."""
    rows: list[list[Cell | str]] = [
        [
            reading.features[0],
            Cell(
                other.rule,
                marked=other.p_deciding is not None and other.p_deciding <= audit.alpha,
            ),
            f"{other.failures:,}",
            TOO_FEW if other.p_deciding is None else p_value(other.p_deciding),
            NOT_DONE if other.rate_difference is None else signed(other.rate_difference),
            "infinite" if other.cohens_d is None else signed(other.cohens_d),
        ]
        for _, reading in audit.classes
        for other in reading.other_scoring or []
    ]
    if not rows:
        return [Paragraph(f"{NOT_DONE}.", "The classes under other rules of scoring:")]
    caption = (
        "The classes under other rules of scoring. ✓ marks those that go with failure or success "
        "there too."
    )
    columns = [
        Column("Class"),
        Column("Rule"),
        Column("Failures", "right", "Of all prompts, by this rule."),
        Column("p deciding", "right", "Twice the smaller of min-P and max-T."),
        Column("Rate difference", "right", "Of the share on which it fires, as above."),
        Column("d", "right", "Cohen's, of activation."),
    ]
    return shown_first(table(caption, columns, rows), 2 * FIRST_CLASSES, "rows")
