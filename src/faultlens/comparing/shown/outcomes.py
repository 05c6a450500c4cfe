"""Outcomes side by side: what turned, all prompts together and by level."""

from __future__ import annotations

from faultlens.comparing.result import AuditPair, ComparedRun, LevelPair, LevelRate, PairedFailures
from faultlens.comparing.shown.names import Names
from faultlens.numbers import (
    clipped,
    counted,
    interval,
    number,
    p_value,
    share,
    share_interval,
    signed,
)
from faultlens.report.audit.factors import level_name
from faultlens.report.figures.chart import Axis, Dots, Mark, Series
from faultlens.report.parts import Cell, Column, Figure, Paragraph, Part, table

FIRST_LEVELS = 16
FIRST_TURNED = 20
ANSWER, PROMPT = 60, 300  # characters
DRAWN = 8  # levels in the figure
NAME = 40  # characters of a level's name


def turned(found: PairedFailures) -> str:
    """How many failures are new and how many gone.

    >>> turned(PairedFailures(10, 4, 4, 1, 1, 1.0, 1.0))
    '1 failure is new and 1 is gone'
    """
    new = counted(found.new, "failure is", "failures are")
    return f"{new} new and {found.gone:,} {'is' if found.gone == 1 else 'are'} gone"


def what_changed(
    pair: AuditPair, runs: tuple[ComparedRun, ComparedRun], names: Names, compared: int
) -> str:
    """The first sentence: how many prompts fail in both runs, and whether that is chance."""
    found = pair.outcomes
    if found is None:
        told = [
            f"{name} fails {run.failures} of {run.n}"
            for name, run in ((names.first, runs[0]), (names.second, runs[1]))
        ]
        assert pair.p_fisher is not None
        return (
            f"the runs share no prompts; {' and '.join(told)}, "
            f"{_beyond(pair.p_fisher, pair.alpha)} (Fisher's exact test, "
            f"p {p_value(pair.p_fisher)})."
        )
    together = counted(found.n, "prompt")
    others = pair.only_first + pair.only_second
    rest = (
        "" if not others else f", beside {pair.only_first:,} and {pair.only_second:,} of their own"
    )
    holm = f", {p_value(found.p_holm)} after Holm over {compared} runs" if compared > 1 else ""
    text = (
        f"of the {together} that both runs have{rest}, {names.first} fails "
        f"{found.failures_first:,} and {names.second} {found.failures_second:,}: {turned(found)}, "
        f"{_beyond(found.p_holm, pair.alpha)} (McNemar's exact test, p {p_value(found.p_mcnemar)}"
        f"{holm})"
    )
    change = pair.margin_change
    if change is None:
        return f"{text}."
    size = f"{signed(change.value)} nats {interval(change.low, change.high)}"
    return f"{text}; the margin moves by {size}."


def _beyond(p: float, alpha: float) -> str:
    return "beyond chance" if p <= alpha else "no more than chance allows"


def where(pair: AuditPair) -> str:
    """The second sentence: at which level outcomes differ most surely."""
    if not pair.levels:
        return "neither audit has factors by which outcomes could be told apart."
    tested = [one for one in _listed(pair) if one[2].p_holm is not None]
    if not tested:
        return "the runs have no level of a factor in common."
    factor, level, found = tested[0]
    assert found.p_holm is not None
    if found.p_holm > pair.alpha:
        return "at no level of a factor do the runs differ beyond chance after Holm."
    name = level_name(factor, level, NAME)
    p = f"p after Holm {p_value(found.p_holm)}"
    if found.paired is not None:
        together = counted(found.paired.n, "prompt")
        return f"most surely with {name}: {turned(found.paired)} of {together} ({p})."
    told = [_share(rate) for rate in (found.first, found.second) if rate is not None]
    rates = " in the first run and ".join(told) + " in the second"
    return f"most surely with {name}: it fails {rates} ({p})."


def _share(rate: LevelRate) -> str:
    return f"{rate.failures} of {rate.n}"


def _listed(pair: AuditPair) -> list[tuple[str, str, LevelPair]]:
    """Every level, that at which the runs differ most surely first."""
    levels = [(f, name, found) for f, of_f in pair.levels.items() for name, found in of_f.items()]

    def order(one: tuple[str, str, LevelPair]) -> tuple[float, float]:
        p = one[2].paired.p_mcnemar if one[2].paired is not None else one[2].p_fisher
        return (2.0 if one[2].p_holm is None else one[2].p_holm, 2.0 if p is None else p)

    return sorted(levels, key=order)


def outcome_parts(pair: AuditPair, names: Names) -> list[Part]:
    """Every prompt that turned, and by how much the share that fails moves."""
    parts: list[Part] = []
    change = pair.rate_change
    if change is not None:
        low, high = (f"{signed(100 * end)}" for end in (change.low, change.high))
        parts.append(
            Paragraph(
                f"{signed(100 * change.value)} percentage points [{low}, {high}], over the prompts "
                "that both have (95% interval, bootstrap).",
                f"Failures, {names.second} − {names.first}:",
            )
        )
    if pair.turned:
        rows = [
            [
                clipped(one.prompt, PROMPT),
                one.target.strip(),
                one.became,
                _answer(one.generated_first),
                _answer(one.generated_second),
            ]
            for one in pair.turned
        ]
        columns = [
            Column("Prompt"), Column("Target"), Column("Became", chosen="Became"),
            Column(names.first), Column(names.second),
        ]  # fmt: skip
        caption = f"Prompts whose outcome is another in {names.second}, with what was generated."
        parts.append(table(caption, columns, rows, FIRST_TURNED, "prompts", "--json"))
    return parts


