"""What changing something did, against its controls: the two tests that decide, and flips."""

from __future__ import annotations

from faultlens.auditing.result import Effect, Flips, Intervention, Variant
from faultlens.numbers import (
    NOT_DONE,
    counted,
    interval,
    number,
    p_value,
    share,
    share_interval,
    signed,
)
from faultlens.report.audit.after_find import after_parts
from faultlens.report.audit.nulls import null_parts
from faultlens.report.figures.audit import dose_lines, doses, effect_sizes
from faultlens.report.parts import Cell, Column, Figure, Paragraph, Part, Table, table

TURNED = {"necessity": "right", "sufficiency": "wrong"}
"""What a prompt's first token becomes where a claim holds."""
NAMES = {"necessity": "taken away", "sufficiency": "brought in"}
REVERSED = {"necessity": "brought in", "sufficiency": "taken away"}
"""What is done to a class that goes with success."""

ROWS = (
    Cell("Result"),
    Cell("Change"),
    Cell("Where"),
    Cell("On"),
    Cell("Margin moves by", "mean over prompts"),
    Cell("Controls", "that push there as hard"),
    Cell("Under controls", "mean over them"),
    Cell("Beyond controls", "95%, over prompts"),
    Cell("p", "(1 + controls as large) / (controls + 1)"),
    Cell("p after Holm", "over its family"),
    Cell("First token turns", "below, under controls"),
    Cell("Turned beyond controls", "95%, over prompts"),
    Cell("Logit over the foil's", "described"),
)


def changed_parts(name: str, done: Intervention, alpha: float) -> list[Part]:
    """All that changing something did."""
    names = REVERSED if done.reversed else NAMES
    return [
        Paragraph(flips_words(done.flips, done.reversed)),
        Figure(
            f"effects of {name}",
            effect_sizes([(names[effect.claim], effect) for effect in done.effects]),
            f"{name} changed: the margin beyond what the controls do, with its 95% interval.",
            "A dot with an interval for each test; the table below holds the numbers.",
        ),
        _effects(name, done, alpha),
        *_random_decoder(name, done),
        *null_parts(name, done),
        *_variants(name, done.variants),
        *after_parts(name, done),
    ]


def _effects(name: str, done: Intervention, alpha: float) -> Table:
    """The two decisive tests side by side, a row for each thing known of them."""
    if done.sufficiency is not None:
        enough = _effect_cells(done.sufficiency, alpha)
    else:
        reason = done.sufficiency_missing or "no reason recorded"
        enough = [Cell(NOT_DONE, reason), *[NOT_DONE] * (len(ROWS) - 1)]
    caption = (
        f"{name}: the two tests that decide, by the margin of a right answer over the "
        "strongest other, where the answer begins. ✓ marks what is shown: p after Holm ≤ "
        f"{number(alpha)}, and the interval beyond 0, up for necessity and down for sufficiency"
        f"{_least_words(done.necessity)}."
    )
    columns = [
        Column("What"),
        Column("Necessity", explanation=_asked("necessity", done)),
        Column("Sufficiency", explanation=_asked("sufficiency", done)),
    ]
    cells = _effect_cells(done.necessity, alpha)
    return table(caption, columns, zip(ROWS, cells, enough, strict=True))


def _asked(claim: str, done: Intervention) -> str:
    """What a test asks, in a few words."""
    done_to = (REVERSED if done.reversed else NAMES)[claim].capitalize()
    if claim == "necessity":
        return f"{done_to}, on failures: do they recover?"
    return f"{done_to}, on successes: do they break?"


def _least_words(effect: Effect) -> str:
    """How large an effect must be to be shown; empty of older runs, which asked for no size."""
    if effect.least is None:
        return ""
    return (
        f", and at least {number(effect.least)} nats beyond the controls: a tenth of the gap "
        "between successes and failures"
    )


def _effect_cells(effect: Effect, alpha: float) -> list[Cell | str]:
    """What is known of one test, in the order of `ROWS`."""
    foil = effect.foil_change
    beyond = effect.turned_share - effect.control_turned_share
    return [
        Cell("shown", marked=True) if effect.shown else Cell("not shown", too_small(effect, alpha)),
        effect.kind,
        effect.positions,
        f"{effect.prompts:,} {effect.on}",
        f"{signed(effect.change)} nats",
        Cell(f"{effect.controls:,}", control_words(effect)),
        f"{signed(effect.control_change)} nats",
        Cell(f"{signed(effect.adjusted)} nats", interval(effect.low, effect.high)),
        p_value(effect.p_value),
        NOT_DONE if effect.p_holm is None else p_value(effect.p_holm),
        Cell(
            f"{effect.turned:,} of {effect.able:,} {TURNED[effect.claim]}, "
            f"{share(effect.turned_share)}",
            f"controls {share(effect.control_turned_share)}",
        ),
        Cell(
            f"{signed(100 * beyond)} points",
            share_interval(effect.turned_low, effect.turned_high),
        ),
        "no foil" if foil is None else f"{signed(foil)} nats",
    ]


