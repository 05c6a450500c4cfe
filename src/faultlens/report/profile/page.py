"""A profile as parts: how much is beyond chance, then each category, then how it was read."""

from __future__ import annotations

from faultlens.profiling.result import Profile
from faultlens.report.figures.profile import peak_lines, selectivity_heatmap, specialist_heatmap
from faultlens.report.numbers import (
    NOTHING_FIRES,
    auroc,
    counted,
    listed,
    number,
    p_value,
    share,
)
from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Figure,
    Heading,
    Part,
    Table,
    Tone,
    shown_first,
    table,
)
from faultlens.report.profile.layers import difficulty_table, layer_parts, spread_parts
from faultlens.report.profile.multiverse import multiverse_parts
from faultlens.report.profile.pairs import pair_parts
from faultlens.report.profile.readings import convention_parts, length_parts, site_table
from faultlens.report.profile.tokens import token_parts

FIRST_ROWS = 28  # of a table with a row for each category and site


def profile_parts(profile: Profile) -> list[Part]:
    """Everything that a profile says, in the order in which it should be read."""
    found = peak_lines(profile)
    parts: list[Part] = [
        Heading("Profile: which features go with which kind of text"),
        _beyond_chance(profile),
        *_warnings(profile),
        Heading("Most selective features", 3),
        _selectivity(profile),
        Figure(
            selectivity_heatmap(profile),
            "AUROC of the most selective feature. The best of thousands of features is high even "
            "under random labels: what counts is whether it is beyond that.",
            f"Heat map of {len(profile.categories)} categories by {len(profile.sites)} sites; the "
            "table above holds the same numbers.",
        ),
        Heading("Scores at the threshold", 3),
        *shown_first(_scores(profile), FIRST_ROWS, "categories at sites"),
        Figure(
            specialist_heatmap(profile),
            "The best score of each category at each site. ✓ marks specialists beyond chance.",
            f"Heat map of {len(profile.categories)} categories by {len(profile.sites)} sites; the "
            "table above holds the same numbers.",
        ),
        Heading("Category difficulty", 3),
        difficulty_table(profile),
        Heading("Peaks and concentration", 3),
        *shown_first(_peaks(profile), FIRST_ROWS, "categories at sites"),
    ]
    if found is not None:
        figure, relative = found
        what = (
            "relative to the mean residual norm of the site"
            if relative
            else "absolute, for the residual norm is not known"
        )
        parts.append(
            Figure(
                figure,
                f"The largest pooled activation of each category by layer, {what}; below it "
                f"the Gini of its {profile.top_k} largest maxima.",
                "A line for each category over the layers; the table above holds the numbers.",
            )
        )
    parts += [
        Heading("Across layers", 3),
        *layer_parts(profile),
        Heading("Coverage and long tail", 3),
        *spread_parts(profile),
        Heading("Sites", 3),
        site_table(profile),
        Heading("Where they fire", 3),
        *token_parts(profile),
        Heading("Meaning or surface", 3),
        *pair_parts(profile),
        Heading("Text length", 3),
        *length_parts(profile),
    ]
    if profile.multiverse is not None:
        parts += [Heading("Method study", 3), *multiverse_parts(profile)]
    return [*parts, Heading("How it was read", 3), *convention_parts(profile)]


def family(profile: Profile) -> str:
    """The hypotheses that Holm runs over, in words."""
    sites = counted(len(profile.sites), "site")
    return f"{counted(len(profile.categories), 'category', 'categories')} × {sites}"


def _warnings(profile: Profile) -> list[Part]:
    """What was reported of the corpus when it was read."""
    if not profile.warnings:
        return []
    text = " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in profile.warnings)
    return [Callout("warning", "What to know of the input", text)]


def _beyond_chance(profile: Profile) -> Callout:
    all_of = len(profile.categories)
    by_auroc = [c for c, sites in profile.beyond_chance("selectivity").items() if sites]
    by_score = [c for c, sites in profile.beyond_chance("specialist").items() if sites]
    missing = [c for c in profile.categories if c not in by_auroc]
    text = (
        f"For {len(by_auroc)} of {all_of} categories some feature tells the category's texts from "
        f"the rest beyond chance by AUROC, and for {len(by_score)} of {all_of} by score (texts "
        f"above the threshold inside the category minus outside), after Holm over "
        f"{family(profile)} at α = {number(profile.alpha)}. Chance is the best of all features "
        f"under {profile.permutations:,} random labellings of the {profile.n_texts:,} texts of "
        f"“{profile.corpus}”."
    )
    if profile.length_strata is not None:
        text += f" Labels were shuffled only within {profile.length_strata} strata of length."
    if missing:
        text += f" Not beyond chance by AUROC: {listed(missing)}."
    tone: Tone = "good" if not missing else "neutral" if by_auroc else "warning"
    return Callout(tone, f"{len(by_auroc)} of {all_of} categories beyond chance", text)


