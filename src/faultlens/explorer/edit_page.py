"""An edit tried on one prompt: margin and answer, before and after, beside its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping

from faultlens.corpus.prompt import Prompt
from faultlens.errors import UserError
from faultlens.explorer.edit_trial import KINDS, EditTrial, Trial, edit_of, try_edit
from faultlens.explorer.source import Source
from faultlens.explorer.view import Field, Form, View, edit_address, feature_address, mistake
from faultlens.numbers import clipped, counted, number, signed
from faultlens.report.audit.verdicts import class_name
from faultlens.report.figures.chart import Axis, Dots, Mark, Series
from faultlens.report.parts import Callout, Cell, Column, Figure, Paragraph, Part, Row, Table, table

TITLE = "What does an edit do to an answer?"
LISTED = 60  # classes that can be picked
PROMPTS = 400  # that can be picked
WORDS = {
    "zero": "Zero: take it away",
    "scale": "Scale: multiply its activation",
    "add": "Add to its activation",
    "clamp": "Clamp: set its activation",
}
SAME = 0.05  # nats between the margin that the run recorded and the one that is read now


def edit_page(source: Source, asked: Mapping[str, str]) -> View:
    """What can be asked for; and, where it was, what became of the answer."""
    form = _form(source, asked)
    try:
        return _answered(source, asked, form)
    except UserError as error:
        return mistake("edit", TITLE, str(error), form)


def _answered(source: Source, asked: Mapping[str, str], form: Form) -> View:
    if source.lens is None:
        raise UserError("this run was made without a model")
    if not source.widths:
        raise UserError("this run read the model without dictionaries")
    features = asked.get("features", "").strip()
    ready = asked.get("prompt", "").strip() or asked.get("prompt_id", "").strip()
    if not features or not ready:
        first = Paragraph("Pick a class below, or name features of one dictionary, and a prompt.")
        return View("edit", TITLE, (first,), form, parts=_classes(source, asked))
    prompt, rule, recorded = _prompt(source, asked)
    edit = edit_of(asked.get("edit", KINDS[0]), _amount(asked))
    with source.lens.used() as lens:
        found = try_edit(lens, prompt, features, edit, rule)
    lead: tuple[Paragraph | Callout, ...] = (
        Paragraph(_told(found), "The answer:"),
        Paragraph(
            "that the features matter for failure in general: this is one prompt, and the controls "
            "are few. The audit's own tests stand with each class.",
            "What may not be claimed:",
        ),
        *_cautions(found.trial, recorded),
    )
    return View(
        "edit",
        TITLE,
        lead,
        form,
        parts=(_table(found), _figure(found), *_classes(source, asked)),
    )


def _form(source: Source, asked: Mapping[str, str]) -> Form:
    fields = [Field("text", "features", "Features", asked.get("features", ""),
                    hint="of one dictionary, joined by +")]  # fmt: skip
    fields.append(Field("select", "edit", "Edit", asked.get("edit", ""), tuple(WORDS.items())))
    fields.append(Field("number", "amount", "Amount", asked.get("amount", "0.5")))
    if source.audit is not None and source.plain_prompts and source.audit.outcomes:
        outcomes, chosen = source.audit.outcomes, asked.get("prompt_id", "")
        listed = list(range(min(PROMPTS, len(outcomes))))
        if chosen.isdecimal() and PROMPTS <= int(chosen) < len(outcomes):
            listed.append(int(chosen))
        options = [("", "a prompt of my own")] + [
            (
                str(i),
                f"{i}: {'✓' if outcomes[i].success else '✕'} {clipped(outcomes[i].prompt, 70)}",
            )
            for i in listed
        ]
        fields.append(Field("select", "prompt_id", "Prompt", asked.get("prompt_id", ""), options))
    fields += [
        Field("area", "prompt", "Or a prompt of your own", asked.get("prompt", "")),
        Field("text", "target", "Its right answer", asked.get("target", "")),
    ]
    return Form("/edit", fields, "Try it")


def _amount(asked: Mapping[str, str]) -> float:
    text = asked.get("amount", "").strip() or "0"
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount):
        raise UserError(f"amount {text!r}: expected a number, e.g. 0.5")
    return amount


def _prompt(source: Source, asked: Mapping[str, str]) -> tuple[Prompt, str | None, float | None]:
    """The prompt that is asked for, the rule that decides on it, and the margin that it had."""
    own, chosen = asked.get("prompt", "").strip(), asked.get("prompt_id", "").strip()
    if own:
        target = asked.get("target", "").strip()
        if not target:
            raise UserError("a prompt of your own needs its right answer")
        return Prompt(own, target), None, None
    outcomes = () if source.audit is None else source.audit.outcomes
    if not chosen.isdecimal() or int(chosen) >= len(outcomes) or not source.plain_prompts:
        raise UserError(f"there is no prompt {chosen!r} that could be edited here")
    assert source.audit is not None
    one, rule = outcomes[int(chosen)], source.audit.rule
    foil = source.foils[int(chosen)] if int(chosen) < len(source.foils) else None
    prompt = Prompt(one.prompt, one.target, foil, accepted=tuple(one.accepted))
    return prompt, None if rule == "given" else rule, one.margin


def _told(found: EditTrial) -> str:
    trial, controls = found.trial, found.controls
    turn = {
        (False, True): ", and the answer turns right",
        (True, False): ", and the answer turns wrong",
        (True, True): ", and the answer stays right",
        (False, False): ", and the answer stays wrong",
    }[trial.success]
    text = (
        f"the margin moves by {signed(trial.change)} nats, from {number(trial.margin[0])} to "
        f"{number(trial.margin[1])}{turn}"
    )
    if not controls:
        return f"{text}; no other feature fires here that it could be compared with."
    mean = sum(control.change for control in controls) / len(controls)
    turned = sum(control.success[0] != control.success[1] for control in controls)
    others = counted(len(controls), "other feature")
    return (
        f"{text}; the same edit of {others} that fire here, one at a time, moves it by "
        f" {signed(mean)} on average, and turns the answer {turned} of {len(controls)} times."
    )


def _cautions(trial: Trial, recorded: float | None) -> tuple[Callout, ...]:
    """Whether the prompt is read as the run read it."""
    if recorded is None or abs(recorded - trial.margin[0]) <= SAME:
        return ()
    return (
        Callout(
            "caution",
            "To be read with care:",
            f"the run recorded a margin of {number(recorded)} nats for this prompt, and read here "
            f"it has {number(trial.margin[0])}: it was given to the model in another way.",
        ),
    )


def _table(found: EditTrial) -> Table:
    columns = (
        Column("Edited"),
        Column("Change", "right", "Of the margin, in nats."),
        Column("Answer after"),
        Column("Answer before"),
        Column("Margin", "right", "Before → after, in nats."),
        Column("Tokens", "right", "How many tokens of the prompt are edited."),
    )
    rows = [_row(found.trial, "what was asked for")]
    rows += [_row(control, "control") for control in found.controls]
    return table("The edit and its controls: other features that fire here about as much.", columns,
                 rows)  # fmt: skip


def _row(trial: Trial, role: str) -> Row:
    name = trial.features
    address = "" if "+" in name else feature_address(name)
    return Row(
        (
            Cell(name.replace("+", " + "), role, address=address),
            Cell(signed(trial.change), value=trial.change),
            Cell(trial.generated[1], "right" if trial.success[1] else "wrong"),
            Cell(trial.generated[0], "right" if trial.success[0] else "wrong"),
            Cell(f"{number(trial.margin[0])} → {number(trial.margin[1])}"),
            Cell(f"{trial.tokens:,}"),
        )
    )


def _figure(found: EditTrial) -> Figure:
    trials = (found.trial, *found.controls)
    marks = [Mark(t.change, None, None, f"{signed(t.change)} nats") for t in trials]
    empty: tuple[Mark | None, ...] = (None,) * (len(trials) - 1)
    reach = max(abs(t.change) for t in trials) * 1.1 or 1.0
    chart = Dots(
        tuple(t.features for t in trials),
        (
            Series("edit", "striking", (marks[0], *empty)),
            Series("controls", "quiet", (None, *marks[1:])),
        ),
        Axis("change of the margin, nats", -reach, reach),
        0.0,
    )
    return Figure(
        "changes", chart, "How the margin moves under the edit, and under the same edit of others.",
        "A mark for the edit and one for each control; the table holds the numbers.",
    )  # fmt: skip


def _classes(source: Source, asked: Mapping[str, str]) -> tuple[Part, ...]:
    """The classes of the audit, each leading to its edit on the prompt that is chosen."""
    if source.audit is None or not source.audit.classes:
        return ()
    kept = {
        name: asked[name] for name in ("edit", "amount", "prompt_id", "prompt", "target")
        if asked.get(name)
    }  # fmt: skip
    if not kept.get("prompt") and "prompt_id" not in kept:
        failed = [i for i, one in enumerate(source.audit.outcomes) if not one.success]
        kept["prompt_id"] = str(failed[0] if failed else 0)
    rows = [
        Row(
            (
                Cell(class_name(reading), address=edit_address(reading.features, **kept)),
                Cell(reading.verdict.label),
                Cell(f"{reading.fail_active:,}, {reading.success_active:,}",
                     value=reading.fail_active),
            )
        )
        for _, reading in source.audit.classes[:LISTED]
    ]  # fmt: skip
    columns = (
        Column("Class"),
        Column("Verdict", chosen="Verdict"),
        Column("Fires on", "right", "Failures, successes."),
    )
    return (
        Table("Pick a class to edit it on the chosen prompt.", columns, tuple(rows), first=12,
              rows_are="classes", browsable=True),
    )  # fmt: skip
