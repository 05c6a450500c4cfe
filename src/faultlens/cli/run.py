"""What a command writes: results, tables, activations and the page, into one run folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from faultlens.cli.options import Invocation

if TYPE_CHECKING:
    import pandas as pd

    from faultlens.auditing.result.audit import Audit
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.features.store import ActivationStore
    from faultlens.features.table import FeatureTable
    from faultlens.profiling.result import Profile
    from faultlens.runs.checkpoint import Checkpoint
    from faultlens.runs.claim import Claim
    from faultlens.runs.folder import Manifest


ELSEWHERE = ("out", "overwrite")
"""Arguments that say where a run is written, not what it is."""


class Identified(Protocol):
    """What a manifest names: a corpus, a task, minimal pairs."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...


@contextmanager
def run_claimed(out: Path | None, overwrite: bool) -> Iterator[Claim | None]:
    """The claim on the folder that a command's run is to be written to; None where none is wanted.

    Raises UserError, before the work, for whatever stands against writing there.
    """
    from faultlens.runs.claim import claimed

    if out is None:
        yield None
        return
    with claimed(out, overwrite) as claim:
        yield claim


def begin(call: Invocation, without: Sequence[str] = ()) -> Manifest:
    """The manifest of a run that starts now: all options in force but for those in `without`.

    Who did the work (`--ray`) is left out, too: it changes nothing.
    """
    from faultlens.runs.folder import Manifest

    return Manifest.begin(dict(call.arguments("json", "ray", "workers", *without)))


def identity(given: Identified) -> dict[str, str]:
    """What the manifest says of a corpus, a task or minimal pairs."""
    return {"name": given.name, "digest": given.digest}


def record_lens(manifest: Manifest, lens: Lens) -> None:
    """Note which model and dictionaries were used, and under which conventions."""
    from faultlens.models.checkpoints.precision import FLOAT32
    from faultlens.models.start_token import start_of

    told = {"start_token": start_of(lens.model).shown}
    precision = str(lens.model.dtype).removeprefix("torch.")
    if precision != FLOAT32:
        told["dtype"] = precision
    manifest.inputs["model"] = lens.model.identity | told
    manifest.inputs["dictionaries"] = {
        dictionary.name: {
            "digest": dictionary.digest,
            "site": dictionary.site.name,
            "source": dictionary.source,
            **({"neuronpedia": dictionary.neuronpedia} if dictionary.neuronpedia else {}),
        }
        for dictionary in lens.dictionaries
    }
    if lens.sites:
        manifest.inputs["sites"] = [site.name for site in lens.sites]
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
    task_tokens: Sequence[Sequence[str]] = ()  # of each prompt, as positions count
    kept: Checkpoint | None = None  # thrown away once the run is written
    labels: Mapping[str, str] = field(default_factory=dict)  # of features, somebody's


def write_run(claim: Claim, manifest: Manifest, found: Findings) -> None:
    """Write a whole run folder: results, tables, activations, manifest, page.

    Raises CannotWrite if there is no room for it; nothing of it is left then.
    """
    import pandas as pd

    from faultlens.report.page import write_page

    with claim.filled() as folder:
        (folder / "tables").mkdir()
        if found.profile is not None:
            _write_profile(folder, found.profile, found.tables)
        if found.audit is not None:
            _write_audit(folder, found.audit, found.task, found.labels)
            _write_tokens(folder, found.task_tokens)
        if found.labels:
            rows = list(found.labels.items())
            _write_table(folder, "labels", pd.DataFrame(rows, columns=["feature", "label"]))
        if found.corpus_read is not None:
            found.corpus_read.write(folder / "activations" / "corpus")
        if found.task_read is not None:
            found.task_read.write(folder / "activations" / "task")
        manifest.write(folder)
        write_page(folder)


