"""Step 1, continued: the same answers under every rule of scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faultlens.auditing.behaviour.outcomes import (
    DEFAULT_RULE,
    GIVEN,
    LOGIT_RULES,
    RULES,
    TASK_RULES,
    right_answer,
)
from faultlens.auditing.factors.levels import Level, level_members
from faultlens.auditing.result import PromptOutcome, RuleReading

LEAST_NAMED, MANY = 5, 0.1  # failures that name the answer, and their share of all prompts
CONTRADICTED = 0.1  # share of rows whose outcome is contradicted by what was generated


def failures_by_rule(outcomes: Sequence[PromptOutcome], rule: str) -> dict[str, np.ndarray]:
    """Which prompts fail under the audit's own rule, and under each other rule that can be applied.

    Under each rule of text a continuation is right if it gives any of the accepted answers.

    Beside the pre-listed rules of text stand those of logits, where every prompt has the number.

    Returns:
        by rule, the audit's own first; boolean `[prompts]`.
    """
    found = {rule: np.array([not outcome.success for outcome in outcomes])}
    texts = [outcome.generated for outcome in outcomes]
    for name, succeeds in RULES.items() if rule not in TASK_RULES else ():
        if name not in found and None not in texts:
            found[name] = np.array(
                [right_answer(o, o.said, succeeds) is None for o in outcomes], dtype=bool
            )
    for name, logits in LOGIT_RULES.items():
        values = [logits.value(o.logit_difference, o.margin) for o in outcomes]
        if name not in found and None not in values:
            found[name] = np.array([value is not None and value <= 0 for value in values])
    return found


def comparable(rule: str) -> tuple[str, ...]:
    """The rules under which a finding by this rule must not collapse, or it is one of scoring.

    Those of text, where the rule reads text or the outcomes came decided. A rule of logits asks
    another question than they do, so that nothing follows from their disagreement; and so does the
    rule of a single task.
    """
    return () if rule in LOGIT_RULES or rule in TASK_RULES else tuple(RULES)


def failures_over_foil(outcomes: Sequence[PromptOutcome]) -> int | None:
    """How many failures rank the target above the foil; None where one of them cannot say."""
    differences = [o.logit_difference for o in outcomes if not o.success]
    known = [difference for difference in differences if difference is not None]
    return sum(d > 0 for d in known) if known and len(known) == len(differences) else None


def scoring_warnings(by_rule: Mapping[str, np.ndarray], rule: str) -> list[str]:
    """What a reader should know of how the rule in force scores, a sentence each."""
    found, failed = [], by_rule[rule]
    n, failures = len(failed), int(failed.sum())
    if rule in RULES and "contains" in by_rule:
        named = int((failed & ~by_rule["contains"]).sum())
        if named >= LEAST_NAMED and named > MANY * n:
            found.append(
                f"{named} of {failures} failures by {rule} name a right answer somewhere in what "
                "was generated (the rule contains): read them before you trust the failures, and "
                "choose another --rule if they are right"
            )
    if rule == GIVEN and "contains" in by_rule:
        unnamed = int((~failed & by_rule["contains"]).sum())
        plain = int((failed & ~by_rule[DEFAULT_RULE]).sum())
        if unnamed + plain > CONTRADICTED * n:
            found.append(
                f"'success' contradicts 'generated' in {unnamed + plain} of {n} rows "
                f"({(unnamed + plain) / n:.0%}): {unnamed} successes name no right answer "
                f"anywhere, and {plain} failures answer with the target; see that the rows and "
                "columns belong together"
            )
    return found


def other_rules(by_rule: Mapping[str, np.ndarray], rule: str) -> dict[str, np.ndarray]:
    """The comparable rules, beside the audit's own, under which other prompts fail.

    Args:
        by_rule: which prompts fail under each rule, boolean `[prompts]`.
        rule: the audit's own.
    """
    return {
        name: failed
        for name, failed in by_rule.items()
        if name != rule and name in comparable(rule) and not (failed == by_rule[rule]).all()
    }


def scoring_table(
    by_rule: Mapping[str, np.ndarray], factors: Mapping[str, Sequence[str]]
) -> dict[str, RuleReading]:
    """Accuracy under every rule, and the failures at every level of every factor."""
    members = level_members(factors)
    return {rule: _reading(failed, members) for rule, failed in by_rule.items()}


def _reading(failed: np.ndarray, members: Mapping[Level, np.ndarray]) -> RuleReading:
    levels: dict[str, dict[str, int]] = {}
    for (factor, level), here in members.items():
        levels.setdefault(factor, {})[level] = int((failed & here).sum())
    failures = int(failed.sum())
    return RuleReading(failures, 1 - failures / len(failed), levels)
