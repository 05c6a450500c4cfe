"""The outcomes as a table: one row a prompt, what it is and what the model made of it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Task


def prompt_table(task: Task, outcomes: Sequence[PromptOutcome]) -> pd.DataFrame:
    """A task with its outcomes, in the order of the prompts.

    Columns: `prompt`, `target`, `foil`, `generated`, `answer` (the accepted answer that was given),
    `success`, `kind`; in nats `logit_difference`, `margin` and `target_log_probability`;
    `before_answer`, what a chat's reply says before its answer, and `repeated`, what of that is the
    prompt's; then a column a factor, under the factor's name, or as `factor NAME` where one of the
    columns before it has that name. What was not measured is missing, in the file a null.
    """
    given = [prompt for prompt, _ in zip(task.prompts, outcomes, strict=True)]
    columns = {
        "prompt": pd.array([prompt.text for prompt in given], dtype="string"),
        "target": pd.array([prompt.target for prompt in given], dtype="string"),
        "foil": pd.array([prompt.foil for prompt in given], dtype="string"),
        "generated": pd.array([outcome.generated for outcome in outcomes], dtype="string"),
        "answer": pd.array([outcome.answer for outcome in outcomes], dtype="string"),
        "success": pd.array([outcome.success for outcome in outcomes], dtype="boolean"),
        "kind": pd.array([outcome.kind for outcome in outcomes], dtype="string"),
        "logit_difference": _numbers([outcome.logit_difference for outcome in outcomes]),
        "margin": _numbers([outcome.margin for outcome in outcomes]),
        "target_log_probability": _numbers([o.target_log_probability for o in outcomes]),
        "before_answer": pd.array([outcome.before_answer for outcome in outcomes], dtype="string"),
        "repeated": pd.array([outcome.repeated for outcome in outcomes], dtype="string"),
    }
    factors = {
        f"factor {name}" if name in columns else name: pd.array(levels, dtype="string")
        for name, levels in task.factors.items()
    }
    return pd.DataFrame({**columns, **factors})


def _numbers(values: Sequence[float | None]) -> pd.api.extensions.ExtensionArray:
    """Numbers of which some are missing, and not NaN."""
    return pd.array(values, dtype="Float64")
