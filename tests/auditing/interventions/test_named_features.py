"""Features that a user names: parsed, tested as classes are, and counted in one family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import faultlens as fl
from faultlens.auditing.activations.task_activations import TaskActivations
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import resolve_rule, right_answer
from faultlens.auditing.config import AuditConfig
from faultlens.auditing.feature_set import FeatureSet
from faultlens.auditing.interventions.ablation import EVERY, Ablation
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.interventions.causal_tests import CausalTests
from faultlens.auditing.interventions.deciding_test import NOTHING
from faultlens.auditing.interventions.effects import Measured
from faultlens.auditing.interventions.patching.counterfactuals import run_counterfactuals
from faultlens.auditing.named_features import parse_feature_sets
from faultlens.auditing.result import Intervention, RequestedTest, SelectedLevel, Selection
from faultlens.auditing.study import audit_task
from faultlens.auditing.verdicts.ledger import ledger
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.progress import SILENT, Tick
from faultlens.runs.checkpoint import Checkpoint
from faultlens.stats.sequential import SequentialTest

SITE = "3-res-mini"
CLASS, NAMED = FeatureSet(SITE, (26,)), FeatureSet(SITE, (808, 26))


@dataclass(frozen=True)
class Class:
    """A significant class, as the causal tests know it."""

    features: FeatureSet
    rank: int = 0
    with_failure: bool = True
    taken: int | None = None


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3, 4], sites=["resid_pre"])


@pytest.fixture(scope="module")
def task() -> Task:
    return fl.tasks.mini_ioi(n=60, seed=0)


@pytest.fixture(scope="module")
def tests(lens: Lens, task: Task) -> CausalTests:
    """The user names the class 26, and a set that holds it."""
    tokens = tokenize(task, lens.model)
    _, succeeds = resolve_rule("exact-word")
    outcomes = run_task(lens, task, tokens, succeeds)

    def answered(ids: list[int], index: int) -> bool:
        text = lens.model.tokenizer.decode(ids)
        return right_answer(task.prompts[index], text, succeeds) is not None

    one_site = Lens(lens.model, (lens[SITE],))
    return CausalTests(
        lens=one_site, task=task, activations=TaskActivations.read(one_site, task, tokens),
        margin=np.array([o.margin for o in outcomes]),
        failed=np.array([not o.success for o in outcomes]), succeeds=answered, alpha=0.05, seed=0,
        attributed=0, stop_early=False, progress=SILENT, kept=Checkpoint(),
        requested=[CLASS, NAMED],
    )  # fmt: skip


@pytest.fixture(scope="module")
def findings(tests: CausalTests) -> CausalFindings:
    return tests.run([Class(CLASS)], 1, Selection([], [], []))


def test_a_named_set_is_tested_like_a_class(findings: CausalFindings, tests: CausalTests) -> None:
    _, trial = findings.requested
    assert trial.features == [f"{SITE}/808", f"{SITE}/26"]
    done = trial.intervention
    assert done is not None
    assert trial.reason is None
    fires = tests.ablation(SITE).codes.fires(NAMED.indices)
    assert trial.fail_active == (fires & tests.failed).sum() == done.necessity.prompts >= 5
    assert trial.success_active == (fires & ~tests.failed).sum() > 0
    assert done.sufficiency is not None
    assert (done.necessity.controls, len(done.variants)) == (199, 9)
    assert done.flips.prompts == fires.sum()
    assert done.necessity.shown or done.null is not None


def test_a_class_that_is_named_as_well_is_tested_once(findings: CausalFindings) -> None:
    twin, other = findings.requested
    assert twin.intervention == findings.interventions[CLASS]
    assert (
        twin.reason
        == f"it is the class of {SITE}/26, which was tested as the feature tests found it"
    )
    for family in (findings.interventions[CLASS], other.intervention):
        assert family is not None
        expected = multipletests([effect.p_value for effect in family.effects], method="holm")[1]
        assert len(expected) == 2
        assert [effect.p_holm for effect in family.effects] == pytest.approx(expected.tolist())


def test_a_random_decoder_is_tested_beside_and_corrected_by_itself(
    findings: CausalFindings, tests: CausalTests
) -> None:
    again = replace(tests, requested=(), random_decoder=True)
    done = again.run([Class(CLASS)], 1, Selection([], [], [])).interventions[CLASS]
    real = findings.interventions[CLASS]
    assert not real.random_decoder
    assert [effect.p_value for effect in done.effects] == [e.p_value for e in real.effects]
    claims = [effect.claim for effect in done.random_decoder]
    assert claims == [effect.claim for effect in done.effects]
    p_values = [effect.p_value for effect in done.random_decoder]
    expected = multipletests(p_values, method="holm")[1].tolist()
    assert [effect.p_holm for effect in done.random_decoder] == pytest.approx(expected)
    assert done.random_decoder[0].change != done.necessity.change


def some(*indices: int) -> FeatureSet:
    return FeatureSet(SITE, indices)


def carried_out(
    tests: CausalTests,
    classes: list[Class],
    most: int,
    *,
    requested: Sequence[FeatureSet] = (),
    attributed: int = 0,
) -> CausalFindings:
    """Other tests on the same prompts, which are not read again."""
    again = replace(tests, requested=requested, attributed=attributed)
    return again.run(classes, most, Selection([], [], []))


@pytest.fixture
def run_ones(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The features and the number of controls of every test that is run from now on."""
    seen: list[tuple[str, int]] = []

    def run(
        self: Ablation,
        features: FeatureSet,
        progress: Tick | None = None,
        test: SequentialTest = EVERY,
        begun: Mapping[str, Measured] = NOTHING,
    ) -> Intervention | str:
        seen.append((str(features), test.planned))
        key = (str(features), test)
        if key not in DONE:
            DONE[key] = RUN(self, features, progress, test, begun)
        return DONE[key]

    monkeypatch.setattr(Ablation, "run", run)
    return seen


