"""Claims: what other prompts say of the claim that the leading class goes with failure."""

from __future__ import annotations

from faultlens.auditing.result import Claim, ClassReading, HalfReading, Robustness, StableClass
from faultlens.numbers import interval, number

OTHER_SEEDS = "replication on prompts from other seeds"
OTHER_HALF = "replication in the other half of the prompts"
NOT_DONE = "not done"


def replication_claims(
    claim: str, leading: ClassReading, robustness: Robustness | None
) -> list[Claim]:
    """Whether a claim about the leading class, a significant class, holds on other prompts.

    - *Other seeds*: passed where the leading class, or the one that matches it, is significant
      with the same sign on at least four fifths of the seeds, whatever the verdict there. Whether
      the verdict holds is said beside it: on how many seeds it is the first one's.
    - *Other half*: passed where the class, discovered in one half, has a 95 % interval of Cohen's d
      in the other that excludes 0 on the same side.
    """
    return [
        Claim(claim, OTHER_SEEDS, *_seeds(leading.features, robustness)),
        Claim(claim, OTHER_HALF, *_half(leading.features[0], robustness)),
    ]


def _seeds(features: list[str], robustness: Robustness | None) -> tuple[str, str]:
    """Outcome and detail of the claim on other seeds."""
    if robustness is None or robustness.needed is None:
        reason = None if robustness is None else robustness.reason
        return NOT_DONE, reason or "no prompts from other seeds were run"
    mine = next((c for c in robustness.classes if c.features == features), None)
    if mine is None:
        return NOT_DONE, "it is not among the classes that were followed over the seeds"
    passed = mine.replicated >= robustness.needed
    return "passed" if passed else "failed", _found_again(mine, robustness.needed)


def _found_again(mine: StableClass, needed: int) -> str:
    seeds = len(mine.verdicts)
    return (
        f"significant with the same sign on {mine.replicated} of {seeds} seeds, {needed} are "
        f"needed; the first one's verdict, {mine.verdict}, on {mine.same}"
    )


def _half(name: str, robustness: Robustness | None) -> tuple[str, str]:
    """Outcome and detail of the claim on the other half."""
    if robustness is None:
        return NOT_DONE, "the prompts were not halved"
    mine = next((half for half in robustness.halves if name in half.features), None)
    if mine is None:
        return NOT_DONE, "half of the prompts is too little to discover its class"
    again = mine.replication
    if again is None:
        return NOT_DONE, "Cohen's d is not defined in the other half"
    excludes = again.low > 0 if _towards_failure(mine) else again.high < 0
    return (
        "passed" if excludes else "failed",
        f"d = {number(again.value)} {interval(again.low, again.high)} there, "
        f"{_discovered(mine)} where it was discovered",
    )


def _towards_failure(half: HalfReading) -> bool:
    return half.discovery is None or half.discovery > 0


def _discovered(half: HalfReading) -> str:
    return "infinite" if half.discovery is None else number(half.discovery)
