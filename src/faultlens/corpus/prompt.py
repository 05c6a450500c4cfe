"""Prompt: what a model is given, its right and wrong answers, and how a record says all that."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pandas import isna
from pandas.api.types import is_scalar

from faultlens.corpus.levels import one_spelling, read_level
from faultlens.corpus.message import Message
from faultlens.corpus.records import plain_value, shown, text_field, whole_text
from faultlens.errors import UserError

FIELDS = (
    "prompt", "target", "foil", "factors", "groups", "accepted", "separator", "rewordings",
)  # fmt: skip
"""What a record may say of a prompt."""


@dataclass(frozen=True)
class Prompt:
    """One prompt of a task.

    Attributes:
        text: what the model is given; it ends where the answer begins, without a space.
        target: the right answer, e.g. `"Mary"`.
        foil: the wrong answer worth comparing with, e.g. the subject of an IOI sentence.
        factors: what describes the prompt: factor name to level.
        accepted: further answers that are right, where the question has several: a continuation
            that gives one of them is a success. Probabilities and logit differences are the
            target's alone.
        separator: what stands between prompt and answer: a space, or nothing where the answer
            goes on within a word or after a bracket (`"the year 17"`, `"43"`).
        messages: the conversation that ends where the answer begins, where there is one: a model
            reads it through its chat template, and `text` is it written out plainly.
        lead: what a reply says before its answer, to the last space: `"The answer is "`. Target and
            foil are compared after it.
        rendered: whether the text is a conversation as a chat template renders it, whose first
            token is the template's own: nothing is put in front of it.
        groups: what it belongs to together with others, e.g. a document or a name: column to
            value. Prompts of one group are no independent evidence.
        rewordings: the same question in other words, with the same right answers and foil: what is
            shown on the prompt is measured on them again.

    Raises:
        UserError: an empty prompt or answer, spaces around an answer, a foil that is right.
    """

    text: str
    target: str
    foil: str | None = None
    factors: dict[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    separator: str = " "
    groups: dict[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    lead: str = ""
    rendered: bool = False
    rewordings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UserError(f"a prompt is {self.text!r}: expected a text for the model to continue")
        foils = [] if self.foil is None else [("foil", self.foil)]
        for name, answer in [*(("target", answer) for answer in self.answers), *foils]:
            if not answer.strip():
                raise UserError(
                    f"prompt {self.text!r}: a {name} is {answer!r}, expected a text that is not "
                    "empty"
                )
        if self.foil is not None:
            for answer in self.answers:
                if answer.strip() == self.foil.strip():
                    raise UserError(f"prompt {self.text!r}: target and foil are both {answer!r}")
        for wording in self.rewordings:
            if not wording.strip() or wording == self.text:
                raise UserError(
                    f"prompt {self.text!r}: a rewording is {wording!r}, expected another text for "
                    "the model to continue"
                )
        for name, answer in [*(("target", answer) for answer in self.answers), *foils]:
            if answer != answer.strip():
                raise UserError(
                    f"prompt {self.text!r}: the {name} {answer!r} has spaces around it: give "
                    f"{answer.strip()!r}; what stands before an answer is the prompt's separator"
                )

    @property
    def answers(self) -> tuple[str, ...]:
        """All answers that are right, the target first."""
        return (self.target, *self.accepted)


def present(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says: without null, NaN, NA and NaT, and NumPy's scalars as Python's."""
    return {name: plain_value(value) for name, value in record.items() if not _absent(value)}


def _absent(value: Any) -> bool:
    return value is None or bool(is_scalar(value) and isna(value))


