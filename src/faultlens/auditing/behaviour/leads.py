"""Leads: where in a chat model's reply the answer comes, after "The answer is", or at its start.

Target and foil are compared where the reply gives an answer. The words before it are put behind the
prompt, as what target and foil share is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from faultlens.auditing.activations.answer_tokens import AnswerTokens
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.models.model import Model

COMMON = 0.5  # share of the replies with an answer that one lead has, for it to stand in for others
NAMED = 2  # leads that a sentence shows
SHOWN = 40  # characters of a lead


def find_leads(task: Task, replies: Sequence[str], model: Model) -> list[str]:
    """By prompt, what its reply says before the first answer in it, right or wrong.

    A reply that gives no answer takes the lead of most others, if at least half of those that give
    one have it in common; else the start of the reply is where target and foil are compared. So is
    it where no tokens of the model read lead and answer as they stand.
    """
    found = [_lead(prompt, text) for prompt, text in zip(task.prompts, replies, strict=True)]
    counts = Counter(lead for lead in found if lead is not None)
    common, times = counts.most_common(1)[0] if counts else ("", 0)
    usual = common if times >= COMMON * sum(counts.values()) else ""
    answers = AnswerTokens(model)
    leads = [usual if lead is None else lead for lead in found]
    return [
        lead if lead and _readable(prompt, lead, model, answers) else ""
        for prompt, lead in zip(task.prompts, leads, strict=True)
    ]


def with_leads(task: Task, leads: Sequence[str]) -> Task:
    """The task, each prompt with what comes before its answer; itself where that is nothing."""
    if not any(leads):
        return task
    pairs = zip(task.prompts, leads, strict=True)
    return replace(task, prompts=tuple(replace(prompt, lead=lead) for prompt, lead in pairs))


def lead_notes(task: Task, replies: Sequence[str]) -> list[str]:
    """Where target and foil of a chat are compared, in a sentence; nothing of another task."""
    if not all(prompt.rendered for prompt in task.prompts):
        return []
    counts = Counter(prompt.lead for prompt in task.prompts)
    at_start, n = counts.pop("", 0), len(task)
    silent = sum(_lead(p, text) is None for p, text in zip(task.prompts, replies, strict=True))
    said = [f"after {_shown(lead)} in {times}" for lead, times in counts.most_common(NAMED)]
    rest = sum(counts.values()) - sum(times for _, times in counts.most_common(NAMED))
    if rest:
        said.append(f"after other words in {rest}")
    if at_start:
        said.append(f"at the start of the reply in {at_start}")
    note = f"of {n} prompts target and foil are compared {', '.join(said)}"
    if silent:
        note += f"; {silent} {'reply gives' if silent == 1 else 'replies give'} neither of them"
    return [note]


def _lead(prompt: Prompt, reply: str) -> str | None:
    """What stands before the first answer in a reply; None where there is none."""
    answers = [*prompt.answers, *([] if prompt.foil is None else [prompt.foil])]
    places = [at for answer in answers if (at := _place(answer, reply)) is not None]
    if not places:
        return None
    return reply[: min(places)].removeprefix(prompt.separator)


def _place(answer: str, reply: str) -> int | None:
    """Where an answer first stands in a reply, as words of its own where it is made of words."""
    begin = r"(?<!\w)" if re.match(r"\w", answer) else ""
    end = r"(?!\w)" if re.search(r"\w$", answer) else ""
    match = re.search(f"{begin}{re.escape(answer)}{end}", reply)
    return None if match is None else match.start()


def _readable(prompt: Prompt, lead: str, model: Model, answers: AnswerTokens) -> bool:
    """Whether tokens read as the lead with each answer behind it."""
    before = model.ids(prompt.text)
    try:
        for answer in (*prompt.answers, *([] if prompt.foil is None else [prompt.foil])):
            answers.of(prompt, before, lead + answer)
    except UserError:
        return False
    return True


def _shown(lead: str) -> str:
    return repr(lead if len(lead) <= SHOWN else f"…{lead[-SHOWN:]}")
