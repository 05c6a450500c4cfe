"""Step 1: what the model did. Every failure is classified before any feature is looked at."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import entry_points

from faultlens.auditing.result import SCORED_WRONG, PromptOutcome
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError

PUNCTUATION = ".,!?;:"
PRONOUNS = frozenset(
    (
        "i me my mine you your yours he him his she her hers it its we us our ours they them "
        "their theirs himself herself itself themselves myself yourself"
    ).split()
)
DETERMINERS = frozenset(["the", "a", "an", "this", "that", "these", "those"])
QUOTES = " \"'“”‘’"

KINDS = (
    "success",
    "names the foil",
    SCORED_WRONG,
    "another phrase of the prompt",
    "pronoun",
    "another noun phrase",
    "other word",
    "empty or degenerate",
    "not recorded",
)
GIVEN = "given"
"""The name of the rule where the outcomes came with the answers."""

DEFAULT_RULE = "exact-word"
Rule = Callable[[str, str], bool]
"""Whether a generated continuation answers with the target: `(generated, target) -> bool`."""


def first_word(generated: str) -> str:
    """The first word, stripped of `.,!?;:` on both sides; empty if there is none."""
    words = generated.split()
    return words[0].strip(PUNCTUATION) if words else ""


def exact_word(generated: str, target: str) -> bool:
    """The published rule: the first word, stripped of punctuation, equals the target."""
    return first_word(generated) == target


def first_token(generated: str, target: str) -> bool:
    """The continuation starts with the target as a word, whatever follows ("Susan's" counts)."""
    return re.match(rf"\s*{re.escape(target)}(?!\w)", generated) is not None


def named_later(generated: str, target: str) -> bool:
    """The target stands somewhere in the continuation as a word of its own."""
    return re.search(rf"(?<!\w){re.escape(target)}(?!\w)", generated) is not None


def contains(generated: str, target: str) -> bool:
    """The target stands somewhere in the continuation, inside a word too, whatever its case."""
    return target.casefold() in generated.casefold()


RULES: dict[str, Rule] = {
    "exact-word": exact_word,
    "first-token": first_token,
    "named-later": named_later,
    "contains": contains,
}
"""The pre-listed rules: every audit shows its outcomes under each of them."""


def outcome_rule(name: str) -> Callable[[Rule], Rule]:
    """Decorator: pre-list a rule `(generated, target) -> bool` under a name.

    >>> @outcome_rule("shouted")
    ... def shouted(generated: str, target: str) -> bool:
    ...     return target.upper() in generated
    >>> resolve_rule("shouted")[1]("so: ANN!", "Ann")
    True
    >>> del RULES["shouted"]
    """

    def add(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return add


def resolve_rule(rule: str | Rule) -> tuple[str, Rule]:
    """A rule and its name, from a pre-listed name, a registered package's name, or a function.

    Packages add rules by an entry point in the group `faultlens.outcome_rules`.

    Raises UserError, naming those there are, for an unknown name, and for what is no function.
    """
    if not isinstance(rule, str):
        if not callable(rule):
            raise UserError(
                f"outcome rule {rule!r}: expected one of {', '.join(RULES)}, or a function "
                "(generated, target) -> bool"
            )
        return getattr(rule, "__name__", type(rule).__name__), rule
    if rule not in RULES:
        for entry in entry_points(group="faultlens.outcome_rules", name=rule):
            RULES[rule] = entry.load()
    if rule not in RULES:
        raise UserError(f"unknown outcome rule {rule!r}: expected one of {', '.join(RULES)}")
    return rule, RULES[rule]


def right_answer(of: Prompt | PromptOutcome, generated: str, succeeds: Rule) -> str | None:
    """Which of a prompt's right answers a continuation gives under a rule; None if it gives none.

    >>> year = Prompt("from 1742 to 17", "43", foil="42", accepted=("44", "45"), separator="")
    >>> right_answer(year, "45.", lambda generated, target: generated.startswith(target))
    '45'
    """
    return next((answer for answer in of.answers if succeeds(generated, answer)), None)


def kind_of(prompt: Prompt, generated: str | None, success: bool) -> str:
    """The kind of an outcome, one of `KINDS`; of the failures the first that matches wins."""
    if success:
        return "success"
    if generated is None:
        return "not recorded"
    answer = generated.lstrip(QUOTES)
    if not first_word(answer) or not any(c.isalnum() for c in first_word(answer)):
        return "empty or degenerate"
    if prompt.foil is not None and first_token(answer, prompt.foil):
        return "names the foil"
    if right_answer(prompt, answer, first_token) is not None:
        return SCORED_WRONG
    words = [re.sub(r"['’]s$", "", w.strip(PUNCTUATION + QUOTES)).lower() for w in answer.split()]
    noun_phrase = words[0] in DETERMINERS
    phrase = " ".join(words[:2] if noun_phrase else words[:1])
    if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", prompt.text.lower()):
        return "another phrase of the prompt"
    if words[0] in PRONOUNS:
        return "pronoun"
    return "another noun phrase" if noun_phrase else "other word"


def check_targets(task: Task, rule: str) -> None:
    """Raises UserError for a target that the rule cannot find in any answer."""
    for number, prompt in enumerate(task.prompts, start=1):
        if rule == DEFAULT_RULE and first_word(prompt.target) != prompt.target:
            several = len(prompt.target.split()) > 1
            raise UserError(
                f"task {task.name}: the target of prompt {number}, {prompt.target!r}, is "
                f"{'more than one word' if several else 'not a word free of .,!?;: and spaces'}, "
                "which the rule exact-word never finds: choose --rule first-token"
            )
