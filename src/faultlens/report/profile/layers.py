"""What persists from layer to layer, and what grows with depth."""

from __future__ import annotations

from faultlens.numbers import NOT_DONE, counted, listed, number
from faultlens.profiling.result import LayerStep, Profile, Successor
from faultlens.report.figures.profile import LINES, drawn_words, peak_lines
from faultlens.report.parts import Cell, Column, Figure, Part, Table, table

TITLE = "Across layers"
FIRST_ROWS = 14
NOT_KNOWN = "not known"


def sentence(profile: Profile) -> str:
    """Whether top features persist from layer to layer."""
    if profile.layers is None:
        return _not_compared(profile)
    return _persistence(profile.layers.steps)


def parts(profile: Profile) -> list[Part]:
    """Peaks by layer, each step of a category's best feature, and trends with depth."""
    found = _peaks(profile)
    if profile.layers is not None:
        found += [_successors(profile.layers.steps), _trends(profile)]
    return found


def _peaks(profile: Profile) -> list[Part]:
    drawn = peak_lines(profile)
    if drawn is None:
        return []
    chart, relative = drawn
    what = (
        "relative to the mean residual norm of the site"
        if relative
        else "absolute, for the residual norm is not known"
    )
    return [
        Figure(
            "peaks",
            chart,
            f"The largest pooled activation of each category by layer, {what}; below it the Gini "
            f"of its {profile.top_k} largest maxima.{drawn_words(profile, LINES)}",
            "A line for each category over the layers; each category's row in the list holds the "
            "numbers.",
        )
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
        FIRST_ROWS,
        "steps",
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
        FIRST_ROWS,
        "trends",
    )
