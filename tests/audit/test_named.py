"""Features that a user names: read, tried as classes are, and counted in one family."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import faultlens as fl
from faultlens.audit.causes import Accused, Causes, Court
from faultlens.audit.counterfactuals import run_counterfactuals
from faultlens.audit.from_task import audit_task
from faultlens.audit.ledger import ledger
from faultlens.audit.named import read_suspects
from faultlens.audit.outcomes import resolve_rule, right_answer
from faultlens.audit.running import run_task
from faultlens.audit.steps import NamedTrial, SelectedLevel, Selection
from faultlens.audit.study import AuditConfig
from faultlens.audit.task_tokens import tokenize
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.progress import SILENT
from faultlens.runs.checkpoint import Checkpoint

SITE = "3-res-mini"
CLASS, NAMED = [26], [808, 26]


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3, 4], sites=["resid_pre"])


@pytest.fixture(scope="module")
def task() -> Task:
    return fl.tasks.mini_ioi(n=60, seed=0)


@pytest.fixture(scope="module")
def court(lens: Lens, task: Task) -> Court:
    """The class 26 is accused; the user names it, too, and a set that holds it."""
    tokens = tokenize(task, lens.model)
    _, succeeds = resolve_rule("exact-word")
    outcomes = run_task(lens, task, tokens, succeeds)

    def answered(ids: list[int], index: int) -> bool:
        text = lens.model.tokenizer.decode(ids)
        return right_answer(task.prompts[index], text, succeeds) is not None

    return Court(
        Lens(lens.model, (lens[SITE],)), task, tokens, np.array([o.margin for o in outcomes]),
        np.array([not o.success for o in outcomes]), answered, 0.05, 0, 0, SILENT, Checkpoint(),
        [Accused(None, SITE, CLASS), Accused(None, SITE, NAMED)],
    )  # fmt: skip


@pytest.fixture(scope="module")
def causes(court: Court) -> Causes:
    return court([Accused(0, SITE, CLASS)], 1, Selection([], [], []))


def test_a_named_set_is_tried_like_a_class(causes: Causes, court: Court) -> None:
    _, trial = causes.named
    assert trial.features == [f"{SITE}/808", f"{SITE}/26"]
    done = trial.intervention
    assert done is not None
    assert trial.reason is None
    fires = court.trials(SITE).codes.fires(NAMED)
    assert trial.fail_active == (fires & court.failed).sum() == done.necessity.prompts >= 5
    assert trial.success_active == (fires & ~court.failed).sum() > 0
    assert done.sufficiency is not None
    assert (done.necessity.controls, len(done.variants)) == (199, 9)
    assert done.flips.prompts == fires.sum()
    assert done.necessity.shown or done.null is not None


def test_a_class_that_is_named_as_well_is_tried_and_counted_once(causes: Causes) -> None:
    twin, other = causes.named
    assert twin.intervention == causes.interventions[0]
    assert (
        twin.reason == f"it is the class of {SITE}/26, which was tried as the statistics found it"
    )
    effects = [
        effect
        for done in (causes.interventions[0], other.intervention)
        if done is not None
        for effect in (done.necessity, done.sufficiency)
        if effect is not None
    ]
    assert len(effects) == 4
    expected = multipletests([effect.p_value for effect in effects], method="holm")[1]
    assert [effect.p_holm for effect in effects] == pytest.approx(expected.tolist())


def test_the_ledger_says_what_became_of_what_was_named(causes: Causes) -> None:
    _, trial = causes.named
    few = NamedTrial([f"{SITE}/1"], 3, 0, None, "it fires on 3 failures: at least 5 are needed")
    claims = ledger(None, 0, 0.05, None, None, None, [trial, few])
    name = f"{SITE}/808+{SITE}/26 matters for failure"
    assert [c.control[:10] for c in claims if c.claim == name] == ["necessity ", "sufficienc"]
    (lacking,) = [c for c in claims if c.claim == f"{SITE}/1 matters for failure"]
    assert (lacking.outcome, lacking.detail) == ("not done", few.reason)


def test_sets_are_read_and_repeats_left_out(lens: Lens) -> None:
    found = read_suspects(["3-res-mini/808", "4-res-mini/12 + 4-res-mini/99+4-res-mini/12",
                           "4-res-mini/99+4-res-mini/12"], lens)  # fmt: skip
    assert [(a.rank, a.site, a.features) for a in found] == [
        (None, "3-res-mini", [808]),
        (None, "4-res-mini", [12, 99]),
    ]
    assert [a.name for a in found] == ["3-res-mini/808", "4-res-mini/12+4-res-mini/99"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("808", "suspect '808': expected DICTIONARY/INDEX, e.g. 3-res-mini/808, or several of one "
         "dictionary joined by +"),
        ("3-res-mini/-1", "suspect '3-res-mini/-1': expected DICTIONARY/INDEX, e.g. 3-res-mini/808"
         ", or several of one dictionary joined by +"),
        ("9-res/1", "no dictionary '9-res' in this lens: expected one of 3-res-mini, 4-res-mini"),
        ("3-res-mini/1536", "suspect '3-res-mini/1536': dictionary 3-res-mini has the features "
         "0 to 1535, got 1536"),
        ("3-res-mini/1+4-res-mini/1", "suspect '3-res-mini/1+4-res-mini/1' is of the dictionaries "
         "3-res-mini, 4-res-mini: expected one, for features are changed together at one site; "
         "name them one by one"),
    ],
)  # fmt: skip
def test_a_suspect_that_is_not_there_is_refused_before_the_task_is_run(
    lens: Lens, task: Task, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the task was run")

    monkeypatch.setattr(import_module("faultlens.audit.from_task"), "run_task", never)
    with pytest.raises(UserError) as caught:
        audit_task(lens, task, config=AuditConfig(suspects=(text,)))
    assert str(caught.value) == sentence


def test_a_suspect_that_never_fires_is_refused_before_anything_is_tested(
    lens: Lens, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the audit was begun")

    monkeypatch.setattr(import_module("faultlens.audit.from_task"), "audit_outcomes", never)
    counts = lens.read([p.text for p in task.prompts])[SITE].matrix.getnnz(axis=0)
    silent = f"{SITE}/{int(np.flatnonzero(counts == 0)[0])}"
    with pytest.raises(UserError) as caught:
        audit_task(lens, task, config=AuditConfig(suspects=(silent,)))
    assert str(caught.value).startswith(
        f"suspect {silent} fires on none of the 60 prompts of mini-ioi, so there is nothing to "
        "take away"
    )


def test_an_audit_that_ends_early_says_so_of_what_was_named(lens: Lens) -> None:
    few = fl.tasks.mini_ioi(n=8, seed=0)
    config = AuditConfig(suspects=("3-res-mini/808",), permutations=99)
    audit = audit_task(lens, few, config=config)
    assert audit.verdict is not None
    (trial,) = audit.named
    assert (trial.intervention, trial.reason) == (None, audit.verdict)
    assert fl.Audit.from_dict(audit.to_dict()) == audit


def test_suspects_need_a_task_that_is_run_and_a_list(lens: Lens, task: Task) -> None:
    answers = Answers(task, (None,) * 60, (True, False) * 30)
    with pytest.raises(UserError, match="^suspects are tried by a model: give a task that is run"):
        fl.audit(lens, answers, suspects=["3-res-mini/808"], fit_check=False)
    with pytest.raises(UserError, match="^suspects '3-res-mini/808': expected a list of them"):
        fl.audit(lens, task, suspects="3-res-mini/808", fit_check=False)


def test_what_was_named_is_patched_where_a_level_is_swapped(court: Court, lens: Lens) -> None:
    level = SelectedLevel("object", "the keys", 8, 8, 52, 5, 1e-5, 1e-4, 40.0)
    swaps, _ = run_counterfactuals(
        court.lens, court.task, court.tokens, court.margin, court.failed,
        Selection([level], [], ["object"]), [(SITE, CLASS)], named=[(SITE, NAMED)],
        succeeds=court.succeeds, alpha=0.05, seed=0,
    )  # fmt: skip
    (swap,) = swaps.swaps
    assert [(patch.features, patch.named) for patch in swap.patches] == [
        ([f"{SITE}/26"], False),
        ([f"{SITE}/808", f"{SITE}/26"], True),
        ([], False),
    ]
