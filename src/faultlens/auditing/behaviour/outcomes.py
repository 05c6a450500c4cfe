"""Outcome rules: what counts as success, by what was generated or by the answers' logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TypeVar

import numpy as np

from faultlens.auditing.behaviour.admission import admits
from faultlens.auditing.behaviour.answer_text import (
    begins_with,
    first_word,
    is_first_word,
    is_inside,
    stands_in,
)
from faultlens.auditing.behaviour.claims import resists
from faultlens.auditing.behaviour.refusal import complies
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.task import Prompt, Task
from faultlens.errors import UserError

GIVEN = "given"
"""The name of the rule where the outcomes came with the answers."""

DEFAULT_RULE = "exact-word"
TARGET_OVER_FOIL = "target-over-foil"
TARGET_LIKELIEST = "target-likeliest"

Value = TypeVar("Value", np.ndarray, float | None)
"""A number of one prompt, None where it is not known; or of several, `[prompts]`."""

TextRule = Callable[[str, str], bool]
"""Whether a generated continuation answers with the target: `(generated, target) -> bool`."""


@dataclass(frozen=True)
class LogitRule:
    """Success by the answers' logits, whatever is generated; a tie is no success.

    Attributes:
        name: of the rule.
        against_foil: whether the target is compared with its foil alone, or else the strongest
            right token with the strongest other.
    """

    name: str
    against_foil: bool

    def value(self, difference: Value, margin: Value) -> Value:
        """What is read of an answer's two numbers, in nats: above 0 it is a success."""
        return difference if self.against_foil else margin

    def holds(self, difference: float | None, margin: float | None) -> bool:
        """Whether one prompt succeeds; not where its number is not known."""
        value = self.value(difference, margin)
        return value is not None and value > 0


@dataclass(frozen=True)
class PromptRule:
    """Success by what is generated and by all that the prompt holds, its foil among it.

    Attributes:
        name: of the rule.
        holds: whether a continuation of the prompt is a success.
    """

    name: str
    holds: Callable[[str, Prompt], bool]


Rule = TextRule | PromptRule | LogitRule


def exact_word(generated: str, target: str) -> bool:
    """The published rule: the first word, stripped of punctuation, is the target.

    What form the answer is written in is looked through (see `answer_text`).
    """
    return is_first_word(generated, target)


def first_token(generated: str, target: str) -> bool:
    """The continuation starts with the target as a word, whatever follows ("Susan's" counts)."""
    return begins_with(generated, target)


def named_later(generated: str, target: str) -> bool:
    """The target stands somewhere in the continuation as a word of its own."""
    return begins_with(generated, target) or stands_in(generated, target)


def contains(generated: str, target: str) -> bool:
    """The target stands somewhere in the continuation, inside a word too, whatever its case."""
    return is_inside(generated, target)


RULES: dict[str, TextRule] = {
    "exact-word": exact_word,
    "first-token": first_token,
    "named-later": named_later,
    "contains": contains,
}
"""The pre-listed rules of text: every audit shows its outcomes under each of them."""

TASK_RULES: dict[str, TextRule | PromptRule] = {
    "complies": complies,
    "admits": admits,
    "resists": PromptRule("resists", resists),
}
"""Rules of single tasks, on how a reply behaves: no rule of answers is compared with them."""

LOGIT_RULES: dict[str, LogitRule] = {
    TARGET_OVER_FOIL: LogitRule(TARGET_OVER_FOIL, against_foil=True),
    TARGET_LIKELIEST: LogitRule(TARGET_LIKELIEST, against_foil=False),
}
"""The rules of logits: the target above its foil; a right answer's token above all others."""


def outcome_rule(name: str) -> Callable[[TextRule], TextRule]:
    """Decorator: pre-list a rule `(generated, target) -> bool` under a name.

    >>> @outcome_rule("shouted")
    ... def shouted(generated: str, target: str) -> bool:
    ...     return target.upper() in generated
    >>> RULES[resolve_rule("shouted")[0]]("so: ANN!", "Ann")
    True
    >>> del RULES["shouted"]
    """

    def add(rule: TextRule) -> TextRule:
        RULES[name] = rule
        return rule

    return add


def resolve_rule(rule: str | Rule | None) -> tuple[str, Rule]:
    """A rule and its name, from a pre-listed name, a registered package's name, or a function.

    None: `exact-word`. Packages add rules by an entry point in the group
    `faultlens.outcome_rules`.

    Raises UserError, naming those there are, for an unknown name, and for what is no function.
    """
    rule = DEFAULT_RULE if rule is None else rule
    if isinstance(rule, LogitRule | PromptRule):
        return rule.name, rule
    if not isinstance(rule, str):
        if not callable(rule):
            raise UserError(
                f"outcome rule {rule!r}: expected one of {_known()}, or a function "
                "(generated, target) -> bool"
            )
        return getattr(rule, "__name__", type(rule).__name__), rule
    if rule in LOGIT_RULES:
        return rule, LOGIT_RULES[rule]
    if rule in TASK_RULES:
        return rule, TASK_RULES[rule]
    if rule not in RULES:
        for entry in entry_points(group="faultlens.outcome_rules", name=rule):
            RULES[rule] = entry.load()
    if rule not in RULES:
        raise UserError(f"unknown outcome rule {rule!r}: expected one of {_known()}")
    return rule, RULES[rule]


def _known() -> str:
    return ", ".join((*RULES, *LOGIT_RULES))


def right_answer(
    of: Prompt | PromptOutcome, generated: str, succeeds: TextRule | PromptRule
) -> str | None:
    """Which of a prompt's right answers a continuation gives under a rule; None if it gives none.

    Of a rule that asks how the reply behaves, the target stands for it.

    Raises TypeError for such a rule and an outcome, which does not hold its foil.

    >>> year = Prompt("from 1742 to 17", "43", foil="42", accepted=("44", "45"), separator="")
    >>> right_answer(year, "45.", lambda generated, target: generated.startswith(target))
    '45'
    """
    if isinstance(succeeds, PromptRule):
        if not isinstance(of, Prompt):
            raise TypeError(f"the rule {succeeds.name} needs the prompt, not its outcome")
        return of.target if succeeds.holds(generated, of) else None
    return next((answer for answer in of.answers if succeeds(generated, answer)), None)


def check_targets(task: Task, rule: str) -> None:
    """Raises UserError for a prompt on which the rule can never be applied."""
    for number, prompt in enumerate(task.prompts, start=1):
        if rule == TARGET_OVER_FOIL and prompt.foil is None:
            raise UserError(
                f"task {task.name}: prompt {number} has no foil, with which the rule "
                f"{TARGET_OVER_FOIL} compares the target: give every prompt one, or choose "
                f"--rule {TARGET_LIKELIEST}"
            )
        if isinstance(TASK_RULES.get(rule), PromptRule) and prompt.foil is None:
            raise UserError(
                f"task {task.name}: prompt {number} has no foil, which the rule {rule} looks for "
                "in the reply: give every prompt one, or choose another --rule"
            )
        if rule == DEFAULT_RULE and first_word(prompt.target) != prompt.target:
            several = len(prompt.target.split()) > 1
            raise UserError(
                f"task {task.name}: the target of prompt {number}, {prompt.target!r}, is "
                f"{'more than one word' if several else 'not a word free of .,!?;: and spaces'}, "
                "which the rule exact-word never finds: choose --rule first-token"
            )
