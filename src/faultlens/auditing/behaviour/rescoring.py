"""Re-scoring: whether the model that reads a log's prompts gives the answers that the log holds.

The log decides which prompts fail. But only where the model, asked again, fails and succeeds on the
same prompts can something be learnt from intervening in it. An answer is scored again as the log's
was: a choice by target against foil, a continuation whose likelihood was asked for by whether it is
the likeliest, generated text by the rule that the user names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.activations.task_tokens import TaskTokens
from faultlens.auditing.behaviour.answer_scores import AnswerScore, forced_scores
from faultlens.auditing.behaviour.outcomes import (
    LOGIT_RULES,
    TARGET_LIKELIEST,
    TARGET_OVER_FOIL,
    LogitRule,
    Rule,
    right_answer,
)
from faultlens.auditing.interventions.decoding import generate
from faultlens.auditing.result import PromptOutcome, Rescoring
from faultlens.corpus.answers import Answers
from faultlens.models.model import Model
from faultlens.models.start_ids import shown

SAMPLE = 100  # failures, and as many successes, that are generated anew
NEEDED = 0.8  # of the failures and of the successes that have to come out as they did in the log
NATS, OF_VALUE = 0.1, 0.02  # within which two log-likelihoods are one model's, in other precision
NAME_RULE = "name the rule that the log's own scorer follows with --rule"
NO_RULE = f"the log's own scorer cannot be applied to newly generated answers: {NAME_RULE}"


@dataclass(frozen=True, eq=False)
class Rescored:
    """A log's answers, scored again.

    Attributes:
        tokens: of the prompts; right answers are compared with what the rule compares them with.
        rule: by which; None: none can be applied.
        scores: of every prompt.
        found: how far they agree with the log.
    """

    tokens: TaskTokens
    rule: Rule | None
    scores: Sequence[AnswerScore]
    found: Rescoring


def rescored(
    model: Model,
    answers: Answers,
    outcomes: Sequence[PromptOutcome],
    tokens: TaskTokens,
    rule: tuple[str, Rule] | None,
    seed: int,
) -> Rescored:
    """Score a log's answers again, and say how far that agrees with the log.

    Args:
        answers: whose prompts are as the model reads them.
        outcomes: the log's.
        tokens: of the prompts and their answers.
        rule: the one that decided the outcomes, with its name; None: the log did.
        seed: of the sample that is generated anew, where text is to be compared.
    """
    name, again, reason = _rule(answers, tokens, rule)
    if isinstance(again, LogitRule) and again.against_foil:
        tokens = replace(tokens, foil_alone=True)
    found = forced_scores(model, tokens, range(len(answers)))
    scores = [found[i] for i in range(len(answers))]
    failed = np.array([not outcome.success for outcome in outcomes])
    drawn = _drawn(failed, seed)
    texts: dict[int, str] = {}
    said = [i for i in drawn if answers.generated[i] is not None]
    of_text = again is not None and not isinstance(again, LogitRule)
    if of_text or answers.likelihoods is None:
        ids = generate(model, [tokens.rows[i] for i in said])
        decoded = (model.tokenizer.decode(row, skip_special_tokens=True) for row in ids)
        texts = dict(zip(said, decoded, strict=True))
    agreement = _same_model(
        answers, scores, texts, Rescoring(None, reason, shown(model, tokens.start))
    )
    if again is None:
        return Rescored(tokens, None, scores, agreement)
    right = _right(answers, again, scores, texts)
    agreement = _agreement(replace(agreement, rule=name), failed, right)
    hint = "" if rule is not None or not said else f"; {NAME_RULE}"
    reason = _too_different(agreement, hint)
    return Rescored(tokens, again, scores, replace(agreement, reason=reason))


def rescoring_warnings(found: Rescoring) -> list[str]:
    """What a reader should know of whether this model gave the log's answers, a sentence each."""
    said = []
    if found.equal < found.prompts:
        what = (
            "the log-likelihood of the target is the log's"
            if found.compared == "log-likelihood"
            else "the model, decoded greedily, begins as the log's text does"
        )
        said.append(
            f"on {found.equal} of {found.prompts} prompts ({found.equal / found.prompts:.0%}) "
            f"{what}: where it is not, the log is of another model or revision, or of another chat "
            "template, BOS, number format or sampling"
        )
    if found.rule is not None:
        again, of = found.failures_again + found.successes_again, found.failures + found.successes
        if again < of:
            said.append(f"scored again by {found.rule}, {_counts(found)}")
    return said


