"""A profile across layers as parts: difficulty, what persists, what grows, the long tail."""

from __future__ import annotations

from faultlens.profiling.result import LayerStep, Profile, Successor
from faultlens.report.figures.profile import coverage_lines, tail_curves
from faultlens.report.numbers import NOT_DONE, NOTHING_FIRES, auroc, counted, listed, number, share
from faultlens.report.parts import Cell, Column, Figure, Paragraph, Part, Table, shown_first, table

FIRST_ROWS = 14
NOT_KNOWN = "not known"


def difficulty_table(profile: Profile) -> Table:
    """Categories from the easiest to the hardest."""
    ordered = sorted(profile.difficulty.items(), key=lambda pair: (pair[1].rank, pair[0]))
    of = len(profile.sites)
    return table(
        "How hard each category is to tell from the rest by one feature, the easiest first.",
        [
            Column("Category"),
            Column("Rank", "right"),
            Column(
                "Difficulty",
                "right",
                "1 − the mean over sites of (texts above the threshold inside − outside) / texts "
                "of the category, for its best feature.",
            ),
            Column("Sites by AUROC", "right", "At which the best feature is beyond chance."),
            Column("Sites by score", "right", "Likewise, by score."),
            Column("First site", explanation="The first of those by AUROC."),
            Column("Best AUROC", "right"),
            Column("Mean AUROC", "right", "Of the best feature, over the sites."),
        ],
        [
            [
                category,
                f"{found.rank}",
                number(found.difficulty),
                f"{found.sites_by_auroc} of {of}",
                f"{found.sites_by_score} of {of}",
                found.first_site or "none",
                auroc(found.best_auroc),
                auroc(found.mean_auroc),
            ]
            for category, found in ordered
        ],
    )


def layer_parts(profile: Profile) -> list[Part]:
    """Whether top features persist from layer to layer, and what grows with depth."""
    compared = profile.layers
    if compared is None:
        return [Paragraph(_not_compared(profile))]
    return [
        Paragraph(_persistence(compared.steps)),
        *shown_first(_successors(compared.steps), FIRST_ROWS, "steps"),
        *shown_first(_trends(profile), FIRST_ROWS, "trends"),
    ]


def _not_compared(profile: Profile) -> str:
    nameless = [name for name, site in profile.sites.items() if site.layer is None]
    if len(nameless) > 1:
        return (
            f"Not compared: the layers of {listed(nameless)} are not known. A site's name starts "
            "with its layer, and names that agree in the rest are compared: 6-res-jb, 8-res-jb."
        )
    return (
        "Not compared: there are fewer than two layers of a kind. Sites whose names agree in all "
        "but the layer that they start with are compared: 6-res-jb, 8-res-jb."
    )


def _persistence(steps: list[LayerStep]) -> str:
    followed = [s for step in steps for s in step.selectivity.values()]
    same = sum(s.same_index for s in followed)
    known = [s for s in followed if s.persists is not None]
    text = (
        f"Of {counted(len(followed), 'step')} of a category's most selective feature to the next "
        f"layer, {same} keep the index, which means nothing between dictionaries trained one by "
        "one"
    )
    if not known:
        return f"{text}. Directions were not compared: that needs the dictionaries."
    nearest = sum(bool(s.persists) for s in known)
    chance = [s.chance_cosine for s in known if s.chance_cosine is not None]
    typical = [step.typical_cosine for step in steps if step.typical_cosine is not None]
    floor = (
        f", with a cosine above what 1 % of directions that are no feature's reach "
        f"({number(min(chance))} to {number(max(chance))}, by step)"
        if chance
        else ""
    )
    return (
        f"{text}; {nearest} of {len(known)} persist: they go to the feature that is nearest in "
        f"direction{floor}. "
        f"The nearest feature of the next layer has a cosine of {number(min(typical))} to "
        f"{number(max(typical))} for a typical feature (the median, by step)."
    )


