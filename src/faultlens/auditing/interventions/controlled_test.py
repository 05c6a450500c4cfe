"""Controlled test: an edit of some prompts and its controls, run until the test has its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.interventions.controls import Controls, EditedTokens, control_features
from faultlens.auditing.interventions.edit_runner import EditRunner
from faultlens.auditing.interventions.effects import Measured, as_large
from faultlens.auditing.interventions.placed_edit import PlacedEdit
from faultlens.progress import Tick
from faultlens.stats.sequential import SequentialTest

FIRST, BATCH = 15, 10  # controls run before it is asked whether more are needed, and then each time


@dataclass(frozen=True, eq=False)
class Usual:
    """What the edited features, and all others, are set to: means over some prompts.

    Attributes:
        features: by role, `[roles, d_sae]`.
        values: of the target site, by role, `[roles, d]`.
    """

    features: np.ndarray
    values: Tensor


@dataclass(frozen=True, eq=False)
class _EditedRun:
    """Some of the prompts: their cached run, and where they are edited.

    Attributes:
        places: of these prompts among all.
        start: the first edited column.
        tokens: which of the edited tokens are theirs, `[tokens]`.
        at: their places in the run, prompts and columns, `[2, tokens]`.
    """

    run: CachedRun
    places: list[int]
    start: int
    tokens: Tensor
    at: Tensor


def run_against_controls(
    runner: EditRunner,
    placed: PlacedEdit,
    prompts: np.ndarray,
    usual: Usual,
    test: SequentialTest,
    *,
    claim: str,
    seed: int,
    progress: Tick | None = None,
    begun: Measured | None = None,
    only_first: bool = False,
) -> Measured:
    """Run an edit, and its controls in the order in which they were drawn until the test ends.

    Args:
        prompts: their indices in the task.
        usual: what the edit sets features to.
        test: says when enough are drawn.
        claim: whether a rise or a fall of the margin counts.
        seed: of the controls.
        progress: told of each planned control on each prompt, run or not needed.
        begun: the same with its first controls; nothing of it is run again.
        only_first: run no more than the first controls, though the test may need further ones.
    """
    if begun is not None and test.counted(as_large(begun, claim)) is not None:
        if progress is not None:
            progress(test.planned * len(prompts))
        return begun
    place = {int(prompt): i for i, prompt in enumerate(prompts)}
    margin, changed, foil = (np.zeros(len(prompts)) for _ in range(3))
    if begun is not None:
        margin, changed, foil = begun.margin, begun.changed, begun.foil
    values = usual.values.new_zeros(len(placed.rows), usual.values.shape[1])
    runs, length = [], 0.0
    for run in runner.cached_runs(placed, prompts, min(FIRST, test.planned)):
        here = [place[int(i)] for i in run.prompts]
        change = runner.change(placed, run)
        if begun is None:
            before, after = run.untouched, run.measure(change)
            margin[here], changed[here] = before.margin, after.margin
            foil[here] = after.difference - before.difference
        tokens, at = _tokens_of(runner, placed, run)
        values[tokens] = run.values_at(runner.dictionary.target)[tuple(at)]
        length += float(change.norm(dim=-1).sum())
        runs.append(_EditedRun(run, here, run.start(change), tokens, at))
    codes, roles = runner.codes, torch.from_numpy(runner.codes.roles[placed.rows])
    edited = EditedTokens(placed.rows, values, usual.values[roles.to(values.device)], length)
    features = control_features(
        codes, runner.dictionary, placed, usual.features, length, test.planned, seed
    )
    controls = Controls(runner.dictionary, codes, usual.features, edited, features, seed)
    by_control = np.zeros((0, len(prompts))) if begun is None else begun.controls
    if begun is not None and progress is not None:
        progress(len(by_control) * len(prompts))
    while True:
        are_features = controls.are_features(len(by_control))
        found = Measured(margin, changed, by_control, foil, are_features)
        if only_first and len(by_control):
            return found
        if len(by_control) and test.counted(as_large(found, claim)) is not None:
            break
        numbers = range(len(by_control), _next(len(by_control), test))
        by_control = np.vstack([by_control, _run(runs, controls, numbers, len(prompts))])
        if progress is not None and numbers.stop <= test.planned:
            progress(len(numbers) * len(prompts))
    if progress is not None and len(by_control) < test.planned:
        progress((test.planned - len(by_control)) * len(prompts))
    return found


def _next(drawn: int, test: SequentialTest) -> int:
    """How many controls there are after the next batch: first the planned ones, then the others."""
    batch = FIRST if drawn == 0 else BATCH
    return min(drawn + batch, test.planned if drawn < test.planned else test.limit)


def _tokens_of(runner: EditRunner, placed: PlacedEdit, run: CachedRun) -> tuple[Tensor, Tensor]:
    """Which of the edited tokens are a run's, `[tokens]`, and where in it, `[2, tokens]`."""
    starts = runner.codes.starts
    of = np.searchsorted(starts, placed.rows, side="right") - 1
    place = {int(prompt): i for i, prompt in enumerate(run.prompts)}
    mine = np.flatnonzero(np.isin(of, run.prompts))
    columns = placed.rows[mine] - starts[of[mine]]
    inside = columns < run.cached.ids.shape[1]
    mine, columns = mine[inside], columns[inside]
    at = np.array([[place[int(prompt)] for prompt in of[mine]], columns]).reshape(2, -1)
    device = run.last.device
    return torch.from_numpy(mine).to(device), torch.from_numpy(at.astype(np.int64)).to(device)


def _run(
    runs: Sequence[_EditedRun], controls: Controls, numbers: range, prompts: int
) -> np.ndarray:
    """The margins under some controls, `[controls, prompts]`."""
    margins = np.zeros((len(numbers), prompts))
    directions, steps = controls.drawn(numbers)
    for one in runs:
        several = one.run.together(one.start)
        columns = one.run.cached.ids.shape[1] - one.start
        for at in range(0, len(numbers), several):
            part = slice(at, at + several)
            sizes = steps.new_zeros(len(steps[part]), len(one.places), columns)
            sizes[:, one.at[0], one.at[1] - one.start] = steps[part][:, one.tokens]
            changes = sizes[..., None] * directions[part][:, None, None, :]
            margins[part, one.places] = one.run.measure_all(changes, one.start).margin
    return margins
