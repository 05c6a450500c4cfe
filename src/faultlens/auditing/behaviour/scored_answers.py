"""Step 1 where the answers are there: scored by a rule, or taken as they were judged."""

from __future__ import annotations

from dataclasses import dataclass

from faultlens.auditing.behaviour.outcomes import (
    DEFAULT_RULE,
    GIVEN,
    Rule,
    check_targets,
    kind_of,
    resolve_rule,
    right_answer,
)
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError


@dataclass(frozen=True)
class ScoredAnswers:
    """The outcomes of answers, one a prompt, and the name of the rule that decided them."""

    rule: str
    outcomes: list[PromptOutcome]


def score_answers(answers: Answers, rule: str | Rule | None) -> ScoredAnswers:
    """Score answers that are there.

    Args:
        answers: prompts, and what was generated.
        rule: what counts as success; None: what the answers say, else `exact-word`.

    Raises:
        UserError: an unknown rule, or one without continuations to apply it to.
    """
    prompts = answers.task.prompts
    given: list[str | None] = [None] * len(answers)
    if rule is None and answers.success is not None:
        name, right = GIVEN, [bool(success) for success in answers.success]
    else:
        name, succeeds = resolve_rule(DEFAULT_RULE if rule is None else rule)
        if None in answers.generated:
            place = answers.generated.index(None) + 1
            raise UserError(
                f"prompt {place} has no 'generated', which the rule {name} needs: leave the rule "
                "out to take 'success' as it is"
            )
        check_targets(answers.task, name)
        pairs = zip(answers.generated, prompts, strict=True)
        given = [right_answer(prompt, text or "", succeeds) for text, prompt in pairs]
        right = [answer is not None for answer in given]
    outcomes = [
        PromptOutcome(
            p.text, p.target, text, ok, kind_of(p, text, ok), None,
            accepted=[*p.accepted], answer=answer,
        )
        for p, text, ok, answer in zip(prompts, answers.generated, right, given, strict=True)
    ]  # fmt: skip
    return ScoredAnswers(name, outcomes)
