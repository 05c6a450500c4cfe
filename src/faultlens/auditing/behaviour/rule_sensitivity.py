"""Step 1, continued: the same answers under every rule of scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from faultlens.auditing.behaviour.outcomes import RULES, right_answer
from faultlens.auditing.factors.levels import Level, level_members
from faultlens.auditing.result import PromptOutcome, RuleReading

TARGET_OVER_FOIL = "target over foil"
TARGET_LIKELIEST = "target likeliest"


def failures_by_rule(outcomes: Sequence[PromptOutcome], rule: str) -> dict[str, np.ndarray]:
    """Which prompts fail under the audit's own rule, and under each other rule that can be applied.

    Under each rule of text a continuation is right if it gives any of the accepted answers.

    Beside the pre-listed rules of text stand, where every prompt has the number, two of logits: the
    target above the foil, and a right answer's token above all others.

    Returns:
        by rule, the audit's own first; boolean `[prompts]`.
    """
    found = {rule: np.array([not outcome.success for outcome in outcomes])}
    texts = [outcome.generated for outcome in outcomes]
    for name, succeeds in RULES.items():
        if name not in found and None not in texts:
            found[name] = np.array(
                [right_answer(o, o.generated or "", succeeds) is None for o in outcomes], dtype=bool
            )
    scores = {
        TARGET_OVER_FOIL: [outcome.logit_difference for outcome in outcomes],
        TARGET_LIKELIEST: [outcome.margin for outcome in outcomes],
    }
    for name, values in scores.items():
        if None not in values:
            found[name] = np.array([value is not None and value <= 0 for value in values])
    return found


def other_rules(by_rule: Mapping[str, np.ndarray], rule: str) -> dict[str, np.ndarray]:
    """The rules of text, beside the audit's own, under which other prompts fail.

    Args:
        by_rule: which prompts fail under each rule, boolean `[prompts]`.
        rule: the audit's own.
    """
    return {
        name: failed
        for name, failed in by_rule.items()
        if name != rule and name in RULES and not (failed == by_rule[rule]).all()
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
