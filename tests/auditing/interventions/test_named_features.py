"""Features that a user names: read, tried as classes are, and counted in one family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import faultlens as fl
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import resolve_rule, right_answer
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.from_task import audit_task
from faultlens.auditing.interventions.ablation import Ablation
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.interventions.controls import CONTROLS
from faultlens.auditing.interventions.patching.counterfactuals import run_counterfactuals
from faultlens.auditing.named_features import read_suspects
from faultlens.auditing.result import Intervention, NamedTrial, SelectedLevel, Selection
from faultlens.auditing.study import AuditConfig
from faultlens.auditing.verdicts.ledger import ledger
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.progress import SILENT, Tick
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
def court(lens: Lens, task: Task) -> CausalTests:
    """The class 26 is accused; the user names it, too, and a set that holds it."""
    tokens = tokenize(task, lens.model)
    _, succeeds = resolve_rule("exact-word")
    outcomes = run_task(lens, task, tokens, succeeds)

    def answered(ids: list[int], index: int) -> bool:
        text = lens.model.tokenizer.decode(ids)
        return right_answer(task.prompts[index], text, succeeds) is not None

    return CausalTests(
        Lens(lens.model, (lens[SITE],)), task, tokens, np.array([o.margin for o in outcomes]),
        np.array([not o.success for o in outcomes]), answered, 0.05, 0, 0, SILENT, Checkpoint(),
        [FeatureSet(None, SITE, CLASS), FeatureSet(None, SITE, NAMED)],
    )  # fmt: skip


@pytest.fixture(scope="module")
def causes(court: CausalTests) -> CausalFindings:
    return court([FeatureSet(0, SITE, CLASS)], 1, Selection([], [], []))


def test_a_named_set_is_tried_like_a_class(causes: CausalFindings, court: CausalTests) -> None:
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


def test_a_class_that_is_named_as_well_is_tried_and_counted_once(causes: CausalFindings) -> None:
    twin, other = causes.named
    assert twin.intervention == causes.interventions[0]
    assert (
        twin.reason == f"it is the class of {SITE}/26, which was tried as the statistics found it"
    )
    for family in (causes.interventions[0], other.intervention):
        assert family is not None
        expected = multipletests([effect.p_value for effect in family.effects], method="holm")[1]
        assert len(expected) == 2
        assert [effect.p_holm for effect in family.effects] == pytest.approx(expected.tolist())


def accused(*features: int, rank: int | None = None, with_failure: bool = True) -> FeatureSet:
    return FeatureSet(rank, SITE, list(features), with_failure)


def carried_out(
    court: CausalTests,
    classes: list[FeatureSet],
    tried: int,
    *,
    named: Sequence[FeatureSet] = (),
    searched: int = 0,
) -> CausalFindings:
    """The same court, of other charges; what it read of the prompts is kept."""
    again = replace(court, named=named, searched=searched)
    return again(classes, tried, Selection([], [], []))


@pytest.fixture
def trials_run(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[int], int]]:
    """The features and the number of controls of every trial that is carried out from now on."""
    seen: list[tuple[list[int], int]] = []

    def run(
        self: Ablation, features: list[int], progress: Tick | None = None, controls: int = CONTROLS
    ) -> Intervention | str:
        seen.append((features, controls))
        key = (tuple(features), controls)
        if key not in DONE:
            DONE[key] = RUN(self, features, progress, controls)
        return DONE[key]

    monkeypatch.setattr(Ablation, "run", run)
    return seen


RUN = Ablation.run
DONE: dict[tuple[tuple[int, ...], int], Intervention | str] = {}
"""Trials of this file's court, which come out the same whenever they are carried out."""


def test_naming_the_strongest_member_leaves_its_class_as_it_was(
    court: CausalTests, trials_run: list[tuple[list[int], int]]
) -> None:
    both = accused(808, 26, rank=0)
    before = carried_out(court, [both], 1)
    after = carried_out(court, [both], 1, named=[accused(808)])
    assert after.interventions == before.interventions
    (trial,) = after.named
    assert trial.reason is None and trial.intervention is not None
    assert trial.intervention.necessity.change != after.interventions[0].necessity.change
    assert [features for features, _ in trials_run].count([808]) == 1