def _successors(steps: list[LayerStep]) -> Table:
    rows: list[list[Cell | str]] = []
    for step in steps:
        for category, found in step.selectivity.items():
            rows.append([category, *_successor(found)])
    return table(
        "Each category's most selective feature and that of the next layer. ✓ marks those that "
        "persist: the later one is the nearest to the earlier in direction, and nearer than the "
        "nearest of 99 % of directions that are no feature's.",
        [
            Column("Category"),
            Column("At one layer"),
            Column("At the next"),
            Column("Same index"),
            Column("Cosine", "right", "Of the two features' decoder directions."),
            Column("Chance", "right", "A cosine that 1 % of mixtures of features reach."),
            Column("Rank", "right", "Of the later one by cosine, among its dictionary's features."),
            Column("Nearest at the next", explanation="The feature with the largest cosine."),
        ],
        rows,
    )


def _successor(found: Successor) -> list[Cell | str]:
    known = found.cosine is not None and found.nearest_cosine is not None
    return [
        found.earlier,
        Cell(found.later, marked=bool(found.persists)),
        "yes" if found.same_index else "no",
        NOT_KNOWN if found.cosine is None else number(found.cosine),
        NOT_KNOWN if found.chance_cosine is None else number(found.chance_cosine),
        NOT_KNOWN if found.rank is None else f"{found.rank:,}",
        Cell(str(found.nearest), f"cosine {number(found.nearest_cosine or 0.0)}")
        if known
        else NOT_KNOWN,
    ]


def _trends(profile: Profile) -> Table:
    assert profile.layers is not None
    rows = [
        [
            category,
            f"{trend.quantity}, {trend.kind}",
            " → ".join(number(value) for value in trend.values),
            f"{trend.layers[0]} to {trend.layers[-1]}",
            "none" if trend.ratio is None else number(trend.ratio),
            NOT_DONE if trend.rho is None else number(trend.rho),
        ]
        for category, trends in profile.layers.trends.items()
        for trend in trends
    ]
    return table(
        "What grows with depth. A residual stream may grow by itself, so peaks are also given "
        "relative to its mean norm.",
        [
            Column("Category"),
            Column("Quantity"),
            Column("Layer by layer"),
            Column("Layers"),
            Column("Last ÷ first", "right"),
            Column("ρ with depth", "right", "Spearman's; not done below three layers."),
        ],
        rows,
    )


def spread_parts(profile: Profile) -> list[Part]:
    """Coverage by layer, and how many features hold how much of the activation."""
    parts: list[Part] = []
    coverage = coverage_lines(profile)
    if coverage is not None:
        parts.append(
            Figure(
                coverage,
                "Coverage: the share of texts on which the most frequent feature fires, of each "
                "category and of all texts.",
                "A line for each category over the layers; the table below holds the numbers.",
            )
        )
    parts += [
        _tails(profile),
        Figure(
            tail_curves(profile),
            "The long tail: how much of all activation the features with the largest totals hold.",
            "A curve for each site; the table above holds where it passes 50, 90 and 99 %.",
        ),
        *_within(profile),
    ]
    return parts


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


def _within(profile: Profile) -> list[Part]:
    rows: list[list[Cell | str]] = []
    for category in profile.categories:
        for name, site in profile.sites.items():
            found = site.categories[category]
            frequent, selective = found.most_frequent, found.most_selective
            if frequent is None or found.tail is None:
                rows.append([category, name, NOTHING_FIRES, *["none"] * 4])
                continue
            rows.append(
                [
                    category,
                    name,
                    Cell(frequent.feature, f"{frequent.ties} tied" if frequent.ties > 1 else ""),
                    f"{frequent.texts} of {found.texts}, {share(frequent.coverage)}",
                    "none"
                    if selective is None
                    else Cell(
                        selective.feature,
                        f"{counted(selective.texts, 'text')}, {selective.ties} tied",
                    ),
                    number(found.tail.participation_ratio),
                    f"{found.tail.features_90:,}",
                ]
            )
    return [
        table(
            "",
            [
                Column("Category"),
                Column("Site"),
                Column("Most frequent within"),
                Column("Coverage", "right"),
                Column("Most selective within"),
                Column("Participation ratio", "right"),
                Column("For 90 %", "right"),
            ],
            rows,
            "Each category by itself: most frequent, most selective, long tail",
        )
    ]
