"""Logs of lm-eval as answers: multiple choice, generation and log-likelihood tasks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faultlens.corpus.logs.evaluation_log import (
    EvaluationLog,
    LeftOut,
    LoggedSample,
    LogSource,
    chosen_factors,
    scalars,
    shared_columns,
)
from faultlens.corpus.logs.lm_eval_choices import METRICS, read_choices, read_likelihoods
from faultlens.corpus.logs.lm_eval_file import (
    Run,
    metric_of,
    read_rows,
    read_run,
    requests_of,
)
from faultlens.corpus.logs.log_options import LogOptions
from faultlens.corpus.records import Placed, printable, shown
from faultlens.errors import UserError

MULTIPLE_CHOICE, GENERATION, LIKELIHOOD = "multiple_choice", "generate_until", "loglikelihood"
EMPTY = "with an empty prompt or answer"


def read_lm_eval_log(
    path: Path, options: LogOptions, factors: Sequence[str] | None
) -> EvaluationLog:
    """A log of lm-eval's `--log_samples`; its results are looked for beside it.

    Multiple choice: the target is the right choice, the foil the best wrong one, and `difference`
    the difference of their log-likelihoods, compared as the metric does: `acc` (the default) as
    they are, `acc_norm` by character, `acc_bytes` by byte, `acc_mutual_info` less the choice's by
    itself. Generation: of several filters one must be chosen. Log-likelihood: success is that the
    target is the greedy continuation. Columns of `doc` become factors where they are named.

    Raises UserError for a log that is not as lm-eval writes it, of which the filter or metric is
    left open, or whose log-likelihoods or targets are missing.
    """
    rows, filter_ = read_rows(path, options.filter)
    run, name = read_run(path), printable(path)
    kind = _kind(rows[0][0], rows[0][1], run)
    metric = metric_of(name, rows, options.scorer, METRICS if kind == MULTIPLE_CHOICE else ("acc",))
    left_out = LeftOut()
    known = [scalars(_doc(row)) for _, row in rows]
    found = []
    for (where, row), columns in zip(rows, known, strict=True):
        levels = chosen_factors(where, columns, factors or ())
        success = _success(where, row, metric, options.threshold)
        if kind == MULTIPLE_CHOICE:
            sample = _chosen(where, row, metric, success, run, levels)
        elif kind == GENERATION:
            sample = _generated(where, row, success, levels)
        else:
            sample = _continued(where, row, success, levels)
        if sample is None:
            left_out.add(EMPTY)
        else:
            found.append(sample)
    left_out.check_rest(name, found)
    source = LogSource(
        f"lm-eval {run.version or ''}".strip(),
        run.task,
        run.model,
        f"metric {metric}" + (f", filter {printable(filter_)}" if filter_ != "none" else ""),
        len(rows),
        left_out.counts,
        tuple(shared_columns(known)),
        run.adds_bos,
    )
    return EvaluationLog(source, tuple(found), tuple(_notes(run, kind, metric, rows, found)))


def _kind(where: str, row: dict[str, Any], run: Run) -> str:
    """The task's output type, from the results or from what was asked."""
    kind = run.config.get("output_type")
    if kind not in (MULTIPLE_CHOICE, GENERATION, LIKELIHOOD):
        requests = requests_of(where, row)
        if "arg_1" not in requests[0]:
            kind = "loglikelihood_rolling"
        elif isinstance(requests[0]["arg_1"], dict):
            kind = GENERATION
        else:
            kind = MULTIPLE_CHOICE if len(requests) > 1 else LIKELIHOOD
    if kind == "loglikelihood_rolling":
        raise UserError(f"{where}: the task scores whole texts (loglikelihood_rolling), which are "
                        "neither right nor wrong")  # fmt: skip
    return str(kind)


def _success(where: str, row: dict[str, Any], metric: str, threshold: float | None) -> bool:
    value = row.get(metric)
    if not isinstance(value, bool | int | float) or value != value:
        raise UserError(f"{where}: metric {metric} is {shown(value)}, expected a number")
    if threshold is None and value not in (0, 1):
        raise UserError(
            f"{where}: metric {metric} is {shown(value)}, which is neither right nor wrong: say "
            "from which value on an answer is right, with --threshold"
        )
    return bool(value >= (1 if threshold is None else threshold))


