"""Step 6: how well failure is predicted by ever more of the prompt and the model."""

from __future__ import annotations

from faultlens.auditing.result import Ladder, LeftOutDifference, RungDifference
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import NOT_DONE, auroc, counted, interval, listed, signed
from faultlens.report.audit.feature_tests import no_features
from faultlens.report.figures.audit import ladder_dots
from faultlens.report.parts import Cell, Column, Figure, Paragraph, Part, Table, table

TITLE = "Baseline ladder"
OF_PROMPT = ("base_rate", "factors", "bag_of_tokens")
NAMES = {"sae_top_k": "SAE top-k", "sae_all": "all SAE features"}
LEVELS_NAMED = 6
FIRST_LEFT_OUT = 12


def rung_name(rung: str) -> str:
    """A rung in words."""
    return NAMES.get(rung, rung.replace("_", " "))


def parts(audit: Audit) -> list[Part]:
    """The rungs, drawn and as a table; their differences; levels that were not trained on."""
    if not audit.baselines:
        return []
    found: list[Part] = []
    drawn = ladder_dots(
        {rung_name(name): rung for name, rung in audit.baselines.items()},
        {rung_name(name) for name in OF_PROMPT},
    )
    if drawn is not None:
        found.append(
            Figure(
                "ladder",
                drawn,
                "How well failure is predicted on prompts held out; the dotted line is chance. A "
                "rung is worth something where it beats those above it.",
                "A dot for each rung, with its interval; the table below holds the numbers.",
            )
        )
    found.append(_rungs(audit))
    if audit.ladder is not None:
        found += _differences(audit.ladder.differences)
        found += _left_out(audit.ladder)
    return found


def _not_climbed(audit: Audit) -> str:
    """That there is no ladder, and as far as it is known why."""
    rungs = (audit.baselines or {}).values()
    reasons = list(dict.fromkeys(rung.reason for rung in rungs if rung.reason))
    if audit.verdict is not None:
        reasons = [no_features(audit)]
    return f"{NOT_DONE.capitalize()}{': ' + '; '.join(reasons) if reasons else ''}."


def scheme_words(ladder: Ladder | None) -> str:
    """How the prompts were held out."""
    if ladder is None:
        return "how the prompts were held out was not recorded"
    if ladder.scheme == "study":
        return f"the published study's one split of {ladder.folds} folds"
    repeats = counted(ladder.repeats, "repeat")
    return f"{repeats} of {ladder.folds} stratified folds"


def _rungs(audit: Audit) -> Table:
    rows = []
    for name, rung in (audit.baselines or {}).items():
        if rung.auroc is None:
            rows.append([rung_name(name), NOT_DONE, NOT_DONE, rung.reason or "no reason recorded"])
            continue
        reason = rung.reason or ("by definition" if name == "base_rate" else "")
        rows.append([rung_name(name), auroc(rung.auroc), _ends(rung.low, rung.high), reason])
    columns = [
        Column("Rung"),
        Column("AUROC", "right", "Mean over the folds, on prompts held out."),
        Column("95% interval", "right", "Nadeau–Bengio; one split has none."),
        Column("Remark"),
    ]
    if not any(row[3] for row in rows):
        columns, rows = columns[:3], [row[:3] for row in rows]
    caption = (
        f"The baseline ladder: {scheme_words(audit.ladder)}; all that is selected, scaled or tuned "
        "is so inside each fold."
    )
    return table(caption, columns, rows)


def _ends(low: float | None, high: float | None) -> str:
    return "none" if low is None or high is None else f"[{auroc(low)}, {auroc(high)}]"


def _differences(differences: list[RungDifference]) -> list[Part]:
    if not differences:
        return [Paragraph(f"{NOT_DONE}: there are no two rungs to compare.", "Differences:")]
    rows: list[list[Cell | str]] = [
        [
            Cell(
                f"{rung_name(d.first)} − {rung_name(d.second)}",
                marked=d.low is not None and d.high is not None and (d.low > 0 or d.high < 0),
            ),
            signed(round(d.difference, 3)),
            "none" if d.low is None or d.high is None else interval(d.low, d.high),
        ]
        for d in differences
    ]
    columns = [
        Column("Rungs"),
        Column("Difference", "right", "Of AUROC, mean over the same folds."),
        Column("95% interval", "right", "Nadeau–Bengio; one split has none."),
    ]
    caption = "Rungs against each other on the same folds. ✓ marks an interval without 0."
    return [table(caption, columns, rows)]


