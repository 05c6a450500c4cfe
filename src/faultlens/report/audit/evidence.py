"""What a class rests on: all that was measured of it, and all that changing it did."""

from __future__ import annotations

from faultlens.auditing.result import ClassReading, OtherScoring
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, auroc, counted, listed, p_value, signed
from faultlens.report.audit.confounds import within_strata
from faultlens.report.audit.effects import changed_parts
from faultlens.report.audit.estimates import area, estimate
from faultlens.report.audit.patches import class_patches
from faultlens.report.audit.verdicts import class_name
from faultlens.report.parts import Cell, Facts, Paragraph, Part, facts

TOO_FEW = "too few fail or succeed"
MEMBERS_NAMED = 24


def evidence(audit: Audit, site: str, reading: ClassReading) -> list[Part]:
    """All that is known of a class beyond its row in the list."""
    found: list[Part] = []
    if reading.size > 1:
        others = [feature.removeprefix(f"{site}/") for feature in reading.features[1:]]
        text = f"{reading.features[0]}, and at the same site {listed(others, MEMBERS_NAMED)}."
        found.append(Paragraph(text, "Features of this class:"))
    found.append(_measured(reading, audit.alpha))
    if reading.intervention is not None:
        found += changed_parts(class_name(reading), reading.intervention, audit.alpha)
        swaps = audit.counterfactuals.swaps if audit.counterfactuals is not None else []
        found += class_patches(swaps, reading)
    elif why := audit.not_tested.get(reading.features[0]):
        found.append(Paragraph(f"{why}.", "Why it was not changed:"))
    return found


def _measured(reading: ClassReading, alpha: float) -> Facts:
    """Every measure of a class's strongest member, by name."""
    entries = [
        ("Strongest member", reading.features[0]),
        *_tests(reading),
        *_described(reading),
        *within_strata(reading, alpha),
        *_scored(reading.other_scoring, alpha),
    ]
    return facts(f"{reading.features[0]}, failures − successes:", entries)


def _tests(reading: ClassReading) -> list[tuple[str, Cell | str]]:
    flagged = reading.flagged_by or []
    found: list[tuple[str, Cell | str]] = [
        ("min-P", Cell(f"p {p_value(reading.p_min_p)}", "of firing; decides")),
        ("max-T", Cell(f"p {p_value(reading.p_max_t)}", "of strength; decides")),
        (
            "Fisher",
            Cell(f"p {p_value(reading.p_fisher)}", f"Holm over all {p_value(reading.p_holm)}"),
        ),
    ]
    return [*found, ("Flagged by", listed(flagged))] if flagged else found


def _described(reading: ClassReading) -> list[tuple[str, Cell | str]]:
    """How large the effect is; none of this decides."""
    found, d = reading.described, reading.cohens_d
    if found is None:
        plain = "infinite" if d is None else signed(d)
        return [("Cohen's d", plain), ("AUROC", auroc(reading.auroc)), ("Intervals", NOT_DONE)]
    rows: list[tuple[str, Cell | str]] = [
        ("Mean difference", estimate(found.mean_difference)),
        ("Cohen's d", estimate(found.cohens_d)),
        ("AUROC", area(found.auroc)),
        ("Difference of firing rates", estimate(found.rate_difference)),
        ("Welch", _alone(found.p_welch)),
        ("Mann–Whitney", _alone(found.p_mann_whitney)),
    ]
    if found.small_support:
        few = "it fires, or is silent, on fewer than 20 prompts: intervals and p are unreliable"
        rows.append(("Support", Cell("small", few)))
    return rows


def _alone(p: float | None) -> Cell:
    if p is None:
        return Cell(NOT_DONE, "prompts belong together")
    return Cell(f"p {p_value(p)}", "alone")


def _scored(others: list[OtherScoring] | None, alpha: float) -> list[tuple[str, Cell | str]]:
    """What the class is under other rules of scoring."""
    if others is None:
        return [("Under other rules of scoring", NOT_DONE)]
    return [(f"Scored by {other.rule}", _other(other, alpha)) for other in others]


def _other(other: OtherScoring, alpha: float) -> Cell:
    failures = counted(other.failures, "failure")
    if other.p_deciding is None or other.rate_difference is None:
        return Cell(TOO_FEW, failures)
    d = "infinite" if other.cohens_d is None else signed(other.cohens_d)
    return Cell(
        f"adjusted p {p_value(other.p_deciding)}",
        f"{failures}; rates differ by {signed(other.rate_difference)}, d {d}",
        other.p_deciding <= alpha,
    )
