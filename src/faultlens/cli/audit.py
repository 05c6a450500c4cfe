"""`faultlens audit`: which features go with failure on a task, and whether they matter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars

if TYPE_CHECKING:
    from faultlens.corpus.task import Task


def audit(
    task: Annotated[str, typer.Argument(help="ioi, mini-ioi, or a JSONL file of prompts")],
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
        int | None, typer.Option(help="Seed of a built-in task [default: ioi 42, others 0]")
    ] = None,
    rule: Annotated[
        str, typer.Option(help="What counts as success: exact-word, first-token, named-later")
    ] = "exact-word",
    pooling: o.Pooling = "max",
    min_support: Annotated[
        int, typer.Option(min=1, help="Least prompts on which a tested feature fires")
    ] = 5,
    permutations: o.Permutations = 10_000,
    seed: o.Seed = 0,
    out: o.Out = None,
    overwrite: o.Overwrite = False,
    json: o.AsJson = False,
) -> None:
    """Which features go with failure on a task, and whether taking them away changes it."""
    given = {name: value for name, value in locals().items() if name != "json"}
    from faultlens.runs.folder import Manifest, check_target

    if out is not None:
        check_target(out, overwrite)
    from faultlens.audit.study import audit_task
    from faultlens.cli.lens import open_lens
    from faultlens.cli.run import Findings, finish, record_lens
    from faultlens.features.store import ActivationStore

    prompts = _task(task, n, task_seed)
    manifest = Manifest.begin({name: str(v) for name, v in given.items() if v is not None})
    manifest.inputs["task"] = {"name": prompts.name, "digest": prompts.digest}
    with progress_bars() as bars:
        lens = open_lens(given, bars)
        record_lens(manifest, lens)
        store = ActivationStore() if out is not None else None
        result = audit_task(
            lens,
            prompts,
            rule=rule,
            pooling=pooling,
            min_support=min_support,
            permutations=permutations,
            seed=seed,
            progress=bars,
            store=store,
        )
    finish(out, manifest, Findings(audit=result, task_read=store), overwrite, json)


def _task(name: str, n: int, seed: int | None) -> Task:
    import faultlens.corpus.tasks  # noqa: F401  (importing them registers the built-in tasks)
    from faultlens.corpus.task import make_task, read_task

    path = Path(name)
    if path.is_file() or path.suffix in (".jsonl", ".json"):
        return read_task(path)
    return make_task(name, n, seed)