def _left_out(ladder: Ladder) -> list[Part]:
    """How the rungs do at levels of a factor that they were not trained on."""
    if not ladder.left_out:
        return [Paragraph(f"{NOT_DONE}.", "Levels left out of training:")]
    rows: list[list[Cell | str]] = []
    for held in ladder.left_out:
        silent = listed(held.one_class, LEVELS_NAMED) or "none"
        rung = "the other factors" if held.rung == "factors" else rung_name(held.rung)
        value: Cell | str = "" if held.auroc is None else auroc(held.auroc)
        if held.auroc is None:
            value = Cell(NOT_DONE, held.reason or "no reason recorded")
        rows.append(
            [
                held.factor, rung, value, _ends(held.low, held.high),
                f"{held.pairs:,}", f"{held.levels:,}", silent,
            ]
        )  # fmt: skip
    caption = (
        "Levels left out: each rung is trained on all other levels of a factor, and ranks failures "
        "above successes within the level left out."
    )
    if ladder.left_out_scheme == "strict":
        caption += " Prompts that belong with those left out are not trained on either."
    columns = [
        Column("Factor"),
        Column("Rung"),
        Column("AUROC", "right", "Share of pairs within levels in the right order."),
        Column("95% interval", "right", "Bootstrap over prompts."),
        Column("Pairs", "right", "A failure and a success at the same level."),
        Column("Levels", "right", "That hold such pairs."),
        Column("Levels with one outcome"),
    ]
    found: list[Part] = [table(caption, columns, rows, FIRST_LEFT_OUT)]
    return found + _left_out_differences(ladder.left_out_differences)


def _left_out_differences(differences: list[LeftOutDifference]) -> list[Part]:
    """Which rung is ahead where levels are left out."""
    if not differences:
        return []
    rows: list[list[Cell | str]] = [
        [
            d.factor,
            Cell(
                f"{rung_name(d.first)} − "
                f"{'the other factors' if d.second == 'factors' else rung_name(d.second)}",
                marked=d.low > 0 or d.high < 0,
            ),
            signed(round(d.difference, 3)),
            interval(d.low, d.high),
        ]
        for d in differences
    ]
    columns = [
        Column("Factor"),
        Column("Rungs"),
        Column("Difference", "right", "Of the shares of pairs in the right order."),
        Column("95% interval", "right", "Bootstrap over prompts, the same draws for both."),
    ]
    caption = "Rungs against each other at levels left out. ✓ marks an interval without 0."
    return [table(caption, columns, rows, FIRST_LEFT_OUT)]


def sentence(audit: Audit) -> str:
    """Whether anything of the model predicts failure better than the prompt's description."""
    rungs = {name: rung for name, rung in (audit.baselines or {}).items() if name != "base_rate"}
    reached = [name for name, rung in rungs.items() if rung.auroc is not None]
    if not reached:
        return _not_climbed(audit)
    known = [
        d
        for d in (audit.ladder.differences if audit.ladder is not None else [])
        if d.second == "factors" and d.first not in OF_PROMPT and d.low is not None
    ]
    if not known:
        return (
            "Which of these predicts failure on prompts held out better is not known: "
            f"{listed(list(map(rung_name, reached)))}."
        )
    better = [rung_name(d.first) for d in known if d.low is not None and d.low > 0]
    if better:
        return (
            f"On prompts held out, failure is predicted better from {listed(better)} than from the "
            "prompt's factors: the interval of the difference lies above 0."
        )
    return (
        "On prompts held out, nothing read off the model predicts failure better than the prompt's "
        "factors do: no interval of a difference lies above 0."
    )
