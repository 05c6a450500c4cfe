"""`faultlens demo`: both studies on the bundled model, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faultlens.cli import options as o
from faultlens.cli.screen import progress_bars

DEFAULT = Path("runs/demo")


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Run folder to write")] = DEFAULT,
    overwrite: o.Overwrite = False,
) -> None:
    """Both studies on the bundled model, offline, and the report: under a minute on two cores."""
    from faultlens.cli.run import run_claimed
    from faultlens.runs.folder import Manifest

    overwrite = overwrite or out == DEFAULT  # the demo may replace its own
    claim = context.with_resource(run_claimed(out, overwrite))
    arguments = {"model": "mini", "sae": "mini", "n": 300, "task_seed": 0, "pooling": "max"}
    drawn = {"permutations": 10_000, "repeats": 2, "seed": 0}
    manifest = Manifest.begin({**arguments, **drawn, "out": str(out)})
    with progress_bars() as bars:
        ready = bars.start("Loading mini", 1)
        import faultlens as fl
        from faultlens.auditing.from_task import audit_task
        from faultlens.auditing.study import AuditConfig
        from faultlens.cli.run import Findings, finish, record_lens
        from faultlens.features.store import ActivationStore
        from faultlens.profiling.running import profile_lens

        lens = fl.load("mini").checked(bars)
        ready(1)
        record_lens(manifest, lens)
        corpus, task = fl.seven_categories(), fl.tasks.mini_ioi(n=300, seed=0)
        manifest.inputs["corpus"] = {"name": corpus.name, "digest": corpus.digest}
        manifest.inputs["task"] = {"name": task.name, "digest": task.digest}

        pairs = fl.minimal_pairs()
        manifest.inputs["pairs"] = {"name": pairs.name, "digest": pairs.digest}

        run = profile_lens(lens, corpus, pairs=pairs, progress=bars)
        task_read = ActivationStore()
        config = AuditConfig(repeats=2)  # of the ladder: ten would take longer than all the rest
        audit = audit_task(lens, task, config=config, progress=bars, store=task_read)
        found = Findings(run.profile, run.tables, run.store, audit, task_read, task)
    finish(claim, manifest, found, json=False)