def _rule(
    answers: Answers, tokens: TaskTokens, rule: tuple[str, Rule] | None
) -> tuple[str | None, Rule | None, str | None]:
    """The rule by which answers can be scored as the log scored them; or why there is none."""
    if rule is not None:
        name, again = rule
    elif (tokens.foil >= 0).all():
        name, again = TARGET_OVER_FOIL, LOGIT_RULES[TARGET_OVER_FOIL]
    elif all(text is None for text in answers.generated):
        name, again = TARGET_LIKELIEST, LOGIT_RULES[TARGET_LIKELIEST]
    else:
        return None, None, NO_RULE
    if isinstance(again, LogitRule) and again.against_foil and not (tokens.foil >= 0).all():
        place = int((tokens.foil < 0).argmax()) + 1
        return None, None, f"prompt {place} has no foil that its target could be compared with"
    return name, again, None


def _drawn(failed: np.ndarray, seed: int) -> list[int]:
    """Failures and successes, at most `SAMPLE` of each, in their order."""
    rng = np.random.default_rng(seed)
    parts = [np.flatnonzero(failed), np.flatnonzero(~failed)]
    kept = [rng.choice(part, min(SAMPLE, len(part)), replace=False) for part in parts]
    return sorted(np.concatenate(kept).tolist())


def _same_model(
    answers: Answers, scores: Sequence[AnswerScore], texts: dict[int, str], found: Rescoring
) -> Rescoring:
    """Compare what the log recorded of its model: likelihoods, else what was generated."""
    if answers.likelihoods is not None:
        pairs = [
            (recorded, score.log_probability)
            for recorded, score in zip(answers.likelihoods, scores, strict=True)
            if recorded is not None
        ]
        equal = sum(abs(a - b) <= NATS + OF_VALUE * abs(a) for a, b in pairs)
        return replace(found, compared="log-likelihood", prompts=len(pairs), equal=equal)
    if not texts:
        return found
    equal = sum(_begin_alike(answers.generated[i] or "", text) for i, text in texts.items())
    return replace(found, compared="text", prompts=len(texts), equal=equal)


def _begin_alike(recorded: str, decoded: str) -> bool:
    """Whether one text begins with the other: both were cut off, at places of their own."""
    one, other = recorded.strip(), decoded.strip()
    if not one or not other:
        return one == other
    return one.startswith(other) or other.startswith(one)


def _right(
    answers: Answers, rule: Rule, scores: Sequence[AnswerScore], texts: dict[int, str]
) -> dict[int, bool]:
    """By prompt that was scored again, whether it succeeds."""
    if isinstance(rule, LogitRule):
        return {i: rule.holds(s.difference, s.margin) for i, s in enumerate(scores)}
    prompts = answers.task.prompts
    return {i: right_answer(prompts[i], text, rule) is not None for i, text in texts.items()}


def _agreement(found: Rescoring, failed: np.ndarray, right: dict[int, bool]) -> Rescoring:
    """The same with how many failures fail again, and successes succeed."""
    return replace(
        found,
        failures=sum(bool(failed[i]) for i in right),
        failures_again=sum(bool(failed[i]) and not ok for i, ok in right.items()),
        successes=sum(not failed[i] for i in right),
        successes_again=sum(not failed[i] and ok for i, ok in right.items()),
    )


def _too_different(found: Rescoring, hint: str) -> str | None:
    """Why the model's answers are too different from the log's; None if they are not."""
    pairs = (found.failures_again, found.failures), (found.successes_again, found.successes)
    if all(again >= NEEDED * of for again, of in pairs):
        return None
    return (
        f"scored again by {found.rule}, {_counts(found)}; {NEEDED:.0%} of both are needed, or it "
        f"is not the log's failures that interventions would test{hint}"
    )


def _counts(found: Rescoring) -> str:
    return (
        f"{found.failures_again} of the log's {found.failures} failures fail and "
        f"{found.successes_again} of its {found.successes} successes succeed"
    )
