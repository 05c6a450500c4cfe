"""What other prompts say of the suspect: stable over seeds, and seen again in the other half."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultlens.auditing.replication.agreement import OTHER_HALF, OTHER_SEEDS, with_replication
from faultlens.auditing.result import (
    Claim,
    ClassReading,
    HalfReading,
    Interval,
    Robustness,
    SeedReading,
    SiteAudit,
    StableClass,
)
from faultlens.auditing.result.audit import Audit

FEATURES = ["8-res-jb/7", "8-res-jb/9"]
GOES = "8-res-jb/7 goes with failure"
READING = ClassReading(
    0, FEATURES, 2, 42, 3, 2.9, 0.84, 1e-9, 1e-7, 1e-4, 1e-4, 2e-4, None, None, None, "CORRELATE",
    "",
)  # fmt: skip
SEED = SeedReading(0, 300, 61, 4, FEATURES, "CORRELATE")
HALF = HalfReading(["8-res-jb/9", "8-res-jb/7"], 2.4, Interval(1.9, 1.2, 2.6), 0.6, 0.5, 1e-5)
BEFORE = [Claim(GOES, "family", "passed", ""), Claim(GOES, "other rules of scoring", "passed", "")]
AFTER = [Claim("8-res-jb/7 matters for failure", "necessity", "failed", "")]


def audit(robustness: Robustness | None, reading: ClassReading = READING) -> Audit:
    site = SiteAudit(8, 100, 90, {}, {}, [reading])
    return Audit(
        task="t", n=300, failures=61, rule="exact-word", alpha=0.05, seed=0, permutations=99,
        min_support=5, verdict=None, outcome_kinds={}, scoring_sensitivity={}, factors={},
        sites={"8-res-jb": site}, claims=[*BEFORE, *AFTER], outcomes=[], robustness=robustness,
    )  # fmt: skip


def stable(
    same: int, verdicts: list[str | None], is_stable: bool, replicated: int | None = 5
) -> Robustness:
    found = StableClass(FEATURES, verdicts, same, "CORRELATE", is_stable, replicated)
    other = StableClass(["8-res-jb/1"], ["PROXY"] * 5, 5, "PROXY", not is_stable, 1)
    return Robustness([SEED] * 5, [other, found], 4, [HALF], 0.8, None)


def claim(found: Audit, control: str) -> Claim:
    (only,) = [c for c in found.claims if c.control == control]
    assert only.claim == GOES
    return only


def test_a_suspect_found_on_most_seeds_is_replicated_whatever_its_verdict_there() -> None:
    verdicts: list[str | None] = ["CORRELATE", "PROXY", "CAUSE", "PROXY", None]
    found = claim(with_replication(audit(stable(1, verdicts, False, 4))), OTHER_SEEDS)
    assert found.outcome == "passed"
    assert found.detail == (
        "significant with the same sign on 4 of 5 seeds, 4 are needed; the first one's verdict, "
        "CORRELATE, on 1"
    )


def test_a_suspect_found_on_few_seeds_is_not_though_its_verdict_were_stable() -> None:
    """A match with the other sign may have the same verdict: it replicates nothing."""
    found = claim(with_replication(audit(stable(5, ["CORRELATE"] * 5, True, 3))), OTHER_SEEDS)
    assert found.outcome == "failed"
    assert found.detail == (
        "significant with the same sign on 3 of 5 seeds, 4 are needed; the first one's verdict, "
        "CORRELATE, on 5"
    )
    older = claim(with_replication(audit(stable(5, ["CORRELATE"] * 5, True, None))), OTHER_SEEDS)
    assert older.outcome == "not done"


@pytest.mark.parametrize(
    ("half", "outcome", "detail"),
    [
        (HALF, "passed", "d = 1.9 [1.2, 2.6] there, 2.4 where it was discovered"),
        (
            replace(HALF, replication=Interval(0.4, -0.1, 0.9)),
            "failed",
            "d = 0.4 [−0.1, 0.9] there, 2.4 where it was discovered",
        ),
        (
            replace(HALF, replication=Interval(-1.0, -1.5, -0.5)),
            "failed",
            "d = −1 [−1.5, −0.5] there, 2.4 where it was discovered",
        ),
        (
            replace(HALF, discovery=-2.0, replication=Interval(-1.0, -1.5, -0.5)),
            "passed",
            "d = −1 [−1.5, −0.5] there, −2 where it was discovered",
        ),
        (
            replace(HALF, replication=None),
            "not done",
            "Cohen's d is not defined in the other half",
        ),
        (
            replace(HALF, features=["8-res-jb/1"]),
            "not done",
            "half of the prompts is too little to discover its class",
        ),
    ],
)
def test_the_other_half_must_show_the_effect_on_the_same_side(
    half: HalfReading, outcome: str, detail: str
) -> None:
    robustness = Robustness([], [], 0, [half], 0.8, "no prompts from other seeds were run")
    found = with_replication(audit(robustness))
    assert claim(found, OTHER_HALF) == Claim(GOES, OTHER_HALF, outcome, detail)
    seeds = claim(found, OTHER_SEEDS)
    assert (seeds.outcome, seeds.detail) == ("not done", "no prompts from other seeds were run")


def test_the_claims_stand_with_what_goes_with_failure_and_are_set_anew() -> None:
    first = with_replication(audit(Robustness([], [], 0, [HALF], 0.8, "none")))
    again = with_replication(replace(first, robustness=stable(5, ["CORRELATE"] * 5, True)))
    assert [c.control for c in again.claims] == [
        "family", "other rules of scoring", OTHER_SEEDS, OTHER_HALF, "necessity",
    ]  # fmt: skip
    assert claim(first, OTHER_SEEDS).outcome == "not done"
    assert claim(again, OTHER_SEEDS).outcome == "passed"
    assert with_replication(again) == again


def test_what_does_not_go_with_failure_is_not_asked_to_replicate() -> None:
    chance = audit(stable(5, ["CORRELATE"] * 5, True), replace(READING, p_deciding=0.06))
    assert with_replication(chance) == chance


def test_without_robustness_nothing_is_claimed_done() -> None:
    found = with_replication(audit(None))
    assert {claim(found, c).outcome for c in (OTHER_SEEDS, OTHER_HALF)} == {"not done"}
