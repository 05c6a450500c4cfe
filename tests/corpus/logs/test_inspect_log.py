"""Logs of inspect_ai: the referee is what inspect_ai itself reports of its own logs."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backports.zstd import zipfile as zstd_zipfile

from faultlens.corpus.answers import Answers, read_answers
from faultlens.corpus.tasks import mini_ioi
from faultlens.errors import UserError


@pytest.fixture(scope="module")
def reported(inspect_logs: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((inspect_logs / "reported.json").read_text())
    return found


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as refused:
        read()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def accuracy(answers: Answers) -> float:
    assert answers.success is not None
    return sum(answers.success) / len(answers)


def left_out(answers: Answers) -> dict[str, int]:
    assert answers.source is not None
    return answers.source.left_out


def test_a_generation_is_what_inspect_says_it_is(
    inspect_logs: Path, reported: dict[str, Any]
) -> None:
    answers = read_answers(inspect_logs / "generation.eval")
    prompts = mini_ioi(n=60).prompts
    assert [p.text for p in answers.task.prompts] == [p.text for p in prompts]
    assert [p.target for p in answers.task.prompts] == [p.target for p in prompts]
    assert [p.foil for p in answers.task.prompts] == [p.foil for p in prompts], "its metadata"
    assert {p.separator for p in answers.task.prompts} == {" "}
    assert answers.task.factors == {
        name: [p.factors[name] for p in prompts] for name in prompts[0].factors
    }
    assert accuracy(answers) == pytest.approx(reported["generation"]["metrics"]["match/accuracy"])
    log = json.loads((inspect_logs / "generation.json").read_text())
    assert list(answers.generated) == [s["output"]["completion"] for s in log["samples"]]
    assert answers.source is not None
    assert answers.source.format == "inspect_ai 0.3.285"
    assert (answers.source.model, answers.source.decided_by) == ("hf/mini", "scorer match")
    assert answers.source.samples == reported["generation"]["samples"] == 60
    assert answers.task.notes == () and left_out(answers) == {}


@pytest.mark.parametrize("name", ["generation", "values"])
def test_both_formats_of_a_log_say_the_same(inspect_logs: Path, name: str) -> None:
    """Also where a score is the literal NaN, which is no JSON to others."""
    whole, text = (read_answers(inspect_logs / f"{name}.{kind}") for kind in ("eval", "json"))
    assert whole.task.prompts == text.task.prompts
    assert (whole.generated, whole.success, whole.kinds) == (
        text.generated, text.success, text.kinds,
    )  # fmt: skip
    assert whole.source == text.source


def test_multiple_choice_is_read_from_the_messages(
    inspect_logs: Path, reported: dict[str, Any]
) -> None:
    """The sample's input is the bare question; the model saw the choices under a system prompt."""
    answers = read_answers(inspect_logs / "choice.eval")
    assert [p.target for p in answers.task.prompts] == ["A", "B", "C", "D"]
    assert answers.conversations is not None
    for messages, city in zip(
        answers.conversations, ("Paris", "Rome", "Bern", "Oslo"), strict=True
    ):
        assert [message.role for message in messages] == ["system", "user"]
        assert messages[0].content == "Be brief."
        assert f"Which one is {city}?\n\nA) Paris\nB) Rome" in messages[1].content
    assert answers.task.prompts[0].text.startswith("system: Be brief.\n\nuser: Answer the follow")
    assert answers.generated == ("ANSWER: A", "**ANSWER: C**", "Bern it is", "ANSWER: D")
    assert answers.success == (True, False, False, True)
    assert accuracy(answers) == reported["choice"]["metrics"]["choice/accuracy"]
    assert answers.kinds == (None, "chose another option", "invalid response format", None)
    chunked = read_answers(inspect_logs / "chunked" / "choice.eval")
    assert chunked == answers, "samples whose messages lie in chunks of their own"


