"""`faultlens outcomes`: what is understood of an evaluation log or a table, before it is used."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import say, say_json, warn
from faultlens.corpus.logs.log_options import LogOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultlens.auditing.result import PromptOutcome
    from faultlens.corpus.answers import Answers

LONGEST = 60  # characters of a text that is shown
MOST_LEVELS = 4  # of a factor, shown by name


@dataclass(frozen=True)
class ColumnOptions:
    """What is read of the file."""

    factors: tuple[str, ...] = ()
    """Columns that are factors: of a table, of a log's metadata, or of lm-eval's `doc`."""
    rule: str | None = None
    """What counts as success; by default what the file says, else `exact-word`."""


def outcomes(
    file: Annotated[
        str,
        "A log of inspect_ai (.eval, .json), samples of lm-eval (--log_samples), instances of "
        "every-eval-ever, or a table of outcomes (JSONL, CSV, TSV, Parquet)",
    ],
    *,
    columns: ColumnOptions,
    log: LogOptions,
    result: JsonOption,
) -> None:
    """What is understood of a file of outcomes: failures, kinds, factors, and what is left out.

    Runs no model and writes nothing. An audit with --outcomes reads the file in the same way.
    """
    import faultlens as fl
    from faultlens.auditing.behaviour.recorded import recorded_outcomes

    answers = fl.read_answers(file, columns.factors or None, **log.chosen)
    rule, found = recorded_outcomes(answers, columns.rule)
    if result.json:
        say_json(_record(answers, rule, found))
    else:
        say(_lines(file, answers, rule, found))
    warn(answers.task.notes)


def _record(answers: Answers, rule: str, found: Sequence[PromptOutcome]) -> dict[str, Any]:
    source = answers.source
    return {
        "name": answers.task.name,
        "digest": answers.digest,
        "source": None if source is None else asdict(source),
        "rule": rule,
        "n": len(answers),
        "failures": sum(not outcome.success for outcome in found),
        "outcome_kinds": _kinds(found),
        "factors": {name: dict(Counter(levels)) for name, levels in answers.task.factors.items()},
        "foils": sum(prompt.foil is not None for prompt in answers.task.prompts),
        "differences": sum(outcome.logit_difference is not None for outcome in found),
        "conversations": answers.conversations is not None,
        "notes": list(answers.task.notes),
    }


def _kinds(found: Sequence[PromptOutcome]) -> dict[str, int]:
    from faultlens.auditing.behaviour.kinds import counted_kinds

    return counted_kinds(outcome.kind for outcome in found)


def _lines(file: str, answers: Answers, rule: str, found: Sequence[PromptOutcome]) -> list[str]:
    n, failures = len(answers), sum(not outcome.success for outcome in found)
    kinds = {kind: count for kind, count in _kinds(found).items() if kind != "success"}
    decided = answers.source.decided_by if answers.source and rule == "given" else f"rule {rule}"
    lines = [
        _origin(file, answers),
        f"  {n} prompts, {failures} failures ({failures / n:.1%}), by {decided}",
    ]
    if answers.source is not None and answers.source.left_out:
        why = "; ".join(f"{count} {reason}" for reason, count in answers.source.left_out.items())
        lines.append(f"  Left out of {answers.source.samples} samples: {why}")
    if kinds:
        lines.append(f"  Failures: {'; '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    lines.append(f"  Factors: {'; '.join(_factors(answers)) or 'none'}")
    others = _others(answers)
    if others:
        lines.append(f"  Further columns that can be factors (--factors): {', '.join(others)}")
    foils = sum(prompt.foil is not None for prompt in answers.task.prompts)
    differences = sum(outcome.logit_difference is not None for outcome in found)
    lines.append(f"  Foils: {foils} of {n}; log-likelihood differences: {differences} of {n}")
    if answers.conversations is not None:
        lines.append("  Prompts are conversations: a model reads them through its chat template")
    return [*lines, *_first(found, success=False), *_first(found, success=True)]


def _origin(file: str, answers: Answers) -> str:
    source = answers.source
    if source is None:
        return f"{file}: a table of outcomes"
    model = "" if source.model is None else f", model {source.model}"
    return f"{file}: {source.format}, task {source.task}{model}"


def _factors(answers: Answers) -> list[str]:
    """Each factor with its most frequent levels."""
    found = []
    for name, levels in answers.task.factors.items():
        counts = Counter(levels).most_common()
        shown = ", ".join(f"{_short(level, 20)} {count}" for level, count in counts[:MOST_LEVELS])
        more = f", {len(counts) - MOST_LEVELS} more" if len(counts) > MOST_LEVELS else ""
        found.append(f"{name} ({shown}{more})")
    return found


def _others(answers: Answers) -> list[str]:
    if answers.source is None:
        return []
    return [name for name in answers.source.columns if name not in answers.task.factors]


def _first(found: Sequence[PromptOutcome], success: bool) -> list[str]:
    """The first failure, or the first success, as it is read."""
    first = next((outcome for outcome in found if outcome.success == success), None)
    if first is None:
        return []
    said = "not recorded" if first.generated is None else repr(_short(first.generated))
    return [
        f"  First {'success' if success else 'failure'}: prompt {_short(first.prompt)!r}, "
        f"target {_short(first.target)!r}, answer {said}, {first.kind}"
    ]


def _short(text: str, most: int = LONGEST) -> str:
    """A text's end, where it is long: there the answer begins."""
    return text if len(text) <= most else f"…{text[-most + 1 :]}"
