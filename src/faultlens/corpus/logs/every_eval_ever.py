"""Instances of every-eval-ever as answers: JSONL by the fields of its instance schema (0.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faultlens.corpus.logs.evaluation_log import (
    EvaluationLog,
    LeftOut,
    LoggedSample,
    LogSource,
    chosen_factors,
    one_of,
    scalars,
    shared_columns,
)
from faultlens.corpus.logs.log_options import LogOptions
from faultlens.corpus.records import Placed, printable, read_records, shown
from faultlens.errors import UserError

OF_THE_RUN = frozenset(
    "doc_hash prompt_hash target_hash filter lm_eval_metrics stop_reason epoch".split()
)
"""Metadata that its converters write of the run and of its outcome: no description of a prompt."""


def read_every_eval_ever(
    path: Path, options: LogOptions, factors: Sequence[str] | None
) -> EvaluationLog:
    """Instances of every-eval-ever, one a line; where several results share a file, one is chosen.

    An instance is left out, and counted, where it ended in an error, is of several turns or an
    agent's, or has no answer or no reference. `metadata` becomes factors, but for what converters
    of logs write there of the run, the metrics among it.

    Raises UserError for a line that is not of the schema, and for several results of which none is
    chosen.
    """
    rows, name = list(read_records(path)), printable(path)
    results = list(dict.fromkeys(_result(row) for _, row in rows))
    result = one_of(name, "result", "--scorer", results, options.scorer)
    rows = [(where, row) for where, row in rows if _result(row) == result]
    left_out = LeftOut()
    kept: list[tuple[Placed, str]] = []
    for where, row in rows:
        answer, why = _answer(row)
        if why is not None:
            left_out.add(why)
        else:
            kept.append(((where, row), answer))
    left_out.check_rest(name, kept)
    known = [_described(row) for (_, row), _ in kept]
    everywhere = shared_columns(known)
    found = []
    for ((where, row), answer), columns in zip(kept, known, strict=True):
        if factors is None:
            levels = {column: columns[column] for column in everywhere}
        else:
            levels = chosen_factors(where, columns, factors)
        found.append(_sample(where, row, answer, levels, options.threshold))
    first = kept[0][0][1]
    source = LogSource(
        f"every-eval-ever {first.get('schema_version', '')}".strip(),
        str(first.get("evaluation_name") or path.stem),
        None if first.get("model_id") is None else str(first["model_id"]),
        f"result {result}",
        len(rows),
        left_out.counts,
        tuple(dict.fromkeys(column for columns in known for column in columns)),
    )
    return EvaluationLog(source, tuple(found), tuple(_notes(known, everywhere)))


def _described(row: dict[str, Any]) -> dict[str, Any]:
    """What the metadata says that can be a factor."""
    metadata = _object(row, "metadata")
    return scalars({name: value for name, value in metadata.items() if name not in OF_THE_RUN})


def _result(row: dict[str, Any]) -> str:
    """Which aggregate result an instance belongs to."""
    name = row.get("evaluation_result_id") or row.get("evaluation_name")
    return printable(name) if isinstance(name, str) else "unnamed"


def _answer(row: dict[str, Any]) -> tuple[str, str | None]:
    """What the model said; or why the instance is left out."""
    if row.get("error"):
        return "", "ended in an error"
    if row.get("interaction_type") != "single_turn":
        return "", f"of the kind {printable(row.get('interaction_type'))}, not of a single turn"
    said = _object(row, "output").get("raw")
    if not isinstance(said, list) or not said or not isinstance(said[0], str):
        return "", "without an answer of the model"
    if not _references(row):
        return "", "without a reference answer"
    return said[0], None


def _references(row: dict[str, Any]) -> list[str]:
    """The right answers; the index of a choice stands for it."""
    given = _object(row, "input")
    references, choices = given.get("reference"), given.get("choices")
    texts = (
        [r.strip() for r in references if isinstance(r, str)]
        if isinstance(references, list)
        else []
    )
    if isinstance(choices, list) and all(isinstance(choice, str) for choice in choices):
        bare = [choice.strip() for choice in choices]
        texts = [
            bare[int(text)]
            if text not in bare and text.isascii() and text.isdigit() and int(text) < len(bare)
            else text
            for text in texts
        ]
    return [text for text in dict.fromkeys(texts) if text]


def _sample(
    where: str, row: dict[str, Any], answer: str, factors: dict[str, Any], threshold: float | None
) -> LoggedSample:
    given = _object(row, "input")
    text = given.get("formatted") or given.get("raw")
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"{where}: 'input.raw' is {shown(text)}, expected the prompt")
    target, *also = _references(row)
    success = _success(where, row, threshold)
    said = [c.strip() for c in given.get("choices") or () if isinstance(c, str)]
    choices = list(dict.fromkeys(said))  # its converter of lm-eval may list them twice
    wrong = [choice for choice in choices if choice not in (target, *also)]
    chose = not success and answer.strip() in wrong
    return LoggedSample(
        where,
        text,
        target,
        answer,
        success,
        foil=wrong[0] if len(choices) == 2 and wrong and wrong[0] else None,
        accepted=tuple(also),
        separator=" " if answer.startswith(" ") else "",
        kind="chose another option" if chose else None,
        factors=factors,
    )


def _success(where: str, row: dict[str, Any], threshold: float | None) -> bool:
    evaluation = _object(row, "evaluation")
    correct, score = evaluation.get("is_correct"), evaluation.get("score")
    if threshold is not None:
        if not isinstance(score, bool | int | float) or score != score:
            raise UserError(f"{where}: 'evaluation.score' is {shown(score)}, expected a number")
        return score >= threshold
    if not isinstance(correct, bool):
        raise UserError(
            f"{where}: 'evaluation.is_correct' is {shown(correct)}, expected true or false"
        )
    return correct


def _object(row: dict[str, Any], field: str) -> dict[str, Any]:
    value = row.get(field)
    return value if isinstance(value, dict) else {}


def _notes(known: Sequence[dict[str, Any]], everywhere: Sequence[str]) -> Iterator[str]:
    some = [
        n for n in dict.fromkeys(n for columns in known for n in columns) if n not in everywhere
    ]
    if some:
        yield (
            f"{printable(', '.join(some))}: not in the metadata of every instance, hence no factors"
        )
