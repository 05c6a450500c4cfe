"""Logs of lm-eval: the referees are its own metrics, and the model's log-likelihoods by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import faultlens as fl
from faultlens.corpus.answers import Answers, read_answers
from faultlens.corpus.tasks import mini_ioi
from faultlens.errors import UserError
from faultlens.models.model import Model

PROMPTS = mini_ioi(n=60).prompts


def samples(logs: Path, task: str) -> Path:
    (path,) = logs.glob(f"samples_mini_{task}_*.jsonl")
    return path


@pytest.fixture(scope="module")
def reported(lm_eval_logs: Path) -> dict[str, Any]:
    (path,) = lm_eval_logs.glob("results_*.json")
    found: dict[str, Any] = json.loads(path.read_text())["results"]
    return found


@pytest.fixture(scope="module")
def model() -> Model:
    return fl.load("mini", layers=[3]).model


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as refused:
        read()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def accuracy(answers: Answers) -> float:
    assert answers.success is not None
    return sum(answers.success) / len(answers)


def log_likelihood(model: Model, text: str, continuation: str) -> float:
    """Of the continuation's tokens behind the text's, without BOS: as lm-eval asks GPT-2's like."""
    before = model.ids(text)
    row = torch.tensor([[*before, *model.ids(continuation)]])
    logits = model.network(row).logits[0].log_softmax(-1)
    places = range(len(before), row.shape[1])
    return float(sum(logits[i - 1, row[0, i]] for i in places))


