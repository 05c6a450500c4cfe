"""Success by logits: the rule of agreement and brackets, and what it says beside the exact word."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.auditing.activations.task_tokens import tokenize
from faultlens.auditing.behaviour.answer_scores import score_warnings
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import (
    LOGIT_RULES,
    TARGET_LIKELIEST,
    TARGET_OVER_FOIL,
    resolve_rule,
)
from faultlens.auditing.behaviour.rule_sensitivity import failures_over_foil
from faultlens.auditing.result import PromptOutcome
from faultlens.cli.main import app
from faultlens.corpus.answers import Answers
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3])


@pytest.fixture(scope="module")
def agreement(lens: Lens) -> fl.Audit:
    """On the task's own rule, with one class tried."""
    return fl.audit(
        lens, fl.tasks.agreement(n=160), fit_check=False, baselines=False, permutations=199,
        test_classes=1, test_attributed=0,
    )  # fmt: skip


def test_agreement_and_brackets_are_decided_by_the_logits(agreement: fl.Audit) -> None:
    assert agreement.rule == TARGET_OVER_FOIL
    assert [fl.tasks.brackets(n=3).rule, fl.tasks.mini_ioi(n=3).rule] == [TARGET_OVER_FOIL, None]
    assert 5 < agreement.failures < 105
    for outcome in agreement.outcomes:
        assert outcome.success == (outcome.logit_difference > 0)
        assert outcome.answer == (outcome.target if outcome.success else None)
        assert (outcome.kind == "success") == outcome.success
    assert agreement.scoring["exact-word"].failures > agreement.failures, "no verb comes first"
    assert agreement.failures_over_foil == 0, "by definition"
    verdicts = {reading.verdict for _, reading in agreement.classes}
    assert "ARTEFACT (of scoring)" not in verdicts


def test_the_referee_is_plain_hugging_face(lens: Lens, agreement: fl.Audit) -> None:
    model = lens.model
    for prompt, outcome in zip(fl.tasks.agreement(n=160).prompts, agreement.outcomes, strict=True):
        ids = torch.tensor([[model.bos_id, *model.ids(prompt.text)]])
        logits = model.network(ids).logits[0, -1]
        target, foil = (model.ids(f" {answer}")[0] for answer in (prompt.target, prompt.foil))
        assert outcome.success == bool(logits[target] > logits[foil])


def test_flips_are_those_of_the_logits(lens: Lens, agreement: fl.Audit) -> None:
    """Counted again by an experiment: the same class, to its mean over the successes."""
    (tried,) = [c for _, c in agreement.classes if c.intervention is not None]
    table = fl.intervene(
        lens, fl.tasks.agreement(n=160), tried.features, edit=fl.Mean(among="successes"),
    )  # fmt: skip
    flips = tried.intervention.flips
    fires = table[table["edited"] > 0]
    assert len(fires) == flips.prompts
    before, after = fires["difference_before"] > 0, fires["difference_after"] > 0
    assert (before == fires["success_before"]).all() and (after == fires["success_after"]).all()
    assert (~before & after).sum() == flips.failure_to_success
    assert (before & ~after).sum() == flips.success_to_failure
    assert flips.failure_to_success + flips.success_to_failure > 0, "else nothing is compared"


def test_a_rule_can_be_named_for_any_task_and_another_for_these(lens: Lens) -> None:
    settings = {"fit_check": False, "baselines": False, "permutations": 99, "test_classes": 0}
    task = fl.tasks.mini_ioi(n=60)
    exact = fl.audit(lens, task, test_attributed=0, **settings)
    assert exact.rule == "exact-word"
    over = fl.audit(lens, task, rule=TARGET_OVER_FOIL, test_attributed=0, **settings)
    likeliest = fl.audit(lens, task, rule=TARGET_LIKELIEST, test_attributed=0, **settings)
    differences = [o.logit_difference for o in exact.outcomes]
    assert [o.success for o in over.outcomes] == [d > 0 for d in differences]
    assert [o.success for o in likeliest.outcomes] == [o.margin > 0 for o in exact.outcomes]
    assert exact.scoring[TARGET_OVER_FOIL].failures == over.failures
    assert exact.scoring[TARGET_LIKELIEST].failures == likeliest.failures
    # The headline: how many of the failures still prefer the target.
    still = sum(not o.success and o.logit_difference > 0 for o in exact.outcomes)
    assert exact.failures_over_foil == still > 0
    assert json.loads(json.dumps(exact.to_dict()))["failures_over_foil"] == still
    named = fl.audit(
        lens, fl.tasks.brackets(n=60), rule="exact-word", test_attributed=0, **settings
    )
    assert named.rule == "exact-word"


def outcome(success: bool, difference: float | None) -> PromptOutcome:
    return PromptOutcome("to", "Ann", " x", success, "-", difference, 1.0)


