"""Running a task: what is decoded and how it is scored. The referee is plain Hugging Face."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import torch
from families import save_family

import faultlens as fl
from faultlens.auditing.activations.task_tokens import (
    NEW_TOKENS,
    TaskTokens,
    token_warnings,
    tokenize,
)
from faultlens.auditing.behaviour.answer_scores import AnswerScore, answer_scores
from faultlens.auditing.behaviour.generation import run_task
from faultlens.auditing.behaviour.outcomes import RULES, exact_word, first_token
from faultlens.auditing.behaviour.table import prompt_table
from faultlens.auditing.interventions.cached_run import CachedRun
from faultlens.auditing.result import PromptOutcome
from faultlens.cli.run import Findings, write_run
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.load import load_model
from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.runs.claim import claimed
from faultlens.runs.folder import Manifest

EXACT = 2e-4  # nats: the same sums, in another order


@pytest.fixture(scope="module")
def lens() -> Lens:
    return fl.load("mini")


@pytest.fixture(scope="module")
def model(lens: Lens) -> Model:
    return lens.model


def ragged(vocabulary: int, seed: int) -> list[list[int]]:
    """Rows of very different lengths, BOS first, no end of text within."""
    rng = np.random.default_rng(seed)
    lengths = [2, 15, 7, 7, 1, 21, 11, 3, 18, 5]
    return [[0, *rng.integers(1, vocabulary, length).tolist()] for length in lengths]


def one_by_one(model: Model, rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Hugging Face's own greedy decoding of each row by itself: nothing padded, nothing masked."""
    found = []
    for row in rows:
        out = model.network.generate(
            torch.tensor([row]),
            attention_mask=torch.ones(1, len(row), dtype=torch.long),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            pad_token_id=model.bos_id,
        )
        ids = out[0, len(row) :].tolist()
        end = model.network.generation_config.eos_token_id
        found.append(ids[: ids.index(end)] if end in ids else ids)
    return found


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "gemma3_text"])
def test_ragged_prompts_decoded_together_are_as_each_by_itself(family: str, tmp_path: Path) -> None:
    model = load_model(str(save_family(family, tmp_path)))
    rows = ragged(model.vocabulary, 0)
    found = model.continuations(rows, NEW_TOKENS)
    expected = one_by_one(model, rows)
    assert found.ids == model.generate(rows, NEW_TOKENS) == expected
    assert len({tuple(ids) for ids in expected}) > 5  # else a mix-up of rows would not show
    last = torch.tensor([len(row) - 1 for row in rows])
    logits = model.logits(model.pad(rows), at=last)
    assert float((found.first_logits - logits).abs().max()) < EXACT


def test_mini_decodes_as_hugging_face_does(lens: Lens) -> None:
    model = lens.model
    task = fl.tasks.induction(n=70, seed=3)  # more than one batch
    tokens = tokenize(task, model)
    rows = tokens.rows
    assert len({len(row) for row in rows}) > 3
    some = rows[::7]
    assert model.generate(some, NEW_TOKENS) == one_by_one(model, some)
    told: list[int] = []
    outcomes = run_task(lens, task, tokens, exact_word, told.append)
    texts = [outcome.generated for outcome in outcomes]
    assert texts[::7] == [model.tokenizer.decode(ids) for ids in one_by_one(model, some)]
    assert sum(told) == 70


MANY = Task(
    "many",
    (
        Prompt("Mary gave the keys to", "the landlord", "the clerk"),
        Prompt("When Mary and Tom met at the park, Tom gave a book to", "Mary", "Tom"),
        Prompt("Mary gave the parcel to", "the clerk at the office", "the clerk"),
        Prompt("Mary gave the map to", "the clerk", "the clerk at the office"),
        Prompt("x = foo(bar[1", "])", ")]", separator=""),
        Prompt("Tom and Ann had the soup. Tom liked the", "soup"),
        Prompt("Mary gave the ball to", "Zbor", "Tom"),
    ),
)


def hugging_face(model: Model, ids: Sequence[int]) -> np.ndarray:
    with torch.no_grad():
        out: Any = model.network(input_ids=torch.tensor([list(ids)]))
    return np.asarray(out.logits[0, -1].double().numpy())


