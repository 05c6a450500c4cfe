"""The stages of one audit spread over workers, each of which observes the same task.

Spread is what needs nothing of anything else: the margin's attribution at each site, the first
controls of each feature set, the same tests on random decoder directions, what is asked once an
effect is shown, each rung of the baseline ladder and each factor whose levels are held out. The
tests of effects that are left stay in order in this process: where each ends depends, by Holm's
correction, on what those before it gave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.factors.groups import group_prompts
from faultlens.auditing.observed import Observed
from faultlens.auditing.result import PromptOutcome
from faultlens.auditing.spread import Spread
from faultlens.progress import SILENT
from faultlens.runs.checkpoint import Checkpoint
from faultlens.runs.stages import Elsewhere, Stage
from faultlens.scale.workers import one_at_a_time

if TYPE_CHECKING:
    from faultlens.auditing.interventions.causal_tests import CausalTests
    from faultlens.corpus.task import Task
    from faultlens.features.lens import Lens
    from faultlens.features.shapes import Shapes


@dataclass(frozen=True)
class StageJob:
    """A stage, and how the process that has it made ran the task and read its prompts.

    Attributes:
        outcomes: one a prompt; empty for a stage that needs no model.
        shapes: in which the prompts were read.
    """

    stage: Stage
    outcomes: Sequence[PromptOutcome]
    shapes: Shapes


@dataclass(frozen=True, eq=False)
class SameTask:
    """Makes stages of the audit of a task; called, it makes a worker ready.

    Attributes:
        open_lens: gives the worker its lens.
        task: the audit's.
        config: likewise.
    """

    open_lens: Callable[[], Lens]
    task: Task
    config: AuditConfig

    def __call__(self) -> Callable[[StageJob], tuple[str, Any]]:
        return one_at_a_time(_Maker(self.open_lens(), self.task, self.config))


class _Maker:
    """Reads the prompts at the first stage that needs the model, and keeps what it read."""

    def __init__(self, lens: Lens, task: Task, config: AuditConfig) -> None:
        self._lens, self._task, self._config = lens, task, config
        self._tests: CausalTests | None = None

    def __call__(self, job: StageJob) -> tuple[str, Any]:
        return job.stage.name, job.stage.made(lambda: self._tests_of(job))

    def _tests_of(self, job: StageJob) -> CausalTests:
        from faultlens.auditing.from_task import observe_task  # loads the model's libraries

        if self._tests is None:
            lens = replace(self._lens, given_shapes=job.shapes)
            observed = observe_task(
                lens, self._task, self._config, progress=SILENT, recorder=None,
                kept=Checkpoint(), known=job.outcomes,
            )  # fmt: skip
            assert observed.causal_tests is not None
            texts = [outcome.prompt for outcome in job.outcomes]
            grouping = group_prompts(texts, observed.factors, observed.groups, self._config.groups)
            self._tests = observed.causal_tests.grouped(grouping.blocks)
        return self._tests


@contextmanager
def stages_elsewhere(
    task: Task, config: AuditConfig, spread: Spread | None
) -> Iterator[Callable[[Observed], Elsewhere | None]]:
    """Workers begin at once, while this process observes the task; they go when the block ends.

    What is yielded gives, once the task is observed, who makes the stages; None: this process.
    """
    if spread is None:
        yield lambda observed: None
        return
    with spread.workers.ready(SameTask(spread.open_lens, task, config)) as crew:

        def made(observed: Observed, stages: Iterable[Stage]) -> Iterator[tuple[str, Any]]:
            assert observed.causal_tests is not None
            shapes = observed.causal_tests.activations.reader.shapes
            return crew.results(
                StageJob(stage, observed.outcomes if stage.with_model else (), shapes)
                for stage in stages
            )

        yield lambda observed: partial(made, observed)
