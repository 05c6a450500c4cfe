"""`faultlens bench`: how often an audit is right, on data sets of which the truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from faultlens.checks import check_whole
from faultlens.cli.run_options import JsonOption
from faultlens.cli.screen import progress_bars, say, say_json


@dataclass(frozen=True)
class BenchOptions:
    """What is planted."""

    level: int = 1
    """1: outcomes planted on made-up features and `mini`'s own. 2: causes planted in `mini` itself,
    by weight edits and small fine-tunes, which an audit with interventions has to find."""
    part: Literal["quick", "whole"] = "quick"
    """`quick`: every kind once, at 150 prompts. `whole`: every kind at 300 prompts, errors at
    1,000, power over sizes, rates and strengths, and `mini`'s own activations."""
    kinds: tuple[str, ...] = ()
    """Only these kinds of `whole` or `quick`, e.g. `and_cell,collider`; by default all."""
    sets: int = 2
    """Data sets of each kind and size; 40 and more give intervals that tell something."""
    workers: int = 1
    """Processes that share the work of level 1."""
    out: Path | None = None
    """JSON file that keeps every score. A bench that finds its file goes on where it left off, and
    does again what an older procedure scored."""

    def __post_init__(self) -> None:
        check_whole("level", self.level, 1, 2)
        check_whole("sets", self.sets, 1)
        check_whole("workers", self.workers, 1)


def bench(*, planted: BenchOptions, result: JsonOption) -> None:
    """How often an audit is right: on data sets with a planted truth, beside simpler procedures.

    Causes, proxies, artefacts and nulls are planted, audited and scored; the table gives the share
    of sets in which each was found, came first, or was said to add beyond the factors.
    """
    if planted.level == 2:
        _models(planted.out, result)
        return
    from faultlens.testing.bench import of_kinds, quick_cases, run_bench, table_of, whole_cases

    cases = quick_cases() if planted.part == "quick" else whole_cases()
    cases = of_kinds(cases, planted.kinds)
    with progress_bars() as bars:
        found = run_bench(cases, planted.sets, planted.out, bars, planted.workers)
    if result.json:
        say_json(found["rates"])
    else:
        say(table_of(found))


def _models(out: Path | None, result: JsonOption) -> None:
    """Level 2: planted models."""
    from faultlens.testing.planted_models.model_bench import model_table, run_model_bench

    with progress_bars() as bars:
        found = run_model_bench(out=out, progress=bars)
    if result.json:
        say_json(found["model_rates"])
    else:
        say(model_table(found))