def score_by_hand(model: Model, prompt: Prompt) -> AnswerScore:
    """Token by token, each from a pass of its own over all that stands before it."""
    row = [model.bos_id, *model.ids(prompt.text)]
    answer = model.ids(prompt.separator + prompt.target)
    foil = [] if prompt.foil is None else model.ids(prompt.separator + prompt.foil)
    log_probability = 0.0
    for i, token in enumerate(answer):
        logits = hugging_face(model, [*row, *answer[:i]])
        log_probability += logits[token] - np.log(np.exp(logits - logits.max()).sum())
        log_probability -= logits.max()
    parting = 0
    compared = len(foil) > 0
    while compared and answer[parting] == foil[parting]:
        parting += 1
        if parting == min(len(answer), len(foil)):
            parting, compared = 0, False
    logits = hugging_face(model, [*row, *answer[:parting]])
    right = logits[answer[parting]]
    difference = float(right - logits[foil[parting]]) if compared else None
    return AnswerScore(
        difference, float(right - np.delete(logits, answer[parting]).max()), log_probability
    )


def test_answers_of_several_tokens_are_scored_as_a_plain_loop_scores_them(lens: Lens) -> None:
    tokens = tokenize(MANY, lens.model)
    outcomes = run_task(lens, MANY, tokens, first_token)
    in_one_pass = answer_scores(lens.model, tokens)
    for prompt, outcome, score in zip(MANY.prompts, outcomes, in_one_pass, strict=True):
        expected = score_by_hand(lens.model, prompt)
        assert outcome.target_log_probability is not None
        assert outcome.target_log_probability < 0
        for found in (
            score,
            AnswerScore(
                outcome.logit_difference,
                outcome.margin or math.nan,
                outcome.target_log_probability,
            ),
        ):
            assert found.margin == pytest.approx(expected.margin, abs=EXACT)
            assert found.log_probability == pytest.approx(expected.log_probability, abs=EXACT)
            if expected.difference is None:
                assert found.difference is None
            else:
                assert found.difference == pytest.approx(expected.difference, abs=EXACT)
    assert [o.logit_difference is None for o in outcomes] == [
        False, False, True, True, False, True, False,
    ]  # fmt: skip
    assert [outcome.prompt for outcome in outcomes] == [prompt.text for prompt in MANY.prompts]


def test_target_and_foil_are_compared_where_they_part(model: Model) -> None:
    tokens = tokenize(MANY, model)
    the = model.ids(" the")
    landlord, clerk = model.ids(" landlord"), model.ids(" clerk")
    assert tokens.scored[0] == [*tokens.rows[0], *the]
    assert (tokens.target[0], tokens.foil[0]) == (landlord[0], clerk[0])
    for i in (1, 2, 3, 5):  # one token each; or one begins with the other; or no foil
        assert tokens.scored[i] == tokens.rows[i]
    for i in (2, 3):
        assert (tokens.target[i], tokens.foil[i]) == (the[0], -1)
    assert tokens.last.tolist() == [len(row) - 1 for row in tokens.scored]
    assert tokens.foils_not_compared == 2


def test_what_is_known_of_tokens_alone_suffices(model: Model) -> None:
    rows = [[0, 5, 6], [0, 7]]
    bare = TaskTokens(rows, np.array([4, 5]), np.array([6, -1]))
    assert bare.scored == rows
    assert bare.last.tolist() == [2, 1]
    assert bare.whole_answers == [[4], [5]]
    score, other = answer_scores(model, bare)
    logits = hugging_face(model, rows[0])
    assert score.difference == pytest.approx(logits[4] - logits[6], abs=EXACT)
    assert other.difference is None


class PrefixSpace:
    """A tokenizer that puts a space before every text, as Llama's does; ids by first appearance."""

    bos_token_id = eos_token_id = 0

    def __init__(self) -> None:
        self.known: list[str] = ["<s>"]

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        pieces = re.findall(r"_?[^_]+|_", "_" + text.replace(" ", "_"))
        self.known += [piece for piece in dict.fromkeys(pieces) if piece not in self.known]
        return {"input_ids": [self.known.index(piece) for piece in pieces]}

    def decode(self, ids: list[int], clean_up_tokenization_spaces: bool = False) -> str:
        return "".join(self.known[i] for i in ids).replace("_", " ").removeprefix(" ")


def test_an_answer_is_split_as_it_follows_its_prompt(model: Model) -> None:
    spacing = replace(model, tokenizer=PrefixSpace(), start="bos")
    assert len(spacing.ids(" Tom")) == 2  # by itself; after a prompt it is one
    tokens = tokenize(Task("t", (Prompt("Ann met", "Tom", "Eva"),)), spacing, [0])
    assert list(tokens.answers) == [[spacing.ids("Tom")[0]]]
    assert list(tokens.foils) == [[spacing.ids("Eva")[0]]]
    # An answer that would be drawn into the prompt's last word leaves the prompt's tokens alone.
    joined = Prompt("he met the land", "lord", separator="")
    tokens = tokenize(Task("t", (joined,)), model)
    assert model.ids("he met the landlord") != [*tokens.rows[0][1:], *tokens.answers[0]]
    assert tokens.answers[0] == model.ids("lord")


