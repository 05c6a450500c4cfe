"""`faultlens audit`: which features go with failure on a task, and whether they matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars
from faultlens.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from scipy.sparse import csr_matrix

    from faultlens.auditing.study import AuditConfig
    from faultlens.cli.run import Findings
    from faultlens.corpus.answers import Answers
    from faultlens.corpus.task import Task
    from faultlens.progress import Progress
    from faultlens.runs.folder import Manifest


def audit(
    context: typer.Context,
    task: Annotated[
        str | None,
        typer.Argument(
            help="A task (ioi, classic-ioi, mini-ioi, agreement, brackets, greater-than, "
            "induction, or one that an installed package offers), or a JSONL file of prompts to run"
        ),
    ] = None,
    outcomes: Annotated[
        Path | None,
        typer.Option(help="Outcomes that are there (JSONL, CSV, Parquet), in place of a task"),
    ] = None,
    features: o.Features = None,
    residuals: Annotated[
        list[str] | None,
        typer.Option(help="LAYER=FILE: residuals, prompts × d, for the ladder; repeatable"),
    ] = None,
    pooled: o.Pooled = None,
    factors: Annotated[
        str | None, typer.Option(help="Columns of --outcomes that are factors, e.g. object,place")
    ] = None,
    model: o.ModelName = "mini",
    sae: o.SaeName = None,
    layers: o.Layers = None,
    sites: o.Sites = None,
    release: o.Release = None,
    convention: o.Conventions = None,
    device: o.Device = "cpu",
    dtype: o.Dtype = "float32",
    revision: o.Revision = None,
    trust_pickle: o.TrustPickle = False,
    fit_check: o.FitCheck = True,
    n: Annotated[int, typer.Option("-n", min=1, help="Prompts of a built-in task")] = 300,
    task_seed: Annotated[
        int | None, typer.Option(help="Seed of a built-in task (by default ioi 42, others 0)")
    ] = None,
    rule: Annotated[
        str | None,
        typer.Option(
            help="What counts as success: exact-word, first-token, named-later, contains; by the "
            "logits target-over-foil, target-likeliest (by default the outcomes' own, else the "
            "task's, else exact-word)"
        ),
    ] = None,
    pooling: o.Pooling = "max",
    min_support: Annotated[
        int, typer.Option(min=1, help="Least prompts on which a tested feature fires")
    ] = 5,
    strata: Annotated[
        str | None, typer.Option(help="Factors to hold constant beside those found, e.g. object")
    ] = None,
    folds: Annotated[
        Literal["repeated", "study"], typer.Option(help="Of the ladder: 10 × 5, or the study's 5")
    ] = "repeated",
    baselines: Annotated[bool, typer.Option(help="Climb the ladder of baselines")] = True,
    tried: Annotated[
        int,
        typer.Option(min=0, help="Classes put to the test by intervening, the most certain first"),
    ] = 3,
    searched: Annotated[
        int,
        typer.Option(
            min=0,
            help="Features put to the test as classes are because attribution names them first, "
            "over all sites; 0: nothing is attributed",
        ),
    ] = 1,
    suspects: Annotated[
        str | None,
        typer.Option(
            help="Features to put to the test as well, whatever the statistics say: "
            "3-res-mini/808,4-res-mini/1164; those joined by + are changed together"
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            help="Seeds of a built-in task, e.g. 0,1,2,3,4: the same audit on each one's prompts; "
            "the first is reported, with what holds on the others"
        ),
    ] = None,
    permutations: o.Permutations = 10_000,
    seed: o.Seed = 0,
    out: o.Out = None,
    overwrite: o.Overwrite = False,
    json: o.AsJson = False,
) -> None:
    """Which features go with failure on a task, and whether taking them away changes it."""
    given = {name: v for name, v in locals().items() if name not in ("context", "json")}
    from faultlens.runs.folder import Manifest, check_target

    if (task is None) == (outcomes is None):
        raise UserError(
            "expected a task to run (ioi, mini-ioi, or a JSONL file) or --outcomes FILE, not both "
            "and not neither"
        )
    brought = {
        "--features": features,
        "--residuals": residuals,
        "--pooled": pooled,
        "--factors": factors,
    }
    if task is None and suspects:
        raise UserError("--suspects goes with a task that is run: answers cannot be tried again")
    for option, value in brought.items():
        if task is not None and value:
            raise UserError(f"{option} goes with --outcomes: a task that is run is read by itself")
    if task is not None and _is_file(task):
        _check_as_it_is(context, task)
    if outcomes is not None:
        from faultlens.cli.brought import only_brought

        given = only_brought(context, given, "--outcomes")
        if pooled is not None and not features:
            raise UserError(
                "--pooled says how the matrices of --features were pooled: give those too"
            )
    if out is not None:
        check_target(out, overwrite)
    from faultlens.auditing.study import AuditConfig
    from faultlens.cli.run import finish

    config = AuditConfig(
        min_support,
        permutations,
        seed,
        tuple(o.parse_names(strata) or ()),
        folds,
        baselines,
        tried=tried,
        searched=searched,
        suspects=tuple(o.parse_names(suspects) or ()),
    )
    manifest = Manifest.begin({name: str(v) for name, v in given.items() if v is not None})
    with progress_bars() as bars:
        if outcomes is not None:
            names = o.parse_names(factors)
            found = _audit_outcomes(
                outcomes, names, features or [], residuals or [], pooled, rule, config, manifest,
                bars,
            )  # fmt: skip
        else:
            found = _audit_task(str(task), _seeds(seeds, task_seed), given, config, manifest, bars)
    finish(out, manifest, found, overwrite, json)


def _check_as_it_is(context: typer.Context, name: str) -> None:
    """Raises UserError for an option that says which prompts to make, beside a file of prompts."""
    for parameter, option in (("n", "-n"), ("task_seed", "--task-seed"), ("seeds", "--seeds")):
        source = context.get_parameter_source(parameter)
        if source is not None and source.name == "COMMANDLINE":
            raise UserError(
                f"{option} goes with a built-in task: the prompts of {name} are as they are"
            )


def _seeds(seeds: str | None, task_seed: int | None) -> list[int] | None:
    """The seeds of `--seeds`; None without it."""
    if seeds is None:
        return None
    if task_seed is not None:
        raise UserError("--task-seed goes with one set of prompts: the seeds are those of --seeds")
    try:
        return [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise UserError(f"--seeds {seeds}: expected whole numbers, e.g. 0,1,2,3,4") from None


def _audit_task(
    name: str,
    seeds: Sequence[int] | None,
    options: Mapping[str, Any],
    config: AuditConfig,
    manifest: Manifest,
    bars: Progress,
) -> Findings:
    """Run a task on the model that the command's options name."""
    from faultlens.auditing.from_task import audit_over_seeds, audit_task
    from faultlens.cli.lens import open_lens
    from faultlens.cli.run import Findings, checkpoint, record_lens
    from faultlens.features.store import ActivationStore

    n = options["n"]
    prompts = _task(name, n, options["task_seed"] if seeds is None else seeds[0])
    manifest.inputs["task"] = {"name": prompts.name, "digest": prompts.digest}
    lens = open_lens(options, bars)
    record_lens(manifest, lens)
    out = options["out"]
    store = ActivationStore() if out is not None else None
    kept = checkpoint(out, manifest)
    rule, pooling = options["rule"], options["pooling"]
    try:
        if seeds is None:
            result = audit_task(
                lens, prompts, rule=rule, pooling=pooling, config=config, progress=bars,
                store=store, kept=kept,
            )  # fmt: skip
        else:
            result = audit_over_seeds(
                lens, lambda seed: _task(name, n, seed), seeds, rule=rule, pooling=pooling,
                config=config, progress=bars, store=store, kept=kept,
            )  # fmt: skip
    except UserError:
        kept.forget()  # the same command would end here again
        raise
    return Findings(audit=result, task_read=store, task=prompts, kept=kept)


