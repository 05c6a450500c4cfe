"""Replication: what other prompts say of the claim that the suspect goes with failure.

Other seeds are known only once all their audits are done, so these claims are set on an audit that
is there, and set anew when it learns more.
"""

from __future__ import annotations

from dataclasses import replace

from faultlens.auditing.result import Claim, HalfReading, Robustness, StableClass
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import interval, number

OTHER_SEEDS = "replication on prompts from other seeds"
OTHER_HALF = "replication in the other half of the prompts"
NOT_DONE = "not done"


def with_replication(audit: Audit) -> Audit:
    """The audit, its ledger brought up to date with `audit.robustness`.

    - *Other seeds*: passed where the suspect's class, or the one that matches it, is significant
      with the same sign on at least four fifths of the seeds, whatever the verdict there. Whether
      the verdict holds is told beside it: on how many seeds it is the first one's.
    - *Other half*: passed where the class, discovered in one half, has a 95 % interval of Cohen's d
      in the other that excludes 0 on the same side.

    An audit whose suspect does not go with failure beyond chance makes no such claim.
    """
    suspect = audit.suspect
    if not audit.claims or suspect is None or suspect.p_deciding > audit.alpha:
        return audit
    name = suspect.features[0]
    goes = f"{name} goes with failure"
    kept = [c for c in audit.claims if c.control not in (OTHER_SEEDS, OTHER_HALF)]
    place = max((i + 1 for i, c in enumerate(kept) if c.claim == goes), default=0)
    found = [
        Claim(goes, OTHER_SEEDS, *_seeds(suspect.features, audit.robustness)),
        Claim(goes, OTHER_HALF, *_half(name, audit.robustness)),
    ]
    return replace(audit, claims=[*kept[:place], *found, *kept[place:]])


def _seeds(features: list[str], robustness: Robustness | None) -> tuple[str, str]:
    """Outcome and detail of the claim on other seeds."""
    if robustness is None or not robustness.seeds:
        reason = None if robustness is None else robustness.reason
        return NOT_DONE, reason or "no prompts from other seeds were run"
    mine = next((c for c in robustness.classes if c.features == features), None)
    if mine is None:
        return NOT_DONE, "it is not among the classes that were followed over the seeds"
    if mine.replicated is None:
        return NOT_DONE, "on how many seeds it is significant was not counted"
    passed = mine.replicated >= robustness.needed
    return "passed" if passed else "failed", _found_again(mine, mine.replicated, robustness.needed)


def _found_again(mine: StableClass, replicated: int, needed: int) -> str:
    seeds = len(mine.verdicts)
    return (
        f"significant with the same sign on {replicated} of {seeds} seeds, {needed} are needed; "
        f"the first one's verdict, {mine.verdict}, on {mine.same}"
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