def test_answers_of_several_tokens_are_reported(model: Model) -> None:
    spaced = Prompt("Mary met ", "Tom", "Anna")
    task = Task("many", (*MANY.prompts, spaced))
    tokens = tokenize(task, model)
    targets = sum(len(model.ids(p.separator + p.target)) > 1 for p in task.prompts)
    foils = sum(len(model.ids(p.separator + p.foil)) > 1 for p in task.prompts if p.foil)
    assert (tokens.targets_of_several_tokens, tokens.foils_of_several_tokens) == (targets, foils)
    assert token_warnings(task, tokens) == [
        f"{targets} of 8 targets and {foils} foils are several tokens of this model: margins and "
        "logit differences are those of the first token in which target and foil differ, after "
        "the tokens they share",
        "2 of 8 foils begin with their target's tokens or the target's with theirs: these pairs "
        "have no logit difference",
        "1 of 8 prompts end in white space, and a space follows before the answer: take it off the "
        'prompt, or give the separator ""',
    ]


def test_a_task_of_single_tokens_warns_of_nothing(model: Model) -> None:
    task = fl.tasks.mini_ioi(n=30)
    assert token_warnings(task, tokenize(task, model)) == []


def test_a_prompt_that_leaves_no_room_is_refused(model: Model) -> None:
    fits = model.context - 1 - NEW_TOKENS
    long = Task("long", (Prompt("Mary", "Tom"), Prompt(" Mary" * (fits + 1), "Tom")))
    with pytest.raises(UserError) as caught:
        tokenize(long, model)
    assert str(caught.value) == (
        "task long: prompt 2 has 249 tokens, and 8 more are decoded: expected at most 256 in all, "
        "the model's context; shorten the prompt"
    )
    (row,) = tokenize(Task("fits", (Prompt(" Mary" * fits, "Tom"),)), model).rows
    assert len(model.generate([row], NEW_TOKENS)[0]) <= NEW_TOKENS
    answer = Task("answer", (Prompt(" Mary" * fits, " ".join(["Tom"] * 9)),))
    with pytest.raises(UserError, match="prompt 1 has 248 tokens, and 9 more are decoded"):
        tokenize(answer, model)


def test_any_accepted_answer_is_a_success(lens: Lens) -> None:
    text = "When Mary and Tom met at the park, Tom gave a book to"
    prompts = (
        Prompt(text, "Anna", accepted=("Lucy", "Mary")),
        Prompt(text, "Anna", accepted=("Lucy",)),
        Prompt(text, "Mary"),
    )
    task = Task("several", prompts)
    outcomes = run_task(lens, task, tokenize(task, lens.model), exact_word)
    assert [outcome.success for outcome in outcomes] == [True, False, True]
    assert [outcome.target for outcome in outcomes] == ["Anna", "Anna", "Mary"]
    assert [outcome.answer for outcome in outcomes] == ["Mary", None, "Mary"]
    assert outcomes[0].answers == ["Anna", "Lucy", "Mary"]
    # The margin is of the strongest right answer; the probability stays the target's.
    assert outcomes[0].margin == pytest.approx(outcomes[2].margin, abs=EXACT)
    assert outcomes[1].margin < 0 < outcomes[0].margin
    assert outcomes[0].target_log_probability == pytest.approx(
        outcomes[1].target_log_probability, abs=EXACT
    )
    assert outcomes[0].target_log_probability < outcomes[2].target_log_probability - 1


# --- the table ----------------------------------------------------------------------------------

SOME = Task(
    "some",
    (
        Prompt("A gave it to", "Ann", "Bob", {"object": "the keys", "margin": "wide"}),
        Prompt("B gave it to", "Bob", None, {"object": "a book", "margin": "narrow"}),
    ),
)
OUTCOMES = [
    PromptOutcome("A gave it to", "Ann", " Eve.", True, "success", 1.5, 0.5, -0.25, ["Eve"], "Eve"),
    PromptOutcome("B gave it to", "Bob", None, False, "not recorded", None),
]


def test_the_table_holds_prompts_outcomes_and_factors(tmp_path: Path) -> None:
    table = prompt_table(SOME, OUTCOMES)
    assert table.columns.tolist() == [
        "prompt", "target", "foil", "generated", "answer", "success", "kind", "logit_difference",
        "margin", "target_log_probability", "before_answer", "repeated", "object",
        "factor margin",
    ]  # fmt: skip
    path = tmp_path / "prompts.parquet"
    table.to_parquet(path, index=False)
    first, second = pyarrow.parquet.read_table(path).to_pylist()
    assert first["foil"] == "Bob" and first["margin"] == 0.5 and first["factor margin"] == "wide"
    assert first["target_log_probability"] == -0.25
    missing = [name for name, value in second.items() if value is None]
    assert table["margin"].tolist()[1] is pd.NA  # in the frame too it is missing, and not NaN
    assert (first["target"], first["answer"]) == ("Ann", "Eve")
    assert missing == [
        "foil", "generated", "answer", "logit_difference", "margin", "target_log_probability",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="shorter"):
        prompt_table(SOME, OUTCOMES[:1])


