"""Stages of one audit made by workers: the same audit, and only what is unfinished is made."""

from __future__ import annotations

import copy
import shutil
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from by_hand import CLEAR, asked, axes, dictionary, made
from elsewhere import Elsewhere

import faultlens as fl
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.spread import Spread
from faultlens.auditing.study import audit_task
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.features.shapes import Shapes
from faultlens.runs.checkpoint import Checkpoint
from faultlens.serialisation import to_json

QUICK = AuditConfig.of(
    permutations=200, folds="study", test_classes=2, test_attributed=2, random_decoder=True
)


@pytest.fixture(scope="module")
def lens(tmp_path_factory: pytest.TempPathFactory) -> Lens:
    """A lens with two dictionaries, through which a planted cause is seen."""
    model = made(tmp_path_factory.mktemp("clear"), CLEAR)
    names = ("push", "copy")
    return Lens(
        model, tuple(dictionary(layer, {name: axes()[name] for name in names}) for layer in (0, 1))
    )


@pytest.fixture(scope="module")
def alone(lens: Lens) -> Audit:
    return audit_task(lens, asked(60, 0), config=QUICK)


def by_workers(lens: Lens, kept: Checkpoint) -> tuple[Audit, list[str]]:
    """The same audit, and which stages two workers made of it."""
    workers = Elsewhere()
    spread = Spread(workers, partial(copy.deepcopy, lens))
    audit = audit_task(lens, asked(60, 0), config=QUICK, kept=kept, spread=spread)
    return audit, [job.stage.name for job in workers.given]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def spread(lens: Lens, work: Path) -> tuple[Audit, list[str]]:
    """The audit by workers, its stages kept."""
    return by_workers(lens, Checkpoint.kept_in(work, {"audit": 1}))


def test_whoever_makes_the_stages_the_audit_is_the_same(
    alone: Audit, spread: tuple[Audit, list[str]]
) -> None:
    audit, stages = spread
    assert to_json(audit) == to_json(alone)
    kinds = Counter(
        "after" if name.endswith("-after") else
        "random" if name.endswith("-random-decoder") else name.partition("-")[0]
        for name in stages
    )  # fmt: skip
    assert kinds["attribution"] == 2, "a stage a site"
    assert kinds["first"] == kinds["random"] >= 2, "a stage a feature set"
    assert kinds["after"] >= 2 and kinds["ladder"] >= 3 and kinds["left"] >= 2
    assert not kinds["trial"], "what depends on the tests before it stays in order here"
    assert any(reading.intervention is not None for _, reading in alone.significant)


def test_a_driver_that_is_started_again_has_only_the_unfinished_stages_made(
    lens: Lens, alone: Audit, spread: tuple[Audit, list[str]], work: Path, tmp_path: Path
) -> None:
    """What is left alone among its like is not sent away."""
    every = set(spread[1])
    kept = Checkpoint.kept_in(Path(shutil.copytree(work, tmp_path / "work")), {"audit": 1})
    assert every <= set(kept.stages)
    lost = {name for name in every if name.startswith(("attribution-", "left-out-"))}
    one = min(name for name in every if name.startswith("first-"))
    for name in (*lost, one, "ladder"):
        (tmp_path / "work" / f"{name}.json").unlink()
    audit, stages = by_workers(lens, kept)
    assert to_json(audit) == to_json(alone)
    assert set(stages) == lost
    assert {*lost, one, "ladder"} <= set(kept.stages)


def test_workers_read_in_the_shapes_in_which_this_process_does(
    lens: Lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they would choose themselves: how much is read at once decides the last bits."""
    config = AuditConfig.of(permutations=200, baselines=False, test_classes=0, test_attributed=2)
    read: list[Shapes] = []
    reader = Lens.reader
    monkeypatch.setattr(
        Lens, "reader", lambda self, shapes: read.append(shapes) or reader(self, shapes)
    )
    own = Shapes(budget=64, row=32)
    workers = Elsewhere()
    spread = Spread(workers, partial(copy.deepcopy, lens))
    audit_task(replace(lens, given_shapes=own), asked(40, 0), config=config, spread=spread)
    assert set(read) == {own} and len(read) >= 3, "this process, and two workers"
    assert {job.shapes for job in workers.given} == {own}


def test_answers_that_are_there_are_audited_by_this_process(lens: Lens) -> None:
    answers = Answers(asked(10, 0), (None,) * 10, (True,) * 10)
    with pytest.raises(UserError) as refused:
        fl.audit(lens, answers, spread=Spread(Elsewhere(), partial(copy.deepcopy, lens)))
    assert str(refused.value) == "spread goes with a task that is run: answers are audited here"
