"""Minimal pairs as parts: does what fires follow the meaning or the surface?"""

from __future__ import annotations

from faultlens.numbers import counted, number, p_value, signed
from faultlens.profiling.result import Contrast, MinimalPairs, Profile
from faultlens.report.figures.method import pair_matrix
from faultlens.report.parts import Cell, Column, Figure, Part, Table, table

TITLE = "Meaning or surface"
FIRST_MEANINGS = 8


def sentence(profile: Profile) -> str:
    """Whether texts of one meaning share features across forms, and whether words explain it."""
    pairs = profile.pairs
    if pairs is None:
        return "Not done: no minimal pairs were given (--pairs)."
    site = clearest(pairs)
    found = pairs.sites[site]
    return (
        f"{counted(pairs.pairs, 'pair')} of {counted(pairs.texts, 'text')} in “{pairs.name}”: at "
        f"{site} two texts of one meaning and different form share "
        f"{number(found.similarity.within)} of their top {pairs.top_k} features (Jaccard), two of "
        f"different meaning {number(found.similarity.between)} (p Holm {p_value(found.p_holm)} by "
        f"permuting the meanings within each form). {_words(pairs, profile.alpha)}"
    )


def _words(pairs: MinimalPairs, alpha: float) -> str:
    if pairs.words.p_value > alpha:
        return f"The words alone do not (p {p_value(pairs.words.p_value)})."
    return (
        f"The words alone go with meaning as well ({signed(pairs.words.difference)}, p "
        f"{p_value(pairs.words.p_value)}): forms of one meaning share names and numbers, and this "
        "much needs no understanding."
    )


def meaning_words(pairs: MinimalPairs, alpha: float) -> str:
    """At how many sites features go with meaning across forms, in a few words."""
    beyond = sum(of_site.p_holm <= alpha for of_site in pairs.sites.values())
    what = "meaning or its shared words" if pairs.words.p_value <= alpha else "meaning"
    return (
        f"features go with {what} across forms at {beyond} of {counted(len(pairs.sites), 'site')}"
    )


def parts(profile: Profile) -> list[Part]:
    """The contrast of meanings at every site, beside that of the words themselves."""
    pairs = profile.pairs
    if pairs is None:
        return []
    site = clearest(pairs)
    return [
        _contrasts(pairs, profile.alpha),
        Figure(
            "minimal pairs",
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
        f"All {len(ordered)} meanings at {site}, the most alike first.",
        [Column("Meaning"), Column("Similarity of its forms", "right")],
        [[meaning, number(similarity)] for meaning, similarity in ordered],
        FIRST_MEANINGS,
        "meanings",
    )
