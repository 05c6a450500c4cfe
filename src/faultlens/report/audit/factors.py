"""Step 2: what about the prompts goes with failure, before any feature is looked at."""

from __future__ import annotations

from faultlens.auditing.result import DroppedLevel, LevelReading, PairTable, Selection
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import (
    NOT_DONE,
    auroc,
    clipped,
    counted,
    listed,
    number,
    p_value,
    share,
    share_interval,
)
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, table

TITLE = "Factors"
FIRST_LEVELS = 16
FIRST_PAIRS = 8
FIRST_DROPPED = 8


def sentence(audit: Audit) -> str:
    """How many levels go with failure or success, and what forward selection made of them."""
    if not audit.factors:
        return f"{NOT_DONE.capitalize()}: {without_factors(audit)}."
    differ = sum(
        r.p_holm <= audit.alpha for levels in audit.factors.values() for r in levels.values()
    )
    levels = sum(len(levels) for levels in audit.factors.values())
    derived = " of factors read off the prompts" if audit.factors_derived else ""
    return (
        f"{differ} of {counted(levels, 'level')}{derived} fail more or less often than the rest "
        f"after Holm; {selection_words(audit.selection)}.{_groups(audit)}"
    )


def _groups(audit: Audit) -> str:
    """That prompts were tested as groups, by the columns that make them; texts that are alike are
    among the cautions."""
    groups = audit.groups
    if groups is None or not groups.columns or not groups.grouped:
        return ""
    return f" Prompts that share {listed(groups.columns)} are tested as {groups.groups:,} groups."


def selection_words(selection: Selection | None) -> str:
    """What forward selection took and dropped."""
    if selection is None:
        return f"forward selection: {NOT_DONE}"
    if not selection.selected:
        return "forward selection takes none"
    taken = [f"{level.factor} = {level.level}" for level in selection.selected]
    dropped = [f"{level.factor} = {level.level}" for level in selection.dropped]
    text = f"forward selection takes {listed(taken, 3)}"
    return f"{text}, and drops {listed(dropped, 3)}" if dropped else text


def parts(audit: Audit) -> list[Part]:
    """The table of all levels, forward selection, trends, pairs."""
    found = _origin(audit)
    if audit.factors:
        found += [_levels(audit), *_selection(audit.selection, audit.alpha)]
    found += _trends(audit)
    if audit.factors:
        found += _pairs(audit.pairs, audit.alpha)
    return found


def level_name(factor: str, level: str, width: int | None = None) -> str:
    """A level with its factor, cut to `width` characters if one is given."""
    name = f"{factor} = {level}"
    return name if width is None else clipped(name, width)


def strongest_level(audit: Audit) -> tuple[str, str, LevelReading] | None:
    """The level of a factor that goes most surely with failure or success; None without factors."""
    levels = [(f, name, r) for f, of_f in audit.factors.items() for name, r in of_f.items()]
    return min(levels, key=lambda entry: entry[2].p_value, default=None)


def without_factors(audit: Audit) -> str:
    """Why there is no table of factors."""
    if audit.factors_left_out:
        return "no factor of the prompts tells anything"
    return "the prompts come with no factors"


def _origin(audit: Audit) -> list[Part]:
    """Where the factors are from, and which of them tell nothing."""
    found: list[Part] = []
    if audit.factors_derived:
        text = (
            "none were given, so these were read off the prompts. They describe how a prompt is "
            "written; what was meant to vary may be something else."
        )
        found.append(Paragraph(text, "Derived factors:"))
    left_out = [f"{name} ({reason})" for name, reason in audit.factors_left_out.items()]
    if left_out:
        found.append(Paragraph(f"{listed(left_out, 12)}.", "Left out:"))
    return found


def _levels(audit: Audit) -> Table:
    entries = [(f, name, r) for f, levels in audit.factors.items() for name, r in levels.items()]
    rows: list[list[Cell | str]] = [
        [
            Cell(f"{factor} = {level}", marked=r.p_holm <= audit.alpha),
            f"{r.failures:,} of {r.n:,}",
            share(r.rate),
            share_interval(r.low, r.high),
            "infinite or undefined" if r.odds_ratio is None else number(r.odds_ratio),
            p_value(r.p_value),
            p_value(r.p_holm),
        ]
        for factor, level, r in sorted(entries, key=lambda entry: entry[2].p_value)
    ]
    return table(
        "Failures by level of each factor, against all other prompts, the least probable first. "
        "✓ marks those that differ after Holm.",
        [
            Column("Level"),
            Column("Failures", "right"),
            Column("Rate", "right"),
            Column("95% interval", "right", "Clopper–Pearson, of the failure rate."),
            Column("Odds ratio", "right", "Of the sample: failure at this level against the rest."),
            Column("p", "right", "Fisher's exact test against all other prompts."),
            Column("p Holm", "right", "After Holm over all levels of all factors."),
        ],
        rows,
        FIRST_LEVELS,
        "levels",
        "tables/levels.parquet",
    )


