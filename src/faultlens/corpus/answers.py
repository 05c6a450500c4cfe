"""Answers: a task's prompts with what a model made of them, run somewhere else."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pandas import isna
from pandas.api.types import is_scalar

from faultlens.corpus.records import (
    Placed,
    check_spelling,
    read_records,
    shown,
    text_field,
    whole_text,
)
from faultlens.corpus.task import FIELDS as OF_A_PROMPT
from faultlens.corpus.task import Prompt, Task, accepted_field
from faultlens.errors import UserError

FIELDS = (*OF_A_PROMPT, "generated", "success")
INDEX = ("", "__index_level_0__")  # a frame's index, as pandas writes it to CSV and Parquet
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


@dataclass(frozen=True)
class Answers:
    """Prompts, what was generated after each, and whether that was right.

    Attributes:
        task: the prompts with targets, foils and factors.
        generated: the continuation of each prompt; None where it was not recorded, which asks for
            `success`.
        success: whether each answer is right; None where a rule is to decide it from `generated`.
    """

    task: Task
    generated: tuple[str | None, ...]
    success: tuple[bool, ...] | None = None

    def __post_init__(self) -> None:
        for name, column in (("generated", self.generated), ("success", self.success)):
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

    @property
    def digest(self) -> str:
        """SHA-256 over prompts, continuations and outcomes, in order."""
        record = json.dumps([self.task.digest, self.generated, self.success], ensure_ascii=False)
        return hashlib.sha256(record.encode()).hexdigest()

    @classmethod
    def from_records(
        cls, records: Iterable[Mapping[str, Any]], name: str = "outcomes",
        factors: Sequence[str] | None = None,
    ) -> Answers:  # fmt: skip
        """Answers from dictionaries, e.g. `frame.to_dict("records")`; fields as `read_answers`."""
        placed = ((f"record {i}", dict(record)) for i, record in enumerate(records, start=1))
        return _collected(name, placed, factors)


def read_answers(path: Path, factors: Sequence[str] | None = None) -> Answers:
    """Read a table of outcomes: JSONL, CSV, TSV or Parquet.

    A row has `prompt` and `target`, `generated` or `success` or both, perhaps `foil`, `accepted` (a
    list of further answers that are right) and `factors` (an object, factor name to level); a cell
    of CSV or TSV holds either as JSON. In tables without a `factors` column every further column is
    a factor, but a frame's index is not. What is null or NaN is absent; in CSV and TSV an empty
    cell is, except under `generated`, where it is an empty continuation.

    Args:
        path: the file.
        factors: the columns that are factors; None: as above.

    Raises:
        UserError: naming file and row, for anything that is not as expected.
    """
    rows = list(read_records(path))
    if path.suffix.lower() in (".csv", ".tsv") and any("generated" in row for _, row in rows):
        rows = [(where, {"generated": "", **row}) for where, row in rows]
    return _collected(path.stem, rows, factors)


def _collected(name: str, rows: Iterable[Placed], factors: Sequence[str] | None) -> Answers:
    placed = [
        (where, {name: _plain(v) for name, v in record.items() if not _absent(v)})
        for where, record in rows
    ]
    if not placed:
        raise UserError(f"{name} holds no prompts: expected at least one row")
    prompts = [_prompt(where, record, factors) for where, record in placed]
    have = [("success" in record) for _, record in placed]
    if any(have) and not all(have):
        where = placed[have.index(False)][0]
        raise UserError(f"{where} has no 'success', but other rows have: give it in all or in none")
    success = (
        tuple(_truth(where, record["success"]) for where, record in placed) if any(have) else None
    )
    for (where, record), prompt in zip(placed, prompts, strict=True):
        if prompt.factors.keys() != prompts[0].factors.keys():
            raise UserError(
                f"{where} has the factors {', '.join(prompt.factors) or 'none'}, the first row "
                f"{', '.join(prompts[0].factors) or 'none'}: expected the same in every row"
            )
        if "generated" not in record and success is None:
            raise UserError(f"{where} has neither 'generated' nor 'success': expected at least one")
    return Answers(
        Task(name, tuple(prompts)),
        tuple(_generated(where, record) for where, record in placed),
        success,
    )


def _prompt(where: str, record: dict[str, Any], names: Sequence[str] | None) -> Prompt:
    on_purpose = names or ()
    check_spelling(where, {k: v for k, v in record.items() if k not in on_purpose}, FIELDS)
    target = text_field(where, record, "target").strip()
    foil = text_field(where, record, "foil").strip() if "foil" in record else None
    accepted = accepted_field(where, {**record, "accepted": _nested(record, "accepted", [])})
    if foil in (target, *accepted):
        raise UserError(f"{where}: target and foil are both {shown(foil)}")
    text, factors = text_field(where, record, "prompt"), _factors(where, record, names)
    return Prompt(text, target, foil, factors, accepted)


def _nested(record: dict[str, Any], field: str, default: Any) -> Any:
    """A field that is an object or a list, or the text of one, as a cell of CSV holds it."""
    value = record.get(field, default)
    if isinstance(value, np.ndarray):  # Parquet's lists, read through pandas
        return value.tolist()
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _factors(where: str, record: dict[str, Any], names: Sequence[str] | None) -> dict[str, str]:
    nested = _nested(record, "factors", {})
    if not isinstance(nested, dict):
        raise UserError(f"{where}: 'factors' is {shown(record['factors'])}, expected an object")
    flat = {k: v for k, v in record.items() if k not in (*FIELDS, *INDEX)}
    chosen = {**flat, **nested}
    if names is not None:
        for name in names:
            if name not in chosen:
                raise UserError(
                    f"{where} has no factor {name!r}: it has {', '.join(chosen) or 'none'}"
                )
        chosen = {name: chosen[name] for name in names}
    elif "factors" in record:
        chosen = nested
    return {
        whole_text(where, "factors", str(name)): _level(where, str(name), level)
        for name, level in chosen.items()
    }


def _level(where: str, name: str, level: Any) -> str:
    level = _plain(level)
    if isinstance(level, str | bool | int) or (isinstance(level, float) and math.isfinite(level)):
        return whole_text(where, name, str(level))
    raise UserError(f"{where}: factor {name!r} is {shown(level)}, expected a word or a number")


def _generated(where: str, record: dict[str, Any]) -> str | None:
    value = record.get("generated")
    if value is None:
        return None
    if isinstance(value, str):
        return whole_text(where, "generated", value)
    raise UserError(f"{where}: 'generated' is {shown(value)}, expected a text")


def _truth(where: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if isinstance(value, bool | int | float | str) and word in (*TRUE, *FALSE):
        return word in TRUE
    raise UserError(
        f"{where}: 'success' is {shown(value)}, expected true or false (or 1 or 0); leave the "
        "column out to have it decided from 'generated'"
    )


def _absent(value: Any) -> bool:
    """Whether a value says that there is none: None, NaN, and pandas's NA and NaT."""
    return value is None or bool(is_scalar(value) and isna(value))


def _plain(value: Any) -> Any:
    """A NumPy number as Python's; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value
