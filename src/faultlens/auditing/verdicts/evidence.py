"""Evidence: what the verdict on a class rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultlens.auditing.result import (
    BeyondClasses,
    Confounds,
    Intervention,
    OtherScoring,
    Proxy,
)


@dataclass(frozen=True)
class Evidence:
    """What the verdict on a class rests on; the numbers are those of its strongest member.

    Attributes:
        active: failures, and successes, on which it fires.
        p_deciding: twice the smaller adjusted p of min-P and max-T.
        least_p: the least unadjusted p that its support admits.
        tested: features in the family.
        alpha: the level.
        rate_difference: share of failures − share of successes on which it fires.
        cohens_d: of its activation; None where infinite.
        p_smaller: the smaller adjusted p of min-P and max-T; None: half of `p_deciding`.
        by_firing: whether min-P finds it; else its effect is one of strength.
        flagged_by: tests that describe and do not decide, by which it is significant.
        other_scoring: the same class under the other rules; None: not done.
        nearest: the level, or union of levels, that it fires with most; None without factors.
        followed: the level of a held factor that its activation goes with most; None without.
        confounds: what it says within strata; None: not done.
        p_conditional: strength or firing within strata, adjusted; None: not done.
        p_suppressed: the same adjusted for sharing alpha, of a class that is found within strata
            only; None: it is none.
        held: the factors that make the strata.
        unheld: factors that go with failure within the strata, too fine to be held as well.
        finest: the factors that make the finest strata; empty: no more can be held.
        intervention: what changing it did; None: not tested.
        with_failure: whether it goes with failure, not with success.
        beyond: what it says beyond the classes taken before it; None: not asked.
    """

    active: tuple[int, int]
    p_deciding: float
    least_p: float
    tested: int
    alpha: float
    rate_difference: float = 0.0
    cohens_d: float | None = None
    p_smaller: float | None = None
    by_firing: bool = True
    flagged_by: Sequence[str] = ()
    other_scoring: Sequence[OtherScoring] | None = None
    nearest: Proxy | None = None
    followed: Proxy | None = None
    confounds: Confounds | None = None
    p_conditional: float | None = None
    p_suppressed: float | None = None
    held: Sequence[str] = ()
    unheld: Sequence[str] = ()
    finest: Sequence[str] = ()
    intervention: Intervention | None = None
    with_failure: bool = True
    beyond: BeyondClasses | None = None
