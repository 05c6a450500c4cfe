"""What other prompts say of the leading class: stable over seeds, seen in the other half."""

from __future__ import annotations

from dataclasses import replace

import pytest

from faultlens.auditing.replication.claims import OTHER_HALF, OTHER_SEEDS, replication_claims
from faultlens.auditing.result import (
    Claim,
    ClassReading,
    HalfReading,
    Interval,
    Robustness,
    SeedReading,
    StableClass,
    Verdict,
)

FEATURES = ["8-res-jb/7", "8-res-jb/9"]
GOES = "8-res-jb/7 goes with failure"
CORRELATE = Verdict("CORRELATE", None, "")
READING = ClassReading(
    0, FEATURES, 2, 42, 3, 2.9, 0.84, 1e-9, 1e-7, 1e-4, 1e-4, 2e-4, None, None, None, CORRELATE
)
SEED = SeedReading(0, 300, 61, 4, FEATURES, CORRELATE)
HALF = HalfReading(["8-res-jb/9", "8-res-jb/7"], 2.4, Interval(1.9, 1.2, 2.6), 0.6, 0.5, 1e-5)


def stable(
    same: int, verdicts: list[str | None], is_stable: bool, replicated: int = 5
) -> Robustness:
    found = StableClass(FEATURES, verdicts, same, "CORRELATE", is_stable, replicated)
    other = StableClass(["8-res-jb/1"], ["PROXY"] * 5, 5, "PROXY", not is_stable, 1)
    return Robustness([SEED] * 5, [other, found], 4, [HALF], 0.8)


def claim(robustness: Robustness | None, control: str) -> Claim:
    found = replication_claims(GOES, READING, robustness)
    assert [c.control for c in found] == [OTHER_SEEDS, OTHER_HALF]
    (only,) = [c for c in found if c.control == control]
    assert only.claim == GOES
    return only


def test_a_leading_class_found_on_most_seeds_is_replicated_whatever_its_verdict_there() -> None:
    verdicts: list[str | None] = ["CORRELATE", "PROXY", "CAUSE", "PROXY", None]
    found = claim(stable(1, verdicts, False, 4), OTHER_SEEDS)
    assert found.outcome == "passed"
    assert found.detail == (
        "significant with the same sign on 4 of 5 seeds, 4 are needed; the first one's verdict, "
        "CORRELATE, on 1"
    )


def test_a_leading_class_found_on_few_seeds_is_not_though_its_verdict_were_stable() -> None:
    """A match with the other sign may have the same verdict: it replicates nothing."""
    found = claim(stable(5, ["CORRELATE"] * 5, True, 3), OTHER_SEEDS)
    assert found.outcome == "failed"
    assert found.detail == (
        "significant with the same sign on 3 of 5 seeds, 4 are needed; the first one's verdict, "
        "CORRELATE, on 5"
    )


def test_a_leading_class_that_was_not_followed_is_not_counted() -> None:
    others = replace(stable(5, ["CORRELATE"] * 5, True), classes=[])
    found = claim(others, OTHER_SEEDS)
    assert (found.outcome, found.detail) == (
        "not done",
        "it is not among the classes that were followed over the seeds",
    )


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
    robustness = Robustness(
        halves=[half], shrinkage=0.8, reason="no prompts from other seeds were run"
    )
    assert claim(robustness, OTHER_HALF) == Claim(GOES, OTHER_HALF, outcome, detail)
    seeds = claim(robustness, OTHER_SEEDS)
    assert (seeds.outcome, seeds.detail) == ("not done", "no prompts from other seeds were run")


def test_without_robustness_nothing_is_claimed_done() -> None:
    assert {claim(None, c).outcome for c in (OTHER_SEEDS, OTHER_HALF)} == {"not done"}
