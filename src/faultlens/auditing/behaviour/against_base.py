"""Against the base: which failures tuning brought, which it took away, and at which levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from faultlens.auditing.result import (
    BaseComparison,
    Interval,
    PairedOutcomes,
    PromptOutcome,
    TurnedPrompt,
)
from faultlens.stats.intervals import bootstrap_mean
from faultlens.stats.mcnemar import mcnemar_exact
from faultlens.stats.multiplicity import holm


@dataclass(frozen=True)
class BaseRun:
    """What the base did on the same prompts, scored by the same rule.

    Attributes:
        name: the base's.
        adapter: the folder of what the audited model was tuned by; None: it is a model of its own.
        outcomes: one a prompt.
    """

    name: str
    adapter: str | None
    outcomes: Sequence[PromptOutcome]


def compare_with_base(
    base: BaseRun,
    tuned: Sequence[PromptOutcome],
    levels: Mapping[str, Sequence[str]],
    *,
    seed: int,
) -> BaseComparison:
    """Pair the outcomes prompt by prompt.

    Args:
        base: the base's.
        tuned: the audited model's.
        levels: for each factor the level of every prompt, rare ones pooled.
        seed: of the bootstrap.
    """
    pairs = list(zip(base.outcomes, tuned, strict=True))
    before = np.array([not one.success for one, _ in pairs])
    after = np.array([not other.success for _, other in pairs])
    tested = {
        (factor, level): _paired(before, after, np.array(column) == level)
        for factor, column in levels.items()
        for level in dict.fromkeys(column)
    }
    adjusted = holm(np.array([found.p_mcnemar for found in tested.values()]))
    by_factor: dict[str, dict[str, PairedOutcomes]] = {}
    for (factor, level), p in zip(tested, adjusted, strict=True):
        found = replace(tested[factor, level], p_holm=float(p))
        by_factor.setdefault(factor, {})[level] = found
    return BaseComparison(
        base=base.name,
        adapter=base.adapter,
        all=_paired(before, after, np.ones(len(pairs), dtype=bool)),
        margin_change=_margin_change(base.outcomes, tuned, seed),
        levels=by_factor,
        turned=[
            TurnedPrompt(
                i, "success" if other.success else "failure", one.generated, other.generated
            )
            for i, (one, other) in enumerate(pairs)
            if one.success != other.success
        ],
    )


def _paired(before: np.ndarray, after: np.ndarray, here: np.ndarray) -> PairedOutcomes:
    new, gone = int((~before & after & here).sum()), int((before & ~after & here).sum())
    return PairedOutcomes(
        n=int(here.sum()),
        failures_base=int((before & here).sum()),
        failures_tuned=int((after & here).sum()),
        new=new,
        gone=gone,
        p_mcnemar=mcnemar_exact(new, gone),
    )


def _margin_change(
    base: Sequence[PromptOutcome], tuned: Sequence[PromptOutcome], seed: int
) -> Interval | None:
    margins = [(one.margin, other.margin) for one, other in zip(base, tuned, strict=True)]
    known = [(before, after) for before, after in margins if None not in (before, after)]
    if len(known) < len(margins) or len(known) < 2:
        return None
    change = np.array([after - before for before, after in known])  # type: ignore[operator]
    low, high = bootstrap_mean(change, np.random.default_rng(seed))
    return Interval(float(change.mean()), low, high)
