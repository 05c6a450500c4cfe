"""Running a task: what the model generates after each prompt, and how sure it is."""

from __future__ import annotations

from faultlens.auditing.activations.task_tokens import NEW_TOKENS, TaskTokens, by_length
from faultlens.auditing.behaviour.answer_scores import AnswerScore, forced_scores, score
from faultlens.auditing.behaviour.outcomes import Rule, kind_of, right_answer
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Prompt, Task
from faultlens.features.lens import Lens
from faultlens.progress import Tick


def run_task(
    lens: Lens, task: Task, tokens: TaskTokens, succeeds: Rule, progress: Tick | None = None
) -> list[PromptOutcome]:
    """Decode every prompt greedily and score it by a rule `(generated, target) -> bool`.

    Prompts of similar length are decoded together; the first step's logits score the answer, so
    that only answers of several tokens are run once more.

    Returns:
        the outcomes in the order of the prompts. Where a prompt accepts several answers, `answer`
        is the one that was given, and `target` stays the prompt's own.
    """
    model, whole = lens.model, tokens.whole_answers
    texts: dict[int, str] = {}
    scores: dict[int, AnswerScore] = {}
    for batch in by_length(tokens.rows):
        found = model.continuations([tokens.rows[i] for i in batch], NEW_TOKENS)
        logits = found.first_logits.cpu().numpy()
        for place, i in enumerate(batch):
            texts[i] = model.tokenizer.decode(found.ids[place])
            if len(whole[i]) == 1:
                scores[i] = score(logits[place][None], whole[i], tokens, i)
        if progress is not None:
            progress(len(batch))
    scores |= forced_scores(model, tokens, [i for i, answer in enumerate(whole) if len(answer) > 1])
    return [
        _outcome(prompt, texts[i], succeeds, scores[i]) for i, prompt in enumerate(task.prompts)
    ]


def _outcome(prompt: Prompt, text: str, succeeds: Rule, score: AnswerScore) -> PromptOutcome:
    given = right_answer(prompt, text, succeeds)
    return PromptOutcome(
        prompt.text,
        prompt.target,
        text,
        given is not None,
        kind_of(prompt, text, given is not None),
        score.difference,
        score.margin,
        score.log_probability,
        [*prompt.accepted],
        given,
    )
