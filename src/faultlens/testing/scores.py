"""Score: what the audit, and each rival, said of a planted set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultlens.auditing.config import AuditConfig
from faultlens.auditing.result import ClassReading
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.study import audit_answers
from faultlens.testing.planted_set import SITE, Planted
from faultlens.testing.rivals import RIVALS

PERMUTATIONS = 1_000
PROCEDURE = 2
"""Raised with every change of what an audit says of a planted set: scores of an older procedure are
measured anew, what rivals said is kept."""


@dataclass(frozen=True)
class Score:
    """What was said of one planted set."""

    any_found: bool
    """Whether any class is significant."""
    found: bool
    """Whether a planted feature is in a class that is significant, or found within strata only."""
    all_found: bool
    """Whether every planted feature is."""
    first: bool
    """Whether a planted feature leads the most certain class, copies of levels passed over."""
    first_by_rank: bool
    """Whether a planted feature is ranked first of all features, found or not, as rivals rank:
    copies of levels passed over."""
    one_class: bool
    """Whether the planted features make up one class, and nothing else is in it."""
    verdict: str | None
    """Of the planted feature's class; null where it has none."""
    adds: bool
    """Whether it is said to add beyond the factors, without a reservation."""
    within_only: bool
    """Whether it is said to go with failure among prompts alike in some factors only, which a
    collider brings about as well as a cause."""
    rivals_found: dict[str, bool | None] = field(default_factory=dict)
    """By rival, whether it finds a planted feature, or any where none is planted; null: it only
    ranks."""
    rivals_first: dict[str, bool] = field(default_factory=dict)
    """By rival, whether it puts a planted feature first, copies of levels passed over."""
    procedure: int = PROCEDURE
    """By which it was measured."""


def score(
    planted: Planted,
    permutations: int = PERMUTATIONS,
    before: Mapping[str, Any] | None = None,
) -> Score:
    """Audit a planted set, and say how right the audit and its rivals are.

    Args:
        planted: the set.
        permutations: behind the audit's tests.
        before: the score of the same set by an older procedure, whose rivals are taken over; None:
            rivals are run.
    """
    audit = audit_answers(
        planted.answers,
        {SITE: planted.table},
        config=AuditConfig.of(permutations=permutations, baselines=False),
    )
    names = {f"{SITE}/{column}" for column in planted.features}
    left_out = {f"{SITE}/{column}" for column in planted.copies}
    listed = [c for _, c in audit.classes if c.p_deciding <= audit.alpha or c.p_suppressed]
    own = [c for c in listed if names & set(c.features)]
    ranked = [c for c in listed if not set(c.features) & left_out]
    reading = own[0] if own else None
    covered = {name for c in own for name in c.features}
    rivals_found, rivals_first = (
        _rivals(planted) if before is None else (before["rivals_found"], before["rivals_first"])
    )
    return Score(
        any_found=bool(listed),
        found=bool(own),
        all_found=bool(names) and names <= covered,
        first=bool(ranked) and bool(names & set(ranked[0].features)),
        first_by_rank=_first_by_rank(audit, planted),
        one_class=len(own) == 1 and set(own[0].features) == names,
        verdict=None if reading is None else reading.verdict.label,
        adds=reading is not None and _adds(reading),
        within_only=reading is not None and reading.p_suppressed is not None,
        rivals_found=rivals_found,
        rivals_first=rivals_first,
    )


def _first_by_rank(audit: Audit, planted: Planted) -> bool:
    columns = audit.features
    if columns is None or not len(columns["feature"]):
        return False
    ranked = columns["feature"][np.argsort(columns["rank"])]
    first = next((f for f in ranked.tolist() if f not in planted.copies), None)
    return first in planted.features


def _adds(reading: ClassReading) -> bool:
    sentence = reading.verdict.sentence
    return "adds beyond" in sentence and "not shown to add" not in sentence


def _rivals(planted: Planted) -> tuple[dict[str, bool | None], dict[str, bool]]:
    values, failed = planted.table.matrix, planted.failed
    found: dict[str, bool | None] = {}
    first: dict[str, bool] = {}
    for name, procedure in RIVALS.items():
        ranking = procedure(values, failed)
        first[name] = ranking.first(planted.copies) in planted.features
        if ranking.found is None:
            found[name] = None
        elif planted.features:
            found[name] = bool(ranking.found[list(planted.features)].any())
        else:
            found[name] = bool(ranking.found.any())
    return found, first
