"""Running a task: what the model generates after each prompt, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from faultlens.auditing.activations.generated import Generated
from faultlens.auditing.activations.task_tokens import TaskTokens, decoded_together, tokenize
from faultlens.auditing.behaviour.answer_scores import AnswerScore, forced_scores, score
from faultlens.auditing.behaviour.kinds import kind_of
from faultlens.auditing.behaviour.leads import find_leads, with_leads
from faultlens.auditing.behaviour.outcomes import LogitRule, Rule, right_answer
from faultlens.auditing.behaviour.repetition import repetition
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.features.lens import Lens
from faultlens.models.model import Model
from faultlens.progress import Tick


def run_task(
    lens: Lens,
    task: Task,
    tokens: TaskTokens,
    rule: Rule,
    progress: Tick | None = None,
    generated: Generated | None = None,
) -> list[PromptOutcome]:
    """Decode every prompt greedily and score it by a rule of text or of logits.

    Only answers of several tokens are run once more, to be scored: see `decode_and_score`.

    Args:
        generated: takes in what is generated, and the residuals on the way.

    Returns:
        the outcomes in the order of the prompts. Where a prompt accepts several answers, `answer`
        is the one that was given, and `target` stays the prompt's own.

    Raises:
        UserError: a pair of target and foil that a rule of logits cannot compare.
    """
    if isinstance(rule, LogitRule):
        _check_compared(task, tokens, rule)
    model = lens.model
    ids, scores = decode_and_score(model, tokens, generated, progress)
    texts = [said(model, ids[i], prompt) for i, prompt in enumerate(task.prompts)]
    leads = [""] * len(task)
    if all(prompt.rendered for prompt in task.prompts):
        leads = find_leads(task, texts, model)
    if any(leads):
        task = with_leads(task, leads)
        tokens = tokenize(task, model, tokens.start)
    later = [i for i, answer in enumerate(tokens.whole_answers) if len(answer) > 1]
    scores |= forced_scores(model, tokens, later)
    found = [_outcome(prompt, texts[i], rule, scores[i]) for i, prompt in enumerate(task.prompts)]
    return [replace(one, before_answer=lead) for one, lead in zip(found, leads, strict=True)]


def decode_and_score(
    model: Model,
    tokens: TaskTokens,
    generated: Generated | None = None,
    progress: Tick | None = None,
) -> tuple[list[list[int]], dict[int, AnswerScore]]:
    """Decode every prompt greedily, those of similar length together.

    Args:
        generated: takes in what is generated, and the residuals on the way.
        progress: told how many prompts are done.

    Returns:
        the ids after each prompt; and by prompt the scores of those answers that are one token,
        which the first step's logits give.
    """
    found: dict[int, list[int]] = {}
    scores: dict[int, AnswerScore] = {}
    whole = tokens.whole_answers
    generated = Generated(model, ()) if generated is None else generated
    for batch in decoded_together(tokens.rows, tokens.new_tokens, not model.pads_left):
        told = generated.continuations(batch, [tokens.rows[i] for i in batch], tokens.new_tokens)
        logits = told.first_logits.cpu().numpy()
        for place, i in enumerate(batch):
            found[i] = told.ids[place]
            if len(whole[i]) == 1:
                scores[i] = score(logits[place][None], whole[i], tokens, i)
        if progress is not None:
            progress(len(batch))
    return [found[i] for i in range(len(tokens.rows))], scores


def answered(model: Model, ids: Sequence[int], prompt: Prompt) -> str:
    """What generated tokens say, without what a chat's reply repeats of its prompt."""
    text = said(model, ids, prompt)
    return text[len(repetition(prompt, text)) :]


def said(model: Model, ids: Sequence[int], prompt: Prompt) -> str:
    """What generated tokens say; of a chat, up to the end of the turn."""
    if prompt.rendered:
        end = next((i for i, token in enumerate(ids) if token in model.special_ids), len(ids))
        ids = ids[:end]
    text: str = model.tokenizer.decode(ids)
    return text


def _check_compared(task: Task, tokens: TaskTokens, rule: LogitRule) -> None:
    for number, (prompt, foil) in enumerate(zip(task.prompts, tokens.foil, strict=True), start=1):
        if rule.against_foil and foil < 0:
            raise UserError(
                f"task {task.name}: of prompt {number}'s target {prompt.target!r} and foil "
                f"{prompt.foil!r} one begins with the other in this model's tokens, so the rule "
                f"{rule.name} cannot compare them: choose another foil, or another --rule"
            )


def _outcome(prompt: Prompt, text: str, rule: Rule, score: AnswerScore) -> PromptOutcome:
    given: str | None
    repeated = repetition(prompt, text)
    answer = text[len(repeated) :]
    if isinstance(rule, LogitRule):
        given = prompt.target if rule.holds(score.difference, score.margin) else None
    else:
        given = right_answer(prompt, answer, rule)
    return PromptOutcome(
        prompt.text,
        prompt.target,
        text,
        given is not None,
        kind_of(prompt, answer, given is not None),
        score.difference,
        score.margin,
        score.log_probability,
        [*prompt.accepted],
        given,
        repeated=repeated,
    )