def read_prompt(where: str, record: dict[str, Any], factors: Mapping[str, Any]) -> Prompt:
    """A prompt from a record of which only what is present is left.

    Args:
        where: the record's place, as a sentence names it.
        record: its fields; what is none of `FIELDS` is passed over.
        factors: the levels that describe it, as they were written.

    Raises:
        UserError: anything that cannot be meant.
    """
    text, target = text_field(where, record, "prompt"), text_field(where, record, "target").strip()
    foil = text_field(where, record, "foil").strip() if "foil" in record else None
    right = _accepted(where, record)
    if foil is not None and foil in (target, *right):
        raise UserError(f"{where}: target and foil are both {shown(foil)}")
    separator = record.get("separator", " ")
    if separator not in ("", " "):
        raise UserError(
            f'{where}: \'separator\' is {shown(separator)}, expected " ", or "" where the answer '
            "follows the prompt directly"
        )
    levels = {
        whole_text(where, "factors", str(name)): read_level(where, str(name), level)
        for name, level in factors.items()
    }
    groups = {
        whole_text(where, "groups", str(name)): read_level(where, str(name), value)
        for name, value in _object(where, record, "groups").items()
    }
    return Prompt(
        text, target, foil, levels, right, separator, groups, rewordings=_rewordings(where, record)
    )


def read_factors(where: str, record: dict[str, Any]) -> dict[str, Any]:
    """The field `factors` as an object. Raises UserError for anything else."""
    return _object(where, record, "factors")


def _object(where: str, record: dict[str, Any], name: str) -> dict[str, Any]:
    found = _structure(record, name, {})
    if not isinstance(found, dict):
        raise UserError(f"{where}: {name!r} is {shown(found)}, expected an object")
    return found


def merge_spellings(prompts: Sequence[Prompt]) -> tuple[tuple[Prompt, ...], list[str]]:
    """The prompts with one spelling for each level, and a sentence on each that had several.

    Only factors that every prompt has are looked at.
    """
    shared = [n for n in prompts[0].factors if all(n in p.factors for p in prompts)]
    columns, sentences = one_spelling({n: [p.factors[n] for p in prompts] for n in shared})
    if not sentences and all(
        columns[n][i] == p.factors[n] for i, p in enumerate(prompts) for n in shared
    ):
        return tuple(prompts), []
    return tuple(
        replace(p, factors={**p.factors, **{n: columns[n][i] for n in shared}})
        for i, p in enumerate(prompts)
    ), sentences


def with_rewordings(
    name: str, records: Sequence[tuple[str, dict[str, Any]]], column: str | None
) -> list[tuple[str, dict[str, Any]]]:
    """The records with a column of theirs under `rewordings`.

    Args:
        name: what they are read from, as a sentence names it.
        records: with their places; what is absent is left out.
        column: that holds rewordings of each prompt; None: it has its own name, if there is one.

    Raises:
        UserError: no record has such a column, or the records have `rewordings` beside it.
    """
    if column is None:
        return list(records)
    if not any(column in record for _, record in records):
        raise UserError(f"{name} has no column {shown(column)}, which is to hold rewordings")
    if column != "rewordings" and any("rewordings" in record for _, record in records):
        raise UserError(
            f"{name} has a column 'rewordings' beside {shown(column)}: expected rewordings in one"
        )
    return [
        (where, {("rewordings" if key == column else key): v for key, v in record.items()})
        for where, record in records
    ]


def _rewordings(where: str, record: dict[str, Any]) -> tuple[str, ...]:
    """The rewordings of a prompt: one text, or a list of several."""
    found = record.get("rewordings", [])
    if isinstance(found, str) and found.lstrip().startswith("["):  # a cell of CSV holds it as JSON
        found = _structure(record, "rewordings", [])
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(w, str) and w.strip() for w in found):
        raise UserError(
            f"{where}: 'rewordings' is {shown(found)}, expected the prompt in other words: a text, "
            "or a list of texts"
        )
    return tuple(whole_text(where, "rewordings", wording) for wording in found)


def _accepted(where: str, record: dict[str, Any]) -> tuple[str, ...]:
    accepted = _structure(record, "accepted", [])
    if not isinstance(accepted, list) or not all(
        isinstance(a, str) and a.strip() for a in accepted
    ):
        raise UserError(
            f"{where}: 'accepted' is {shown(accepted)}, expected a list of texts that are not empty"
        )
    return tuple(whole_text(where, "accepted", answer.strip()) for answer in accepted)


def _structure(record: dict[str, Any], name: str, default: Any) -> Any:
    """A field that is an object or a list, or the text of one, as a cell of CSV holds it."""
    value = record.get(name, default)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