def _selection(selection: Selection | None, alpha: float) -> list[Part]:
    if selection is None:
        return [Paragraph(f"{NOT_DONE}.", "Forward selection:")]
    if not selection.selected:
        text = f"no level differs from the rest after Holm (p ≤ {number(alpha)}): none is taken."
        return [Paragraph(text, "Forward selection:")]
    rows = [
        [
            f"{taken.factor} = {taken.level}",
            f"{taken.failures:,} of {taken.n:,}",
            f"{taken.rest_failures:,} of {taken.rest_n:,}",
            p_value(taken.p_value),
            p_value(taken.p_holm),
            p_value(taken.p_stratified),
        ]
        for taken in selection.selected
    ]
    columns = [
        Column("Taken"),
        Column("Failures there", "right", "Outside the levels taken before."),
        Column("Failures elsewhere", "right", "At the other levels, outside those taken before."),
        Column("p", "right", "Fisher's exact test of these four counts; decides."),
        Column("p Holm", "right", "Over the levels that could still be taken."),
        Column(
            "p stratified", "right",
            "Exact, over all prompts, within the strata of the levels taken before; described.",
        ),
    ]  # fmt: skip
    caption = (
        "Forward selection: the level that differs most is taken, its prompts are set aside, and "
        "the rest is compared again, until no level differs after Holm."
    )
    return [table(caption, columns, rows), *_dropped(selection.dropped)]


def _dropped(dropped: list[DroppedLevel]) -> list[Part]:
    """Levels that only looked significant beside a stronger one."""
    if not dropped:
        return []
    rows = [
        [
            f"{level.factor} = {level.level}",
            p_value(level.p_marginal_holm),
            " = ".join(level.after),
            "nothing left to test" if level.p_value is None else p_value(level.p_value),
            "nothing left to test" if level.p_holm is None else p_value(level.p_holm),
        ]
        for level in dropped
    ]
    columns = [
        Column("Dropped"),
        Column("p Holm by itself", "right", "In the table of all levels, above."),
        Column("After"),
        Column("p then", "right", "Fisher's exact test outside the levels taken by then."),
        Column("p Holm then", "right"),
    ]
    caption = "Significant by themselves, and no longer once a stronger level is set aside."
    return [table(caption, columns, rows, FIRST_DROPPED, "levels")]


def _trends(audit: Audit) -> list[Part]:
    if not audit.trends:
        return []
    rows: list[list[Cell | str]] = [
        [
            Cell(name, marked=trend.p_value <= audit.alpha),
            auroc(trend.auroc),
            p_value(trend.p_value),
        ]
        for name, trend in audit.trends.items()
    ]
    columns = [
        Column("Factor"),
        Column("AUROC", "right", "Above 0.5: failures have the larger values."),
        Column("p", "right", "Two-sided, by permutation of the outcome."),
    ]
    caption = (
        "Trends of numeric factors, before they are binned. ✓ marks p ≤ "
        f"{number(audit.alpha)}, each by itself."
    )
    return [table(caption, columns, rows)]


def _pairs(pairs: PairTable | None, alpha: float) -> list[Part]:
    if pairs is None:
        return [Paragraph(f"{NOT_DONE}.", "Pairs of levels:")]
    if not pairs.pairs:
        return [Paragraph("no pair of levels is on enough prompts to be tested.", "Pairs:")]
    significant = sum(pair.p_holm <= alpha for pair in pairs.pairs)
    which = f"{significant} of {counted(pairs.tested, 'pair')} of levels say"
    if not significant:
        which = f"none of {counted(pairs.tested, 'pair')} of levels says"
    strongest = "" if significant else " The strongest are shown."
    rows: list[list[Cell | str]] = [
        [
            Cell(
                " and ".join(map(" = ".join, zip(pair.factors, pair.levels, strict=True))),
                marked=pair.p_holm <= alpha,
            ),
            f"{pair.failures:,} of {pair.n:,}",
            share(pair.rate),
            share_interval(pair.low, pair.high),
            p_value(pair.p_value),
            p_value(pair.p_holm),
        ]
        for pair in pairs.pairs
    ]
    columns = [
        Column("Pair"),
        Column("Failures", "right"),
        Column("Rate", "right"),
        Column("95% interval", "right", "Clopper–Pearson, of the failure rate."),
        Column("p", "right", "The larger of two: each level tested within the other."),
        Column("p Holm", "right", "Over all pairs tested."),
    ]
    caption = f"Pairs: {which} more together than either alone after Holm.{strongest}"
    return [table(caption, columns, rows, FIRST_PAIRS, "pairs")]
