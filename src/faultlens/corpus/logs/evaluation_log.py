"""Evaluation log: what a harness recorded of every sample, in the form all formats meet in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from faultlens.corpus.message import Message
from faultlens.corpus.records import printable
from faultlens.errors import UserError


@dataclass(frozen=True)
class LoggedSample:
    """One sample of a log that can be audited.

    Attributes:
        where: its place, as a sentence names it.
        text: what the model was given; of a conversation its messages, written out plainly.
        target: the right answer.
        generated: what the model said; None: the harness generated nothing.
        success: whether the log calls it right.
        foil: the wrong answer worth comparing with.
        accepted: further right answers.
        separator: what stands between text and answer.
        kind: of a failure, what the log calls it; None: nothing.
        difference: log-likelihood of the target − of the foil, in nats, as its metric has it.
        likelihood: log-likelihood of separator and target after the text, in nats.
        factors: what describes the sample, as it was written.
        messages: the conversation, where the model was given one; it ends before the answer.
    """

    where: str
    text: str
    target: str
    generated: str | None
    success: bool
    foil: str | None = None
    accepted: tuple[str, ...] = ()
    separator: str = " "
    kind: str | None = None
    difference: float | None = None
    likelihood: float | None = None
    factors: dict[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True)
class LogSource:
    """Where answers come from.

    Attributes:
        format: of the log, with its version where it says one.
        task: the evaluation.
        model: as the log names it; None: it does not.
        decided_by: the scorer or metric, and the filter, whose outcome counts.
        samples: in the log.
        left_out: how many of them are left out, by reason.
        columns: what else is known of the samples and can be named as a factor.
        adds_bos: whether the harness put BOS before each prompt; None: it left that to the
            tokenizer, as far as the log says.
    """

    format: str
    task: str
    model: str | None
    decided_by: str
    samples: int
    left_out: dict[str, int] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    adds_bos: bool | None = None


@dataclass(frozen=True)
class EvaluationLog:
    """A log as it was understood.

    Attributes:
        source: where it comes from.
        samples: those that can be audited, in the log's order.
        notes: what a reader should know of how it was read, a sentence each.
    """

    source: LogSource
    samples: tuple[LoggedSample, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """Counts samples that are left out, by reason."""

    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str) -> None:
        self.reasons[reason] += 1

    def check_rest(self, name: str, kept: Sequence[object]) -> None:
        """Raises UserError, with the reasons and their counts, where no sample is left."""
        if kept:
            return
        if not self.reasons:
            raise UserError(f"{name} holds no samples: expected an evaluation that ran")
        counts = "; ".join(f"{n} {reason}" for reason, n in self.reasons.most_common())
        raise UserError(f"{name} holds no sample that can be audited: {counts}")

    @property
    def counts(self) -> dict[str, int]:
        """By reason, the most frequent first."""
        return dict(self.reasons.most_common())


def one_of(name: str, what: str, option: str, there: Sequence[str], chosen: str | None) -> str:
    """The one that is chosen, or the only one there is.

    Raises UserError, naming those there are, if none of several is chosen, or one not there.
    """
    listed = printable(", ".join(there))
    if chosen is None:
        if len(there) == 1:
            return there[0]
        raise UserError(f"{name} has {len(there)} {what}s, {listed}: choose one with {option}")
    if chosen not in there:
        raise UserError(f"{name} has no {what} {chosen!r}: it has {listed}")
    return chosen


def chosen_factors(
    where: str, columns: dict[str, Any], chosen: Sequence[str] | None
) -> dict[str, Any]:
    """The columns that are named, or all. Raises UserError for one that the sample has not."""
    if chosen is None:
        return columns
    for name in chosen:
        if name not in columns:
            there = printable(", ".join(columns)) or "none"
            raise UserError(f"{where} has no column {name!r} to be a factor: it has {there}")
    return {name: columns[name] for name in chosen}


def scalars(columns: dict[str, Any]) -> dict[str, Any]:
    """The columns that hold a word, a number or a truth value, and so can be factors."""
    return {
        str(name): value
        for name, value in columns.items()
        if isinstance(value, str | bool | int) or (isinstance(value, float) and isfinite(value))
    }


def shared_columns(samples: Sequence[dict[str, Any]]) -> list[str]:
    """The columns that every sample has."""
    return [name for name in samples[0] if all(name in columns for columns in samples)]
