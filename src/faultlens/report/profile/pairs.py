"""Minimal pairs as parts: does what fires follow the meaning or the surface?"""

from __future__ import annotations

from faultlens.profiling.result import Contrast, MinimalPairs, Profile
from faultlens.report.figures.evidence import pair_matrix
from faultlens.report.numbers import counted, number, p_value, signed
from faultlens.report.parts import Callout, Cell, Column, Figure, Paragraph, Part, Table, table


def pair_parts(profile: Profile) -> list[Part]:
    """The contrast of meanings at every site, beside that of the words themselves."""
    pairs = profile.pairs
    if pairs is None:
        return [Paragraph("Not done: no minimal pairs were given (--pairs).")]
    site = clearest(pairs)
    return [
        _callout(pairs, site, profile.alpha),
        _contrasts(pairs, profile.alpha),
        Figure(
            pair_matrix(pairs, site),
            f"Similarity of every two meanings at {site}, over texts of different form. The "
            "diagonal is one meaning in its several forms; forms that no meaning shares are not "
            "compared.",
            f"Heat map of {len(pairs.sites[site].meanings)} by {len(pairs.sites[site].meanings)} "
            "meanings; the table above holds the means on the diagonal and off it.",
        ),
        _meanings(pairs, site),
    ]


def clearest(pairs: MinimalPairs) -> str:
    """The site where meanings are told apart best: least p, then the largest difference."""
    return min(
        pairs.sites,
        key=lambda name: (pairs.sites[name].p_holm, -pairs.sites[name].similarity.difference),
    )


def _callout(pairs: MinimalPairs, site: str, alpha: float) -> Callout:
    found = pairs.sites[site]
    alike = found.similarity
    beyond = [name for name, of_site in pairs.sites.items() if of_site.p_holm <= alpha]
    shared = pairs.words.p_value <= alpha
    what = "meaning or its shared words" if shared else "meaning"
    title = (
        f"Features go with {what} across forms at {len(beyond)} of "
        f"{counted(len(pairs.sites), 'site')}"
    )
    text = (
        f"{counted(pairs.pairs, 'pair')} of {counted(pairs.texts, 'text')} in “{pairs.name}”: at "
        f"{site} two texts of one meaning and different form share {number(alike.within)} "
        f"of their top {pairs.top_k} features (Jaccard), two of different meaning "
        f"{number(alike.between)}: {signed(alike.difference)}, "
        f"p Holm {p_value(found.p_holm)} by permuting the meanings within each form. "
    )
    if shared:
        text += (
            f"The words alone go with meaning as well ({signed(pairs.words.difference)}, p "
            f"{p_value(pairs.words.p_value)}): forms of one meaning share names and numbers, and "
            "this much needs no understanding."
        )
    else:
        text += f"The words alone do not (p {p_value(pairs.words.p_value)})."
    return Callout("neutral", title, text)


def _contrasts(pairs: MinimalPairs, alpha: float) -> Table:
    rows: list[list[Cell | str]] = [
        [name, *_numbers(site.similarity), Cell(p_value(site.p_holm), marked=site.p_holm <= alpha)]
        for name, site in pairs.sites.items()
    ]
    rows.append(["the words alone", *_numbers(pairs.words), "not in the family"])
    return table(
        f"Mean Jaccard index of the top {pairs.top_k} features of two texts of different form. ✓ "
        "marks what is beyond chance after Holm over the sites.",
        [
            Column("Site"),
            Column("Within a meaning", "right"),
            Column("Between meanings", "right"),
            Column("Difference", "right"),
            Column(
                "p",
                "right",
                f"Of {pairs.permutations:,} permutations of the meanings within each form, the "
                "share with as large a difference.",
            ),
            Column("p Holm", "right"),
        ],
        rows,
    )


def _numbers(contrast: Contrast) -> list[str]:
    return [
        number(contrast.within),
        number(contrast.between),
        signed(contrast.difference),
        p_value(contrast.p_value),
    ]


def _meanings(pairs: MinimalPairs, site: str) -> Table:
    ordered = sorted(pairs.sites[site].meanings.items(), key=lambda pair: -pair[1])
    return table(
        "",
        [Column("Meaning"), Column("Similarity of its forms", "right")],
        [[meaning, number(similarity)] for meaning, similarity in ordered],
        f"All {len(ordered)} meanings at {site}, the most alike first",
    )
