"""Step 7 of an audit: what changing a class did, against its controls."""

from __future__ import annotations

from faultlens.auditing.result import (
    Effect,
    Flips,
    Intervention,
    Variant,
)
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.attribution import (
    NOT_SEARCHED,
    attribution_parts,
    attribution_words,
    found_and_tried,
)
from faultlens.report.audit.classes import class_name, effect_words
from faultlens.report.audit.named import (
    by_themselves,
    named_name,
    named_paragraph,
    named_words,
    tried_classes,
)
from faultlens.report.audit.nulls import null_parts
from faultlens.report.figures.audit import dose_lines, doses
from faultlens.report.numbers import (
    NOT_DONE,
    counted,
    interval,
    listed,
    number,
    p_value,
    share,
    share_interval,
    signed,
)
from faultlens.report.parts import (
    Callout,
    Cell,
    Column,
    Figure,
    Paragraph,
    Part,
    Table,
    Tone,
    table,
)

NOTHING_TRIED = "no class was changed to see what happens"
OPEN = 2  # classes whose other changes are shown without asking

CLAIMS = {"necessity": "taking it away", "sufficiency": "bringing it in"}
TURNED = {"necessity": "right", "sufficiency": "wrong"}
"""What a prompt's first token becomes where a claim holds."""


def intervention_parts(audit: Audit) -> list[Part]:
    """Each class that was tried, the doses, those that could not be tried, and the search."""
    tried = tried_classes(audit)
    if not (tried or audit.untried or audit.named or audit.attribution):
        return [Paragraph(f"{NOT_DONE.capitalize()}: {NOTHING_TRIED}, and {NOT_SEARCHED}.")]
    parts: list[Part] = []
    for place, (reading, done) in enumerate(tried):
        parts += _tried(class_name(reading), done, audit.alpha, folded=place >= OPEN)
    parts += _named(audit)
    parts += _doses(audit)
    parts += _untried(audit)
    if not tried and not any(trial.intervention for trial in audit.named):
        parts = [Paragraph(f"{NOT_DONE.capitalize()}: {NOTHING_TRIED}."), *parts]
    parts += attribution_parts(audit)
    for name, done in found_and_tried(audit):
        parts += _tried(name, done, audit.alpha, folded=True)
    return parts


def _named(audit: Audit) -> list[Part]:
    """The trials of what the user named; where there is none by itself, the reason."""
    alone = {named_name(trial): done for trial, done in by_themselves(audit)}
    parts: list[Part] = []
    for trial in audit.named:
        name = named_name(trial)
        parts.append(named_paragraph(audit, trial))
        if name in alone:
            parts += _tried(name, alone[name], audit.alpha, folded=False)
    return parts


def _tried(name: str, done: Intervention, alpha: float, *, folded: bool) -> list[Part]:
    shown = done.shown
    proven = done.null is not None and done.null.proven
    tone: Tone = "good" if shown else "neutral" if proven else "warning"
    return [
        Callout(tone, f"{name}: {effect_words(done)}", flips_words(done.flips)),
        _effects(name, done, alpha),
        *null_parts(name, done),
        *_variants(name, done.variants, folded),
    ]


def _effects(name: str, done: Intervention, alpha: float) -> Table:
    """The two decisive tests side by side, a row for each thing known of them."""
    if done.sufficiency is not None:
        enough = _effect_cells(done.sufficiency)
    else:
        reason = done.sufficiency_missing or "no reason recorded"
        enough = [Cell(NOT_DONE, reason), *[NOT_DONE] * (len(EFFECT_ROWS) - 1)]
    caption = (
        f"{name}: the two tests that decide, by the margin of a right answer over the "
        "strongest other, where the answer begins. ✓ marks what is shown: p after Holm ≤ "
        f"{number(alpha)}, and the interval beyond 0, up for necessity and down for sufficiency."
    )
    columns = [
        Column("What"),
        Column("Necessity", explanation="Taken away from failures: do they recover?"),
        Column("Sufficiency", explanation="Brought into successes: do they break?"),
    ]
    return table(
        caption, columns, zip(EFFECT_ROWS, _effect_cells(done.necessity), enough, strict=True)
    )


