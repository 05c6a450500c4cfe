"""Answers: a task's prompts with what a model made of them, run somewhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from faultlens.corpus.levels import read_level
from faultlens.corpus.logs.evaluation_log import EvaluationLog, LogSource
from faultlens.corpus.logs.log_options import LogOptions
from faultlens.corpus.logs.reading import log_reader
from faultlens.corpus.message import Message
from faultlens.corpus.outcome_table import OutcomeTable, read_outcomes, table_of
from faultlens.corpus.prompt import Prompt, merge_spellings
from faultlens.corpus.records import printable, whole_text
from faultlens.corpus.task import Task
from faultlens.errors import UserError


@dataclass(frozen=True)
class Answers:
    """Prompts, what was generated after each, and whether that was right.

    Attributes:
        task: the prompts with targets, foils and factors.
        generated: the continuation of each prompt; None where it was not recorded, which asks for
            `success`.
        success: whether each answer is right; None where a rule is to decide it from `generated`.
        differences: the log-likelihood of the target − that of the foil, in nats, where an
            evaluation recorded both; None: of no prompt.
        likelihoods: the log-likelihood of the target behind its separator, in nats, where an
            evaluation recorded it; None: of no prompt.
        kinds: of failures, what an evaluation recorded as their kind (a refusal, no response); None
            where it is to be read off `generated`.
        conversations: the messages that a model was given before each answer, where an evaluation
            recorded some; a prompt's text is then these written out, and what the model saw is what
            its chat template makes of them. None: prompts are plain text.
        source: of an evaluation log, what was read of it; None: a table, or made in Python.
    """

    task: Task
    generated: tuple[str | None, ...]
    success: tuple[bool, ...] | None = None
    differences: tuple[float | None, ...] | None = None
    kinds: tuple[str | None, ...] | None = None
    conversations: tuple[tuple[Message, ...], ...] | None = None
    source: LogSource | None = None
    likelihoods: tuple[float | None, ...] | None = None

    def __post_init__(self) -> None:
        columns = {
            "generated": self.generated,
            "success": self.success,
            "differences": self.differences,
            "kinds": self.kinds,
            "conversations": self.conversations,
            "likelihoods": self.likelihoods,
        }
        for name, column in columns.items():
            if column is not None and len(column) != len(self.task):
                raise UserError(
                    f"{len(column)} values of {name} for {len(self.task)} prompts: expected one a "
                    "prompt"
                )
        if self.success is None and None in self.generated:
            place = self.generated.index(None) + 1
            raise UserError(
                f"prompt {place} has neither 'generated' nor 'success': expected at least one"
            )

    def __len__(self) -> int:
        return len(self.task)

    def rendered(self, render: Callable[[Sequence[Message]], str]) -> Answers:
        """The same, with each conversation as the text that a chat template makes of it.

        Args:
            render: gives the text that a model reads, up to where its answer begins.
        """
        if self.conversations is None:
            return self
        pairs = zip(self.task.prompts, self.conversations, strict=True)
        prompts = tuple(replace(p, text=render(talk), separator="") for p, talk in pairs)
        return replace(self, task=replace(self.task, prompts=prompts), conversations=None)

    @property
    def digest(self) -> str:
        """SHA-256 over prompts, continuations and outcomes, in order."""
        record: list[object] = [self.task.digest, self.generated, self.success]
        record += [column for column in (self.differences, self.kinds) if column is not None]
        return hashlib.sha256(json.dumps(record, ensure_ascii=False).encode()).hexdigest()

    @classmethod
    def from_records(
        cls, records: Iterable[Mapping[str, Any]], name: str = "outcomes",
        factors: Sequence[str] | None = None,
    ) -> Answers:  # fmt: skip
        """Answers from dictionaries, e.g. `frame.to_dict("records")`; fields as `read_answers`."""
        placed = ((f"record {i}", dict(record)) for i, record in enumerate(records, start=1))
        return _of_table(table_of(name, placed, factors))


def read_answers(
    path: str | Path,
    factors: Sequence[str] | None = None,
    *,
    scorer: str | None = None,
    epoch: int | str | None = None,
    filter: str | None = None,
    threshold: float | None = None,
    rewordings: str | None = None,
) -> Answers:
    """Read answers from an evaluation log, or from a table of outcomes; the content tells which.

    A log of inspect_ai (`.eval`, `.json`), samples of lm-eval (`--log_samples`), instances of
    every-eval-ever (JSONL); or a table (JSONL, CSV, TSV, Parquet) with `prompt`, `target`,
    `generated` or `success`, and what `outcome_table.read_outcomes` says.

    Args:
        path: the file.
        factors: the columns that are factors: of a table's columns, a log's metadata, or lm-eval's
            `doc`. None: a table's `factors` or else its further columns; a log's metadata; of
            lm-eval none.
        scorer: of a log, the scorer or metric whose outcome counts; None: the only one.
        epoch: of inspect_ai, the epoch that counts where samples ran more than once, or `majority`.
        filter: of lm-eval, the filter whose answers count; None: the only one.
        threshold: of a log, the least score that is a success where scores are no yes or no.
        rewordings: of a table, the column that holds the prompt in other words; None: the column
            `rewordings`, if there is one.

    Returns:
        the answers. `task.notes` says how they were read; `source`, of a log, what was left out.

    Raises:
        UserError: naming file and row, for anything that is not as expected, and for a choice that
            the log leaves open.
    """
    path = Path(path)
    options = LogOptions(scorer, None if epoch is None else str(epoch), filter, threshold)
    reader = log_reader(path)
    if reader is not None:
        if rewordings is not None:
            raise UserError(
                f"rewordings {rewordings} is a column of a table of outcomes, and "
                f"{printable(path)} is an evaluation log: expected a table, or a task"
            )
        return _of_log(reader(path, options, factors))
    for name, value in options.chosen.items():
        raise UserError(
            f"{name} {value} goes with an evaluation log, and {printable(path)} is none: it is "
            "read as a table of outcomes"
        )
    return _of_table(read_outcomes(path, factors, rewordings))


def _of_table(table: OutcomeTable) -> Answers:
    return Answers(table.task, table.generated, table.success)


def _of_log(log: EvaluationLog) -> Answers:
    prompts, notes = merge_spellings(
        [
            Prompt(
                whole_text(s.where, "the prompt", s.text),
                whole_text(s.where, "the target", s.target),
                None if s.foil is None else whole_text(s.where, "the foil", s.foil),
                {name: read_level(s.where, name, level) for name, level in s.factors.items()},
                tuple(whole_text(s.where, "an answer", answer) for answer in s.accepted),
                s.separator,
            )
            for s in log.samples
        ]
    )
    conversations = tuple(s.messages for s in log.samples)
    generated = tuple(
        None if s.generated is None else whole_text(s.where, "the answer", s.generated)
        for s in log.samples
    )
    return Answers(
        Task(log.source.task, prompts, notes=(*log.notes, *notes)),
        generated,
        tuple(s.success for s in log.samples),
        _where_any(tuple(s.difference for s in log.samples)),
        _where_any(tuple(s.kind for s in log.samples)),
        conversations if any(conversations) else None,
        log.source,
        _where_any(tuple(s.likelihood for s in log.samples)),
    )


Column = TypeVar("Column", float | None, str | None)


def _where_any(column: tuple[Column, ...]) -> tuple[Column, ...] | None:
    """A column, or None where nothing in it is known."""
    return None if all(value is None for value in column) else column