def test_values_and_reasons_become_outcomes_and_kinds(
    inspect_logs: Path, reported: dict[str, Any]
) -> None:
    answers = read_answers(inspect_logs / "values.eval")
    assert answers.success == (True, *[False] * 8)
    assert answers.kinds == (
        None, None, "partly right", "no answer", "refusal", "invalid response format",
        "no response", "failure of the scorer: grader failed", "a reason of its own",
    )  # fmt: skip
    assert left_out(answers) == {"not scored (the score is NaN)": 1}
    partly = read_answers(inspect_logs / "values.eval", threshold=0.5)
    assert partly.success is not None and partly.success[2], "half right counts by choice"
    in_all = sum(answers.success) + 0.5  # as inspect_ai counts what is partly right
    assert in_all / len(answers) == pytest.approx(reported["values"]["metrics"]["judged/accuracy"])
    assert answers.task.notes == (
        "1 of 8 failures are of the scorer, by the reason it gives",
        "1 of 8 failures are partly right: they count as wrong",
        "reason: not in the metadata of every sample, hence no factors",
    )
    with_reason = refusal(lambda: read_answers(inspect_logs / "values.eval", ["reason"]))
    assert with_reason.endswith("sample 0 has no column 'reason' to be a factor: it has value")


def test_of_two_scorers_one_is_chosen(inspect_logs: Path, reported: dict[str, Any]) -> None:
    path = inspect_logs / "two_scorers.eval"
    assert refusal(lambda: read_answers(path)) == (
        f"{path} has 2 scorers, exact, includes: choose one with --scorer"
    )
    assert refusal(lambda: read_answers(path, scorer="match")) == (
        f"{path} has no scorer 'match': it has exact, includes"
    )
    metrics = reported["two_scorers"]["metrics"]
    assert accuracy(read_answers(path, scorer="exact")) == metrics["exact/mean"]
    assert accuracy(read_answers(path, scorer="includes")) == metrics["includes/accuracy"]


def test_of_a_score_with_parts_one_is_chosen(inspect_logs: Path) -> None:
    path = inspect_logs / "parts.eval"
    assert refusal(lambda: read_answers(path)) == (
        f"{path} has 2 scorers, both:a, both:b: choose one with --scorer"
    )
    assert read_answers(path, scorer="both:a").success == (True, False, True, False)
    assert refusal(lambda: read_answers(path, scorer="both:b")) == (
        f"{path} sample 0: scorer both:b gives 0.25, which is neither right nor wrong: say from "
        "which score on an answer is right, with --threshold"
    )
    by_b = read_answers(path, scorer="both:b", threshold=0.5)
    assert by_b.success == (False, True, False, True)


def test_of_several_epochs_one_or_their_majority_counts(
    inspect_logs: Path, reported: dict[str, Any]
) -> None:
    path = inspect_logs / "epochs.eval"
    assert refusal(lambda: read_answers(path)) == (
        f"{path} ran each sample in 3 epochs: choose one with --epoch 1, or --epoch majority"
    )
    assert refusal(lambda: read_answers(path, epoch=4)) == (
        f"{path} has no epoch 4: it has 1, 2, 3, and majority"
    )
    assert refusal(lambda: read_answers(path, epoch="most")) == (
        "epoch 'most': expected a number from 1, or majority"
    )
    second = read_answers(path, epoch=2)
    assert left_out(second) == {"of other epochs than 2": 6}
    most = read_answers(path, epoch="majority")
    assert accuracy(most) == pytest.approx(reported["epochs"]["metrics"]["exact/mean"])
    assert left_out(most) == {"other epochs of a sample that counts once": 6}
    for success, said in zip(most.success or (), most.generated, strict=True):
        assert success == (said == "yes"), "the answer is of an epoch that ended so"
    log = json.loads(json.dumps(raw(inspect_logs / "epochs.eval")))
    outcomes = Counter(
        s["id"] for s in log["samples"] if s["epoch"] == 2 and s["scores"]["exact"]["value"] == "C"
    )
    assert sum(outcomes.values()) == sum(second.success or ())


def test_without_scores_there_is_nothing_to_audit(inspect_logs: Path) -> None:
    path = inspect_logs / "no_scores.eval"
    assert refusal(lambda: read_answers(path)) == (
        f"{path} has no scores: expected an evaluation that was scored (inspect score does so)"
    )


def test_missing_log_probabilities_leave_every_sample_unscored(inspect_logs: Path) -> None:
    path = inspect_logs / "log_likelihood.eval"
    assert refusal(lambda: read_answers(path)) == (
        f"{path} holds no sample that can be audited: 4 not scored (the score is NaN)"
    )


