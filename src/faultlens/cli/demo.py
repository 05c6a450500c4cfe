"""`faultlens demo`: both studies on the bundled model, and the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultlens.auditing.config import AuditConfig, LadderConfig
from faultlens.cli.lens import open_lens
from faultlens.cli.options import Invocation
from faultlens.cli.run import (
    Findings,
    begin,
    finish,
    identity,
    record_lens,
    run_claimed,
    token_texts_of,
)
from faultlens.cli.screen import progress_bars
from faultlens.config import values_of
from faultlens.models.lens_config import LensConfig
from faultlens.profiling.config import ProfileConfig

PROMPTS, TASK_SEED = 300, 0
LADDER = LadderConfig(repeats=2)  # ten would take longer than all the rest


@dataclass(frozen=True)
class DemoOptions:
    """The result."""

    out: Path = Path("runs/demo")
    """Run folder to write."""
    overwrite: bool = False
    """Replace a run that is there; the demo's own is always replaced."""


def demo(run: DemoOptions, call: Invocation) -> None:
    """Both studies on the bundled model, offline, and the report: under a minute on two cores."""
    import faultlens as fl

    overwrite = run.overwrite or run.out == DemoOptions.out
    with run_claimed(run.out, overwrite) as claim:
        from faultlens.auditing.result.argument import named_features
        from faultlens.corpus.pairs import minimal_pairs
        from faultlens.features.recorder import Recorder

        lens_config, profile_config = LensConfig(), ProfileConfig()
        audit_config = AuditConfig(ladder=LADDER)
        in_force: dict[str, Any] = {"n": PROMPTS, "task_seed": TASK_SEED, **call.in_force}
        for config in (lens_config, profile_config, audit_config):
            in_force |= values_of(config)
        manifest = begin(Invocation(call.given, in_force))
        corpus, pairs = fl.seven_categories(), minimal_pairs()
        task = fl.tasks.mini_ioi(n=PROMPTS, seed=TASK_SEED)
        for name, given in (("corpus", corpus), ("task", task), ("pairs", pairs)):
            manifest.inputs[name] = identity(given)
        texts_read, prompts_read = Recorder(), Recorder()
        with progress_bars() as bars:
            lens = open_lens(lens_config, audit_config.reading.fit_check, bars)
            record_lens(manifest, lens)
            profile = fl.profile(
                lens, corpus, config=profile_config, pairs=pairs, recorder=texts_read,
                progress=bars,
            )  # fmt: skip
            audit = fl.audit(lens, task, config=audit_config, recorder=prompts_read, progress=bars)
        from faultlens.profiling.token_evidence import with_features  # loads PyTorch

        profile = with_features(
            profile, named_features(audit), lens, corpus, texts_read.activations,
            profile_config.long,
        )  # fmt: skip
        found = Findings(
            profile,
            texts_read.tables,
            texts_read.activations,
            audit,
            prompts_read.activations,
            task,
            token_texts_of(lens, prompts_read.token_ids),
        )
        finish(claim, manifest, found, json=False)
