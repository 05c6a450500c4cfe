"""The one list of categories; a row opens what was found of its category at every site."""

from __future__ import annotations

from faultlens.numbers import auroc, counted, number, p_value
from faultlens.profiling.result import Profile
from faultlens.report.parts import Cell, Column, Row, Table
from faultlens.report.profile.best import best, family
from faultlens.report.profile.category_evidence import evidence

FIRST_CATEGORIES = 20
LISTED = 500  # categories on the page; profile.json and tables/categories.parquet hold all
OPENED = 100  # of those, that open their evidence


def category_list(profile: Profile) -> Table:
    """Every category, the easiest to tell from the rest first."""
    ordered = sorted(profile.difficulty.items(), key=lambda pair: (pair[1].rank, pair[0]))
    rest = len(ordered) - LISTED
    more = "" if rest <= 0 else f" {rest:,} more stand in tables/categories.parquet."
    strata = ""
    if profile.length_strata is not None:
        strata = f"; labels shuffled only within {profile.length_strata} strata of length"
    return Table(
        caption=f"The feature that best tells each of "
        f"{counted(len(ordered), 'category', 'categories')} from the rest, the easiest first. ✓ "
        f"marks those beyond chance: {profile.permutations:,} random labellings{strata}, Holm over "
        f"{family(profile)}.{more}",
        columns=_columns(),
        rows=tuple(
            _row(profile, place, category) for place, (category, _) in enumerate(ordered[:LISTED])
        ),
        first=FIRST_CATEGORIES,
        rows_are="categories",
        browsable=True,
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("Category", brief=True),
        Column("Best feature", brief=True, explanation="By AUROC, over all sites."),
        Column("AUROC", "right", brief=True),
        Column("p Holm", "right", brief=True),
        Column(
            "Sites beyond chance",
            "right",
            "By AUROC; below, by score: texts above the threshold inside the category − outside.",
        ),
        Column(
            "Difficulty",
            "right",
            "1 − the mean over sites of (texts above the threshold inside − outside) / texts of "
            "the category, for its best feature; below, its mean AUROC over the sites.",
        ),
        Column("Length alone", "right", "AUROC, above 0.5 for longer texts; below, the mean."),
    )


def _row(profile: Profile, place: int, category: str) -> Row:
    found, hard = best(profile, category), profile.difficulty[category]
    length, sites = profile.lengths[category], len(profile.sites)
    return Row(
        (
            Cell(category),
            Cell(found.feature, f"{found.ties} tied" if found.ties > 1 else ""),
            Cell(auroc(found.auroc), value=found.auroc),
            Cell(p_value(found.p_holm), marked=found.p_holm <= profile.alpha, value=found.p_holm),
            Cell(
                f"{hard.sites_by_auroc} of {sites}",
                f"{hard.sites_by_score} by score",
                value=hard.sites_by_auroc,
            ),
            Cell(number(hard.difficulty), f"AUROC {auroc(hard.mean_auroc)}", value=hard.difficulty),
            Cell(auroc(length.auroc), f"{number(length.mean)} {length.unit}", value=length.auroc),
        ),
        tuple(evidence(profile, category)) if place < OPENED else (),
    )