@pytest.mark.parametrize("metric", ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"])
def test_multiple_choice_is_what_lm_eval_says_it_is(
    lm_eval_logs: Path, reported: dict[str, Any], metric: str
) -> None:
    answers = read_answers(samples(lm_eval_logs, "choice"), scorer=metric)
    assert accuracy(answers) == pytest.approx(reported["mini_choice"][f"{metric},none"])
    assert [p.text for p in answers.task.prompts] == [p.text for p in PROMPTS]
    assert [p.target for p in answers.task.prompts] == [p.target for p in PROMPTS]
    assert answers.differences is not None
    for prompt, own, success, difference in zip(
        answers.task.prompts, PROMPTS, answers.success or (), answers.differences, strict=True
    ):
        assert prompt.foil in (own.foil, "the landlord")
        assert prompt.separator == " "
        assert difference is not None and success == (difference > 0)
    assert answers.generated == (None,) * 60 and answers.task.notes == ()
    assert answers.source is not None
    assert answers.source.format == "lm-eval 0.4.13"
    assert answers.source.decided_by == f"metric {metric}"
    assert str(answers.source.model).endswith("language_model")


def test_margins_are_the_model_s_own(lm_eval_logs: Path, model: Model) -> None:
    """Right against best wrong choice, raw and by character, from passes of our own."""
    raw = read_answers(samples(lm_eval_logs, "choice"))
    norm = read_answers(samples(lm_eval_logs, "choice"), scorer="acc_norm")
    foils = set()
    for i in range(0, 60, 6):
        own = PROMPTS[i]
        choices = (own.target, own.foil, "the landlord")
        scores = {c: log_likelihood(model, own.text, f" {c}") for c in choices if c}
        by_length = {choice: score / len(choice) for choice, score in scores.items()}
        for answers, found in ((raw, scores), (norm, by_length)):
            wrong = max((c for c in found if c != own.target), key=found.__getitem__)
            assert answers.task.prompts[i].foil == wrong
            expected = found[own.target] - found[wrong]
            assert (answers.differences or ())[i] == pytest.approx(expected, abs=1e-3)
            foils.add(wrong)
    assert "the landlord" in foils and len(foils) > 1, "which wrong one is best depends on it"


def test_of_several_filters_one_is_chosen(lm_eval_logs: Path, reported: dict[str, Any]) -> None:
    path = samples(lm_eval_logs, "generation")
    assert refusal(lambda: read_answers(path)) == (
        f"{path} has 2 filters, first-word, whole: choose one with --filter"
    )
    assert refusal(lambda: read_answers(path, filter="first")) == (
        f"{path} has no filter 'first': it has first-word, whole"
    )
    for name in ("first-word", "whole"):
        answers = read_answers(path, filter=name)
        expected = reported["mini_generation"][f"exact_match,{name}"]
        assert accuracy(answers) == pytest.approx(expected)
        assert len(answers) == 60
        assert answers.source is not None
        assert answers.source.decided_by == f"metric exact_match, filter {name}"
        assert all(text and text.startswith(" ") for text in answers.generated)
        assert [p.target for p in answers.task.prompts] == [p.target for p in PROMPTS]


def test_a_log_likelihood_task_asks_for_the_greedy_continuation(
    lm_eval_logs: Path, reported: dict[str, Any]
) -> None:
    """Its `perplexity` is a log-likelihood, not an outcome."""
    path = samples(lm_eval_logs, "likelihood")
    answers = read_answers(path)
    assert accuracy(answers) == pytest.approx(reported["mini_likelihood"]["acc,none"])
    assert [p.target for p in answers.task.prompts] == [p.target for p in PROMPTS]
    kinds = {kind for kind in answers.kinds or () if kind}
    assert kinds == {"not the likeliest continuation"}
    said = refusal(lambda: read_answers(path, scorer="perplexity"))
    assert said.startswith(f"{path} line 1: metric perplexity is -")
    assert said.endswith(
        ", which is neither right nor wrong: say from which value on an answer is right, with "
        "--threshold"
    )


def test_choices_in_the_context_are_read_from_what_it_does_not_share(
    lm_eval_logs: Path, reported: dict[str, Any]
) -> None:
    """As winogrande has them: `target` is the shared continuation, and no index is recorded."""
    answers = read_answers(samples(lm_eval_logs, "contexts"))
    assert accuracy(answers) == pytest.approx(reported["mini_contexts"]["acc,none"])
    for prompt, own, success, difference in zip(
        answers.task.prompts, PROMPTS, answers.success or (), answers.differences or (), strict=True
    ):
        assert (prompt.text, prompt.target, prompt.foil) == (own.text, own.target, own.foil)
        assert difference is not None and success == (difference > 0)
    assert answers.task.notes == (
        "the choices stand in the context, before a continuation that they share: differences are "
        "of that continuation's log-likelihood behind each choice",
    )


def test_columns_of_the_document_become_factors_where_they_are_named(lm_eval_logs: Path) -> None:
    path = samples(lm_eval_logs, "choice")
    assert read_answers(path).task.factors == {}
    named = read_answers(path, ["object", "order"])
    assert named.task.factors == {
        name: [p.factors[name] for p in PROMPTS] for name in ("object", "order")
    }
    assert named.source is not None
    assert named.source.columns == ("prompt", "target", "label", "object", "place", "template",
                                    "order", "subject", "indirect_object")  # fmt: skip
    assert refusal(lambda: read_answers(path, ["verb"])) == (
        f"{path} line 1 has no column 'verb' to be a factor: it has prompt, target, label, object, "
        "place, template, order, subject, indirect_object"
    )


def test_the_audit_takes_the_margins_of_a_log(lm_eval_logs: Path) -> None:
    """Success by logits is known of multiple choice, without a model."""
    answers = read_answers(samples(lm_eval_logs, "choice"), ["object"])
    given = fl.audit(None, answers, baselines=False)
    by_logits = fl.audit(None, answers, rule="target-over-foil", baselines=False)
    assert given.rule == "given"
    assert given.outcome_kinds == {
        "success": sum(answers.success or ()),
        "prefers another choice": 60 - sum(answers.success or ()),
    }
    assert by_logits.failures == given.failures == given.scoring["target-over-foil"].failures
    assert given.failures_over_foil == 0


# --- logs made by hand from the real ones --------------------------------------------------------


def changed(
    path: Path, folder: Path, change: Callable[[dict[str, Any]], Any], results: bool = True
) -> Path:
    """A log of three samples, the last of which is changed."""
    rows = [json.loads(line) for line in path.read_text().splitlines()[:3]]
    change(rows[2])
    new = folder / path.name
    new.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if results:
        (found,) = path.parent.glob("results_*.json")
        shutil.copy(found, folder)
    return new


def set_likelihood(value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row["filtered_resps"].__setitem__(1, value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: row.update(target="nan"), "line 3: 'target' is \"nan\", expected the index of "
         "the right choice, 0 to 2"),
        (lambda row: row.update(target=float("nan")), "line 3: 'target' is NaN, expected the index "
         "of the right choice, 0 to 2"),
        (lambda row: row.update(target="7"), "line 3: 'target' is \"7\", expected the index of the "
         "right choice, 0 to 2"),
        (lambda row: row.update(target="²"), "line 3: 'target' is \"²\", expected the index of the "
         "right choice, 0 to 2"),
        (lambda row: row.pop("filtered_resps"), "line 3 has no log-likelihoods: 'filtered_resps' "
         "is null, expected one [log-likelihood, greedy] for each of 6 requests"),
        (set_likelihood(["nan", "False"]), "line 3: the log-likelihood of request 1 is \"nan\", "
         "expected a number"),
        (set_likelihood(["-inf", "False"]), "line 3: the log-likelihood of request 1 is \"-inf\", "
         "expected a number"),
        (set_likelihood(None), "line 3: the log-likelihood of request 1 is null, expected a "
         "number"),
        (lambda row: row.pop("arguments"), "line 3 has no 'arguments': expected what lm-eval's "
         "--log_samples writes"),
        (lambda row: row["arguments"].pop("gen_args_0"), "line 3 has no "
         "'arguments.gen_args_0.arg_0': expected the prompt"),
        (lambda row: row["arguments"]["gen_args_1"].pop("arg_1"), "line 3: "
         "'arguments.gen_args_1.arg_1' is null, expected the continuation that was scored"),
        (lambda row: row.update(acc=float("nan")), "line 3: metric acc is NaN, expected a number"),
        (lambda row: row.pop("acc"), "line 3: metric acc is null, expected a number"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_meant_is_named(
    lm_eval_logs: Path, tmp_path: Path, change: Callable[[dict[str, Any]], Any], said: str
) -> None:
    path = changed(samples(lm_eval_logs, "choice"), tmp_path, change)
    assert refusal(lambda: read_answers(path)) == f"{path} {said}"


def test_targets_may_be_several_or_a_choice_s_text(lm_eval_logs: Path, tmp_path: Path) -> None:
    path = samples(lm_eval_logs, "choice")
    own = read_answers(path).task.prompts[2]
    rows = [json.loads(line) for line in path.read_text().splitlines()[:3]]
    choices = rows[2]["doc"]["choices"]
    by_text = read_answers(changed(path, tmp_path, lambda row: row.update(target=choices[1])))
    assert by_text.task.prompts[2].target == choices[1]
    two = read_answers(changed(path, tmp_path, lambda row: row.update(target="[0, 2]")))
    assert two.task.prompts[2].answers == (choices[0], choices[2])
    assert two.task.prompts[2].foil == choices[1]
    values = [float(value) for value, _ in rows[2]["filtered_resps"][:3]]
    expected = max(values[0], values[2]) - values[1]
    assert (two.differences or ())[2] == pytest.approx(expected)
    assert own.foil in choices


def test_a_metric_that_contradicts_the_log_likelihoods_is_noted(
    lm_eval_logs: Path, tmp_path: Path
) -> None:
    path = changed(
        samples(lm_eval_logs, "choice"), tmp_path, lambda row: row.update(acc=1 - row["acc"])
    )
    assert read_answers(path).task.notes == (
        "in 1 of 3 samples acc contradicts the log-likelihoods: the outcome is the metric's",
    )


def test_without_results_the_rest_is_read_and_it_is_said(
    lm_eval_logs: Path, tmp_path: Path
) -> None:
    path = changed(samples(lm_eval_logs, "choice"), tmp_path, lambda row: None, results=False)
    answers = read_answers(path)
    assert answers.source is not None and answers.source.model is None
    whole = read_answers(samples(lm_eval_logs, "choice"))
    assert answers.task.prompts == whole.task.prompts[:3]
    assert answers.differences == (whole.differences or ())[:3]
    assert answers.task.notes == (
        "no results lie beside the samples: the model is not known, and choices are taken to "
        "follow the prompt behind a space",
    )


@pytest.mark.parametrize(
    ("settings", "adds_bos"),
    [
        ({"add_bos_token": True}, True), ({"add_bos_token": "False"}, False), ({}, None),
        ("pretrained=x,add_bos_token=True", True), ("pretrained=x", None), (None, None),
    ],
)  # fmt: skip
def test_the_harness_s_own_choice_of_bos_is_kept(
    lm_eval_logs: Path, tmp_path: Path, settings: Any, adds_bos: bool | None
) -> None:
    path = changed(samples(lm_eval_logs, "choice"), tmp_path, lambda row: None)
    (results,) = tmp_path.glob("results_*.json")
    said = json.loads(results.read_text())
    said["config"]["model_args"] = settings
    results.write_text(json.dumps(said))
    source = read_answers(path).source
    assert source is not None and source.adds_bos is adds_bos


def test_behind_a_chat_template_choices_follow_directly(lm_eval_logs: Path, tmp_path: Path) -> None:
    """lm-eval leaves its delimiter out there, so that a choice is as long as it is."""

    def chat(row: dict[str, Any]) -> None:
        for request in row["arguments"].values():
            request["arg_0"] = request["arg_0"] and f"<user>{request['arg_0']}<assistant>"
            request["arg_1"] = request["arg_1"].removeprefix(" ")

    path = samples(lm_eval_logs, "choice")
    rows = [json.loads(line) for line in path.read_text().splitlines()[:3]]
    for row in rows:
        chat(row)
    new = tmp_path / path.name
    new.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = path.parent.glob("results_*.json")
    said = json.loads(found.read_text())
    said["chat_template"] = "{{ messages }}"
    (tmp_path / found.name).write_text(json.dumps(said))
    chatted = read_answers(new, scorer="acc_norm")
    plain = read_answers(path, scorer="acc_norm")
    assert {prompt.separator for prompt in chatted.task.prompts} == {""}
    assert chatted.differences == (plain.differences or ())[:3]
    assert chatted.task.notes == (
        "prompts are rendered by the model's chat template: special tokens stand in the text",
    )


def test_files_beside_the_samples_are_told_from_them(lm_eval_logs: Path, tmp_path: Path) -> None:
    (results,) = lm_eval_logs.glob("results_*.json")
    assert refusal(lambda: read_answers(results)) == (
        f"{results} holds results of lm-eval: expected samples_TASK_DATE.jsonl beside them "
        "(--log_samples)"
    )
    path = changed(samples(lm_eval_logs, "choice"), tmp_path, lambda row: None)
    (copied,) = tmp_path.glob("results_*.json")
    copied.write_text(copied.read_text()[:500])
    said = refusal(lambda: read_answers(path))
    assert said.startswith(f"{copied}, the results of {path.name}, is not JSON (")


def test_a_log_that_is_cut_off_is_one_sentence(lm_eval_logs: Path, tmp_path: Path) -> None:
    whole = samples(lm_eval_logs, "choice")
    path = tmp_path / whole.name
    path.write_text(whole.read_text()[:5000])
    said = refusal(lambda: read_answers(path))
    assert said.startswith(f"{path} line ") and "is not JSON (" in said


def test_whole_texts_are_neither_right_nor_wrong(tmp_path: Path) -> None:
    path = tmp_path / "samples_wiki.jsonl"
    row = {"doc_id": 0, "doc": {}, "target": "text", "arguments": {"gen_args_0": {"arg_0": "text"}},
           "resps": [["-3.2"]], "filtered_resps": ["-3.2"], "filter": "none",
           "metrics": ["word_perplexity"], "word_perplexity": ["-3.2", 1]}  # fmt: skip
    path.write_text(json.dumps(row))
    assert refusal(lambda: read_answers(path)) == (
        f"{path} line 1: the task scores whole texts (loglikelihood_rolling), which are neither "
        "right nor wrong"
    )
    row["arguments"]["gen_args_0"]["arg_1"] = " more"
    path.write_text(json.dumps(row))
    assert refusal(lambda: read_answers(path)) == (
        f"{path} has no metric that is a number for each sample: nothing says which are right"
    )


def test_more_than_two_contexts_do_not_say_which_is_right(tmp_path: Path) -> None:
    contexts = ["It was Ann", "It was Bob", "It was Eve"]
    row = {"doc_id": 0, "doc": {}, "target": "who left.", "filter": "none", "metrics": ["acc"],
           "acc": 0.0, "filtered_resps": [["-1", "False"], ["-2", "False"], ["-3", "False"]],
           "arguments": {f"gen_args_{i}": {"arg_0": context, "arg_1": " who left."}
                         for i, context in enumerate(contexts)}}  # fmt: skip
    path = tmp_path / "samples_who.jsonl"
    path.write_text(json.dumps(row))
    assert refusal(lambda: read_answers(path)) == (
        f"{path} line 1 compares 3 contexts, and does not record which one is right: only two can "
        "be told apart, by the metric"
    )


def test_the_test_s_own_margins_differ_from_rivals(lm_eval_logs: Path) -> None:
    """A rival's margin (normalised otherwise, or against another choice) would be seen."""
    found = [
        read_answers(samples(lm_eval_logs, "choice"), scorer=metric).differences
        for metric in ("acc", "acc_norm", "acc_bytes", "acc_mutual_info")
    ]
    values = np.array(found, dtype=float)
    assert (np.abs(values[0] - values[1]) > 0.1).mean() > 0.5
    assert (np.sign(values[0]) != np.sign(values[1])).any()
    assert (np.sign(values[0]) != np.sign(values[3])).any()
