"""Chat: what the model reads is what transformers' own `apply_chat_template` gives it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import faultlens as fl
from faultlens.auditing.activations.task_tokens import REPLY_TOKENS, tokenize
from faultlens.auditing.behaviour.chat import as_chat, chat_record
from faultlens.auditing.behaviour.chat_template import unasked_system_prompt
from faultlens.auditing.behaviour.generation import answered, run_task
from faultlens.auditing.behaviour.leads import find_leads, lead_notes, with_leads
from faultlens.auditing.behaviour.outcomes import exact_word
from faultlens.auditing.behaviour.repetition import repetition
from faultlens.auditing.behaviour.rule_sensitivity import failures_by_rule
from faultlens.auditing.config import ChatConfig
from faultlens.corpus.message import Message
from faultlens.corpus.task import NEXT_WORD, Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.checkpoints.tokenizer import load_tokenizer
from faultlens.models.load import LANGUAGE_MODEL
from faultlens.models.model import Model

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|system|>Be kind.<|end|>{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}"
    "{% if not loop.last or m['role'] != 'assistant' or not continue_final %}<|end|>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Puts in a system prompt of its own, and no BOS."""
WITH_BOS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<|{{ m['role'] }}|>{{ m['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Begins with BOS, and takes no system prompt."""
MARKS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]


def chatting(template: str | None) -> Model:
    """`mini` with a chat template, and turn markers whose embeddings are those of other tokens."""
    model = fl.load("mini", sae="none").model
    where = {"local_files_only": True}
    tokenizer = load_tokenizer("mini", str(LANGUAGE_MODEL), LANGUAGE_MODEL, where)
    tokenizer.add_special_tokens({"additional_special_tokens": MARKS})
    tokenizer.chat_template = template
    model.network.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        weight = model.network.get_input_embeddings().weight
        weight[-len(MARKS) :] = weight[:1]
    return replace(model, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def chatml() -> Model:
    return chatting(CHATML)


@pytest.fixture(scope="module")
def with_bos() -> Model:
    return chatting(WITH_BOS)


def a_task(**fields: Any) -> Task:
    prompts = [
        Prompt("Mary and Tom met. Tom gave a book to", "Mary", "Tom", {"object": "a book"}),
        Prompt(
            "Susan and Kevin met. Kevin gave the keys to", "Susan", "Kevin", {"object": "the keys"}
        ),
    ]
    return Task("two", tuple(replace(prompt, **fields) for prompt in prompts))


@pytest.mark.parametrize("model", ["chatml", "with_bos"])
def test_the_ids_are_those_of_apply_chat_template(
    model: str, request: pytest.FixtureRequest
) -> None:
    chat: Model = request.getfixturevalue(model)
    task = fl.tasks.ioi(n=6)
    read = tokenize(as_chat(task, chat, ChatConfig(chat=True)), chat)
    for prompt, row in zip(task.prompts, read.rows, strict=True):
        turns = [{"role": "user", "content": f"{NEXT_WORD}\n\n{prompt.text}"}]
        expected = chat.tokenizer.apply_chat_template(turns, add_generation_prompt=True)
        assert row == list(expected["input_ids"])
    bos = [row.count(chat.bos_id) for row in read.rows]
    assert bos == [1] * 6 if model == "with_bos" else bos == [0] * 6, "never twice"


def test_a_conversation_is_rendered_with_its_own_system_prompt_and_its_begun_answer(
    chatml: Model,
) -> None:
    talk = (Message("system", "Be brief."), Message("user", "Who?"), Message("assistant", "It is"))
    task = as_chat(a_task(messages=talk), chatml, ChatConfig())
    turns = [{"role": m.role, "content": m.content} for m in talk]
    expected = chatml.tokenizer.apply_chat_template(turns, continue_final_message=True)
    assert tokenize(task, chatml).rows[0] == list(expected["input_ids"])
    assert task.prompts[0].text == "<|system|>Be brief.<|end|><|user|>Who?<|end|><|assistant|>It is"
    assert task.prompts[0].separator == " ", "the answer goes on behind what was begun"
    assert task.notes == (
        "the prompts go through the chat template of model mini; system prompt in force: that of "
        "the task in 2 of 2 prompts",
    )


def test_the_system_prompt_in_force_is_named(chatml: Model, with_bos: Model) -> None:
    assert unasked_system_prompt(chatml) == "Be kind." and unasked_system_prompt(with_bos) is None
    begin = "the prompts go through the chat template of model mini; system prompt in force: "

    def said(model: Model, system: str | None = None) -> tuple[str, ...]:
        return as_chat(a_task(), model, ChatConfig(chat=True, system=system)).notes

    assert said(chatml) == (f"{begin}'Be kind.', which the template puts in unasked",)
    assert said(chatml, "Be brief.") == (f"{begin}'Be brief.', as given",)
    assert said(with_bos) == (f"{begin}none",)
    asked = as_chat(a_task(), chatml, ChatConfig(chat=True, system="Be brief."))
    assert asked.prompts[0].text.startswith("<|system|>Be brief.<|end|><|user|>Mary and Tom")
    record = chat_record(asked, chatml, ChatConfig(chat=True, system="Be brief."))
    assert record is not None
    assert (record["system"], record["system_of_template"]) == ("Be brief.", "Be kind.")


def test_a_template_that_writes_the_date_is_warned_of(chatml: Model) -> None:
    dated = chatting("{{ strftime_now('%Y') }}" + CHATML)
    notes = as_chat(a_task(), dated, ChatConfig(chat=True)).notes
    assert notes[-1] == (
        "the chat template of model mini puts today's date in: on another day the model reads "
        "other prompts"
    )


def test_a_task_in_chat_form_is_left_as_it_is_and_so_is_one_without_a_chat(chatml: Model) -> None:
    task = a_task()
    assert as_chat(task, chatml, ChatConfig()) is task
    chat = as_chat(task, chatml, ChatConfig(chat=True))
    assert as_chat(chat, chatml, ChatConfig(chat=True)) is chat
    assert chat_record(task, chatml, ChatConfig()) is None


def test_what_cannot_be_a_chat_is_refused(chatml: Model, with_bos: Model) -> None:
    def said(task: Task, model: Model, **asked: Any) -> str:
        with pytest.raises(UserError) as refused:
            as_chat(task, model, ChatConfig(**asked))
        return str(refused.value)

    assert said(a_task(), chatting(None), chat=True) == (
        "model mini has no chat template: leave out --chat, or give a chat model"
    )
    question = (Message("user", "Who?"),)
    for asked in (False, True):
        assert said(a_task(messages=question), chatting(None), chat=asked) == (
            "model mini has no chat template, and these prompts are conversations: give a chat "
            "model"
        )
    assert said(a_task(), chatml, system="x") == (
        "system (--system) goes with a chat: give --chat as well"
    )
    talk = (Message("system", "Be brief."), Message("user", "Who?"))
    assert said(a_task(messages=talk), chatml, system="x") == (
        "task two: prompt 1 has a system message of its own: leave out --system"
    )
    assert said(a_task(), with_bos, chat=True, system="x") == (
        "the chat template of model mini refuses a conversation (System role not supported): its "
        "roles are system, user"
    )
    mixed = Task("mixed", (a_task(messages=talk).prompts[0], a_task().prompts[1]))
    assert said(mixed, chatml) == (
        "task mixed: prompt 2 is plain text, and others are conversations: give --chat to make it "
        "a user's message"
    )
    assert said(a_task(), replace(chatml, split_special_tokens=True), chat=True) == (
        "special tokens cannot be read as plain text in a chat, whose turns they mark: leave out "
        "--special-tokens text"
    )


def test_target_and_foil_are_compared_where_the_reply_gives_an_answer(chatml: Model) -> None:
    task = as_chat(a_task(), chatml, ChatConfig(chat=True))
    replies = ["The book went to Tom.", "I cannot say"]
    leads = find_leads(task, replies, chatml)
    assert leads == ["The book went to ", "The book went to "], "the other one stands in"
    led = with_leads(task, leads)
    tokens = tokenize(led, chatml)
    words = [chatml.tokenizer.decode(row) for row in tokens.scored]
    assert words == [f"{prompt.text}The book went to" for prompt in led.prompts]
    assert chatml.pieces(tokens.target) == [" Mary", " Susan"]
    assert chatml.pieces(tokens.foil) == [" Tom", " Kevin"]
    assert tokens.targets_of_several_tokens == 0, "the words before an answer are not the answer"
    assert lead_notes(led, replies) == [
        "of 2 prompts target and foil are compared after 'The book went to ' in 2; 1 reply gives "
        "neither of them"
    ]
    alone = Task("no foil", tuple(replace(prompt, foil=None) for prompt in led.prompts))
    assert chatml.pieces(tokenize(alone, chatml).target) == [" Mary", " Susan"]


def test_what_a_reply_repeats_of_its_prompt_is_no_answer(chatml: Model) -> None:
    """SmolLM2 does so: the names in the sentence that it repeats were taken for its answers."""
    prompts = as_chat(fl.tasks.ioi(n=4), chatml, ChatConfig(chat=True)).prompts
    task = Task("four", prompts)
    sentences = [prompt.text.rpartition("\n\n")[2].partition("<|end|>")[0] for prompt in prompts]
    replies = [
        f"{sentences[0]} {prompts[0].target}.",
        f'"{sentences[1]} the landlord',
        " ".join(sentences[2].split()[:6]),
        str(prompts[3].foil),
    ]
    repeated = [repetition(prompt, text) for prompt, text in zip(prompts, replies, strict=True)]
    assert repeated == [sentences[0], f'"{sentences[1]}', replies[2], ""]
    plain = replace(prompts[0], rendered=False)
    assert repetition(plain, replies[0]) == "", "a text that goes on is asked for nothing else"
    leads = find_leads(task, replies, chatml)
    assert leads == [f"{sentences[0]} ", f'"{sentences[1]} ', "", ""]
    assert lead_notes(with_leads(task, leads), replies)[1:] == [
        "of 4 replies 0 begin with a right answer, 1 give one after other words and 3 give none; "
        "3 repeat their prompt first, which is not read as an answer"
    ]
    cut = f"{sentences[0].rpartition(',')[0]}, where it rained"
    assert find_leads(task, [cut, *replies[1:]], chatml)[0] == "", "no place for an answer"
    silent = ["no name"] * 3 + [replies[3]]
    assert lead_notes(task, silent)[1:] == [
        "most replies (3 of 4) give neither target nor foil: their margins, and what is tested on "
        "them, say little about what the model answers; ask otherwise (--system, or messages of "
        "your own), or leave out --chat"
    ]


def test_rules_of_text_read_what_comes_after_a_repetition(
    chatml: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = as_chat(a_task(), chatml, ChatConfig(chat=True))
    sentence = a_task().prompts[0].text
    reply = chatml.ids(f"{sentence} Mary")
    asked: list[int] = []

    def replying(self: Model, rows: Any, new_tokens: int, edits: Any = None) -> Any:
        asked.append(new_tokens)
        return replace(whole(self, rows, new_tokens), ids=[reply for _ in rows])

    whole = Model.continuations
    monkeypatch.setattr(Model, "continuations", replying)
    lens = Lens(chatml, (), sites=fl.load("mini", sae="none").sites)
    found = run_task(lens, task, tokenize(task, chatml), exact_word)
    assert set(asked) == {REPLY_TOKENS}, "room for a repetition and an answer"
    assert found[0].success and (found[0].repeated, found[0].said) == (sentence, " Mary")
    assert failures_by_rule(found, "exact-word")["first-token"].tolist()[0] is False
    assert answered(chatml, reply, task.prompts[0]) == " Mary", "as interventions decode"


def test_leads_that_differ_do_not_stand_in_for_each_other(chatml: Model) -> None:
    prompts = as_chat(fl.tasks.ioi(n=4), chatml, ChatConfig(chat=True)).prompts
    task = Task("four", prompts)
    replies = [f"To {prompts[0].foil}", prompts[1].target, "no name", f"It is {prompts[3].target}"]
    assert find_leads(task, replies, chatml) == ["To ", "", "", "It is "]
    led = with_leads(task, ["To ", "", "", "It is "])
    assert lead_notes(led, replies) == [
        "of 4 prompts target and foil are compared after 'To ' in 1, after 'It is ' in 1, at the "
        "start of the reply in 2; 1 reply gives neither of them",
        "of 4 replies 1 begin with a right answer, 1 give one after other words and 2 give none",
    ]


def test_scores_are_those_of_plain_transformers_at_that_place(
    chatml: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = as_chat(a_task(), chatml, ChatConfig(chat=True))
    reply = [*chatml.ids("The answer is Mary"), chatml.tokenizer.convert_tokens_to_ids("<|end|>")]
    whole = Model.continuations

    def replying(self: Model, rows: Any, new_tokens: int, edits: Any = None) -> Any:
        return replace(whole(self, rows, new_tokens), ids=[reply for _ in rows])

    monkeypatch.setattr(Model, "continuations", replying)
    lens = Lens(chatml, (), sites=fl.load("mini", sae="none").sites)
    found = run_task(lens, task, tokenize(task, chatml), exact_word)
    assert [one.generated for one in found] == ["The answer is Mary"] * 2, "the turn's end is cut"
    assert [one.success for one in found] == [True, False]
    assert [one.before_answer for one in found] == ["The answer is "] * 2
    for prompt, outcome in zip(task.prompts, found, strict=True):
        ids = chatml.ids(f"{prompt.text}The answer is")
        with torch.no_grad():
            logits = chatml.network(torch.tensor([ids])).logits[0, -1]
        right, wrong = (chatml.ids(f" {name}")[0] for name in (prompt.target, str(prompt.foil)))
        assert outcome.logit_difference == pytest.approx(
            float(logits[right] - logits[wrong]), abs=1e-4
        )
        assert outcome.target_log_probability == pytest.approx(
            float(torch.log_softmax(logits, 0)[right]), abs=1e-4
        )


def test_an_audit_of_a_chat_pools_no_turn_marker_and_says_how_it_was_read(chatml: Model) -> None:
    lens = Lens(chatml, (), sites=fl.load("mini", sae="none", layers=[2]).sites)
    audit = fl.audit(lens, fl.tasks.mini_ioi(n=24), chat=True, rule="target-over-foil", repeats=1)
    assert audit.warnings[0].endswith("'Be kind.', which the template puts in unasked")
    assert audit.warnings[1].startswith("of 24 prompts target and foil are compared ")
    left_out = next(w for w in audit.warnings if "special tokens were left out" in w)
    assert left_out == (
        "blocks.2.hook_resid_pre: 120 special tokens were left out "
        '("<|end|>" 48, "<|system|>" 24, "<|user|>" 24, "<|assistant|>" 24)'
    )
    assert audit.outcomes[0].prompt.startswith("<|system|>Be kind.<|end|><|user|>Which word comes")


@pytest.mark.parametrize("name", ["sycophancy", "unanswerable", "over_refusal"])
def test_tasks_of_behaviour_are_conversations_without_being_asked(name: str, chatml: Model) -> None:
    task = getattr(fl.tasks, name)(n=16)
    lens = Lens(chatml, (), sites=fl.load("mini", sae="none", layers=[2]).sites)
    audit = fl.audit(lens, task, baselines=False)
    assert (audit.rule, audit.n) == (task.rule, 16)
    assert audit.outcomes[0].prompt.endswith(f"{task.prompts[0].text}<|end|><|assistant|>")
    plain = fl.load("mini", sae="none", layers=[2])
    with pytest.raises(UserError, match="has no chat template"):
        fl.audit(plain, task, baselines=False)


def test_a_file_of_conversations(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]
    record = {"messages": talk, "target": "Ann", "foil": "Ben", "factors": {"n": 1}}
    path.write_text(json.dumps(record))
    (prompt,) = fl.read_task(path).prompts
    assert prompt.messages == (Message("system", "Be brief."), Message("user", "Who?"))
    assert prompt.text == "system: Be brief.\n\nuser: Who?" and prompt.factors == {"n": "1"}
    plain = replace(prompt, messages=())
    assert Task("a", (prompt,)).digest != Task("a", (plain,)).digest

    def said(**changed: Any) -> str:
        path.write_text(json.dumps({**record, **changed}))
        with pytest.raises(UserError) as refused:
            fl.read_task(path)
        return str(refused.value).removeprefix(f"{path} ")

    assert said(prompt="x") == "line 1 has both 'prompt' and 'messages': expected one of them"
    expected = 'expected a list of {"role": "user", "content": "…"}'
    assert said(messages=[]) == f"line 1: 'messages' is [], {expected}"
    assert said(messages=[{"role": "user"}]) == (
        f'line 1: message 1 is {{"role": "user"}}, {expected}'
    )
    assert said(messages=[{"role": "user", "content": " "}]) == (
        'line 1: message 1 has the content " ", expected a text that is not empty'
    )
    assert said(messages=[*talk, talk[0]]) == (
        'line 1: message 3 has the role "system", expected user or assistant, or system of the '
        "first message"
    )
    assert said(messages=talk[:1]) == f"line 1: 'messages' has no message of a user, {expected}"


@pytest.mark.parametrize("name", ["ioi", "mini_ioi", "classic_ioi", "induction", "agreement",
                                  "brackets", "greater_than"])  # fmt: skip
def test_every_built_in_task_has_a_chat_form(name: str, chatml: Model) -> None:
    task = getattr(fl.tasks, name)(n=3)
    assert task.instruction.startswith("Which ") and task.instruction.endswith(" alone.")
    chat = as_chat(task, chatml, ChatConfig(chat=True))
    for prompt, asked in zip(task.prompts, chat.prompts, strict=True):
        assert f"<|user|>{task.instruction}\n\n{prompt.text}<|end|><|assistant|>" in asked.text
        assert (asked.target, asked.foil, asked.factors) == (
            prompt.target, prompt.foil, prompt.factors
        )  # fmt: skip
    tokenize(chat, chatml)
