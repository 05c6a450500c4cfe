"""Step 7, the search for causes: what the answers' margin is attributed to, site by site."""

from __future__ import annotations

from faultlens.auditing.result import Attributed, SiteAttribution
from faultlens.auditing.result.argument import first_attributed, towards_failure
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, counted, interval, number, p_value, signed
from faultlens.report.audit.trials import class_of
from faultlens.report.audit.verdicts import class_name, effect_words
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, table

FIRST_FEATURES = 5
LABEL = "Search for causes:"
NOT_SEARCHED = "the answers were not attributed to features"


def attribution_parts(audit: Audit) -> list[Part]:
    """The sites side by side, then each one's first features with what changing them did."""
    if not audit.attribution:
        return [Paragraph(f"{NOT_DONE}: {NOT_SEARCHED}.", LABEL)]
    found: list[Part] = [
        Paragraph(
            "The margin, attributed to all that a site holds, in failures and in successes. An "
            "attribution is no effect: how far its ranking agrees with measured effects says how "
            "far it can be trusted here.",
            LABEL,
        ),
        _sites(list(audit.attribution.values())),
    ]
    classes = {reading.rank: class_name(reading) for _, reading in audit.classes}
    return found + [_top(site, classes) for site in audit.attribution.values()]


def _sites(found: list[SiteAttribution]) -> Table:
    caption = "Attribution of the margin, site by site: failures − successes, in nats."
    columns = [
        Column("Site"),
        Column("All features", "right", "Their activation × gradient, summed over positions."),
        Column("Error term", "right", "What the dictionary leaves out, × gradient."),
        Column(
            "Error, integrated",
            "right",
            "By integrated gradients, over so many failures and as many successes.",
        ),
        Column(
            "Completeness",
            "right",
            "Largest gap between the sum of integrated gradients and the margin's difference.",
        ),
        Column("Measured", "right", "Features over which agreement and linearity are taken."),
        Column(
            "Agreement",
            "right",
            "Spearman's, of the ranking (activation × gradient, failures − successes: the lowest "
            "first) and the measured effect of taking a feature to its mean over the successes, on "
            "failures where it fires; below, of the ranking by integrated gradients.",
        ),
        Column(
            "Linearity",
            "right",
            "Spearman's, of slope × change and the effect of that very change: how linear the "
            "model is there, not how good the ranking is; below, by the mean slopes of integrated "
            "gradients.",
        ),
    ]
    return table(caption, columns, [_site_row(site) for site in found])


def _site_row(site: SiteAttribution) -> list[Cell | str]:
    over = f"{site.prompts:,} + {site.prompts:,} prompts"
    return [
        site.site,
        signed(site.features_gradient),
        signed(site.error_gradient),
        NOT_DONE if site.error_integrated is None else Cell(signed(site.error_integrated), over),
        NOT_DONE
        if site.completeness is None
        else Cell(f"{number(site.completeness)} nats", counted(site.steps, "step")),
        f"{site.measured:,}",
        Cell(
            _rank(site.ranking_agreement, site),
            f"integrated {_rank(site.ranking_agreement_integrated, site)}",
        ),
        Cell(
            _rank(site.linearity, site),
            f"integrated {_rank(site.linearity_integrated, site)}",
        ),
    ]


def _rank(correlation: float | None, site: SiteAttribution) -> str:
    """A rank correlation; undefined where few were measured, or all are the same.

    A run of an earlier version has no agreement of the ranking, though linearity.
    """
    if correlation is not None:
        return signed(round(correlation, 3))
    return NOT_DONE if not site.measured or site.linearity is not None else "not defined"


def _top(site: SiteAttribution, classes: dict[int, str]) -> Table:
    caption = (
        f"{site.site}: the features to which most of the failures' lower margin is attributed. "
        "Those that come first over all sites are changed to see what happens. ✓ marks an effect "
        "that is shown."
    )
    columns = [
        Column("Feature", explanation="Below, the significant class that holds it, if any."),
        Column(
            "Gradient", "right", "Activation × gradient: failures − successes; below, both. Nats."
        ),
        Column("Integrated", "right", "Integrated gradients, likewise."),
        Column(
            "Measured",
            explanation="Necessity: change of the margin beyond controls, set to the successes' "
            "mean on failures, nats; of all its class, where it is of one.",
        ),
        Column("p", "right", "Against the controls; below, after Holm."),
    ]
    rows = [_feature_row(found, classes) for found in site.top]
    return table(caption, columns, rows, FIRST_FEATURES, "features")


def _feature_row(found: Attributed, classes: dict[int, str]) -> list[Cell | str]:
    member = "" if found.in_class is None else classes.get(found.in_class, "a class")
    effect = found.effect
    integrated: Cell | str = NOT_DONE
    if found.integrated_failures is not None and found.integrated_successes is not None:
        integrated = _difference(found.integrated_failures, found.integrated_successes)
    row: list[Cell | str] = [
        Cell(found.feature, f"of {member}" if member else ""),
        _difference(found.gradient_failures, found.gradient_successes),
        integrated,
    ]
    if effect is None:
        return [*row, Cell(NOT_DONE, found.effect_missing or "no reason recorded"), NOT_DONE]
    whose = ", as its class" if len(found.tested_as or ()) > 1 else ""
    return [
        *row,
        Cell(signed(effect.adjusted), interval(effect.low, effect.high) + whose, effect.shown),
        Cell(
            p_value(effect.p_value),
            f"Holm {NOT_DONE if effect.p_holm is None else p_value(effect.p_holm)}",
        ),
    ]


def _difference(failures: float, successes: float) -> Cell:
    return Cell(signed(failures - successes), f"{signed(failures)} against {signed(successes)}")


def search_words(audit: Audit) -> str:
    """What the search puts first, over all sites, and what changing it did; empty without one."""
    named = first_attributed(audit)
    if named is None:
        return ""
    site, first = named
    changed = changed_words(audit, first)
    return (
        f"attribution puts {first.feature} first ({signed(towards_failure(first))} nats, failures "
        f"− successes; the error term {signed(site.error_gradient)})"
        + (f", {changed}" if changed else "")
    )


def changed_words(audit: Audit, found: Attributed) -> str:
    """What changing a feature that the search found gave; empty if it was not to be changed."""
    if found.effect is None:
        return f"{NOT_DONE}: {found.effect_missing}" if found.tested_as else ""
    done, whose = found.intervention, ""
    held = class_of(audit, found)
    if done is None and found.tested_as and held is not None:
        done = held.intervention
        whose = f" as {class_name(held)}" if len(found.tested_as) > 1 else ""
    if done is None:
        return f"changed: {found.effect.claim} {'shown' if found.effect.shown else 'not shown'}"
    return f"changed{whose}: {effect_words(done)}"
