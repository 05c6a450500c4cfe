"""Scores of inspect_ai: which scorer counts, and what its value says of success."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faultlens.corpus.logs.evaluation_log import one_of
from faultlens.corpus.logs.inspect_archive import RawSample
from faultlens.corpus.records import shown
from faultlens.errors import UserError

LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""inspect_ai's correct, partly correct, incorrect and no answer, as its own metrics count them."""
WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}

OF_THE_SCORER = ("grader_failed", "scoring_failed")
"""Reasons that lie with the scorer and not with the model."""
UNSCORED = "not scored (the score is NaN)"


@dataclass(frozen=True)
class Outcome:
    """What a score says of a sample.

    Attributes:
        success: whether it is right.
        kind: of a failure, what the score calls it; None: nothing.
        answer: what the scorer took for the answer; None: it does not say.
    """

    success: bool
    kind: str | None
    answer: str | None


def scorer_of(name: str, samples: Sequence[RawSample], chosen: str | None) -> str:
    """The scorer that counts: the one that is chosen, or the only one.

    One whose value has several parts is chosen with one of them, `SCORER:PART`.

    Raises UserError for a log without scores, and for a choice that is open or not there.
    """
    scores = [sample.get("scores") or {} for sample in samples]
    there: dict[str, None] = {}
    for found in scores:
        for scorer, score in found.items():
            value = score.get("value") if isinstance(score, dict) else None
            if isinstance(value, dict):
                there |= dict.fromkeys(f"{scorer}:{part}" for part in value)
            elif isinstance(value, list):
                there |= dict.fromkeys(f"{scorer}:{i}" for i in range(len(value)))
            else:
                there[scorer] = None
    if not there:
        raise UserError(
            f"{name} has no scores: expected an evaluation that was scored (inspect score does so)"
        )
    if len(there) > 1:  # one that could not score says so without its parts
        whole = [scorer for scorer in there if any(f"{scorer}:" in other for other in there)]
        there = {scorer: None for scorer in there if scorer not in whole}
    return one_of(name, "scorer", "--scorer", list(there), chosen)


def outcome_of(
    where: str, sample: RawSample, scorer: str, threshold: float | None
) -> Outcome | None:
    """What the scorer says of a sample; None: it could not score it.

    Raises UserError for a value that is no yes or no, and for a fraction without a threshold.
    """
    whole, _, part = scorer.partition(":")
    scores = sample.get("scores") or {}
    score = scores.get(scorer, scores.get(whole))
    if not isinstance(score, dict):
        return None
    value = _part(score.get("value"), part if scorer not in scores else "")
    number = _number(where, scorer, value)
    if math.isnan(number):
        return None
    if threshold is None and number not in (0.0, 1.0) and value != "P":
        raise UserError(
            f"{where}: scorer {scorer} gives {shown(value)}, which is neither right nor wrong: say "
            "from which score on an answer is right, with --threshold"
        )
    success = number >= (1.0 if threshold is None else threshold)
    answer = score.get("answer")
    return Outcome(
        success,
        None if success else _kind(value, _reason(score)),
        answer if isinstance(answer, str) else None,
    )


def _part(value: Any, part: str) -> Any:
    if part and isinstance(value, dict):
        return value.get(part)
    if part and isinstance(value, list):
        place = int(part) if part.isascii() and part.isdigit() else len(value)
        return value[place] if place < len(value) else None
    return value


def _number(where: str, scorer: str, value: Any) -> float:
    """A score as a number; NaN where there is none."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        if value in LETTERS:
            return LETTERS[value]
        if value.strip().lower() in WORDS:
            return WORDS[value.strip().lower()]
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, bool | int | float):
        return float(value)
    raise UserError(
        f"{where}: scorer {scorer} gives {shown(value)}, expected C, I, P or N, a number, or true "
        "or false"
    )


def _reason(score: dict[str, Any]) -> str | None:
    """The reason of an abnormal score; logs before it was a field have it in the metadata."""
    reason = score.get("reason") or (score.get("metadata") or {}).get("unscored_reason")
    return reason if isinstance(reason, str) else None


def _kind(value: Any, reason: str | None) -> str | None:
    if reason is None:
        return (
            {"P": "partly right", "N": "no answer"}.get(value) if isinstance(value, str) else None
        )
    words = reason.replace("_", " ")
    return f"failure of the scorer: {words}" if reason in OF_THE_SCORER else words
