"""Tasks: the study's prompts to the letter, mini's own, and prompts from a file."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import get_type_hints

import pytest

import faultlens as fl
from faultlens.auditing.behaviour.outcomes import exact_word, right_answer
from faultlens.cli.audit import audit as audit_command
from faultlens.corpus import task as registry
from faultlens.corpus import tasks
from faultlens.corpus.task import Prompt, Task, make_task, read_task, task, task_names
from faultlens.corpus.tasks import ioi, mini_ioi
from faultlens.corpus.tasks.classic_ioi import TEMPLATES
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
        ({"prompt": "a", "target": "  "}, "line 1: 'target' is \"  \", expected a text"),
        ({"prompt": " ", "target": "b"}, "line 1: 'prompt' is \" \", expected a text"),
        ({"prompt": "a", "target": "b", "foil": "b"}, 'line 1: target and foil are both "b"'),
        ({"prompt": "a", "target": "b", "foil": " b "}, 'line 1: target and foil are both "b"'),
        (
            {"prompt": "a", "target": "b", "foil": "c", "accepted": ["c"]},
            'line 1: target and foil are both "c"',
        ),
        ({"prompt": "a"}, "line 1 has no 'target'"),
        ({"prompt": "a", "target": "b", "factors": 3}, "'factors' is 3, expected an object"),
        ({"prompt": "a", "target": "b", "factors": {"f": []}}, r"factor 'f' is \[\], expected"),
        ({"prompt": "a", "target": "b", "accepted": "c"}, "'accepted' is \"c\", expected a list"),
        ({"prompt": "a", "target": "b", "accepted": [" "]}, "expected a list of texts that are"),
        ({"prompt": "a", "target": "b", "separator": "-"}, '\'separator\' is "-", expected " "'),
    ],
)
def test_a_prompt_that_cannot_be_meant_is_refused(
    tmp_path: Path, record: object, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_task(write(tmp_path, record))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Foil", "foil"),
        ("foil ", "foil"),
        ("foils", "foil"),
        ("fator", "factors"),
        ("factor", "factors"),
        ("FACTORS", "factors"),
        ("seperator", "separator"),
        ("accept", "accepted"),
    ],
)
def test_a_field_misspelt_is_refused(tmp_path: Path, written: str, meant: str) -> None:
    good = {"prompt": "a", "target": "b"}
    with pytest.raises(UserError) as caught:
        read_task(write(tmp_path, good, {**good, written: "c"}))
    assert str(caught.value) == (
        f"{tmp_path / 'task.jsonl'} line 2 has no {meant!r} but {written!r}, which seems to be "
        f"that misspelt: rename it to {meant}, or to what is less like it if it is something else"
    )


def test_a_field_that_is_needed_may_be_misspelt_too(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="line 1 has no 'prompt' but 'Promt', which seems to be"):
        read_task(write(tmp_path, {"Promt": "a", "target": "b"}))


OTHERS = (
    "prompt_id", "foil_2", "foil2", "my_factors", "id", "source", "fold", "actor", "subject", "",
    "time", "5", "date", "file", "split", "Target",
)  # fmt: skip


def test_what_else_is_known_of_a_prompt_is_left_out_and_told(tmp_path: Path) -> None:
    """`Target` beside `target` is no misspelling: what it would be is there."""
    good = {"prompt": "a", "target": "b"}
    others = dict.fromkeys(OTHERS, "x")
    task = read_task(write(tmp_path, {**good, **others}, {**good, "more": 1}))
    assert task.notes == (
        f"{', '.join((*OTHERS, 'more'))}: nothing is made of these columns of the task; what "
        "describes a prompt belongs under 'factors'",
    )
    assert task.prompts == (Prompt("a", "b"),) * 2
    assert read_task(write(tmp_path, good)).notes == ()


def test_all_prompts_have_the_same_factors() -> None:
    prompts = (Prompt("a", "b", None, {"x": "1"}), Prompt("c", "d"))
    with pytest.raises(UserError, match=r"prompt 2 has the factors \[\], the first has \['x'\]"):
        Task("t", prompts)
    with pytest.raises(UserError, match="task t has no prompts"):
        Task("t", ())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("", "b"), "a prompt is '': expected a text for the model to continue"),
        (("a", " "), "prompt 'a': a target is ' ', expected a text that is not empty"),
        (("a", "b", ""), "prompt 'a': a foil is '', expected a text that is not empty"),
        (("a", "b", " b"), "prompt 'a': target and foil are both 'b'"),
        (
            ("a", " b"),
            "prompt 'a': the target ' b' has spaces around it: give 'b'; what stands before an "
            "answer is the prompt's separator",
        ),
    ],
)
def test_a_prompt_made_in_python_is_checked_too(fields: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Prompt(*fields)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_an_answer_accepted_is_not_the_foil() -> None:
    with pytest.raises(UserError, match="prompt 'a': target and foil are both 'c'"):
        Prompt("a", "b", "c", accepted=("d", "c"))


def test_a_file_may_accept_several_answers(tmp_path: Path) -> None:
    record = {"prompt": "2 <", "target": "3", "accepted": ["4", " 5"], "separator": ""}
    (prompt,) = read_task(write(tmp_path, record)).prompts
    assert prompt == Prompt("2 <", "3", accepted=("4", "5"), separator="")
    assert prompt.answers == ("3", "4", "5")


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        make_task("nope", 3)
    assert str(caught.value) == (
        "no task or file 'nope': expected one of agreement, brackets, classic-ioi, greater-than, "
        "induction, ioi, mini-ioi, over-refusal, sycophancy, unanswerable, or a JSONL file"
    )


BUILT_IN = [name.replace("_", "-") for name in tasks.__all__]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_task_is_a_function_of_its_seed(name: str) -> None:
    made = make_task(name, 40, 5)
    assert made == getattr(fl.tasks, name.replace("-", "_"))(n=40, seed=5)
    assert made.name == name
    assert len(made) == 40
    assert made.digest != make_task(name, 40, 6).digest
    assert make_task(name, 20, 5).prompts == made.prompts[:20]
    assert all(len(set(levels)) > 1 for levels in make_task(name, 300).factors.values())
    if made.prompts[0].messages:  # what a reply says is another rule's matter
        return
    assert all(prompt.foil is not None for prompt in made.prompts)
    # The rule that decides by default can find every answer.
    for prompt in made.prompts:
        assert right_answer(prompt, f"{prompt.separator}{prompt.target}. And", exact_word)
        assert right_answer(prompt, f"{prompt.separator}{prompt.foil}. And", exact_word) is None


@pytest.mark.parametrize("n", [0, -3, 2.5, True, "3"])
def test_a_task_of_no_prompts_is_refused(n: object) -> None:
    expected = f"task brackets: n is {n!r}, expected a whole number of at least 1"
    for make in (
        lambda: make_task("brackets", n),  # type: ignore[arg-type]
        lambda: fl.tasks.brackets(n),
        lambda: fl.tasks.brackets(n=n),
    ):
        with pytest.raises(UserError) as caught:
            make()
        assert str(caught.value) == expected


def test_the_command_line_names_every_built_in_task() -> None:
    said = get_type_hints(audit_command, include_extras=True)["task"]
    assert all(re.search(rf"\b{name}\b", str(said)) for name in task_names())


# --- what each task asks, read off its prompts by other means -----------------------------------


def test_classic_ioi_names_the_receiver_once_in_either_order_of_every_template() -> None:
    seen = set()
    for prompt in fl.tasks.classic_ioi(n=600).prompts:
        assert prompt.foil is not None
        words = re.findall(r"\w+", prompt.text)
        assert (words.count(prompt.target), words.count(prompt.foil)) == (1, 2)
        first = "ABBA" if words.index(prompt.target) < words.index(prompt.foil) else "BABA"
        assert first == prompt.factors["order"]
        seen.add((prompt.factors["template"], first))
    assert len(TEMPLATES) == len(set(TEMPLATES)) == 15
    assert len(seen) == 30


def test_agreement_is_with_the_first_noun() -> None:
    attracted = 0
    for prompt in fl.tasks.agreement(n=400).prompts:
        nouns = [w for w in re.findall(r"[Tt]he (\w+)", prompt.text) if w != "clear"]
        plural = [noun.endswith("s") for noun in nouns]
        assert (prompt.target, prompt.foil) == (("were", "was") if plural[0] else ("was", "were"))
        assert prompt.factors["attractor_count"] == str(len(nouns) - 1)
        between = {True: "plural", False: "singular"}
        levels = {between[p] for p in plural[1:]} or {"none"}
        assert {prompt.factors["attractor_number"]} == levels
        assert ("are" in prompt.accepted) == plural[0]
        attracted += any(p != plural[0] for p in plural[1:])
    assert 100 < attracted < 200  # a third have no noun between, half of the rest are alike


def test_greater_than_accepts_every_later_year_and_no_other() -> None:
    for prompt in fl.tasks.greater_than(n=200).prompts:
        start = re.search(r"\b(\d\d)(\d\d)\b", prompt.text)
        assert start is not None
        assert prompt.text.endswith(start[1])
        right = {f"{y:02}" for y in range(100) if right_answer(prompt, f"{y:02},", exact_word)}
        assert right == {f"{y:02}" for y in range(100) if y > int(start[2])}
        assert prompt.foil == start[2]
        assert prompt.factors["decade"] == f"{start[2][0]}0s"


def test_induction_asks_for_what_followed_the_name_before() -> None:
    for prompt in fl.tasks.induction(n=200).prompts:
        stated = re.findall(r"(\w+) (?:had|liked|wanted|brought) the (\w+)", prompt.text)
        asked = re.search(r"\. (\w+) \w+ the$", prompt.text)
        assert asked is not None
        names = [name for name, _ in stated]
        assert prompt.target == dict(stated)[asked[1]]
        assert prompt.foil in dict(stated).values()
        assert prompt.factors["people"] == str(len(stated))
        assert prompt.factors["place"] == str(len(names) - names.index(asked[1]))


def test_brackets_are_closed_so_that_python_reads_them() -> None:
    for prompt in fl.tasks.brackets(n=200).prompts:
        ast.parse(prompt.text + prompt.target)
        with pytest.raises(SyntaxError):
            ast.parse(f"{prompt.text}{prompt.foil}")
        assert prompt.factors["depth"] == str(len(prompt.target))
        assert prompt.factors["innermost"] == ("round" if prompt.target[0] == ")" else "square")
        assert prompt.factors["outermost"] == ("round" if prompt.target[-1] == ")" else "square")
        inside = re.split(r"[(\[]", prompt.text)[-1]
        assert prompt.factors["distance"] == str(inside.count(","))


# --- tasks of others ----------------------------------------------------------------------------


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The registry, put back afterwards."""
    kept = dict(registry._TASKS)
    monkeypatch.setattr(registry, "_TASKS", kept)
    return kept


