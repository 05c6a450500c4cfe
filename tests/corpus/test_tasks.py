"""Tasks: the study's prompts to the letter, mini's own, and prompts from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from faultlens.corpus.task import Prompt, Task, make_task, read_task
from faultlens.corpus.tasks import ioi, mini_ioi
from faultlens.corpus.world import NAMES, PULLS, pull_on, unseen_together
from faultlens.errors import UserError


def test_ioi_gives_the_studys_prompts_in_order(reference_data: Path) -> None:
    lines = (reference_data / "ioi_audit" / "tasks.jsonl").read_text().splitlines()
    theirs = [json.loads(line) for line in lines]
    ours = ioi(n=300, seed=42).prompts
    assert [p.text for p in ours] == [t["prompt"] for t in theirs]
    assert [p.target for p in ours] == [t["indirect_object"] for t in theirs]
    assert [p.foil for p in ours] == [t["subject"] for t in theirs]
    assert [p.factors["object"] for p in ours] == [t["object"] for t in theirs]
    assert [p.factors["template"] for p in ours] == [str(t["template_id"]) for t in theirs]


def test_minis_prompts_use_only_pairs_that_no_story_brings_together() -> None:
    for prompt in mini_ioi(n=400, seed=3).prompts:
        assert prompt.foil is not None
        assert unseen_together(prompt.target, prompt.foil)
        assert prompt.text.count(prompt.foil) == 2
        assert prompt.text.count(prompt.target) == 1
        first = min((prompt.target, prompt.foil), key=prompt.text.index)
        assert (prompt.factors["order"] == "ABBA") == (first == prompt.target)


def test_a_quarter_of_all_pairs_is_kept_apart() -> None:
    pairs = [(a, b) for a in NAMES for b in NAMES if a < b]
    apart = [unseen_together(a, b) for a, b in pairs]
    assert 0.22 < sum(apart) / len(apart) < 0.28
    assert all(unseen_together(b, a) == kept for (a, b), kept in zip(pairs, apart, strict=True))


def test_pulls_act_where_they_are_declared() -> None:
    everywhere, somewhere = PULLS
    assert pull_on(everywhere.thing, "the gym") is everywhere
    assert somewhere.places is not None
    assert pull_on(somewhere.thing, somewhere.places[0]) is somewhere
    assert pull_on(somewhere.thing, "the gym") is None
    assert pull_on("a book", "the gym") is None


def test_seeds_make_tasks() -> None:
    assert make_task("mini-ioi", 20, 1) == make_task("mini-ioi", 20, 1)
    assert make_task("mini-ioi", 20, 1) != make_task("mini-ioi", 20, 2)
    assert make_task("ioi", 20) == ioi(n=20, seed=42)
    assert mini_ioi(20, 1).digest != mini_ioi(20, 2).digest


def write(tmp_path: Path, *records: object) -> Path:
    path = tmp_path / "task.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def test_a_task_is_read_from_a_file(tmp_path: Path) -> None:
    record = {"prompt": "2 + 2 =", "target": "4", "foil": "5", "factors": {"digits": 1}}
    task = read_task(write(tmp_path, record, {**record, "foil": None}))
    assert task.name == "task"
    assert task.prompts[0] == Prompt("2 + 2 =", "4", "5", {"digits": "1"})
    assert task.prompts[1].foil is None
    assert task.factors == {"digits": ["1", "1"]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"prompt": "a", "target": ""}, "line 1: 'target' is \"\", expected a text"),
        ({"prompt": "a", "target": "b", "foil": "b"}, 'line 1: target and foil are both "b"'),
        ({"prompt": "a"}, "line 1 has no 'target'"),
        ({"prompt": "a", "target": "b", "factors": 3}, "'factors' is 3, expected an object"),
        ({"prompt": "a", "target": "b", "factors": {"f": []}}, r"factor 'f' is \[\], expected"),
    ],
)
def test_a_prompt_that_cannot_be_meant_is_refused(
    tmp_path: Path, record: object, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_task(write(tmp_path, record))


def test_all_prompts_have_the_same_factors() -> None:
    prompts = (Prompt("a", "b", None, {"x": "1"}), Prompt("c", "d"))
    with pytest.raises(UserError, match=r"prompt 2 has the factors \[\], the first has \['x'\]"):
        Task("t", prompts)
    with pytest.raises(UserError, match="task t has no prompts"):
        Task("t", ())


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="no task or file 'nope': expected one of ioi, mini-ioi"):
        make_task("nope", 3)
