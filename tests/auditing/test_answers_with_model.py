"""Answers that are there, with the model that gave them: from a log to verdicts, by intervening."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import faultlens as fl
from faultlens.auditing.activations.answered_prompts import start_of_answers
from faultlens.auditing.from_task import READ_TWICE
from faultlens.cli.main import main
from faultlens.corpus.answers import Answers
from faultlens.corpus.logs.evaluation_log import LogSource
from faultlens.corpus.task import Prompt, Task
from faultlens.corpus.tasks import mini_ioi
from faultlens.features.lens import Lens

BOS = "<|endoftext|>"
QUICK: dict[str, Any] = {
    "permutations": 199, "baselines": False, "test_classes": 1, "test_attributed": 0,
    "fit_check": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini", layers=[3])


@pytest.fixture(scope="module")
def run(lens: Lens) -> fl.Audit:
    """`mini-ioi`, run by FaultLens."""
    return fl.audit(lens, mini_ioi(n=60), **QUICK)


@pytest.fixture(scope="module")
def answers(run: fl.Audit) -> Answers:
    """What the model answered there, as somebody else would bring it."""
    texts = tuple(outcome.generated for outcome in run.outcomes)
    return Answers(mini_ioi(n=60), texts, tuple(outcome.success for outcome in run.outcomes))


def numbers(tree: Any) -> list[float]:
    """Every number in a result, in order."""
    if isinstance(tree, dict):
        return [n for value in tree.values() for n in numbers(value)]
    if isinstance(tree, list):
        return [n for value in tree for n in numbers(value)]
    return [float(tree)] if isinstance(tree, int | float) else []


def log(lm_eval_logs: Path, task: str, **options: Any) -> Answers:
    (path,) = lm_eval_logs.glob(f"samples_mini_{task}_*.jsonl")
    return fl.read_answers(path, ["object"], **options)


def test_answers_brought_with_their_model_get_the_verdicts_of_the_run(
    run: fl.Audit, answers: Answers, lens: Lens
) -> None:
    brought = fl.audit(lens, answers, rule="exact-word", **QUICK)
    assert (brought.n, brought.failures) == (run.n, run.failures)
    for (_, mine), (_, theirs) in zip(brought.classes, run.classes, strict=True):
        assert (mine.features, mine.verdict.kind) == (theirs.features, theirs.verdict.kind)
        assert mine.p_deciding == theirs.p_deciding
    pairs = zip(numbers(brought.to_dict()["sites"]), numbers(run.to_dict()["sites"]), strict=True)
    np.testing.assert_allclose(*np.array(list(pairs)).T, rtol=1e-3, atol=1e-4)
    assert any(c.intervention is not None for _, c in brought.classes)
    again = brought.rescoring
    assert again is not None and run.rescoring is None
    assert (again.rule, again.reason, again.start) == ("exact-word", None, BOS)
    assert (again.failures_again, again.successes_again) == (again.failures, again.successes)
    assert (again.compared, again.equal, again.prompts) == ("text", 60, 60)
    margins = [np.array([o.margin for o in a.outcomes], float) for a in (brought, run)]
    np.testing.assert_allclose(*margins, atol=1e-4)
    assert fl.Audit.from_dict(brought.to_dict()) == brought


def test_a_log_of_another_model_is_noticed_and_its_failures_are_not_tested(
    answers: Answers, lens: Lens
) -> None:
    """The other model answers with the person who gives wherever the place is the park."""
    prompts = answers.task.prompts
    park = [p.factors["place"] == prompts[0].factors["place"] for p in prompts]
    pairs = zip(prompts, park, strict=True)
    texts = tuple(f" {p.foil}." if bad else f" {p.target}." for p, bad in pairs)
    other = replace(answers, generated=texts, success=tuple(not bad for bad in park))
    found = fl.audit(lens, other, rule="exact-word", **QUICK)
    again = found.rescoring
    assert again is not None and again.failures == sum(park)
    assert again.failures_again < 0.8 * again.failures
    counts = (
        f"{again.failures_again} of the log's {again.failures} failures fail and "
        f"{again.successes_again} of its {again.successes} successes succeed"
    )
    assert again.reason == (
        f"scored again by exact-word, {counts}; 80% of both are needed, or it is not the log's "
        "failures that interventions would test"
    )
    assert again.equal < 60 and found.warnings[0].startswith(
        f"on {again.equal} of 60 prompts ({again.equal / 60:.0%}) the model, decoded greedily, "
        "begins as the log's text does: where it is not, the log is of another model or revision"
    )
    assert f"scored again by exact-word, {counts}" in found.warnings
    assert all(c.intervention is None for _, c in found.classes)
    assert set(found.not_tested.values()) == {again.reason} or not found.significant


def test_choices_are_scored_again_by_target_over_foil(lm_eval_logs: Path, lens: Lens) -> None:
    """A log of lm-eval on the same model: every log-likelihood is its own, without BOS."""
    choice = log(lm_eval_logs, "choice")
    found = fl.audit(lens, choice, **QUICK)
    again = found.rescoring
    assert again is not None and again.reason is None
    assert (again.rule, again.compared) == ("target-over-foil", "log-likelihood")
    assert again.start == "nothing" and READ_TWICE in found.warnings
    assert (again.equal, again.prompts) == (60, 60)
    assert again.failures_again == again.failures == found.failures
    one = [o for o in found.outcomes if o.margin is not None]
    assert len(one) == 60
    for outcome, recorded in zip(found.outcomes, choice.differences or (), strict=True):
        assert outcome.logit_difference == recorded, "what the log recorded stays"
    tested = [c.intervention for _, c in found.classes if c.intervention is not None]
    assert tested and tested[0].necessity.foil_change == pytest.approx(tested[0].necessity.change)
    behind_bos = fl.audit(replace(lens, model=replace(lens.model, start="bos")), choice,
                          **QUICK | {"test_classes": 0}).rescoring  # fmt: skip
    assert behind_bos is not None and behind_bos.start == BOS and behind_bos.equal < 30


def test_a_log_finds_the_objects_that_pull_the_model_away(lm_eval_logs: Path) -> None:
    """Whole, from lm-eval's log of continuations to a feature that contributes to the failures."""
    answers = log(lm_eval_logs, "likelihood")
    found = fl.audit(fl.load("mini", layers=[4]), answers, **QUICK | {"test_classes": 2})
    again = found.rescoring
    assert again is not None and (again.rule, again.reason) == ("target-likeliest", None)
    assert (again.failures_again, again.successes_again) == (again.failures, again.successes)
    tested = [c for _, c in found.classes if c.intervention]
    assert [c.verdict.kind in ("CONTRIBUTES", "CAUSE") for c in tested].count(True) == 1
    (shown,) = [c for c in tested if c.intervention is not None and c.intervention.shown]
    assert shown.proxy is None or shown.proxy.factor == "object"
    assert shown.intervention is not None and shown.intervention.necessity.adjusted > 0.1