def _chosen(
    where: str, row: dict[str, Any], metric: str, success: bool, run: Run, factors: dict[str, Any]
) -> LoggedSample | None:
    choices = read_choices(where, row, metric, run.delimiter)
    separator = " " if run.delimiter == " " or choices.texts[0].startswith(" ") else ""
    foil = choices.best_wrong
    target = choices.target.strip()
    if not target or not choices.context.strip():
        return None
    wrong = "" if foil is None else choices.texts[foil].strip()
    also = [choices.texts[i].strip() for i in choices.right[1:]]
    return LoggedSample(
        where,
        choices.context,
        target,
        None,
        success,
        foil=wrong or None,
        accepted=tuple(text for text in also if text and text != target),
        separator=separator,
        kind=None if success else "prefers another choice",
        difference=choices.difference,
        likelihood=choices.likelihoods.get(separator + target),
        factors=factors,
    )


def _generated(
    where: str, row: dict[str, Any], success: bool, factors: dict[str, Any]
) -> LoggedSample | None:
    text = requests_of(where, row)[0]["arg_0"]
    responses = row.get("resps")
    first = responses[0] if isinstance(responses, list) and responses else None
    said = first[0] if isinstance(first, list) and first else first
    if not isinstance(said, str):
        raise UserError(f"{where} has no answer: 'resps' is {shown(responses)}, expected the texts")
    targets = _targets(row.get("target"))
    if not targets or not text.strip():
        return None
    separator = " " if said.startswith(" ") else ""
    return LoggedSample(
        where, text, targets[0], said, success, accepted=tuple(targets[1:]), separator=separator,
        factors=factors,
    )  # fmt: skip


def _continued(
    where: str, row: dict[str, Any], success: bool, factors: dict[str, Any]
) -> LoggedSample | None:
    request = requests_of(where, row)[0]
    (likelihood,) = read_likelihoods(where, row, 1)
    text, target = request["arg_0"], request.get("arg_1")
    if not isinstance(target, str):
        raise UserError(f"{where} has no 'arguments.gen_args_0.arg_1': expected the continuation")
    if not target.strip() or not text.strip():
        return None
    return LoggedSample(
        where,
        text,
        target.strip(),
        None,
        success,
        separator=" " if target.startswith(" ") else "",
        kind=None if success else "not the likeliest continuation",
        likelihood=likelihood if target.strip() == target.removeprefix(" ") else None,
        factors=factors,
    )


def _targets(target: Any) -> list[str]:
    """The right answers of a generation: a text, or a list of them as a text."""
    said = target if isinstance(target, str) else ""
    try:
        value = ast.literal_eval(said) if said.startswith("[") else said
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = said
    texts = [str(text).strip() for text in value] if isinstance(value, list) else [said.strip()]
    return [text for text in dict.fromkeys(texts) if text]


def _doc(row: dict[str, Any]) -> dict[str, Any]:
    doc = row.get("doc")
    return doc if isinstance(doc, dict) else {}


def _notes(
    run: Run, kind: str, metric: str, rows: Sequence[Placed], found: Sequence[LoggedSample]
) -> Iterator[str]:
    if not run.known:
        yield (
            "no results lie beside the samples: the model is not known, and choices are taken to "
            "follow the prompt behind a space"
        )
    if run.chat_template:
        yield "prompts are rendered by the model's chat template: special tokens stand in the text"
    if kind == MULTIPLE_CHOICE and metric in METRICS:
        against = sum(
            s.difference is not None and s.difference != 0 and s.success != (s.difference > 0)
            for s in found
        )
        if against:
            yield (
                f"in {against} of {len(found)} samples {metric} contradicts the log-likelihoods: "
                "the outcome is the metric's"
            )
    if _contexts_differ(rows):
        yield (
            "the choices stand in the context, before a continuation that they share: differences "
            "are of that continuation's log-likelihood behind each choice"
        )


def _contexts_differ(rows: Sequence[Placed]) -> bool:
    where, row = rows[0]
    return len({request["arg_0"] for request in requests_of(where, row) if request["arg_0"]}) > 1