@pytest.mark.parametrize(
    ("outcomes", "still"),
    [
        ([outcome(False, 1.0), outcome(False, -1.0), outcome(True, 2.0)], 1),
        ([outcome(False, 0.0), outcome(True, None)], 0),
        ([outcome(False, 1.0), outcome(False, None)], None),
        ([outcome(True, 1.0)], None),
    ],
)
def test_what_is_not_known_of_every_failure_is_not_said(
    outcomes: list[PromptOutcome], still: int | None
) -> None:
    assert failures_over_foil(outcomes) == still


def test_prompts_that_cannot_be_compared_are_refused_by_name(lens: Lens) -> None:
    without = Task("bare", (Prompt("a b to", "Tom", "Ann"), Prompt("c d to", "Tom")))
    with pytest.raises(UserError) as refused:
        fl.audit(lens, without, rule=TARGET_OVER_FOIL, fit_check=False)
    assert str(refused.value) == (
        "task bare: prompt 2 has no foil, with which the rule target-over-foil compares the "
        "target: give every prompt one, or choose --rule target-likeliest"
    )
    begins = Task("same", (Prompt("Mary gave it to", "the clerk", "the clerk at the office"),))
    tokens = tokenize(begins, lens.model)
    with pytest.raises(UserError) as refused:
        run_task(lens, begins, tokens, LOGIT_RULES[TARGET_OVER_FOIL])
    assert str(refused.value) == (
        "task same: of prompt 1's target 'the clerk' and foil 'the clerk at the office' one begins "
        "with the other in this model's tokens, so the rule target-over-foil cannot compare them: "
        "choose another foil, or another --rule"
    )
    assert run_task(lens, begins, tokens, LOGIT_RULES[TARGET_LIKELIEST])[0].margin is not None


def test_answers_without_logits_cannot_be_decided_by_them() -> None:
    row = {"prompt": "p", "target": "Ann", "foil": "Bob", "generated": " Ann"}
    with pytest.raises(UserError) as refused:
        fl.audit(None, Answers.from_records([row]), rule=TARGET_OVER_FOIL)
    assert str(refused.value) == (
        "prompt 1 has no logit difference, which the rule target-over-foil needs: run the task on "
        "a model, or choose a rule of text (exact-word, first-token, named-later, contains)"
    )
    with pytest.raises(UserError, match="prompt 1 has no margin, which the rule target-likeliest"):
        fl.audit(None, Answers.from_records([row]), rule=TARGET_LIKELIEST)


def test_an_unknown_rule_is_refused_with_those_of_logits_too() -> None:
    with pytest.raises(UserError) as refused:
        resolve_rule("target over foil")
    assert str(refused.value) == (
        "unknown outcome rule 'target over foil': expected one of exact-word, first-token, "
        "named-later, contains, target-over-foil, target-likeliest"
    )
    assert resolve_rule(None)[0] == "exact-word"


def test_margins_behind_a_shared_first_token_say_so(lens: Lens) -> None:
    """The claim is of what follows once the shared token is given."""
    task = Task(
        "shared",
        (Prompt("Mary gave it to", "the landlord", "the clerk"), Prompt("It is", "Tom", "Ann")),
    )
    tokens = tokenize(task, lens.model)
    assert [len(shared) for shared in tokens.shared] == [1, 0]
    assert score_warnings(task, tokens) == [
        "in 1 of 2 prompts target and foil share their first token (such as 'the landlord' and "
        "'the clerk'): margin and logit difference compare what follows once that token is given, "
        "and say nothing of whether the model gives it"
    ]
    (outcome, _) = run_task(lens, task, tokens, LOGIT_RULES[TARGET_OVER_FOIL])
    row = torch.tensor([[*tokens.rows[0], *tokens.shared[0]]])
    logits = lens.model.network(row).logits[0, -1]
    expected = float(logits[tokens.target[0]] - logits[tokens.foil[0]])
    assert outcome.logit_difference == pytest.approx(expected, abs=2e-4)
    bare = Task("bare", (Prompt("It is", "Tom", "Ann"),))
    assert score_warnings(bare, tokenize(bare, lens.model)) == []


def test_the_command_line_takes_the_rule(capsys: pytest.CaptureFixture[str]) -> None:
    call = ["audit", "brackets", "-n", "40", "--layers", "3", "--test-classes", "0",
            "--test-attributed", "0", "--no-baselines", "--no-fit-check", "--permutations", "99",
            "--json"]  # fmt: skip
    app(call, result_action="return_value")
    data = json.loads(capsys.readouterr().out)
    assert data["rule"] == TARGET_OVER_FOIL
    failed = np.array([not o["success"] for o in data["outcomes"]])
    assert failed.sum() == data["failures"]