def test_what_a_scorer_decided_over_text_needs_its_rule(lm_eval_logs: Path, lens: Lens) -> None:
    generated = log(lm_eval_logs, "generation", filter="first-word")
    found = fl.audit(lens, generated, **QUICK)
    reason = (
        "the log's own scorer cannot be applied to newly generated answers: name the rule that the "
        "log's own scorer follows with --rule"
    )
    assert found.rescoring is not None and found.rescoring.reason == reason
    assert set(found.not_tested.values()) == {reason}
    assert all("effect not tested" in str(c.verdict) or c.intervention is None
               for _, c in found.classes)  # fmt: skip


def test_features_of_prompt_and_answer(answers: Answers, lens: Lens) -> None:
    prompt = fl.audit(lens, answers, rule="exact-word", **QUICK | {"test_classes": 0})
    both = fl.audit(lens, answers, rule="exact-word", with_answer=True, **QUICK)
    texts = [f"{p.text}{said}" for p, said in zip(answers.task.prompts, answers.generated,
                                                  strict=True)]  # fmt: skip
    fires = lens.read(texts)["3-res-mini"].matrix.getnnz(axis=0)
    assert both.features is not None and prompt.features is not None
    assert len(both.features["feature"]) == (fires >= 5).sum() > len(prompt.features["feature"])
    assert both.rescoring is not None
    assert both.rescoring.reason == (
        "features were read from prompts and answers (--with-answer), and an answer that is there "
        "cannot turn out otherwise"
    )
    unrecorded = replace(answers, generated=(None, *answers.generated[1:]))
    with pytest.raises(fl.UserError, match="^prompt 1 has no 'generated' to be read with it: leav"):
        fl.audit(lens, unrecorded, with_answer=True, **QUICK)