def test_errors_and_several_turns_are_left_out_and_counted(
    inspect_logs: Path, reported: dict[str, Any]
) -> None:
    errors = read_answers(inspect_logs / "errors.eval")
    assert left_out(errors) == {"ended in an error": 1}
    assert accuracy(errors) == pytest.approx(reported["errors"]["metrics"]["exact/mean"])
    turns = read_answers(inspect_logs / "turns.eval")
    assert left_out(turns) == {"answered in several turns": 2}
    assert [p.text for p in turns.task.prompts] == ["q 0", "q 2"]


def test_messages_that_were_rewritten_are_not_what_the_model_saw(inspect_logs: Path) -> None:
    path = inspect_logs / "shuffled.eval"
    assert refusal(lambda: read_answers(path)) == (
        f"{path} holds no sample that can be audited: 4 given other messages than the log says "
        "(choices were shuffled in the run)"
    )


# --- logs made by hand from the real ones --------------------------------------------------------


def raw(path: Path) -> dict[str, Any]:
    """A log as one JSON object."""
    if path.suffix == ".json":
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    with zstd_zipfile.ZipFile(path) as archive:
        found = json.loads(archive.read("header.json"))
        names = [name for name in archive.namelist() if name.startswith("samples/")]
        found["samples"] = [json.loads(archive.read(name)) for name in names]
    return found


