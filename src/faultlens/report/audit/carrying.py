"""The figures that carry an audit's answer: what fails, what a swap does, what a change does."""

from __future__ import annotations

from faultlens.auditing.result import LevelReading
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import share
from faultlens.report.audit.factors import level_name
from faultlens.report.audit.trials import changed
from faultlens.report.figures.audit import effect_sizes, failure_rates, swap_rates
from faultlens.report.parts import Figure

LEVELS_DRAWN = 6
SWAPS_DRAWN = 4
CHANGES_DRAWN = 5


def carrying_figures(audit: Audit) -> tuple[Figure, ...]:
    """Up to three figures; what was not done has none."""
    return tuple(
        figure for figure in (_levels(audit), _swaps(audit), _changes(audit)) if figure is not None
    )


def _levels(audit: Audit) -> Figure | None:
    levels = [(f, name, r) for f, of_f in audit.factors.items() for name, r in of_f.items()]
    if not levels:
        return None
    levels.sort(key=lambda entry: (entry[2].p_value, -entry[2].rate))
    drawn: list[tuple[str, LevelReading]] = [
        (level_name(factor, name), reading) for factor, name, reading in levels[:LEVELS_DRAWN]
    ]
    drawn.sort(key=lambda pair: -pair[1].rate)
    rate = audit.failures / audit.n
    return Figure(
        "levels",
        failure_rates(drawn, rate, audit.alpha),
        "How often prompts fail at the levels that differ most, with 95% intervals; the dotted "
        f"line is the rate over all prompts, {share(rate)}.",
        "A dot with an interval for each level; the table of levels holds the numbers.",
    )


def _swaps(audit: Audit) -> Figure | None:
    swaps = audit.counterfactuals.swaps if audit.counterfactuals is not None else []
    drawn = sorted(swaps, key=lambda swap: swap.p_mcnemar)[:SWAPS_DRAWN]
    if not drawn:
        return None
    return Figure(
        "swaps",
        swap_rates(drawn),
        "How often the same prompts fail as they are, and with one level swapped for another.",
        "Two dots for each swap; the table of swaps holds the numbers.",
    )


def _changes(audit: Audit) -> Figure | None:
    done = changed(audit)[:CHANGES_DRAWN]
    effects = [(one.name, one.done.necessity) for one in done]
    if not effects:
        return None
    return Figure(
        "effects",
        effect_sizes(effects),
        "How far the right answer gains when features are taken away, beyond what as large changes "
        "elsewhere do, with 95% intervals; the dotted line is no effect.",
        "A dot with an interval for each; the evidence of each class holds the numbers.",
    )
