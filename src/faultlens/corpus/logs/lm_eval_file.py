"""lm-eval's files: the samples of a task, and the results beside them that say how it was run.

`--log_samples` of lm-eval 0.4.13 writes `samples_TASK_DATE.jsonl` beside `results_DATE.json`: a row
for each document and filter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultlens.corpus.logs.evaluation_log import one_of
from faultlens.corpus.records import Placed, is_file, name_of, printable, read_records, read_text
from faultlens.errors import UserError

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}T[^/]+)")


@dataclass(frozen=True)
class Run:
    """How a task was run, as far as it is known.

    Attributes:
        task: its name.
        version: of lm-eval; None: not known.
        model: what was evaluated; None: not known.
        config: the task's.
        chat_template: whether prompts were rendered by the model's chat template.
        adds_bos: whether BOS was put before each prompt; None: that was left to the tokenizer.
        known: whether there are results beside the samples.
    """

    task: str
    version: str | None = None
    model: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    chat_template: bool = False
    adds_bos: bool | None = None
    known: bool = False

    @property
    def delimiter(self) -> str:
        """What stands between a prompt and each choice: as lm-eval puts requests together."""
        plain = str(self.config.get("target_delimiter", " "))
        if not self.chat_template:
            return plain
        prefix = self.config.get("gen_prefix") or ""
        return plain if prefix and not prefix[-1].isspace() else ""


def read_run(path: Path) -> Run:
    """How the samples of a file came about, from the results beside it.

    Raises UserError for results that cannot be read.
    """
    named = _NAME.fullmatch(path.stem)
    task = printable(named["task"]) if named else name_of(path)
    beside = path.with_name(f"results_{named['date']}.json") if named else None
    if beside is None or not is_file(beside):
        return Run(task)
    try:
        results = json.loads(read_text(beside))
        configs, settings = results.get("configs") or {}, results.get("config") or {}
        model = results.get("model_name") or settings.get("model")
    except (ValueError, RecursionError, AttributeError) as error:
        raise UserError(f"{printable(beside)}, the results of {printable(path.name)}, is not JSON "
                        f"({error}): it may be cut off") from error  # fmt: skip
    config = configs.get(task) if isinstance(configs, dict) else None
    return Run(
        task,
        _text(results.get("lm_eval_version")),
        _text(model),
        config if isinstance(config, dict) else {},
        results.get("chat_template") is not None,
        _adds_bos(settings.get("model_args")),
        True,
    )


def read_rows(path: Path, chosen: str | None) -> tuple[list[Placed], str]:
    """The rows of one filter, and its name.

    Raises UserError, naming those there are, where none is chosen of several, or one that is not
    there.
    """
    rows = list(read_records(path))
    name = printable(path)
    if not rows:
        raise UserError(f"{name} holds no samples: expected an evaluation that ran")
    filters = list(dict.fromkeys(str(row.get("filter", "none")) for _, row in rows))
    filter_ = one_of(name, "filter", "--filter", filters, chosen)
    return [(w, row) for w, row in rows if str(row.get("filter", "none")) == filter_], filter_


def metric_of(
    name: str, rows: Sequence[Placed], chosen: str | None, usual: Sequence[str] = ()
) -> str:
    """The metric whose value says of each row whether it is right.

    The one that is chosen; else the first of the usual ones, or the only one that is a number.
    Raises UserError, naming those there are, where that leaves it open.
    """
    there: dict[str, None] = {}
    for _, row in rows:
        for metric in row.get("metrics") or ():
            if isinstance(row.get(metric), bool | int | float):
                there[str(metric)] = None
    if not there:
        raise UserError(
            f"{name} has no metric that is a number for each sample: nothing says which are right"
        )
    if chosen is None:
        chosen = next((metric for metric in usual if metric in there), None)
    return one_of(name, "metric", "--scorer", list(there), chosen)


def requests_of(where: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the model was asked: by request, `arg_0` and its like.

    Raises UserError for what is not as lm-eval writes it.
    """
    arguments = row.get("arguments")
    if not isinstance(arguments, dict) or not arguments:
        raise UserError(f"{where} has no 'arguments': expected what lm-eval's --log_samples writes")
    found = []
    for i in range(len(arguments)):
        request = arguments.get(f"gen_args_{i}")
        if not isinstance(request, dict) or not isinstance(request.get("arg_0"), str):
            raise UserError(f"{where} has no 'arguments.gen_args_{i}.arg_0': expected the prompt")
        found.append(request)
    return found


def _adds_bos(arguments: Any) -> bool | None:
    if isinstance(arguments, str):
        arguments = dict(pair.split("=", 1) for pair in arguments.split(",") if "=" in pair)
    if not isinstance(arguments, dict) or "add_bos_token" not in arguments:
        return None
    return str(arguments["add_bos_token"]).lower() in ("true", "1")


def _text(value: Any) -> str | None:
    return printable(value) if isinstance(value, str) and value else None
