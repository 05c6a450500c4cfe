"""Several tasks audited through one lens, each as it would be by itself; here or by workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.spread import Spread
from faultlens.errors import CannotWrite, UserError
from faultlens.features.store import ActivationStore
from faultlens.progress import SILENT, Progress
from faultlens.runs.checkpoint import Checkpoint
from faultlens.scale.workers import ALONE, one_at_a_time

if TYPE_CHECKING:
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.models.model import Model


@dataclass(frozen=True, eq=False)
class TaskJob:
    """A task that is to be audited.

    Attributes:
        name: by which it is told from the others.
        task: its prompts; by seed where several sets are compared.
        kept: finished stages of the same audit, interrupted before.
    """

    name: str
    task: Task | Mapping[int, Task]
    kept: Checkpoint = field(default_factory=Checkpoint)


@dataclass(frozen=True, eq=False)
class TaskAudit:
    """What became of a task.

    Attributes:
        name: the task's.
        audit: what was found; None where it was refused.
        refused: why it could not be audited, the sentence that it ends in by itself.
        read: the activations of every token of its prompts; empty if nobody keeps them.
        token_ids: which tokens these are of, by prompt.
    """

    name: str
    audit: Audit | None
    refused: str | None = None
    read: ActivationStore = field(default_factory=ActivationStore)
    token_ids: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, eq=False)
class OneLens:
    """Audits tasks; called, it makes a worker ready.

    Attributes:
        open_lens: gives the worker its lens.
        open_base: gives it the model that the lens's was tuned from; None: none is run.
        config: of every audit.
        recorded: whether what is read of the prompts is wanted.
        fit_check: what the lens's check gave, which is made once for all.
        progress: told of the stages.
    """

    open_lens: Callable[[], Lens]
    open_base: Callable[[], Model] | None
    config: AuditConfig
    recorded: bool
    fit_check: Mapping[str, str]
    progress: Progress = SILENT

    def __call__(self) -> Callable[[TaskJob], TaskAudit]:
        lens = replace(self.open_lens(), fit_check=self.fit_check)
        base = None if self.open_base is None else self.open_base()
        return one_at_a_time(lambda job: self._audited(lens, base, job))

    def _audited(self, lens: Lens, base: Model | None, job: TaskJob) -> TaskAudit:
        """A mistake that a task holds is its own: the others know nothing of it."""
        from faultlens.auditing.study import audit_over_seeds, audit_task
        from faultlens.features.recorder import Recorder

        recorder, kept = Recorder() if self.recorded else None, _reached(job.kept)
        try:
            if isinstance(job.task, Mapping):
                audit = audit_over_seeds(
                    lens, job.task, config=self.config, progress=self.progress, recorder=recorder,
                    kept=kept, base=base,
                )  # fmt: skip
            else:
                audit = audit_task(
                    lens, job.task, config=self.config, progress=self.progress, recorder=recorder,
                    kept=kept, base=base,
                )  # fmt: skip
        except CannotWrite:
            raise
        except UserError as error:
            return TaskAudit(job.name, None, str(error))
        if recorder is None:
            return TaskAudit(job.name, audit)
        return TaskAudit(job.name, audit, None, recorder.activations, recorder.token_ids)


def audit_each(
    lens: Lens,
    jobs: Sequence[TaskJob],
    *,
    config: AuditConfig,
    base: Model | None = None,
    recorded: bool = False,
    spread: Spread | None = None,
    progress: Progress = SILENT,
) -> Iterator[TaskAudit]:
    """Audit several tasks; what comes of each, in whatever order they are finished.

    Args:
        lens: the model, and the dictionaries it is read through.
        jobs: the tasks, no two of one name.
        config: how each is audited.
        base: the model that the lens's was tuned from, to be run on the same prompts.
        recorded: whether what is read of the prompts is wanted.
        spread: who audits them, each a whole task; None: this process, one after the other.
        progress: told of the stages; of the tasks that are done, where workers audit them.

    Raises:
        CannotWrite: a stage cannot be kept.
        UserError: there are no workers, or a worker cannot open the lens.
    """
    if spread is None:
        own_base = None if base is None else lambda: base
        here = OneLens(lambda: lens, own_base, config, recorded, lens.fit_check, progress)
        yield from ALONE.results(here, jobs)
        return
    there = OneLens(spread.open_lens, spread.open_base, config, recorded, lens.fit_check)
    tick = progress.start("Auditing tasks", len(jobs))
    for done in spread.workers.results(there, jobs, alike=False):
        tick(1)
        yield done


def could_not_be_audited(refused: Mapping[str, str], tasks: int) -> UserError:
    """The mistake that some of so many tasks hold, by task why it could not be audited."""
    said = "; ".join(f"{name}: {why}" for name, why in refused.items())
    return UserError(f"{len(refused)} of {tasks} tasks could not be audited ({said})")


def _reached(kept: Checkpoint) -> Checkpoint:
    """The checkpoint where its folder can be reached, from another machine perhaps; else none."""
    return kept if kept.folder is not None and kept.folder.is_dir() else Checkpoint()
