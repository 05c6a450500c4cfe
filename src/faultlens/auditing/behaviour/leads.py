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
from faultlens.auditing.behaviour.repetition import repetition
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError
from faultlens.models.model import Model

COMMON = 0.5  # share of the replies with an answer that one lead has, for it to stand in for others
NAMED = 2  # leads that a sentence shows
SHOWN = 40  # characters of a lead


def find_leads(task: Task, replies: Sequence[str], model: Model) -> list[str]:
    """By prompt, what its reply says before the first answer in it, right or wrong.

    What a reply repeats of its prompt is no answer, whatever it names. A reply that repeats it to
    the end of the message and goes on without an answer is compared there. Any other that gives no
    answer takes the lead of most others, if at least half of those that give one have it in common;
    else the start of the reply is where target and foil are compared. So is it where no tokens of
    the model read lead and answer as they stand.
    """
    found = [_lead(prompt, text) for prompt, text in zip(task.prompts, replies, strict=True)]
    counts = Counter(
        lead
        for prompt, text, lead in zip(task.prompts, replies, found, strict=True)
        if lead is not None and not repetition(prompt, text)
    )
    common, times = counts.most_common(1)[0] if counts else ("", 0)
    usual = common if times >= COMMON * sum(counts.values()) else ""
    answers = AnswerTokens(model)
    ends = tuple(model.tokenizer.convert_ids_to_tokens(sorted(model.special_ids)))
    leads = [
        (_after_repetition(prompt, text, ends) or usual) if lead is None else lead
        for prompt, text, lead in zip(task.prompts, replies, found, strict=True)
    ]
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
    """Where target and foil of a chat are compared, and where its answers stand.

    A sentence each; nothing of another task.
    """
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
    return [note, *_answer_notes(task, replies, silent)]


def _answer_notes(task: Task, replies: Sequence[str], silent: int) -> list[str]:
    """Where the right answers stand, and what follows where few replies name either."""
    n, begin, later, repeating = len(task), 0, 0, 0
    for prompt, reply in zip(task.prompts, replies, strict=True):
        repeated = repetition(prompt, reply)
        repeating += bool(repeated)
        places = [_place(answer, reply[len(repeated) :]) for answer in prompt.answers]
        known = [place for place in places if place is not None]
        first = bool(known) and not re.search(r"\w", reply[: len(repeated) + min(known)])
        begin += first
        later += bool(known) and not first
    found = []
    if later or repeating:
        note = (
            f"of {n} replies {begin} begin with a right answer, {later} give one after other words "
            f"and {n - begin - later} give none"
        )
        if repeating:
            note += f"; {repeating} repeat their prompt first, which is not read as an answer"
        found.append(note)
    if 2 * silent > n:
        found.append(
            f"most replies ({silent} of {n}) give neither target nor foil: their margins, and what "
            "is tested on them, say little about what the model answers; ask otherwise "
            "(--system, or messages of your own), or leave out --chat"
        )
    return found


def _lead(prompt: Prompt, reply: str) -> str | None:
    """What stands before the first answer in a reply; None where there is none."""
    repeated = len(repetition(prompt, reply))
    answers = [*prompt.answers, *([] if prompt.foil is None else [prompt.foil])]
    places = [at for answer in answers if (at := _place(answer, reply[repeated:])) is not None]
    if not places:
        return None
    return reply[: repeated + min(places)].removeprefix(prompt.separator)


def _after_repetition(prompt: Prompt, reply: str, ends: tuple[str, ...]) -> str:
    """What a reply repeats of its prompt, to the end of the message, before it goes on; else "".

    Args:
        ends: what may stand behind a message.
    """
    repeated = repetition(prompt, reply)
    if not repeated:
        return ""
    rest = reply[len(repeated) :]
    after = prompt.text.partition(re.sub(r"^\W+", "", repeated))[2].lstrip(" .…\"'")
    if not after.startswith(ends) or not re.search(r"\w", rest):
        return ""
    return repeated + rest[: len(rest) - len(rest.lstrip())]


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