@contextmanager
def resumable(claim: Claim | None, manifest: Manifest) -> Iterator[Checkpoint]:
    """Where a run keeps what is finished; nowhere if it is not to be written.

    What is kept is only taken up by a run of the same arguments, inputs and versions. A mistake of
    the user's throws it away: the same command would end there again.
    """
    from faultlens.runs.checkpoint import Checkpoint

    if claim is None:
        yield Checkpoint()
        return
    kept = Checkpoint.kept_in(claim.work, run_key(manifest))
    with kept.unless_refused():
        yield kept


def run_key(manifest: Manifest) -> dict[str, Any]:
    """All that decides a run, whatever folder it is written to."""
    return {
        "arguments": anywhere(manifest.arguments),
        "inputs": manifest.inputs,
        "conventions": manifest.conventions,
        "versions": manifest.versions,
    }


def anywhere(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without where the result is written."""
    return {name: value for name, value in arguments.items() if name not in ELSEWHERE}


def finish(claim: Claim | None, manifest: Manifest, found: Findings, json: bool) -> None:
    """Write the run where a folder is wanted, and say what was found, in words or as JSON."""
    from faultlens.cli.screen import say, say_json
    from faultlens.report.feature_names import FeatureNames
    from faultlens.report.terminal.summary import summary

    if claim is not None:
        write_run(claim, manifest, found)
        if found.kept is not None:
            found.kept.forget()
    result = found.profile or found.audit
    if json and result is not None:
        say_json(result.to_dict())
        return
    names = FeatureNames(found.labels)
    say(summary(found.profile, found.audit, names))
    if claim is not None:
        say([f"The report: {claim.named / 'report.html'}"])


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
    _write_table(folder, "categories", pd.DataFrame(rows))
    for name, table in tables.items():
        pooled = table.matrix.tocoo()
        columns = {"text_id": pooled.row, "feature": pooled.col, "activation": pooled.data}
        _write_table(folder, f"pooled-{name}", pd.DataFrame(columns))


def _write_audit(folder: Path, audit: Audit, task: Task | None, labels: Mapping[str, str]) -> None:
    import pandas as pd

    from faultlens.auditing.behaviour.table import prompt_table

    audit.save(folder)
    prompts = (
        pd.DataFrame([asdict(outcome) for outcome in audit.outcomes])
        if task is None
        else prompt_table(task, audit.outcomes)
    )
    _write_table(folder, "prompts", prompts)
    levels = [
        {"factor": factor, "level": level, **asdict(reading)}
        for factor, of_factor in audit.factors.items()
        for level, reading in of_factor.items()
    ]
    _write_table(folder, "levels", pd.DataFrame(levels))
    if audit.features is not None:
        features = pd.DataFrame(audit.features)
        if labels:
            features["label"] = _labels_of(features, labels)
        _write_table(folder, "features", features)


def _labels_of(features: pd.DataFrame, labels: Mapping[str, str]) -> pd.Series:
    """Somebody's label of each row's feature; null where there is none."""
    names = features["site"].astype(str) + "/" + features["feature"].astype(str)
    return names.map(labels).astype("string")


def token_texts_of(lens: Lens, token_ids: Sequence[Sequence[int]]) -> list[list[str]]:
    """What each token of some texts shows of it."""
    from faultlens.features.token_text import token_texts

    decode = lens.model.tokenizer.decode
    return [token_texts(decode, list(ids)) for ids in token_ids]


def _write_tokens(folder: Path, tokens: Sequence[Sequence[str]]) -> None:
    import pandas as pd

    rows = [
        (prompt, position, token)
        for prompt, of_prompt in enumerate(tokens)
        for position, token in enumerate(of_prompt)
    ]
    if rows:
        table = pd.DataFrame(rows, columns=["text_id", "position", "token"])
        _write_table(folder, "prompt-tokens", table)


def _write_table(folder: Path, name: str, rows: pd.DataFrame) -> None:
    from faultlens.runs.files import file_name, new_file

    with new_file(folder / "tables" / f"{file_name(name)}.parquet") as file:
        rows.to_parquet(file, index=False)
