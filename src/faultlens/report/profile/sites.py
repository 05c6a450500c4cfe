"""The sites that were read: what stands out at each whatever the category, and how it was read."""

from __future__ import annotations

from faultlens.numbers import clipped, counted, listed, number, share
from faultlens.profiling.result import Profile
from faultlens.report.conventions import recorded_parts
from faultlens.report.parts import Cell, Column, Part, Table, table

TITLE = "Sites, and how they were read"


def sentence(profile: Profile) -> str:
    """Which sites were read, and how."""
    return (
        f"Read at {listed(list(profile.sites), 6)}, {profile.pooling} pooling, seed {profile.seed}."
    )


def parts(profile: Profile) -> list[Part]:
    """Three features of each site, the conventions in force, and all that was recorded of them."""
    conventions = {name: site.convention for name, site in profile.sites.items()}
    return [_sites(profile), _conventions(profile), *recorded_parts(conventions)]


def _sites(profile: Profile) -> Table:
    """The features of each site that stand out whatever the category."""
    rows: list[list[Cell | str]] = []
    for name, site in profile.sites.items():
        frequent, selective, strongest = site.most_frequent, site.most_selective, site.strongest
        rows.append(
            [
                name,
                Cell(
                    frequent.feature,
                    f"fires on {counted(frequent.texts, 'text')}, {share(frequent.coverage)}"
                    + (
                        f", {counted(frequent.ties - 1, 'other')} on as many"
                        if frequent.ties > 1
                        else ""
                    ),
                ),
                Cell("none", "no text is above the threshold")
                if selective is None
                else Cell(
                    selective.feature,
                    f"above the threshold on {counted(selective.texts, 'text')}, "
                    f"{counted(selective.ties - 1, 'other')} on as few",
                ),
                Cell(
                    f"{strongest.feature}  {number(strongest.activation)}",
                    f"on “{clipped(strongest.text, 90)}”",
                ),
            ]
        )
    return table(
        "Three features of each site, whatever the category.",
        [Column("Site"), Column("Most frequent"), Column("Most selective"), Column("Strongest")],
        rows,
    )


def _conventions(profile: Profile) -> Table:
    rows: list[list[Cell | str]] = []
    for name, site in profile.sites.items():
        known = site.convention
        digest = str(known.get("dictionary", "not recorded"))
        norm = site.residual_norm
        rows.append(
            [
                name,
                str(known.get("pooling", profile.pooling)),
                _bos(known.get("prepend_bos"), known.get("bos_pooled")),
                number(site.threshold),
                f"{site.firing:,} of {site.d_sae:,}",
                "not known" if norm is None else number(norm),
                clipped(digest, 16),
            ]
        )
    return table(
        "Conventions in force.",
        [
            Column("Site"),
            Column("Pooling", explanation="How a text's token activations become one number."),
            Column("BOS", explanation="Whether the beginning-of-sequence token was there."),
            Column("Threshold", "right", "Of the score, in the units of pooled activations."),
            Column("Features that fire", "right"),
            Column("Residual norm", "right", "Mean over all pooled tokens."),
            Column("Dictionary's hash", explanation="The first digits; in full below."),
        ],
        rows,
    )


def _bos(prepended: bool | None, pooled: bool | None) -> str:
    if prepended is None:
        return "not recorded"
    if not prepended:
        return "not prepended"
    return "prepended, pooled" if pooled else "prepended, left out of pooling"
