"""What a profile says of its reading: sites, text length, conventions."""

from __future__ import annotations

from typing import Any

from faultlens.profiling.result import Profile
from faultlens.report.numbers import auroc, clipped, counted, listed, number, share
from faultlens.report.parts import Callout, Cell, Column, Paragraph, Part, Table, table

LENGTH_WARNS = 0.15  # |AUROC of length − 0.5| from which a reader should be told


def site_table(profile: Profile) -> Table:
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


def length_parts(profile: Profile) -> list[Part]:
    """How long each category's texts are, with a warning where length alone tells it."""
    lengths = profile.lengths
    unit = next(iter(lengths.values())).unit
    telling = [
        f"{category} ({auroc(length.auroc)}, {'longer' if length.auroc > 0.5 else 'shorter'})"
        for category, length in lengths.items()
        if abs(length.auroc - 0.5) >= LENGTH_WARNS
    ]
    texts = next(iter(profile.sites.values())).categories
    shown = table(
        "Length by category, and how well length alone tells the category (0.5: not at all).",
        [
            Column("Category"),
            Column("Texts", "right"),
            Column(f"Mean length in {unit}", "right"),
            Column("AUROC of length alone", "right", "Above 0.5: longer than the other texts."),
        ],
        [
            [c, f"{texts[c].texts}", number(length.mean), auroc(length.auroc)]
            for c, length in lengths.items()
        ],
    )
    if not telling:
        return [shown]
    warning = (
        f"Length alone goes with {listed(telling)}. A feature of these categories may follow how "
        "long a text is and not what it is."
    )
    return [Callout("warning", "Length is a rival explanation", warning), shown]


def convention_parts(profile: Profile) -> list[Part]:
    """The conventions in force, site by site, and all that was recorded of them."""
    conventions = {name: site.convention for name, site in profile.sites.items()}
    return [_conventions(profile), *recorded_parts(conventions)]


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
        f"Conventions in force; seed {profile.seed}.",
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


def recorded_parts(conventions: dict[str, dict[str, Any]]) -> list[Part]:
    """All that each site's reading recorded of itself, word for word."""
    keys = list(dict.fromkeys(key for of_site in conventions.values() for key in of_site))
    if not keys:
        return [Paragraph("No conventions were recorded.")]
    rows = [
        [key, *(str(of_site.get(key, "not recorded")) for of_site in conventions.values())]
        for key in keys
    ]
    columns = [Column("Convention"), *(Column(name) for name in conventions)]
    return [table("", columns, rows, "Everything recorded about the reading")]
