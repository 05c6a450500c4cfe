"""Outcome tables: prompts with what was generated after each, a row a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlens.corpus.prompt import (
    FIELDS as OF_A_PROMPT,
)
from faultlens.corpus.prompt import (
    Prompt,
    merge_spellings,
    present,
    read_factors,
    read_prompt,
    with_rewordings,
)
from faultlens.corpus.records import (
    Placed,
    check_spelling,
    columns_of,
    name_of,
    printable,
    read_records,
    shown,
    whole_text,
)
from faultlens.corpus.task import Task
from faultlens.errors import UserError

FIELDS = (*OF_A_PROMPT, "generated", "success")
SUCCESS_ELSEWHERE = ("correct", "is_correct")
"""Other names under which tables keep `success`."""
INDEX = ("", "__index_level_0__")  # a frame's index, as pandas writes it to CSV and Parquet
TRUE, FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


@dataclass(frozen=True)
class OutcomeTable:
    """A table as it was read.

    Attributes:
        task: the prompts; its notes say what was taken for what.
        generated: the continuation of each prompt; None where there is none.
        success: whether each is right; None: the table does not say.
    """

    task: Task
    generated: tuple[str | None, ...]
    success: tuple[bool, ...] | None


def read_outcomes(
    path: Path, factors: Sequence[str] | None, rewordings: str | None = None
) -> OutcomeTable:
    """Read a table of outcomes: JSONL, CSV, TSV or Parquet.

    A row has `prompt` and `target`, `generated` or `success` or both, perhaps `foil`, `accepted` (a
    list of further answers that are right), `separator`, `rewordings` (the prompt in other words, a
    text or a list of them; another column where it is named), `factors` (an object, factor name to
    level) and `groups` (likewise: column to value); a cell of CSV or TSV holds lists and objects as
    JSON. In tables without a `factors` column every further column is a factor, but a frame's index
    is not. Where there is no `success`, a column `correct` or `is_correct` of truth values is taken
    for it. What is null or NaN is absent; in CSV and TSV an empty cell is, except under `generated`
    and `separator`, where it is an empty text.

    Raises:
        UserError: naming file and row, for anything that is not as expected.
    """
    rows = list(read_records(path))
    if path.suffix.lower() in (".csv", ".tsv"):
        named = columns_of(rows)
        empty: dict[str, Any] = {n: "" for n in ("generated", "separator") if n in named}
        rows = [(where, {**empty, **row}) for where, row in rows]
    return table_of(name_of(path), rows, factors, rewordings)


def table_of(
    name: str,
    rows: Iterable[Placed],
    factors: Sequence[str] | None,
    rewordings: str | None = None,
) -> OutcomeTable:
    """Outcomes from records with their places; fields as in `read_outcomes`."""
    placed = [(where, present(record)) for where, record in rows]
    if not placed:
        raise UserError(f"{name} holds no prompts: expected at least one row")
    placed = with_rewordings(name, placed, rewordings)
    placed, notes = _named_success(placed, factors or ())
    prompts = [_prompt(where, record, factors) for where, record in placed]
    success = _success(placed)
    for (where, record), prompt in zip(placed, prompts, strict=True):
        if prompt.factors.keys() != prompts[0].factors.keys():
            raise UserError(
                f"{where} has the factors {', '.join(prompt.factors) or 'none'}, the first row "
                f"{', '.join(prompts[0].factors) or 'none'}: expected the same in every row"
            )
        if prompt.groups.keys() != prompts[0].groups.keys():
            raise UserError(
                f"{where} has the groups {', '.join(prompt.groups) or 'none'}, the first row "
                f"{', '.join(prompts[0].groups) or 'none'}: expected the same in every row"
            )
        if "generated" not in record and success is None:
            raise UserError(f"{where} has neither 'generated' nor 'success': expected at least one")
    merged, mergers = merge_spellings(prompts)
    notes += [*mergers, *_unused(placed, merged[0])]
    return OutcomeTable(
        Task(name, merged, notes=tuple(notes)),
        tuple(_generated(where, record) for where, record in placed),
        success,
    )


def _named_success(
    placed: Sequence[Placed], factors: Sequence[str]
) -> tuple[list[Placed], list[str]]:
    """The records with their outcome under `success`, and a sentence where it had another name."""
    columns = columns_of(placed)
    other = next((n for n in SUCCESS_ELSEWHERE if n in columns and n not in factors), None)
    if other is None or "success" in columns:
        return list(placed), []
    if not all(other in record and _is_truth(record[other]) for _, record in placed):
        return list(placed), []
    renamed = [
        (where, {("success" if name == other else name): v for name, v in record.items()})
        for where, record in placed
    ]
    return renamed, [f"the column {other!r} was taken for 'success', which the table has not"]


def _success(placed: Sequence[Placed]) -> tuple[bool, ...] | None:
    have = [("success" in record) for _, record in placed]
    if any(have) and not all(have):
        where = placed[have.index(False)][0]
        raise UserError(f"{where} has no 'success', but other rows have: give it in all or in none")
    if not any(have):
        return None
    return tuple(_truth(where, record["success"]) for where, record in placed)


def _unused(placed: Sequence[Placed], prompt: Prompt) -> list[str]:
    """A sentence on the columns that nothing is made of."""
    known = (*FIELDS, *INDEX, *prompt.factors)
    others = [str(name) for name in columns_of(placed) if name not in known]
    if not others:
        return []
    return [
        f"{printable(', '.join(others))}: nothing is made of these columns of the outcomes; name "
        "those that describe a prompt with --factors"
    ]


def _prompt(where: str, record: dict[str, Any], names: Sequence[str] | None) -> Prompt:
    on_purpose = names or ()
    check_spelling(where, {k: v for k, v in record.items() if k not in on_purpose}, FIELDS)
    return read_prompt(where, record, _factors(where, record, names))


def _factors(where: str, record: dict[str, Any], names: Sequence[str] | None) -> dict[str, Any]:
    nested = read_factors(where, record)
    outcome = SUCCESS_ELSEWHERE if "success" in record else ()  # would foretell itself
    flat = {k: v for k, v in record.items() if k not in (*FIELDS, *INDEX, *outcome)}
    if names is None:
        return nested if "factors" in record else flat
    chosen = {**{k: record[k] for k in outcome if k in record}, **flat, **nested}
    for name in names:
        if name not in chosen:
            has = printable(", ".join(chosen)) or "none"
            raise UserError(f"{where} has no factor {name!r}: it has {has}")
    return {name: chosen[name] for name in names}


def _generated(where: str, record: dict[str, Any]) -> str | None:
    value = record.get("generated")
    if value is None:
        return None
    if isinstance(value, str):
        return whole_text(where, "generated", value)
    raise UserError(f"{where}: 'generated' is {shown(value)}, expected a text")


def _is_truth(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in (*TRUE, *FALSE)
    return isinstance(value, bool | int | float) and value in (0, 1)


def _truth(where: str, value: Any) -> bool:
    if _is_truth(value):
        return str(value).strip().lower() in TRUE
    raise UserError(
        f"{where}: 'success' is {shown(value)}, expected true or false (or 1 or 0); leave the "
        "column out to have it decided from 'generated'"
    )
