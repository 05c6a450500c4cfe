"""What a command writes: results, tables, activations and the page, into one run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultlens.auditing.result.audit import Audit
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.features.store import ActivationStore
    from faultlens.features.table import FeatureTable
    from faultlens.profiling.result import Profile
    from faultlens.runs.checkpoint import Checkpoint
    from faultlens.runs.folder import Manifest


def record_lens(manifest: Manifest, lens: Lens) -> None:
    """Note which model and dictionaries were used, and under which conventions."""
    manifest.inputs["model"] = {"name": lens.model.name, "digest": lens.model.digest}
    manifest.inputs["dictionaries"] = {
        dictionary.name: {
            "digest": dictionary.digest,
            "site": dictionary.site.name,
            "source": dictionary.source,
        }
        for dictionary in lens.dictionaries
    }
    manifest.conventions.update(
        {
            dictionary.name: {
                **dictionary.convention.to_dict(),
                "fit_check": lens.fit_check.get(dictionary.name, "not made"),
            }
            for dictionary in lens.dictionaries
        }
    )


@dataclass(frozen=True)
class Findings:
    """What a command has to write: one study or both, and what was read for them."""

    profile: Profile | None = None
    tables: Mapping[str, FeatureTable] = field(default_factory=dict)
    corpus_read: ActivationStore | None = None
    audit: Audit | None = None
    task_read: ActivationStore | None = None
    task: Task | None = None  # what the audit is of; its factors and foils go beside the outcomes
    kept: Checkpoint | None = None  # thrown away once the run is written


def write_run(target: Path, manifest: Manifest, found: Findings, overwrite: bool) -> None:
    """Write a whole run folder: results, tables, activations, manifest, page."""
    from faultlens.report.page import write_page
    from faultlens.runs.folder import run_folder

    with run_folder(target, overwrite) as folder:
        (folder / "tables").mkdir()
        if found.profile is not None:
            _write_profile(folder, found.profile, found.tables)
        if found.audit is not None:
            _write_audit(folder, found.audit, found.task)
        if found.corpus_read is not None:
            found.corpus_read.write(folder / "activations" / "corpus")
        if found.task_read is not None:
            found.task_read.write(folder / "activations" / "task")
        manifest.write(folder)
        write_page(folder)


def checkpoint(out: Path | None, manifest: Manifest) -> Checkpoint:
    """Where a run that will be written to `out` keeps what is finished; nowhere without one.

    What is kept is only taken up by a run of the same arguments, inputs and versions.
    """
    from faultlens.runs.checkpoint import Checkpoint

    if out is None:
        return Checkpoint()
    elsewhere = ("out", "overwrite")
    arguments = {name: v for name, v in manifest.arguments.items() if name not in elsewhere}
    key = {
        "arguments": arguments,
        "inputs": manifest.inputs,
        "conventions": manifest.conventions,
        "versions": manifest.versions,
    }
    return Checkpoint.beside(out, key)


def finish(
    out: Path | None, manifest: Manifest, found: Findings, overwrite: bool, json: bool
) -> None:
    """Write the run where a folder is wanted, and say what was found, in words or as JSON."""
    from faultlens.cli.screen import say, say_json
    from faultlens.report.terminal.summary import summary

    if out is not None:
        write_run(out, manifest, found, overwrite)
        if found.kept is not None:
            found.kept.forget()
    result = found.profile or found.audit
    if json and result is not None:
        say_json(result.to_dict())
        return
    say(summary(found.profile, found.audit))
    if out is not None:
        say([f"The report: {out / 'report.html'}"])


def _write_profile(folder: Path, profile: Profile, tables: Mapping[str, FeatureTable]) -> None:
    import pandas as pd

    profile.save(folder)
    rows = [
        {
            "site": name,
            "category": category,
            "texts": reading.texts,
            "peak_feature": reading.peak and reading.peak.feature,
            "peak": reading.peak and reading.peak.activation,
            "relative_peak": reading.peak and reading.peak.relative,
            "top_sum": reading.top_sum,
            "top_share": reading.top_share,
            "gini": reading.gini,
            "coverage": reading.most_frequent and reading.most_frequent.coverage,
            "participation_ratio": reading.tail and reading.tail.participation_ratio,
            "features_90": reading.tail and reading.tail.features_90,
            "selective_feature": reading.selectivity.feature,
            "auroc": reading.selectivity.auroc,
            "auroc_p_value": reading.selectivity.p_value,
            "auroc_p_holm": reading.selectivity.p_holm,
            "specialist_feature": reading.specialist.feature,
            "score": reading.specialist.score,
            "score_p_value": reading.specialist.p_value,
            "score_p_holm": reading.specialist.p_holm,
        }
        for name, site in profile.sites.items()
        for category, reading in site.categories.items()
    ]
    pd.DataFrame(rows).to_parquet(folder / "tables" / "categories.parquet", index=False)
    for name, table in tables.items():
        pooled = table.matrix.tocoo()
        pd.DataFrame(
            {"text_id": pooled.row, "feature": pooled.col, "activation": pooled.data}
        ).to_parquet(folder / "tables" / f"pooled-{name}.parquet", index=False)


def _write_audit(folder: Path, audit: Audit, task: Task | None) -> None:
    import pandas as pd

    from faultlens.auditing.behaviour.table import prompt_table

    audit.save(folder)
    prompts = (
        pd.DataFrame([asdict(outcome) for outcome in audit.outcomes])
        if task is None
        else prompt_table(task, audit.outcomes)
    )
    prompts.to_parquet(folder / "tables" / "prompts.parquet", index=False)
    levels = [
        {"factor": factor, "level": level, **asdict(reading)}
        for factor, of_factor in audit.factors.items()
        for level, reading in of_factor.items()
    ]
    pd.DataFrame(levels).to_parquet(folder / "tables" / "levels.parquet", index=False)
    if audit.features is not None:
        pd.DataFrame(audit.features).to_parquet(folder / "tables" / "features.parquet", index=False)
