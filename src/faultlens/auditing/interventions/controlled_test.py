"""Controlled test: an edit of some prompts and its controls, run until the test has its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.controls import Controls
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.effects import Measured, as_large
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.progress import Tick
from faultlens.stats.sequential import SequentialTest

BATCH = 25  # controls run before it is asked whether more are needed


@dataclass(frozen=True, eq=False)
class _EditedRun:
    """Some of the prompts: their cached run, the edit's change there, and its first column."""

    run: CachedRun
    places: list[int]
    change: Tensor
    start: int


def run_against_controls(
    runner: EditRunner,
    placed: PlacedEdit,
    prompts: np.ndarray,
    controls: Controls,
    test: SequentialTest,
    *,
    claim: str,
    progress: Tick | None = None,
) -> Measured:
    """Run an edit, and its controls in the order in which they were drawn until the test ends.

    Args:
        prompts: their indices in the task.
        controls: as many as the test draws at most.
        test: says when enough are drawn.
        claim: whether a rise or a fall of the margin counts.
        progress: told of each control run on each prompt, and of those that are not needed.
    """
    place = {int(prompt): i for i, prompt in enumerate(prompts)}
    margin, changed, foil = (np.zeros(len(prompts)) for _ in range(3))
    runs = []
    for run in runner.cached_runs(placed, prompts, min(BATCH, test.most)):
        here = [place[int(i)] for i in run.prompts]
        change = runner.change(placed, run)
        before, after = run.untouched, run.measure(change)
        margin[here], changed[here] = before.margin, after.margin
        foil[here] = after.difference - before.difference
        runs.append(_EditedRun(run, here, change, run.start(change)))
    by_control = np.zeros((0, len(prompts)))
    while True:
        found = Measured(margin, changed, by_control, foil)
        if len(by_control) and test.counted(as_large(found, claim)) is not None:
            break
        numbers = range(len(by_control), min(len(by_control) + BATCH, test.most))
        by_control = np.vstack([by_control, _run(runs, controls, numbers, len(prompts))])
        if progress is not None:
            progress(len(numbers) * len(prompts))
    if progress is not None:
        progress((test.most - len(by_control)) * len(prompts))
    return found


def _run(
    runs: Sequence[_EditedRun], controls: Controls, numbers: range, prompts: int
) -> np.ndarray:
    """The margins under some controls, `[controls, prompts]`."""
    margins = np.zeros((len(numbers), prompts))
    for one in runs:
        several = one.run.together(one.start)
        for at in range(0, len(numbers), several):
            some = numbers[at : at + several]
            changes = controls.changes(one.run, one.change, one.start, some)
            found = one.run.measure_all(changes, one.start).margin
            margins[at : at + len(some), one.places] = found
    return margins