def _selectivity(profile: Profile) -> Table:
    rows: list[list[Cell | str]] = []
    for category in profile.categories:
        row: list[Cell | str] = [category]
        for site in profile.sites.values():
            best = site.categories[category].selectivity
            tied = f", {best.ties} tied" if best.ties > 1 else ""
            row.append(
                Cell(
                    best.feature,
                    f"AUROC {auroc(best.auroc)}, p Holm {p_value(best.p_holm)}{tied}",
                    best.p_holm <= profile.alpha,
                )
            )
        rows.append(row)
    return table(
        "The feature that best tells each category from the rest, with its AUROC. ✓ marks those "
        f"beyond chance after Holm over {family(profile)}.",
        [Column("Category"), *(Column(name) for name in profile.sites)],
        rows,
    )


def _scores(profile: Profile) -> Table:
    rows: list[list[Cell | str]] = []
    for category in profile.categories:
        for name, site in profile.sites.items():
            best = site.categories[category].specialist
            short = site.categories[category].shortlist_specialist
            rows.append(
                [
                    category,
                    name,
                    Cell(best.feature, marked=best.p_holm <= profile.alpha),
                    f"{best.score}",
                    f"{best.inside} / {best.outside}",
                    p_value(best.p_value),
                    p_value(best.p_holm),
                    f"{best.ties}",
                    NOTHING_FIRES if short is None else short.feature,
                    "none"
                    if short is None
                    else f"{short.score} ({short.inside} / {short.outside})",
                ]
            )
    heights = [f"{name} {number(site.threshold)}" for name, site in profile.sites.items()]
    return table(
        "The feature with the best score for each category: texts above the threshold inside the "
        "category, minus outside. ✓ marks those that are specialists beyond chance, by p after "
        f"Holm. The shortlist rule looks only among the {profile.top_k} features that peak "
        "highest; it has no p-value, and a positive score alone means nothing. Thresholds: "
        f"{listed(heights)}.",
        [
            Column("Category"),
            Column("Site"),
            Column("Best of all features"),
            Column("Score", "right", "Texts above the threshold inside minus outside."),
            Column("In / out", "right", "Texts above the threshold inside and outside."),
            Column("p", "right", "Share of random labellings whose best score is as high."),
            Column("p Holm", "right", f"The same after Holm over {family(profile)}."),
            Column("Ties", "right", "Features with as high a score, this one included."),
            Column("Shortlist rule's feature"),
            Column("Its score (in / out)", "right"),
        ],
        rows,
    )


def _peaks(profile: Profile) -> Table:
    rows: list[list[str]] = []
    for category in profile.categories:
        for name, site in profile.sites.items():
            found = site.categories[category]
            peak = found.peak
            if peak is None or found.top_share is None or found.gini is None:
                rows.append([category, name, NOTHING_FIRES, *["none"] * 5])
                continue
            rows.append(
                [
                    category,
                    name,
                    peak.feature,
                    number(peak.activation),
                    "not known" if peak.relative is None else number(peak.relative),
                    number(found.top_sum),
                    share(found.top_share),
                    number(found.gini),
                ]
            )
    k = profile.top_k
    return table(
        "How high each category's features reach, and how much of the activation the highest hold.",
        [
            Column("Category"),
            Column("Site"),
            Column("Peak feature"),
            Column("Peak", "right", "The largest pooled activation in the category."),
            Column("Peak ÷ norm", "right", "Relative to the mean residual norm at the site."),
            Column(f"Top-{k} sum", "right", f"Of the {k} largest maxima of a feature."),
            Column(f"Top-{k} share", "right", "That sum over the sum of all features' maxima."),
            Column("Gini", "right", f"Of those {k} maxima: 0 is all alike."),
        ],
        rows,
    )
