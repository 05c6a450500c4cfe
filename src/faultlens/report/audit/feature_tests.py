"""Step 3: how many features go with failure, and by which test."""

from __future__ import annotations

from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, counted, number
from faultlens.report.conventions import recorded_parts
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, table

TITLE = "Feature tests"
TESTS = {
    "min_p": Column("min-P", "right", "Step-down min-P of Fisher's test on firing; decides."),
    "max_t": Column("max-T", "right", "Step-down max-T of activation; decides."),
    "holm": Column("Holm", "right", "Fisher's test with Holm; beside."),
    "bh": Column("BH", "right", "Fisher's test with Benjamini–Hochberg; beside."),
    "welch": Column(
        "Welch", "right", "Welch's t with Holm; described, unreliable where groups are small."
    ),
    "mann_whitney": Column(
        "Mann–Whitney", "right", "Its normal approximation with Holm; described."
    ),
}


def no_features(audit: Audit) -> str:
    """Why no feature was tested."""
    if audit.verdict is not None:
        return f"the audit as a whole is {audit.verdict.label}"
    if audit.no_dictionaries is not None:
        return "no dictionary was given"
    return "no features were given" if not audit.sites else "no feature fires on enough prompts"


def sentence(audit: Audit) -> str:
    """How many features go with failure or success beyond chance."""
    if not audit.sites:
        return f"{NOT_DONE.capitalize()}: {no_features(audit)}."
    tested = sum(site.tested for site in audit.sites.values())
    features = sum(reading.size for _, reading in audit.significant)
    return (
        f"Of {counted(tested, 'feature')} that fire on at least "
        f"{counted(audit.min_support, 'prompt')}, {features:,} go with failure or success beyond "
        "chance."
    )


def parts(audit: Audit) -> list[Part]:
    """How many features each test finds, the study's rule beside, and how they were read."""
    if not audit.sites:
        return []
    conventions = {name: site.convention for name, site in audit.sites.items()}
    return [_found(audit), *_study_rule(audit), *recorded_parts(conventions)]


def _found(audit: Audit) -> Table:
    rows = [
        [
            name,
            f"{site.d_sae:,}",
            f"{site.tested:,}",
            *(f"{site.significant[t]:,}" if t in site.significant else NOT_DONE for t in TESTS),
        ]
        for name, site in audit.sites.items()
    ]
    return table(
        "Features that go with failure or success, by test, at α = "
        f"{number(audit.alpha)} over all sites together; {audit.permutations:,} permutations of "
        f"the outcome, seed {audit.seed}. The first two tests decide.",
        [
            Column("Site"),
            Column("Features", "right"),
            Column("Tested", "right", f"Fire on at least {audit.min_support} prompts."),
            *TESTS.values(),
        ],
        rows,
    )


def _study_rule(audit: Audit) -> list[Part]:
    """What the published study would have reported of each site."""
    rows: list[list[Cell | str]] = []
    for name, site in audit.sites.items():
        rule = site.study_rule
        if rule is None:
            rows.append([name, *(NOT_DONE,) * 5])
            continue
        top = "none"
        if rule.top is not None:
            d = rule.top_cohens_d
            top = f"{rule.top} (d {'infinite' if d is None else number(d)})"
        rows.append(
            [
                name,
                f"{rule.tested:,}",
                f"{rule.significant:,}",
                Cell(f"{rule.large:,}", f"{rule.significant_large:,} of the significant"),
                Cell(f"{rule.medium:,}", f"{rule.significant_medium:,} of the significant"),
                top,
            ]
        )
    if all(site.study_rule is None for site in audit.sites.values()):
        return [Paragraph(f"{NOT_DONE}.", "The published study's rule:")]
    caption = (
        "The published study's rule: Welch's t with the smaller group's degrees of freedom, Holm "
        "over all features. For comparison; it decides nothing here."
    )
    columns = [
        Column("Site"),
        Column("Tested", "right"),
        Column("Significant", "right"),
        Column("|d| > 0.8", "right", "Of all features, significant or not."),
        Column("|d| > 0.5", "right", "Of all features, significant or not."),
        Column("Largest |d|", explanation="Of the significant features."),
    ]
    return [table(caption, columns, rows)]