def test_a_function_becomes_a_task(registered: dict[str, object]) -> None:
    @task("sums")
    def sums(n: int = 5, seed: int = 1) -> Task:
        """Sums."""
        return Task("sums", tuple(Prompt(f"{i} + {seed} =", str(i + seed)) for i in range(n)))

    assert "sums" in task_names()
    assert make_task("sums", 2).prompts[1].target == "2"
    assert make_task("sums", 2, 4) == sums(2, seed=4)
    assert sums.__doc__ == "Sums."
    with pytest.raises(UserError, match="task sums: n is 0, expected a whole number"):
        sums(n=0)


PACKAGE = """
from faultlens.corpus.task import Prompt, Task

def colours(n, seed=0):
    return Task("colours", tuple(Prompt(f"Snow {i + seed} is", "white") for i in range(n)))

def sentence(n, seed=0):
    return "Snow is white"

number = 3
"""
ENTRY_POINTS = """[faultlens.tasks]
colours = {0}:colours
sentence = {0}:sentence
number = {0}:number
"""


@pytest.fixture
def installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: dict[str, object]
) -> None:
    """A package with entry points, laid out as an installer leaves it."""
    (tmp_path / "some_colours.py").write_text(PACKAGE)
    folder = tmp_path / "some_colours-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: some-colours\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(ENTRY_POINTS.format("some_colours"))
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_an_installed_package_offers_tasks() -> None:
    assert {"colours", "sentence", "number", "ioi"} <= set(task_names())
    assert make_task("colours", 2, 7).prompts[1] == Prompt("Snow 8 is", "white")
    with pytest.raises(UserError, match="task colours: n is 0"):
        make_task("colours", 0)
    with pytest.raises(UserError, match="expected one of agreement, brackets, classic-ioi, colou"):
        make_task("colour", 2)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sentence", 'task sentence gave "Snow is white", expected a Task (faultlens.corpus.task)'),
        (
            "number",
            "the entry point number of faultlens.tasks, some_colours:number, is 3: expected a "
            "function (n, seed) -> Task",
        ),
    ],
)
def test_what_a_package_offers_must_be_a_task(name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        make_task(name, 2)
    assert str(caught.value) == message