def _answer(generated: str | None) -> str:
    if generated is None:
        return "not recorded"
    return clipped(generated, ANSWER) or "(nothing)"


def factor_sentence(pair: AuditPair, names: Names) -> str:
    """Which levels go with failure in one of the runs only."""
    if not pair.levels:
        return "Neither audit has factors."
    both, alone = [], {names.first: list[str](), names.second: list[str]()}
    for factor, level, found in _listed(pair):
        one, other = (rate is not None and rate.significant for rate in (found.first, found.second))
        name = level_name(factor, level, NAME)
        if one and other:
            both.append(name)
        elif one or other:
            alone[names.first if one else names.second].append(name)
    told = [f"in both runs with {_few(both)}" if both else "with no level in both runs"]
    told += [f"in {run} alone with {_few(levels)}" for run, levels in alone.items() if levels]
    return f"Failure or success goes {', '.join(told)} (each audit's own test, after Holm)."


def _few(levels: list[str], most: int = 3) -> str:
    rest = len(levels) - most
    return ", ".join(levels[:most]) + (f" and {rest} more" if rest > 0 else "")


def factor_parts(pair: AuditPair) -> list[Part]:
    """Every level in both runs."""
    if not pair.levels:
        return []
    columns = (
        Column("Level", explanation="✓ marks levels at which the runs differ beyond chance."),
        Column("First run", "right", "Failures of its prompts at the level; below, their share."),
        Column("Second run", "right", "The same."),
        Column("New", "right", "Of the prompts that both have: right in the first run, wrong in "
               "the second."),
        Column("Gone", "right", "The reverse."),
        Column("p", "right", "Of these two, McNemar's exact test; where no prompts are shared, "
               "Fisher's exact test of the two shares. Below, after Holm over all levels."),
    )  # fmt: skip
    rows = [_row(pair, *one) for one in _listed(pair)]
    caption = "Failures by level, that at which the runs differ most surely first."
    return [table(caption, columns, rows, FIRST_LEVELS, "levels", "--json")]


def _row(pair: AuditPair, factor: str, level: str, found: LevelPair) -> list[Cell | str]:
    p = found.p_fisher if found.paired is None else found.paired.p_mcnemar
    marked = found.p_holm is not None and found.p_holm <= pair.alpha
    return [
        Cell(level_name(factor, level), marked=marked),
        _rate_cell(found.first),
        _rate_cell(found.second),
        "–" if found.paired is None else f"{found.paired.new:,}",
        "–" if found.paired is None else f"{found.paired.gone:,}",
        "not tested"
        if p is None or found.p_holm is None
        else Cell(p_value(p), f"Holm {p_value(found.p_holm)}", value=p),
    ]


def _rate_cell(rate: LevelRate | None) -> Cell:
    if rate is None:
        return Cell("no such level")
    of = rate.failures / rate.n
    return Cell(
        _share(rate),
        f"{share(of)} {share_interval(rate.low, rate.high)}",
        rate.significant,
        value=of,
    )


def rates_figure(
    pair: AuditPair, runs: tuple[ComparedRun, ComparedRun], names: Names
) -> Figure | None:
    """Failure rates of the levels at which the runs differ most; None without levels."""
    shown = _listed(pair)[:DRAWN]
    if not shown:
        return None

    def marks(which: int) -> tuple[Mark | None, ...]:
        rates = [(found.first, found.second)[which] for _, _, found in shown]
        return tuple(None if rate is None else _mark(rate) for rate in rates)

    over_all = (runs[0].failures or 0) / (runs[0].n or 1)
    chart = Dots(
        tuple(level_name(factor, level) for factor, level, _ in shown),
        (Series(names.first, "quiet", marks(0)), Series(names.second, "striking", marks(1))),
        Axis("failure rate", 0.0, 1.0, percent=True),
        over_all,
    )
    rest = sum(map(len, pair.levels.values())) - len(shown)
    more = "" if rest <= 0 else f" {counted(rest, 'level is', 'levels are')} not drawn."
    return Figure(
        "failure rates",
        chart,
        f"Failure rates by level in {names.first} and {names.second}, where they differ most "
        f"surely first; dotted, all prompts of {names.first} ({share(over_all)}).{more}",
        f"Failure rates of {number(len(shown))} levels in two runs; the table of levels holds the "
        "numbers.",
    )


def _mark(rate: LevelRate) -> Mark:
    of = rate.failures / rate.n
    words = f"{_share(rate)} fail, {share(of)} {share_interval(rate.low, rate.high)}"
    return Mark(of, rate.low, rate.high, words)