RUN = Ablation.run
DONE: dict[tuple[str, int], Intervention | str] = {}
"""Tests of this file's task, which come out the same whenever they are run."""


def test_naming_the_strongest_member_leaves_its_class_as_it_was(
    tests: CausalTests, run_ones: list[tuple[str, int]]
) -> None:
    both = Class(some(808, 26))
    before = carried_out(tests, [both], 1)
    after = carried_out(tests, [both], 1, requested=[some(808)])
    assert after.interventions == before.interventions
    (trial,) = after.requested
    assert trial.reason is None and trial.intervention is not None
    assert (
        trial.intervention.necessity.change != after.interventions[both.features].necessity.change
    )
    assert [features for features, _ in run_ones].count(f"{SITE}/808") == 1


def test_however_many_are_named_a_class_has_the_controls_of_its_own_family(
    tests: CausalTests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve effects in one family would take 299 controls each."""
    seen: dict[FeatureSet, int] = {}

    def run(_: Ablation, features: FeatureSet, __: Tick, test: SequentialTest, ___: object) -> str:
        seen[features] = test.planned
        return "only counted"

    monkeypatch.setattr(Ablation, "run", run)
    named = [some(f) for f in (808, 13, 15, 16, 43)]
    found = carried_out(tests, [Class(CLASS)], 1, requested=named)
    assert seen == {CLASS: 199, **dict.fromkeys(named, 299)}
    assert found.not_tested == {f"{SITE}/26": "only counted"}
    assert [trial.reason for trial in found.requested] == ["only counted"] * 5


def test_a_class_beyond_those_tested_that_is_named_is_tested(
    tests: CausalTests, run_ones: list[tuple[str, int]]
) -> None:
    classes = [Class(CLASS), Class(some(808, 26), rank=1)]
    alone = carried_out(tests, classes, 1)
    assert list(alone.interventions) == [CLASS]
    found = carried_out(tests, classes, 1, requested=[some(26, 808)])
    (trial,) = found.requested
    assert found.interventions == {
        CLASS: alone.interventions[CLASS], some(808, 26): trial.intervention,
    }  # fmt: skip
    assert trial.reason == f"it is the class of {SITE}/808, which was tested because it was named"
    assert len(run_ones) == 3


def test_no_class_is_tested_where_none_is_asked_for_and_the_reason_is_said(
    tests: CausalTests, run_ones: list[tuple[str, int]]
) -> None:
    found = carried_out(tests, [Class(CLASS)], 0)
    assert (found.interventions, run_ones) == ({}, [])
    assert found.not_tested == {
        f"{SITE}/26": "the audit was asked to test no class (test_classes = 0)"
    }
    assert found.counterfactuals is not None, "levels are swapped all the same"
    attributed = carried_out(tests, [Class(CLASS)], 0, attributed=1)
    assert len(run_ones) == 1 and set(attributed.attribution) == {SITE}
    good = carried_out(tests, [Class(CLASS, with_failure=False)], 3)
    assert good.not_tested == {f"{SITE}/26": "it fires on 0 successes: at least 5 are needed"}, (
        "said to go with success, it is tested the other way round"
    )


def test_what_attribution_names_is_tested_as_its_class_and_counted_once(
    tests: CausalTests, run_ones: list[tuple[str, int]]
) -> None:
    alone = carried_out(tests, [], 0, attributed=1)
    (first,) = [r for r in alone.attribution[SITE].top if r.tested_as]
    place = alone.attribution[SITE].top.index(first)
    assert first.intervention is not None and first.effect == first.intervention.necessity
    assert first.intervention.shown or first.intervention.null is not None
    index = int(first.feature.rpartition("/")[2])

    own = some(index)
    twice = carried_out(tests, [Class(own)], 1, attributed=1, requested=[own])
    ones = [name for name, _ in run_ones]
    assert ones[:2] == [str(own)] * 2, "the class and what the user names are one"
    assert len(ones) == 3 and ones[2] != str(own), "attribution adds the next that it names"
    again = twice.attribution[SITE].top[place]
    assert again.effect == twice.interventions[own].necessity
    assert first.effect is not None and again.effect is not None
    assert replace(again.effect, p_holm=first.effect.p_holm) == first.effect, "but for Holm"
    assert again.intervention is None, "it is with its class"
    assert twice.requested[0].intervention == twice.interventions[own]

    holding = some(26, index)
    wider = carried_out(tests, [Class(holding, rank=4)], 0, attributed=1)
    held = wider.attribution[SITE].top[place]
    assert held.tested_as == [f"{SITE}/26", f"{SITE}/{index}"]
    assert held.effect == wider.interventions[holding].necessity != first.effect
    assert run_ones[3:] == [(str(holding), 199)]

    named = carried_out(tests, [], 0, attributed=1, requested=[own])
    assert named.requested[0].intervention == first.intervention
    assert (
        named.requested[0].reason == "attribution names it among the first: it was tested for that"
    )


def test_the_ledger_says_what_became_of_what_was_named(findings: CausalFindings) -> None:
    _, trial = findings.requested
    few = RequestedTest([f"{SITE}/1"], 3, 0, None, "it fires on 3 failures: at least 5 are needed")
    claims = ledger(
        None, tested=0, alpha=0.05, strata=None, causes=CausalFindings(requested=[trial, few]),
        robustness=None, ladder=None,
    )  # fmt: skip
    name = f"{SITE}/808+{SITE}/26 matters for failure"
    assert [c.control[:10] for c in claims if c.claim == name] == ["necessity ", "sufficienc"]
    (lacking,) = [c for c in claims if c.claim == f"{SITE}/1 matters for failure"]
    assert (lacking.outcome, lacking.detail) == ("not done", few.reason)


def test_sets_are_read_and_repeats_left_out(lens: Lens) -> None:
    found = parse_feature_sets(["3-res-mini/808", "4-res-mini/12 + 4-res-mini/99+4-res-mini/12",
                           "4-res-mini/99+4-res-mini/12"], lens)  # fmt: skip
    assert [(features.site, features.indices) for features in found] == [
        ("3-res-mini", (808,)),
        ("4-res-mini", (12, 99)),
    ]
    assert [*map(str, found)] == ["3-res-mini/808", "4-res-mini/12+4-res-mini/99"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("808", "test_features '808': expected DICTIONARY/INDEX, e.g. 3-res-mini/808, or several "
         "of one dictionary joined by +"),
        ("3-res-mini/-1", "test_features '3-res-mini/-1': expected DICTIONARY/INDEX, e.g. "
         "3-res-mini/808, or several of one dictionary joined by +"),
        ("9-res/1", "no dictionary '9-res' in this lens: expected one of 3-res-mini, 4-res-mini"),
        ("3-res-mini/1536", "test_features '3-res-mini/1536': dictionary 3-res-mini has the "
         "features 0 to 1535, got 1536"),
        ("3-res-mini/1+4-res-mini/1", "test_features '3-res-mini/1+4-res-mini/1' is of the "
         "dictionaries 3-res-mini, 4-res-mini: expected one, for features are changed together at "
         "one site; "
         "name them one by one"),
    ],
)  # fmt: skip
def test_a_leading_class_that_is_not_there_is_refused_before_the_task_is_run(
    lens: Lens, task: Task, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the task was run")

    monkeypatch.setattr(import_module("faultlens.auditing.from_task"), "run_task", never)
    with pytest.raises(UserError) as caught:
        audit_task(lens, task, config=AuditConfig.of(test_features=(text,)))
    assert str(caught.value) == sentence


def test_a_leading_class_that_never_fires_is_refused_before_anything_is_tested(
    lens: Lens, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the audit was begun")

    monkeypatch.setattr(import_module("faultlens.auditing.study"), "find_features", never)
    counts = lens.read([p.text for p in task.prompts])[SITE].matrix.getnnz(axis=0)
    silent = f"{SITE}/{int(np.flatnonzero(counts == 0)[0])}"
    with pytest.raises(UserError) as caught:
        audit_task(lens, task, config=AuditConfig.of(test_features=(silent,)))
    assert str(caught.value).startswith(
        f"test_features: {silent} fires on none of the 60 prompts of mini-ioi, so there is nothing "
        "to take away"
    )


def test_a_set_of_which_something_fires_is_tested_with_a_warning_of_the_rest(
    tests: CausalTests,
) -> None:
    codes = tests.ablation(SITE).codes
    silent = next(f for f in range(1536) if not codes.fires([f]).any())
    assert replace(tests, requested=[some(808, 26)]).check_requested() == []
    assert replace(tests, requested=[some(808, silent)]).check_requested() == [
        f"test_features: of {SITE}/808+{SITE}/{silent}, {SITE}/{silent} fires on none of the 60 "
        "prompts, so that the others alone are tested"
    ]
    with pytest.raises(
        UserError, match=f"^test_features: {SITE}/{silent} fires on none of the 60 "
    ):
        replace(tests, requested=[some(silent)]).check_requested()


def test_an_audit_that_ends_early_says_so_of_what_was_named(lens: Lens) -> None:
    few = fl.tasks.mini_ioi(n=8, seed=0)
    config = AuditConfig.of(test_features=("3-res-mini/808",), permutations=99)
    audit = audit_task(lens, few, config=config)
    assert audit.verdict is not None
    (trial,) = audit.requested
    assert (trial.intervention, trial.reason) == (None, str(audit.verdict))
    assert fl.Audit.from_dict(audit.to_dict()) == audit


def test_named_features_need_answers_that_can_be_given_again(lens: Lens, task: Task) -> None:
    answers = Answers(task, (None,) * 60, (True, False) * 30)
    with pytest.raises(UserError, match="^test_features cannot be tested: scored again by target-"):
        fl.audit(lens, answers, test_features=["3-res-mini/808"], fit_check=False)
    with pytest.raises(UserError, match="^test_features needs the model that gave the answers: gi"):
        fl.audit(None, answers, test_features=["3-res-mini/808"])
    with pytest.raises(UserError, match="^test_features '3-res-mini/808': expected a list of n"):
        fl.audit(lens, task, test_features="3-res-mini/808", fit_check=False)


def test_what_was_named_is_patched_where_a_level_is_swapped(tests: CausalTests) -> None:
    level = SelectedLevel("object", "the keys", 8, 8, 52, 5, 1e-5, 1e-4, 40.0)
    swaps, _ = run_counterfactuals(
        tests.lens, tests.task, tests.runs, tests.margin, tests.failed,
        Selection([level], [], ["object"]), [CLASS], requested=[NAMED],
        succeeds=tests.succeeds, alpha=0.05, seed=0,
    )  # fmt: skip
    (swap,) = swaps.swaps
    assert [(patch.features, patch.requested) for patch in swap.patches] == [
        ([f"{SITE}/26"], False),
        ([f"{SITE}/808", f"{SITE}/26"], True),
        ([], False),
    ]