def test_json_and_table_say_the_same_of_several_answers(tmp_path: Path, lens: Lens) -> None:
    """Whatever rule an audit is by, each rule fails the same prompts."""
    task = fl.tasks.agreement(n=120)
    failures = {}
    for rule in ("exact-word", "named-later"):
        audit = fl.audit(
            lens, task, rule=rule, fit_check=False, permutations=99, baselines=False,
            test_classes=0, test_attributed=0,
        )  # fmt: skip
        failures[rule] = {name: audit.scoring[name].failures for name in RULES}
    assert failures["exact-word"] == failures["named-later"]
    assert failures["exact-word"]["exact-word"] > failures["exact-word"]["named-later"]
    assert failures["exact-word"]["named-later"] > failures["exact-word"]["contains"]
    written = tmp_path / "run"
    with claimed(written, overwrite=False) as claim:
        write_run(claim, Manifest.begin({}), Findings(audit=audit, task=task))
    table = pyarrow.parquet.read_table(written / "tables" / "prompts.parquet").to_pylist()
    data = json.loads((written / "audit.json").read_text())
    for row, outcome, prompt in zip(table, data["outcomes"], task.prompts, strict=True):
        assert row["target"] == outcome["target"] == prompt.target
        assert {name: row[name] for name in row if name in outcome} == {
            name: outcome[name] for name in outcome if name != "accepted"
        }
        assert outcome["accepted"] == list(prompt.accepted)
        assert (outcome["answer"] in prompt.answers) == outcome["success"]
    others = [row["answer"] for row in table if row["answer"] not in (None, row["target"])]
    assert others, "else nothing is told of further answers"


def test_a_run_folder_holds_the_table(tmp_path: Path, lens: Lens) -> None:
    task = fl.tasks.mini_ioi(n=12)
    audit = fl.audit(lens, task, fit_check=False)
    with claimed(tmp_path / "run", overwrite=False) as claim:
        write_run(claim, Manifest.begin({}), Findings(audit=audit, task=task))
    path = tmp_path / "run" / "tables" / "prompts.parquet"
    table = pd.read_parquet(path)
    assert table["prompt"].tolist() == [prompt.text for prompt in task.prompts]
    assert table["order"].tolist() == task.factors["order"]
    assert table["foil"].tolist() == [prompt.foil for prompt in task.prompts]
    assert (table["target_log_probability"] < 0).all()
    assert table["success"].sum() == 12 - audit.failures
    assert pyarrow.parquet.read_schema(path).field("margin").type == "double"


def test_the_margin_is_of_whichever_right_answer_is_strongest(lens: Lens) -> None:
    model, task = lens.model, fl.tasks.agreement(n=40, seed=1)
    tokens = tokenize(task, model)
    assert any(prompt.accepted for prompt in task.prompts)
    outcomes = run_task(lens, task, tokens, exact_word)
    margin = CachedRun.of(model, tokens, np.arange(40), Site(3, "resid_pre")).untouched.margin
    another = 0
    for i, prompt in enumerate(task.prompts):
        row = torch.tensor([tokens.rows[i]])
        logits = model.network(row).logits[0, -1]
        ids = [model.ids(prompt.separator + answer)[0] for answer in prompt.answers]
        others = [token for token in range(len(logits)) if token not in ids]
        expected = float(logits[ids].max() - logits[others].max())
        assert margin[i] == pytest.approx(expected, abs=1e-4)
        assert outcomes[i].margin == pytest.approx(expected, abs=1e-4)
        assert (margin[i] > 0) == (int(logits.argmax()) in ids)
        another += int(logits[ids].argmax()) != 0
    assert another > 5, "an accepted answer is often stronger than the target"


def test_an_accepted_answer_counts_where_the_target_is_scored(lens: Lens) -> None:
    """After what target and foil share; not where it parts before, or goes on as the foil does."""
    prompt = Prompt(
        "Mary gave the keys to", "the landlord", "the clerk",
        accepted=("the tenant", "the clerk here", "Tom"),
    )  # fmt: skip
    tokens = tokenize(Task("one", (prompt,)), lens.model)
    target, foil, tenant = (
        lens.model.ids(f" the {word}")[1] for word in ("landlord", "clerk", "tenant")
    )
    assert len({target, foil, tenant}) == 3
    assert tokens.right(np.array([0])).tolist() == [[target, tenant]]