def _audit_outcomes(
    path: Path,
    factors: Sequence[str] | None,
    features: Sequence[str],
    residuals: Sequence[str],
    pooled: str | None,
    rule: str | None,
    config: AuditConfig,
    manifest: Manifest,
    bars: Progress,
) -> Findings:
    """Audit outcomes that are there, with the matrices that came with them."""
    from faultlens.auditing.from_answers import audit_answers
    from faultlens.cli.brought import brought_tables
    from faultlens.cli.run import Findings
    from faultlens.corpus.answers import read_answers
    from faultlens.runs.files import file_digest

    answers = read_answers(path, factors)
    manifest.inputs["outcomes"] = {"name": answers.task.name, "digest": answers.digest}
    texts = [prompt.text for prompt in answers.task.prompts]
    tables = brought_tables(features, texts, pooled or "max") if features else {}
    if tables and pooled is None:
        for table in tables.values():
            table.convention["pooling"] = "not said"
    matrices = _residuals(residuals, answers)
    manifest.inputs["features"] = {
        name: file_digest(Path(table.convention["source"])) for name, table in tables.items()
    }
    manifest.inputs["residuals"] = {
        pair.partition("=")[0]: file_digest(Path(pair.partition("=")[2])) for pair in residuals
    }
    result = audit_answers(answers, tables, matrices, rule=rule, config=config, progress=bars)
    return Findings(audit=result, task=answers.task)


def _residuals(pairs: Sequence[str], answers: Answers) -> Mapping[str, np.ndarray | csr_matrix]:
    from faultlens.cli.brought import named_files
    from faultlens.features.matrix import read_matrix

    found = {}
    for name, path in named_files("--residuals", pairs, "LAYER=FILE, e.g. 8=residuals.npy"):
        matrix = read_matrix(path)
        rows = matrix.shape[0]
        if rows != len(answers):
            raise UserError(f"{path} has {rows} rows, but there are {len(answers)} prompts")
        found[name] = matrix
    return found


def _task(name: str, n: int, seed: int | None) -> Task:
    import faultlens.corpus.tasks  # noqa: F401  (importing them registers the built-in tasks)
    from faultlens.corpus.task import make_task, read_task

    return read_task(Path(name)) if _is_file(name) else make_task(name, n, seed)


def _is_file(name: str) -> bool:
    return Path(name).is_file() or Path(name).suffix in (".jsonl", ".json")
