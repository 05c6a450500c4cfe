"""Several tasks through one lens: each audit is that of its task alone, whoever makes it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from by_hand import CLEAR, asked, axes, dictionary, made
from elsewhere import Elsewhere

import faultlens as fl
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.spread import Spread
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.runs.checkpoint import Checkpoint
from faultlens.serialisation import to_json

QUICK = AuditConfig.of(
    permutations=99, baselines=False, test_classes=1, test_attributed=0, fit_check=False
)


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Lens:
    model = made(tmp_path_factory.mktemp("clear"), CLEAR)
    return Lens(model, (dictionary(1, {name: axes()[name] for name in ("push", "copy")}),))


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task | Mapping[int, Task]]:
    """One set of prompts, and one over seeds."""
    return {"one": asked(40, 0), "two": {seed: asked(40, seed) for seed in (1, 2)}}


@pytest.fixture(scope="module")
def alone(lens: Lens, tasks: dict[str, Task | Mapping[int, Task]]) -> dict[str, Audit]:
    return {name: fl.audit(lens, task, config=QUICK) for name, task in tasks.items()}


@pytest.mark.parametrize("by_workers", [False, True])
def test_each_audit_is_that_of_its_task_alone(
    lens: Lens,
    tasks: dict[str, Task | Mapping[int, Task]],
    alone: dict[str, Audit],
    by_workers: bool,
    tmp_path: Path,
) -> None:
    spread = Spread(Elsewhere(), partial(copy.deepcopy, lens)) if by_workers else None
    kept = Checkpoint.kept_in(tmp_path / "work", {"audits": 1})
    found = fl.audit_tasks(lens, tasks, config=QUICK, spread=spread, checkpoint=kept)
    assert list(found) == list(tasks)
    assert {name: to_json(of) for name, of in found.items()} == {
        name: to_json(of) for name, of in alone.items()
    }
    assert found["two"].robustness is not None
    assert len(found["two"].robustness.seeds) == 2
    assert "outcomes" in kept.within("task-one").stages, "stages are kept, each task's by itself"
    assert {path.name for path in (tmp_path / "work" / "task-two").iterdir()} == {
        "seed-1",
        "seed-2",
    }


def test_a_task_that_cannot_be_audited_is_named_once_the_others_are_done(
    lens: Lens, tasks: dict[str, Task | Mapping[int, Task]], tmp_path: Path
) -> None:
    long = Task("long", (Prompt("w1 " * 500 + "key", target="Mary", foil="John"),))
    kept = Checkpoint.kept_in(tmp_path / "work", {"audits": 1})
    with pytest.raises(UserError) as refused:
        fl.audit_tasks(lens, {"long": long, "one": tasks["one"]}, config=QUICK, checkpoint=kept)
    with pytest.raises(UserError) as by_itself:
        fl.audit(lens, long, config=QUICK)
    assert str(refused.value) == f"1 of 2 tasks could not be audited (long: {by_itself.value})"
    assert "outcomes" in kept.within("task-one").stages


def test_what_is_no_task_is_refused_in_one_sentence(
    lens: Lens, tasks: dict[str, Task | Mapping[int, Task]]
) -> None:
    expected = (
        "expected prompts to run, e.g. fl.tasks.ioi() or fl.read_task(PATH), or several sets of "
        "them by seed"
    )

    def said(audit: Callable[..., object], given: object) -> str:
        with pytest.raises(UserError) as refused:
            audit(lens, given, config=QUICK)
        return str(refused.value)

    assert said(fl.audit, "ioi") == f"the task is of type str: {expected}"
    assert said(fl.audit, {0: tasks["one"], 1: None}) == (
        f"the task is of type NoneType: {expected}"
    )
    assert said(fl.audit_tasks, {"one": tasks["one"], "ioi": "ioi"}) == (
        f"the task 'ioi' is of type str: {expected}"
    )
    assert said(fl.audit_tasks, [tasks["one"]]) == (
        'tasks of type list: expected each by a name of its own, e.g. {"ioi": fl.tasks.ioi()}'
    )