def test_however_many_are_named_a_class_has_the_controls_of_its_own_family(
    court: CausalTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve effects in one family would take 299 controls each."""
    seen: dict[tuple[int, ...], int] = {}

    def run(_: Ablation, features: list[int], __: Tick, controls: int) -> str:
        seen[tuple(features)] = controls
        return "only counted"

    monkeypatch.setattr(Ablation, "run", run)
    suspects = (808, 13, 15, 16, 43)
    found = carried_out(court, [accused(26, rank=0)], 1, named=[accused(f) for f in suspects])
    assert seen == {(26,): 199, **{(f,): 299 for f in suspects}}
    assert found.untried == {f"{SITE}/26": "only counted"}
    assert [trial.reason for trial in found.named] == ["only counted"] * 5


def test_a_class_beyond_those_tried_that_is_named_has_its_trial(
    court: CausalTests, trials_run: list[tuple[list[int], int]]
) -> None:
    classes = [accused(26, rank=0), accused(808, 26, rank=1)]
    alone = carried_out(court, classes, 1)
    assert list(alone.interventions) == [0]
    found = carried_out(court, classes, 1, named=[accused(26, 808)])
    (trial,) = found.named
    assert found.interventions == {0: alone.interventions[0], 1: trial.intervention}
    assert trial.reason == f"it is the class of {SITE}/808, which was tried because it was named"
    assert len(trials_run) == 3


def test_no_class_is_tried_where_none_is_asked_and_the_reason_is_said(
    court: CausalTests, trials_run: list[tuple[list[int], int]]
) -> None:
    found = carried_out(court, [accused(26, rank=0)], 0)
    assert (found.interventions, trials_run) == ({}, [])
    assert found.untried == {f"{SITE}/26": "the audit was told to try no class (tried = 0)"}
    assert found.counterfactuals is not None, "levels are swapped all the same"
    searched = carried_out(court, [accused(26, rank=0)], 0, searched=1)
    assert len(trials_run) == 1 and set(searched.attribution) == {SITE}
    good = carried_out(court, [accused(26, rank=0, with_failure=False)], 3)
    assert good.untried == {
        f"{SITE}/26": "it goes with success: only classes that go with failure are tried unasked"
    }


def test_a_find_is_tried_as_its_class_and_counted_once(
    court: CausalTests, trials_run: list[tuple[list[int], int]]
) -> None:
    alone = carried_out(court, [], 0, searched=1)
    (first,) = [r for r in alone.attribution[SITE].top if r.tried_as]
    assert first == alone.attribution[SITE].top[0]
    assert first.intervention is not None and first.effect == first.intervention.necessity
    assert first.intervention.shown or first.intervention.null is not None
    index = int(first.feature.rpartition("/")[2])

    own = accused(index, rank=0)
    twice = carried_out(court, [own], 1, searched=1, named=[accused(index)])
    assert len(trials_run) == 2, "the class, the find and the suspect are one"
    again = twice.attribution[SITE].top[0]
    assert again.effect == twice.interventions[0].necessity == first.effect
    assert again.intervention is None, "it is with its class"
    assert twice.named[0].intervention == twice.interventions[0]

    wider = carried_out(court, [accused(26, index, rank=4)], 0, searched=1)
    held = wider.attribution[SITE].top[0]
    assert held.tried_as == [f"{SITE}/26", f"{SITE}/{index}"]
    assert held.effect == wider.interventions[4].necessity != first.effect
    assert trials_run[2:] == [([26, index], 199)]

    suspect = carried_out(court, [], 0, searched=1, named=[accused(index)])
    assert suspect.named[0].intervention == first.intervention
    assert suspect.named[0].reason == "attribution names it among the first: the search tried it"


def test_the_ledger_says_what_became_of_what_was_named(causes: CausalFindings) -> None:
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

    monkeypatch.setattr(import_module("faultlens.auditing.from_task"), "run_task", never)
    with pytest.raises(UserError) as caught:
        audit_task(lens, task, config=AuditConfig(suspects=(text,)))
    assert str(caught.value) == sentence


def test_a_suspect_that_never_fires_is_refused_before_anything_is_tested(
    lens: Lens, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the audit was begun")

    monkeypatch.setattr(import_module("faultlens.auditing.from_task"), "audit_outcomes", never)
    counts = lens.read([p.text for p in task.prompts])[SITE].matrix.getnnz(axis=0)
    silent = f"{SITE}/{int(np.flatnonzero(counts == 0)[0])}"
    with pytest.raises(UserError) as caught:
        audit_task(lens, task, config=AuditConfig(suspects=(silent,)))
    assert str(caught.value).startswith(
        f"suspect {silent} fires on none of the 60 prompts of mini-ioi, so there is nothing to "
        "take away"
    )


def test_a_set_of_which_something_fires_is_tried_with_a_warning_of_the_rest(
    court: CausalTests,
) -> None:
    codes = court.trials(SITE).codes
    silent = next(f for f in range(1536) if not codes.fires([f]).any())
    assert replace(court, named=[accused(808, 26)]).check_named() == []
    assert replace(court, named=[accused(808, silent)]).check_named() == [
        f"suspect {SITE}/808+{SITE}/{silent}: {SITE}/{silent} fires on none of the 60 prompts, so "
        "that the trial is of the others alone"
    ]
    with pytest.raises(UserError, match=f"^suspect {SITE}/{silent} fires on none of the 60 "):
        replace(court, named=[accused(silent)]).check_named()


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
    with pytest.raises(UserError, match="^test_features are tested by a model: give a task that"):
        fl.audit(lens, answers, test_features=["3-res-mini/808"], fit_check=False)
    with pytest.raises(UserError, match="^test_features '3-res-mini/808': expected a list of n"):
        fl.audit(lens, task, test_features="3-res-mini/808", fit_check=False)


def test_what_was_named_is_patched_where_a_level_is_swapped(court: CausalTests, lens: Lens) -> None:
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