def too_small(effect: Effect, alpha: float) -> str:
    """Why an effect that is beyond its controls is not shown; empty of one that is not."""
    if effect.large_enough or effect.least is None or not effect.significant(alpha):
        return ""
    return (
        f"beyond its controls, and less than the {number(effect.least)} nats (a tenth of the gap) "
        "that count"
    )


KINDS = {
    "features": ("other feature", "other features"),
    "covariance": (
        "direction from the values' covariance", "directions from the values' covariance",
    ),
}  # fmt: skip


def control_words(effect: Effect) -> str:
    """How many controls of each kind there are, how they compare, and where the test ended."""
    if effect.families:
        kinds = "; ".join(
            f"{counted(one.controls, *KINDS[one.name])}, "
            f"{one.as_large:,} as large (p {p_value(one.p_value)})"
            for one in effect.families
        )
    else:
        directions = effect.controls - effect.control_features
        kinds = (
            f"{counted(effect.control_features, 'other feature')}, "
            f"{counted(directions, 'random direction')}"
        )
    return f"{kinds}{_ended(effect)}"


def _ended(effect: Effect) -> str:
    """That a test ended before or after the controls that were planned, and why."""
    if effect.went_on:
        return (
            f"; it went on beyond the {effect.controls_planned:,} planned, since the decision was "
            f"near: of the first {effect.controls_counted:,} {effect.controls_as_large:,} are as "
            "large"
        )
    if not effect.stopped_early:
        return ""
    if effect.stopped_for_others:
        return (
            f"; it stopped before the {effect.controls_planned:,} planned, since beside the other "
            "tests it could no longer be significant: p is the largest that it could have reached, "
            f"{effect.controls_as_large:,} of {effect.controls_counted:,} being as large"
        )
    return (
        f"; it stopped before the {effect.controls_planned:,} planned, since it could no longer be "
        f"significant: p counts the first {effect.controls_counted:,}"
    )


def _random_decoder(name: str, done: Intervention) -> list[Part]:
    """What the same tests said of features that write at random."""
    if not done.random_decoder:
        return []
    names = REVERSED if done.reversed else NAMES
    said = "; ".join(
        f"{names[effect.claim]}, {signed(effect.adjusted)} nats beyond its controls, p after Holm "
        f"{NOT_DONE if effect.p_holm is None else p_value(effect.p_holm)}: "
        f"{'shown' if effect.shown else 'not shown'}"
        for effect in done.random_decoder
    )
    return [Paragraph(f"{said}.", f"{name} with random directions in place of its decoder's:")]


def flips_words(flips: Flips, reverse: bool = False) -> str:
    """What the whole answers did when something was taken away, or brought in."""
    on = f"all {counted(flips.prompts, 'prompt')} on which it"
    return (
        f"{f'Brought in on {on} is silent' if reverse else f'Taken away from {on} fires'}, "
        f"{counted(flips.failure_to_success, 'answer turns', 'answers turn')} right and "
        f"{flips.success_to_failure:,} wrong (exact McNemar test, p {p_value(flips.p_mcnemar)})."
    )


def _variants(name: str, variants: list[Variant]) -> list[Part]:
    """Changes of other kinds, which do not decide; the scaled ones are drawn as well."""
    if not variants:
        return [Paragraph(f"{NOT_DONE}.", f"{name}, changed in other ways:")]
    rows = [
        [v.kind, v.positions, f"{v.prompts:,}", signed(v.change), share(v.turned_share)]
        for v in variants
    ]
    columns = [
        Column("Change"),
        Column("Where"),
        Column("Prompts", "right"),
        Column("Margin", "right", "Its mean change, nats; no controls."),
        Column("Turned right", "right", "Share of the prompts."),
    ]
    caption = f"{name}, changed in other ways, on the failures of necessity. None of this decides."
    return [*_doses(name, variants), table(caption, columns, rows)]


def _doses(name: str, variants: list[Variant]) -> list[Part]:
    drawn = dose_lines({name: doses(variants)})
    if drawn is None:
        return []
    return [
        Figure(
            f"doses of {name}",
            drawn,
            "Dose and response: the margin of failures when its own activations are scaled, where "
            "it fires. As it is (× 1) is no change; a cause of failure falls from left to right.",
            "A line over the amounts; the table below holds the numbers.",
        )
    ]