def test_bos_is_what_the_log_says_else_what_the_tokenizer_does(lens: Lens) -> None:
    said = Answers(Task("t", (Prompt("a b", "c"),)), ("c",), (True,))
    source = LogSource("lm-eval", "t", None, "acc", 1)

    def of(adds_bos: bool | None) -> Answers:
        return replace(said, source=replace(source, adds_bos=adds_bos))

    model = lens.model
    bos = [model.bos_id]
    every = (said, of(True), of(False), of(None))
    assert [start_of_answers(model, answers) for answers in every] == [bos, bos, [], []]

    class Begins:
        """mini's tokenizer, which by itself puts BOS in front of a text."""

        def __call__(self, text: str, add_special_tokens: bool = True, **more: Any) -> Any:
            front = bos if add_special_tokens else []
            return {"input_ids": [*front, *model.tokenizer(text, **more)["input_ids"]]}

        def __getattr__(self, name: str) -> Any:
            return getattr(model.tokenizer, name)

    assert start_of_answers(replace(model, tokenizer=Begins()), of(None)) == bos
    for word, expected in (("bos", bos), ("none", [])):
        asked = replace(model, start=word)
        assert [start_of_answers(asked, answers) for answers in every] == [expected] * 4


def test_answers_that_no_tokens_read_as_are_not_scored_again(
    answers: Answers, lens: Lens, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "faultlens.auditing.from_model_and_answers.tokenize"

    def refuses(*_: Any) -> Any:
        raise fl.UserError("the answer 'x' has no tokens of its own")

    monkeypatch.setattr(module, refuses)
    found = fl.audit(lens, answers, rule="exact-word", **QUICK)
    assert found.rescoring is not None
    assert (found.rescoring.rule, found.rescoring.reason) == (
        None, "the answer 'x' has no tokens of its own",
    )  # fmt: skip
    assert len(found.significant) > 0 and set(found.not_tested.values()) == {found.rescoring.reason}


def cli(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["faultlens", "audit", *map(str, arguments)])
    with pytest.raises(SystemExit) as leave:
        main()
    return int(leave.value.code or 0)


def test_the_command_from_an_inspect_ai_log_to_the_report(
    inspect_logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    code = cli(
        monkeypatch, "--outcomes", inspect_logs / "generation.eval", "--rule", "exact-word",
        "--model", "mini", "--layers", "4", "--permutations", "199", "--no-baselines",
        "--test-classes", "2", "--test-attributed", "0", "--factors", "object", "--out", folder,
    )  # fmt: skip
    assert code == 0
    data = json.loads((folder / "audit.json").read_text())
    again = data["rescoring"]
    assert (again["rule"], again["reason"], again["start"]) == ("exact-word", None, "nothing")
    assert (again["failures_again"], again["successes_again"]) == (22, 38)
    tested = [c for c in data["sites"]["4-res-mini"]["classes"] if c["intervention"]]
    assert len(tested) == 2
    assert [c["verdict_kind"] in ("CONTRIBUTES", "CAUSE") for c in tested].count(True) == 1
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Is it the log" in page and "Nothing stood in front of each prompt" in page
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"outcomes", "model", "dictionaries"}
    tokens = pd.read_parquet(folder / "tables" / "prompt-tokens.parquet")
    assert tokens.token[tokens.text_id == 0].iloc[-1] == " to"


REFUSED = [
    (["--n", "3"], "-n goes with a task that is run, not with --outcomes"),
    (["--features", "3-x=a.npy"],
     "--features takes the place of a model: leave it out, or --model and --sae"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), REFUSED)
def test_options_that_do_not_go_with_a_model(
    options: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert cli(monkeypatch, "--outcomes", "x.jsonl", "--model", "mini", *options) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"faultlens: {said}"


def test_answers_alone_take_no_options_of_a_reading(answers: Answers) -> None:
    with pytest.raises(fl.UserError) as refused:
        fl.audit(None, answers, with_answer=True)
    assert str(refused.value) == (
        "with_answer needs the model that gave the answers: give a lens (fl.load)"
    )