def changed(inspect_logs: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A log of which the last of three samples is changed."""
    log = raw(inspect_logs / "values.json")
    log["samples"] = log["samples"][:3]
    change(log["samples"][2])
    path = folder / "log.json"
    path.write_text(json.dumps(log))
    return path


def text_of(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ASK = text_of("user", "What?", source="input")
SAY = text_of("assistant", "yes", source="generate")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limit": {"type": "token", "limit": 5}}, "stopped at a limit (token)"),
        ({"invalidation": {"author": "me"}}, "invalidated"),
        ({"error": {"message": "boom"}}, "ended in an error"),
        ({"target": ""}, "without a target"),
        ({"target": []}, "without a target"),
        ({"messages": [ASK, text_of("assistant", "", tool_calls=[{"id": "1"}]), SAY]},
         "called tools"),
        ({"messages": [ASK, text_of("tool", "3"), SAY]}, "called tools"),
        ({"messages": [ASK, SAY, ASK, SAY]}, "answered in several turns"),
        ({"messages": [text_of("user", [{"type": "image", "image": "x"}]), SAY]},
         "given images, sound or files"),
        ({"messages": [text_of("user", " "), SAY]}, "without a prompt"),
        ({"messages": [ASK], "output": {}}, "without an answer of the model"),
        ({"scores": {}}, "not scored (the score is NaN)"),
    ],
)  # fmt: skip
def test_what_cannot_be_audited_is_left_out_with_its_reason(
    inspect_logs: Path, tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    path = changed(inspect_logs, tmp_path, lambda sample: sample.update(change))
    answers = read_answers(path)
    assert (len(answers), left_out(answers)) == (2, {reason: 1})
    assert answers.source is not None and answers.source.samples == 3


@pytest.mark.parametrize(
    ("change", "text", "said"),
    [
        ({"messages": [text_of("user", [{"type": "text", "text": "Wh"},
                                        {"type": "text", "text": "at?"}]),
                       text_of("assistant", [{"type": "reasoning", "reasoning": "hm"},
                                             {"type": "text", "text": "yes"}])]},
         "What?", "yes"),
        ({"messages": [ASK, text_of("assistant", "no", source="input"), ASK, SAY]},
         "user: What?\n\nassistant: no\n\nuser: What?", "yes"),
        ({"messages": [text_of("user", "attachment://abc"), SAY], "attachments": {"abc": "Long"}},
         "Long", "yes"),
        ({"messages": [ASK], "output": {"completion": "from the output"}}, "What?",
         "from the output"),
    ],
)  # fmt: skip
def test_every_shape_of_message_is_read(
    inspect_logs: Path, tmp_path: Path, change: dict[str, Any], text: str, said: str
) -> None:
    path = changed(inspect_logs, tmp_path, lambda sample: sample.update(change))
    answers = read_answers(path)
    assert (answers.task.prompts[2].text, answers.generated[2]) == (text, said)


@pytest.mark.parametrize(
    ("value", "success"),
    [(1, True), (0, False), (1.0, True), (True, True), (False, False), ("C", True), ("1", True),
     ("yes", True), ("False", False), ("N", False)],
)  # fmt: skip
def test_a_value_is_read_in_every_shape_it_may_have(
    inspect_logs: Path, tmp_path: Path, value: Any, success: bool
) -> None:
    scores = {"judged": {"value": value}}
    path = changed(inspect_logs, tmp_path, lambda sample: sample.update(scores=scores))
    assert (read_answers(path).success or ())[2] is success


def test_a_value_that_says_nothing_is_refused(inspect_logs: Path, tmp_path: Path) -> None:
    scores = {"judged": {"value": "B+"}}
    path = changed(inspect_logs, tmp_path, lambda sample: sample.update(scores=scores))
    assert refusal(lambda: read_answers(path)) == (
        f'{path} sample 2: scorer judged gives "B+", expected C, I, P or N, a number, or true or '
        "false"
    )


def test_several_targets_are_all_right_answers(inspect_logs: Path, tmp_path: Path) -> None:
    path = changed(inspect_logs, tmp_path, lambda s: s.update(target=["yes", "yes ", "yeah"]))
    assert read_answers(path).task.prompts[2].answers == ("yes", "yeah")


def test_two_choices_are_each_other_s_foil(inspect_logs: Path, tmp_path: Path) -> None:
    change = {"choices": ["yes", "no"], "target": "B"}
    path = changed(inspect_logs, tmp_path, lambda sample: sample.update(change))
    assert read_answers(path).task.prompts[2].foil == "A"


def test_an_evaluation_that_has_not_ended_says_so(inspect_logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "running.eval"
    with (
        zstd_zipfile.ZipFile(inspect_logs / "values.eval") as whole,
        zstd_zipfile.ZipFile(path, "w", zstd_zipfile.ZIP_ZSTANDARD) as part,
    ):
        for name in whole.namelist():
            if name.startswith("samples/") or name == "_journal/start.json":
                part.writestr(name, whole.read(name))
    answers = read_answers(path)
    assert answers.task.notes[0] == (
        'the evaluation did not finish (status "started"): the log holds what was run'
    )
    assert len(answers) == 9


def test_sampled_answers_are_said_to_be(inspect_logs: Path, tmp_path: Path) -> None:
    log = raw(inspect_logs / "values.json")
    log["plan"]["config"] = {"temperature": 0.7}
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log))
    assert read_answers(path).task.notes[0] == (
        "answers were sampled (temperature 0.7): another run may give others"
    )


def test_a_log_that_is_cut_off_anywhere_is_one_sentence(inspect_logs: Path, tmp_path: Path) -> None:
    whole = (inspect_logs / "values.eval").read_bytes()
    path = tmp_path / "cut.eval"
    for share in (0.05, 0.3, 0.6, 0.9, 0.99, 0.9999):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert refusal(lambda: read_answers(path)) == (
            f"{path} is cut off: a ZIP whose list of members, at its end, is missing; copy the log "
            "again, or let inspect_ai recover it"
        )
    text = (inspect_logs / "values.json").read_text()
    path = tmp_path / "cut.json"
    path.write_text(text[: len(text) // 2])
    assert refusal(lambda: read_answers(path)).startswith(f"{path} is not JSON (")


def test_a_damaged_member_is_one_sentence(inspect_logs: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.eval"
    whole = bytearray((inspect_logs / "values.eval").read_bytes())
    with zipfile.ZipFile(inspect_logs / "values.eval") as archive:
        info = archive.getinfo("samples/3_epoch_1.json")
    place = info.header_offset + 30 + len(info.filename) + 20
    whole[place : place + 40] = b"\0" * 40
    path.write_bytes(bytes(whole))
    assert refusal(lambda: read_answers(path)).startswith(
        f"{path} cannot be read as a log of inspect_ai: "
    )


def test_an_archive_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "other.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert refusal(lambda: read_answers(path)) == (
        f"{path} cannot be read as a log of inspect_ai: it has neither header.json nor "
        "_journal/start.json"
    )


def test_content_tells_the_format_and_not_the_name(inspect_logs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "renamed.csv"
    shutil.copy(inspect_logs / "choice.eval", copy)
    assert read_answers(copy).success == read_answers(inspect_logs / "choice.eval").success
