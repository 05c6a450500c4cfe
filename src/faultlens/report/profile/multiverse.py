"""The method study as parts: which claims depend on how the study was done."""

from __future__ import annotations

from faultlens.numbers import counted, share
from faultlens.profiling.result import Multiverse, MultiverseClaim, Profile
from faultlens.report.figures.method import describe, specification_curve
from faultlens.report.parts import Cell, Column, Figure, Part, Table, table

MEASURES = {"selectivity": "AUROC", "specialist": "score"}


TITLE = "Method study"
FIRST_CLAIMS = 28


def sentence(profile: Profile) -> str:
    """How many claims hold however the study is done."""
    study = profile.multiverse
    if study is None:
        return "Not done: it was not asked for (--multiverse)."
    sound = sum(spec.sound for of_by in study.specifications.values() for spec in of_by)
    every = sum(map(len, study.specifications.values()))
    return (
        f"{claims_words(study)}. {sound:,} of {counted(every, 'specification')} are sound; the "
        "others make an error on purpose, to show what it does. Default: "
        f"{describe(study.specifications['specialist'][study.default['specialist']])}."
    )


def claims_words(study: Multiverse) -> str:
    """How many of the default's claims hold under every sound specification."""
    made = [claim for claim in study.claims if claim.by_default]
    firm = sum(claim.share_sound == 1 for claim in made)
    return (
        f"{firm} of {counted(len(made), 'claim')} that the default specification makes "
        f"{'holds' if firm == 1 else 'hold'} under every sound one"
    )


def parts(profile: Profile) -> list[Part]:
    """What every specification finds; nothing where the method study was not asked for."""
    study = profile.multiverse
    if study is None:
        return []
    found: list[Part] = [_claims(profile, study), _choices(study)]
    for by, measure in MEASURES.items():
        found.append(
            Figure(
                f"specifications by {by}",
                specification_curve(study, by),
                f"Specification curve by {measure}: every combination of choices, sorted by what "
                "it finds, with its choices below. ✗ marks the errors.",
                f"{len(study.specifications[by])} points; the tables above hold the shares.",
            )
        )
    return found


def _claims(profile: Profile, study: Multiverse) -> Table:
    found = {(claim.category, claim.by): claim for claim in study.claims}
    rows: list[list[Cell | str]] = []
    for category in profile.categories:
        row: list[Cell | str] = [category]
        for by in MEASURES:
            row += _claim(found[category, by])
        rows.append(row)
    within = "" if profile.length_strata is None else " within strata of length"
    columns = [Column("Category")]
    for by, measure in MEASURES.items():
        count = len(study.specifications[by])
        columns += [
            Column(f"By {measure}", explanation="Whether the claim holds by default."),
            Column("Sound", "right", f"Share of the sound ones of {count} specifications."),
            Column("All", "right", f"Share of all {count}, with those that make an error."),
        ]
    return table(
        "The claim that a category has a feature beyond chance at some site (Holm over categories "
        f"× sites, {study.permutations:,} permutations{within}), and the share of specifications "
        "under which it holds.",
        columns,
        rows,
        FIRST_CLAIMS,
        "categories",
    )


def _claim(claim: MultiverseClaim) -> list[Cell | str]:
    default = Cell("holds" if claim.by_default else "does not hold", marked=claim.by_default)
    return [default, share(claim.share_sound), share(claim.share)]


def _choices(study: Multiverse) -> Table:
    rows: list[list[Cell | str]] = []
    for choice in study.choices:
        rows.append(
            [
                choice.name,
                Cell(choice.value, f"✗ {choice.error}" if choice.error else ""),
                MEASURES[choice.by],
                share(choice.beyond_alone),
                share(choice.same_alone),
                f"{choice.specifications}",
                share(choice.beyond_mean),
                share(choice.same_mean),
            ]
        )
    return table(
        "What each choice does. A category may stay beyond chance while the feature that is named "
        "for it is another one: that is the damage to look for. Padding goes up to the longest of "
        f"{study.padded_together} texts in the corpus's order; a script that pads the whole corpus "
        "to its longest text pools more.",
        [
            Column("Choice"),
            Column("Made as"),
            Column("Looked at by"),
            Column("Beyond chance", "right", "Share of categories; all else as by default."),
            Column(
                "Same feature",
                "right",
                "Share of categories × sites with the default's top feature; all else as by "
                "default.",
            ),
            Column("Specifications", "right", "That make this choice."),
            Column("Beyond, mean", "right", "Mean over them."),
            Column("Same, mean", "right", "Mean over them."),
        ],
        rows,
    )
