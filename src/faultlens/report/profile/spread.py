"""How many texts features cover, and how many features hold how much of the activation."""

from __future__ import annotations

from faultlens.numbers import listed, number
from faultlens.profiling.result import Profile
from faultlens.report.figures.profile import LINES, coverage_lines, drawn_words, tail_curves
from faultlens.report.parts import Column, Figure, Part, Table, table

TITLE = "Coverage and long tail"


def sentence(profile: Profile) -> str:
    """How few features hold half of all activation, by site."""
    half = [
        f"{site.tail.features_50:,} of {site.firing:,} at {name}"
        for name, site in profile.sites.items()
    ]
    return f"Half of all activation is held by {listed(half, 4)} of the features that fire."


def parts(profile: Profile) -> list[Part]:
    """Coverage by layer, and how many features hold how much of the activation."""
    found: list[Part] = []
    coverage = coverage_lines(profile)
    if coverage is not None:
        found.append(
            Figure(
                "coverage",
                coverage,
                "Coverage: the share of texts on which the most frequent feature fires, of each "
                f"category and of all texts.{drawn_words(profile, LINES)}",
                "A line for each category; the list of categories holds the numbers.",
            )
        )
    found += [
        _tails(profile),
        Figure(
            "long tail",
            tail_curves(profile),
            "The long tail: how much of all activation the features with the largest totals hold.",
            "A curve for each site; the table above holds where it passes 50, 90 and 99 %.",
        ),
    ]
    return found


def _tails(profile: Profile) -> Table:
    return table(
        "How many features share the activation.",
        [
            Column("Site"),
            Column("Features that fire", "right"),
            Column(
                "Participation ratio",
                "right",
                "(Σ a)² / Σ a² of the features' totals: as many features if all were alike.",
            ),
            *(Column(f"For {part} %", "right") for part in (50, 90, 99)),
        ],
        [
            [
                name,
                f"{site.firing:,}",
                number(site.tail.participation_ratio),
                f"{site.tail.features_50:,}",
                f"{site.tail.features_90:,}",
                f"{site.tail.features_99:,}",
            ]
            for name, site in profile.sites.items()
        ],
    )