EFFECT_ROWS = (
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


def _effect_cells(effect: Effect) -> list[Cell | str]:
    """What is known of one test, in the order of `EFFECT_ROWS`."""
    foil = effect.foil_change
    beyond = effect.turned_share - effect.control_turned_share
    directions = effect.controls - effect.control_features
    return [
        Cell("shown" if effect.shown else "not shown", marked=effect.shown),
        effect.kind,
        effect.positions,
        f"{effect.prompts:,} {effect.on}",
        f"{signed(effect.change)} nats",
        Cell(
            f"{effect.controls:,}",
            f"{counted(effect.control_features, 'other feature')}, "
            f"{counted(directions, 'random direction')}",
        ),
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


def flips_words(flips: Flips) -> str:
    """What the whole answers did when the class was taken away."""
    return (
        f"With the class taken away, of {counted(flips.prompts, 'prompt')} on which it fires "
        f"{flips.failure_to_success:,} went from failure to success and "
        f"{flips.success_to_failure:,} from success to failure (exact McNemar test, p = "
        f"{p_value(flips.p_mcnemar)})."
    )


def _variants(name: str, variants: list[Variant], folded: bool) -> list[Part]:
    """The class changed in other ways."""
    if not variants:
        return [Paragraph(f"{NOT_DONE}.", f"{name}, changed in other ways:")]
    rows = [
        [
            v.kind,
            v.positions,
            f"{v.prompts:,}",
            signed(v.change),
            share(v.turned_share),
        ]
        for v in variants
    ]
    columns = [
        Column("Change"),
        Column("Where"),
        Column("Prompts", "right"),
        Column("Class", "right", "Mean change of the margin, nats; no controls."),
        Column("Turned right", "right", "Share of the prompts."),
    ]
    caption = f"{name}, changed in other ways, on the failures of necessity. None of this decides."
    return [table(caption, columns, rows, f"{name}: other changes" if folded else "")]


def _doses(audit: Audit) -> list[Part]:
    tried = [(class_name(reading), done) for reading, done in tried_classes(audit)]
    tried += [(named_name(trial), done) for trial, done in by_themselves(audit)]
    tried += found_and_tried(audit)
    drawn = dose_lines({name: doses(done.variants) for name, done in tried})
    if drawn is None:
        return []
    return [
        Figure(
            drawn,
            "Dose and response: the margin of failures when a class's own activations are scaled, "
            "where it fires. As it is (× 1) is no change; a cause of failure falls from left to "
            "right.",
            "A line for each class; the tables of other changes above hold the numbers.",
        )
    ]


def _untried(audit: Audit) -> list[Part]:
    """The classes that were to be tried, or would have been first, and were not."""
    if not audit.untried:
        return []
    names = {reading.features[0]: class_name(reading) for _, reading in audit.classes}
    rows = [[names.get(first, first), reason] for first, reason in audit.untried.items()]
    caption = "Classes that were not tried, though they were to be or come first."
    return [table(caption, [Column("Class"), Column("Why not")], rows)]


def intervention_sentence(audit: Audit) -> str:
    """What changing the suspect did, or the first class that was tried; and the search's find."""
    tried = tried_classes(audit)
    search = attribution_words(audit)
    after = f"; {search}" if search else ""
    after += "".join(f"; {words}" for words in named_words(audit))
    if not tried:
        why = listed([f"{first}: {reason}" for first, reason in audit.untried.items()], 1)
        return f"{NOT_DONE.capitalize()}: {why or NOTHING_TRIED}{after}."
    suspect = audit.suspect
    reading, done = next((pair for pair in tried if pair[0] is suspect), tried[0])
    said = [_effect_sentence(effect) for effect in done.effects]
    if done.sufficiency is None:
        said.append(f"sufficiency {NOT_DONE}: {done.sufficiency_missing or 'no reason recorded'}")
    if done.null is not None:
        said.append("null proven" if done.null.proven else "effect inconclusive")
    if len(tried) > 1:
        shown = sum(d.shown for _, d in tried)
        said.append(f"an effect is shown for {shown} of {len(tried)} classes tried")
    return f"{class_name(reading)}: {'; '.join(said)}{after}."


def _effect_sentence(effect: Effect) -> str:
    p = effect.p_value if effect.p_holm is None else effect.p_holm
    after = "" if effect.p_holm is None else " after Holm"
    return (
        f"{CLAIMS[effect.claim]} moves the answer by {signed(effect.adjusted)} nats "
        f"{interval(effect.low, effect.high)} beyond {counted(effect.controls, 'control')} ("
        f"{counted(effect.control_features, 'feature')}, "
        f"{counted(effect.controls - effect.control_features, 'random direction')}; p"
        f"{after} {p_value(p)}) and turns {effect.turned:,} of {effect.able:,} "
        f"{TURNED[effect.claim]} (controls {share(effect.control_turned_share)}), "
        f"{effect.claim} {'shown' if effect.shown else 'not shown'}"
    )
