"""Recorded outcomes: answers that are there, decided by what they say or by a rule."""

from __future__ import annotations

from faultlens.auditing.behaviour.kinds import kind_of
from faultlens.auditing.behaviour.outcomes import (
    GIVEN,
    RULES,
    LogitRule,
    Rule,
    check_targets,
    resolve_rule,
    right_answer,
)
from faultlens.auditing.result import PromptOutcome
from faultlens.corpus.answers import Answers
from faultlens.errors import UserError


def recorded_outcomes(answers: Answers, rule: str | Rule | None) -> tuple[str, list[PromptOutcome]]:
    """The outcomes of answers that are there, and the name of the rule that decided them.

    Args:
        answers: prompts with what was generated, perhaps with their outcomes.
        rule: what counts as success; None: what the answers say, else the task's own rule, else
            `exact-word`.

    Raises:
        UserError: an unknown rule, or one that asks for what was not recorded.
    """
    prompts = answers.task.prompts
    differences = answers.differences or (None,) * len(answers)
    given: list[str | None] = [None] * len(answers)
    if rule is None and answers.success is not None:
        name, right = GIVEN, [bool(success) for success in answers.success]
    else:
        name, decides = resolve_rule(answers.task.rule if rule is None else rule)
        if isinstance(decides, LogitRule):
            given = [
                prompt.target if decides.holds(_known(i, difference, decides), None) else None
                for i, (prompt, difference) in enumerate(zip(prompts, differences, strict=True))
            ]
        else:
            check_targets(answers.task, name)
            pairs = zip(prompts, _texts(answers, name), strict=True)
            given = [right_answer(prompt, text, decides) for prompt, text in pairs]
        right = [answer is not None for answer in given]
    kinds = answers.kinds or (None,) * len(answers)
    return name, [
        PromptOutcome(
            p.text, p.target, text, ok, (None if ok else kind) or kind_of(p, text, ok), difference,
            accepted=[*p.accepted], answer=answer,
        )
        for p, text, ok, kind, difference, answer in zip(
            prompts, answers.generated, right, kinds, differences, given, strict=True
        )
    ]  # fmt: skip


def _texts(answers: Answers, rule: str) -> list[str]:
    """All continuations. Raises UserError for one that was not recorded."""
    texts = [text for text in answers.generated if text is not None]
    if len(texts) < len(answers):
        place = answers.generated.index(None) + 1
        raise UserError(
            f"prompt {place} has no 'generated', which the rule {rule} needs: leave the rule out "
            "to take 'success' as it is"
        )
    return texts


def _known(index: int, difference: float | None, rule: LogitRule) -> float:
    """A recorded difference. Raises UserError where there is none for the rule to go by."""
    if difference is not None and rule.against_foil:
        return difference
    raise UserError(
        f"prompt {index + 1} has no {'logit difference' if rule.against_foil else 'margin'}, which "
        f"the rule {rule.name} needs: run the task on a model, or choose a rule of text "
        f"({', '.join(RULES)})"
    )
