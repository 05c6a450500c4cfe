"""The verbs that a user starts from: `load`, `profile`, `audit`, `audit_tasks`, `train`.

Importing them is light. Each takes a config, or its fields as flat keywords, or both:
`fl.audit(lens, task, seed=3)` is `fl.audit(lens, task, config=AuditConfig(seed=3))`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from faultlens.auditing.config import AuditConfig, ChatConfig
from faultlens.config import built, configured, takes
from faultlens.errors import UserError
from faultlens.importing import uncollected
from faultlens.models.lens_config import LensConfig
from faultlens.models.model_config import ModelConfig
from faultlens.profiling.config import ProfileConfig
from faultlens.progress import SILENT, Progress
from faultlens.training.config import TrainConfig

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from scipy.sparse import csr_matrix
    from typing_extensions import TypeIs

    from faultlens.auditing.result.audit import Audit
    from faultlens.auditing.spread import Spread
    from faultlens.corpus.answers import Answers
    from faultlens.corpus.pairs import PairSet
    from faultlens.corpus.task import Task
    from faultlens.corpus.texts import Corpus
    from faultlens.features.lens import Lens
    from faultlens.features.recorder import Recorder
    from faultlens.features.table import FeatureTable
    from faultlens.models.model import Model
    from faultlens.profiling.result import Profile
    from faultlens.runs.checkpoint import Checkpoint
    from faultlens.scale.workers import Workers
    from faultlens.training.run import TrainingRun


@takes(LensConfig)
def load(
    model: str | None = None,
    sae: str | None = None,
    *,
    config: LensConfig | None = None,
    **options: Any,
) -> Lens:
    """Load a model and the dictionaries it is read through.

    Args:
        model: `"mini"` (bundled), a Hugging Face model folder, or a hub name.
        sae: dictionaries: a release of SAELens's registry, one of its dictionaries, or a folder;
            `"none"`, or nothing for another model than `"mini"`: there are none, and an audit does
            what needs none.
        config: which model and dictionaries, and how.
        options: fields of `LensConfig`, in place of those of `config`.

    Raises:
        UserError: no such model or dictionaries, or they do not go together.

    >>> import faultlens as fl
    >>> lens = fl.load("mini", layers=[3])
    >>> lens.read(["Mary gave the keys to Tom."])["3-res-mini"].matrix.shape
    (1, 1536)
    """
    named = {name: given for name, given in (("model", model), ("sae", sae)) if given is not None}
    wanted = configured(config or LensConfig(), {**named, **options}, "fl.load")
    with uncollected():
        from faultlens.features.opening import open_configured

    return open_configured(wanted)


@takes(ProfileConfig)
def profile(
    source: Lens | Mapping[str, FeatureTable],
    corpus: Corpus,
    *,
    config: ProfileConfig | None = None,
    pairs: PairSet | None = None,
    recorder: Recorder | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> Profile:
    """Which features go with which kind of text, and which of them beat chance.

    Args:
        source: a lens to read the corpus through, or tables of it that you brought, by dictionary.
        corpus: texts with a category each, e.g. `fl.read_corpus("texts.jsonl")`.
        config: how the profile is made, stage by stage.
        pairs: minimal pairs to tell meaning from surface by; needs a lens.
        recorder: takes in what is read of the corpus through a lens.
        progress: told of the stages.
        options: fields of `ProfileConfig` and of its stages, in place of those of `config`.

    Raises:
        UserError: a text that cannot be read, tables that do not fit the corpus, something asked of
            tables that needs a model, or a dictionary that does not fit its model.
    """
    wanted = configured(config or ProfileConfig(), options, "fl.profile")
    from faultlens.profiling.study import profile_lens, profile_tables

    if _is_lens(source):
        source.require_dictionaries("a profile")
        return profile_lens(
            source, corpus, wanted, pairs=pairs, recorder=recorder, progress=progress
        )
    if pairs is not None:
        raise UserError(
            "minimal pairs need a model to read texts with, and tables hold none: give a lens "
            "(--model) in their place"
        )
    return profile_tables(source, corpus, wanted, progress)


@takes(AuditConfig)
def audit(
    source: Lens | Mapping[str, FeatureTable] | None,
    task: Task | Mapping[int, Task] | Answers,
    *,
    config: AuditConfig | None = None,
    residuals: Mapping[str, np.ndarray | csr_matrix] | None = None,
    base: Model | None = None,
    recorder: Recorder | None = None,
    checkpoint: Checkpoint | None = None,
    spread: Spread | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> Audit:
    """Which features go with failure on a task, and whether they matter.

    Args:
        source: a lens: a `Task` is run; the prompts of `Answers` are read through it, and features
            are tested by intervening where the model gives the answers again. Or tables of the
            prompts of `Answers` that you brought, by dictionary; None: no features.
        task: prompts with targets, foils and factors, e.g. `fl.tasks.ioi(n=300, seed=42)`; several
            sets of them by seed: the first is reported, with the verdicts that hold on the others;
            or answers that are there, e.g. `fl.read_answers("outcomes.jsonl")`.
        config: how the audit is carried out, stage by stage.
        base: the model that the lens's was tuned from, e.g. `fl.load("M", sae="none").model`: a
            task is run by it as well, and the outcomes are paired.
        residuals: for `Answers`, by layer `[prompts, d]`: a rung of the baseline ladder.
        recorder: takes in what is read of the prompts through a lens.
        checkpoint: keeps the finished stages of an audit with a model, so that a call that was
            interrupted goes on from there.
        spread: of a task, who audits the seeds after the first; of one set of prompts, who makes
            the stages that need nothing of each other. None: this process.
        progress: told of the stages.
        options: fields of `AuditConfig` and of its stages, in place of those of `config`.

    Raises:
        UserError: a name (of a rule, factor or feature) that there is none of, a prompt that does
            not fit the context, a dictionary that does not fit its model, rows that do not match,
            values that are not finite.
    """
    wanted = configured(config or AuditConfig(), options, "fl.audit")
    from faultlens.corpus.answers import Answers

    if isinstance(task, Answers):
        if base is not None:
            raise UserError("a base is run on a task: answers that are there cannot be tried again")
        if spread is not None:
            raise UserError("spread goes with a task that is run: answers are audited here")
        return _audit_answers(source, task, wanted, residuals, recorder, checkpoint, progress)
    if residuals:
        raise UserError("residuals go with answers: a task that is run is read by itself")
    if not _is_lens(source):
        raise UserError(
            "a task is run by a model: give a lens (fl.load), or answers that are there"
        )
    _check_task("the task", task)
    return _audit_task(source, task, wanted, recorder, checkpoint, progress, base, spread)


@takes(AuditConfig)
def audit_tasks(
    lens: Lens,
    tasks: Mapping[str, Task | Mapping[int, Task]],
    *,
    config: AuditConfig | None = None,
    base: Model | None = None,
    checkpoint: Checkpoint | None = None,
    spread: Spread | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> dict[str, Audit]:
    """Audit several tasks through one lens, each as `audit` does by itself.

    Args:
        lens: the model, and the dictionaries it is read through.
        tasks: by name, e.g. `{"ioi": fl.tasks.ioi(n=300), "agreement": fl.tasks.agreement()}`; of
            each one set of prompts, or several by seed.
        config: how every audit is carried out, stage by stage.
        base: the model that the lens's was tuned from, to be run on the same prompts.
        checkpoint: keeps the finished stages of each, so that a call that was interrupted goes on
            from there.
        spread: who audits them, each a whole task; None: this process, one after the other.
        progress: told of the stages.
        options: fields of `AuditConfig` and of its stages, in place of those of `config`.

    Returns:
        the audits, by the names of the tasks and in their order.

    Raises:
        UserError: as `audit` does, naming the tasks that could not be audited once the others are;
            at once for what is no task.
    """
    wanted = configured(config or AuditConfig(), options, "fl.audit_tasks")
    _check_tasks(tasks)
    from faultlens.auditing.over_tasks import TaskJob, audit_each, could_not_be_audited
    from faultlens.runs.checkpoint import Checkpoint
    from faultlens.runs.files import file_name

    lens = lens.checked(progress) if wanted.reading.fit_check else lens.unchecked()
    kept = checkpoint or Checkpoint()
    jobs = [
        TaskJob(name, task, kept.within(file_name(f"task-{name}"))) for name, task in tasks.items()
    ]
    found = {
        done.name: done
        for done in audit_each(
            lens, jobs, config=wanted, base=base, spread=spread, progress=progress
        )
    }
    refused = {name: why for name in tasks if (why := found[name].refused)}
    if refused:
        raise could_not_be_audited(refused, len(tasks))
    return {name: audit for name in tasks if (audit := found[name].audit) is not None}


def _check_tasks(tasks: object) -> None:
    """Raises UserError for what are no tasks by name."""
    if not isinstance(tasks, Mapping):
        raise UserError(
            f"tasks of type {type(tasks).__name__}: expected each by a name of its own, e.g. "
            '{"ioi": fl.tasks.ioi()}'
        )
    for name, task in tasks.items():
        _check_task(f"the task {name!r}", task)


def _check_task(where: str, task: object) -> None:
    """Raises UserError for what is neither a task nor tasks by seed."""
    from faultlens.corpus.task import Task

    for one in task.values() if isinstance(task, Mapping) else (task,):
        if not isinstance(one, Task):
            raise UserError(
                f"{where} is of type {type(one).__name__}: expected prompts to run, e.g. "
                "fl.tasks.ioi() or fl.read_task(PATH), or several sets of them by seed"
            )


def _is_lens(source: object) -> TypeIs[Lens]:
    """Whether it is a lens. Without one its module, which loads torch, is left alone."""
    module = sys.modules.get("faultlens.features.lens")
    return module is not None and isinstance(source, module.Lens)


def _audit_task(
    lens: Lens,
    task: Task | Mapping[int, Task],
    config: AuditConfig,
    recorder: Recorder | None,
    checkpoint: Checkpoint | None,
    progress: Progress,
    base: Model | None,
    spread: Spread | None,
) -> Audit:
    from faultlens.auditing.study import audit_over_seeds, audit_task

    lens = lens.checked(progress) if config.reading.fit_check else lens.unchecked()
    if isinstance(task, Mapping):
        return audit_over_seeds(
            lens, task, config=config, progress=progress, recorder=recorder, kept=checkpoint,
            base=base, spread=spread,
        )  # fmt: skip
    return audit_task(
        lens, task, config=config, progress=progress, recorder=recorder, kept=checkpoint,
        base=base, spread=spread,
    )  # fmt: skip


def _audit_answers(
    source: Lens | Mapping[str, FeatureTable] | None,
    answers: Answers,
    config: AuditConfig,
    residuals: Mapping[str, np.ndarray | csr_matrix] | None,
    recorder: Recorder | None,
    checkpoint: Checkpoint | None,
    progress: Progress,
) -> Audit:
    from faultlens.auditing.study import audit_answers, audit_answers_of

    if config.conversation != ChatConfig():
        raise UserError("chat and system say how a task is run: give a task, not answers")
    if _is_lens(source):
        source.require_dictionaries("an audit of answers that are there")
        if residuals:
            raise UserError("residuals go with tables: a model reads its own")
        lens = source.checked(progress) if config.reading.fit_check else source.unchecked()
        return audit_answers_of(
            lens, answers, config=config, progress=progress, recorder=recorder, kept=checkpoint
        )
    of_model = {
        "test_features": config.interventions.test_features,
        "with_answer": config.answers.with_answer,
    }
    for name, given in of_model.items():
        if given:
            raise UserError(f"{name} needs the model that gave the answers: give a lens (fl.load)")
    return audit_answers(answers, source, residuals, config=config, progress=progress)


@takes(TrainConfig)
def train(
    model: str | Model | ModelConfig,
    texts: Sequence[str],
    out: str | Path,
    *,
    config: TrainConfig | None = None,
    workers: Workers | None = None,
    progress: Progress = SILENT,
    **options: Any,
) -> TrainingRun:
    """Train dictionaries at some sites of a model, all of them from one pass over the texts.

    Args:
        model: its name, as `fl.load` takes it; what names it; or one that is loaded (`lens.model`).
        texts: what it reads, e.g. `fl.read_corpus("texts.jsonl").texts`.
        out: folder for the dictionaries, in SAELens's format, each with a card; where it holds an
            unfinished run of the same model, texts and options, that goes on.
        config: what to train; None: the fields are given as options: `layers`, or `sites` by
            their whole names, at least.
        workers: who reads the activations that are learnt from, e.g. those of a Ray cluster
            (`SpreadConfig(ray="auto").opened(1, "cpu")`), where the model is given by its name;
            None: this process.
        progress: told of the stages.
        options: fields of `TrainConfig` and of its stages, in place of those of `config`.

    Raises:
        UserError: a site that the model lacks, a corpus too small for the width, a folder that
            holds something else, a loss that is not finite.
    """
    from pathlib import Path

    if config is None:
        wanted = built(TrainConfig, options, "fl.train")
    else:
        wanted = configured(config, options, "fl.train")
    from faultlens.training.run import train_dictionaries

    opened, readers = _model(model, progress), None
    if workers is not None:
        from faultlens.models.load import load_configured
        from faultlens.training.spread_harvest import Readers

        if not isinstance(model, str | ModelConfig):
            raise UserError("workers load the model themselves: give its name or a ModelConfig")
        named = ModelConfig(model) if isinstance(model, str) else model
        readers = Readers(workers, partial(load_configured, named))
    return train_dictionaries(opened, texts, wanted, Path(out), progress, readers)


def _model(model: str | Model | ModelConfig, progress: Progress) -> Model:
    """A model that is there, or that is loaded by its name or its config."""
    if not isinstance(model, str | ModelConfig):
        return model
    from faultlens.models.load import load_configured

    loaded = progress.start("Loading the model", 1)
    found = load_configured(ModelConfig(model) if isinstance(model, str) else model)
    loaded(1)
    return found
