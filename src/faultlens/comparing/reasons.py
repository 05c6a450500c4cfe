"""Reasons: why two audits give a class other verdicts, by the evidence that differs."""

from __future__ import annotations

import pyarrow.parquet as pq

from faultlens.auditing.result import ClassReading, Effect, Intervention
from faultlens.comparing.run import StudiedRun
from faultlens.feature_name import taken_apart
from faultlens.numbers import interval, number, p_value, signed
from faultlens.runs.folder import written_file

FEATURES = "tables/features.parquet"


def changed_verdict(
    first: StudiedRun, reading: ClassReading, second: StudiedRun, other: ClassReading
) -> list[str]:
    """What in the evidence for two classes differs where their verdicts do; a sentence each.

    Empty where the verdicts are the same. In the order in which an audit weighs it: whether the
    class goes with the outcome, what it fires with, what it says within strata, what editing it
    does.
    """
    if reading.verdict.label == other.verdict.label:
        return []
    found = [
        sentence
        for step in (_significance, _level, _within_strata, _edited)
        for sentence in step(first, reading, second, other)
    ]
    return found or [
        f"none of the tests that decide differs in its outcome; {first.named} says: "
        f"{reading.verdict.sentence}; {second.named} says: {other.verdict.sentence}"
    ]


def found_in_one(
    here: StudiedRun,
    reading: ClassReading,
    there: StudiedRun,
    nearest: str | None,
    jaccard: float | None,
) -> list[str]:
    """What is known in the other run of a class that it does not have; a sentence each."""
    if not there.audited.sites:
        return [f"{there.named} read no dictionary"]
    if nearest is None:
        return [f"no feature of {there.named} is known to fire with it"]
    p = _tested_p(there, nearest)
    alike = "" if jaccard is None else f" (Jaccard index of firing {number(jaccard)})"
    if p is None:
        return [
            f"the nearest feature of {there.named} is {nearest}{alike}, of which it tells no test: "
            f"features are tested that fire on {there.audited.min_support} of its prompts or more"
        ]
    return [
        f"the nearest feature of {there.named} is {nearest}{alike}: adjusted p {p_value(p)} there, "
        f"{p_value(reading.p_deciding)} in {here.named}"
    ]


def _tested_p(run: StudiedRun, feature: str) -> float | None:
    """The adjusted p that decides on a feature; None if the run keeps no test of it."""
    path = written_file(run.folder, FEATURES)
    name, index = taken_apart(feature)
    if path is None:
        return None
    table = pq.read_table(path, filters=[("site", "=", name), ("feature", "=", index)])
    found: list[float] = table.column("p_deciding").to_pylist()
    return found[0] if found else None


def _significance(
    first: StudiedRun, reading: ClassReading, second: StudiedRun, other: ClassReading
) -> list[str]:
    here, there = (
        reading.p_deciding <= first.audited.alpha,
        other.p_deciding <= second.audited.alpha,
    )
    if here == there:
        return []
    return [
        f"it goes with the outcome beyond chance in {(first if here else second).named} only: "
        f"adjusted p {p_value(reading.p_deciding)} in {first.named} (fires on "
        f"{reading.fail_active} failures, {reading.success_active} successes), "
        f"{p_value(other.p_deciding)} in {second.named} ({other.fail_active}, "
        f"{other.success_active})"
    ]


def _level(
    first: StudiedRun, reading: ClassReading, second: StudiedRun, other: ClassReading
) -> list[str]:
    if reading.verdict.level == other.verdict.level:
        return []
    told = [
        f"{one.proxy.factor} = {one.proxy.level} in {run.named} (Jaccard index "
        f"{number(one.proxy.jaccard)})"
        if one.proxy is not None
        else f"no level of a factor in {run.named}"
        for run, one in ((first, reading), (second, other))
    ]
    return [f"it fires most with {told[0]}, and with {told[1]}"]


def _within_strata(
    first: StudiedRun, reading: ClassReading, second: StudiedRun, other: ClassReading
) -> list[str]:
    both = ((first, reading, first.audited), (second, other, second.audited))
    says = [
        one.p_conditional is not None and one.p_conditional <= audit.alpha for _, one, audit in both
    ]
    if says[0] == says[1]:
        return []
    told = [
        f"in {run.named} "
        + (
            "that was not tested"
            if one.p_conditional is None
            else f"p {p_value(one.p_conditional)}"
        )
        for run, one, _ in both
    ]
    only = (first if says[0] else second).named
    return [f"it says more than the factors in {only} only: within strata, {' and '.join(told)}"]


def _edited(
    first: StudiedRun, reading: ClassReading, second: StudiedRun, other: ClassReading
) -> list[str]:
    before, after = reading.intervention, other.intervention
    if before is None and after is None:
        return []
    if before is None or after is None:
        done, lacking = (second, first) if before is None else (first, second)
        one = other if before is not None else reading
        why = next(
            (
                lacking.audited.not_tested[f]
                for f in one.features
                if f in lacking.audited.not_tested
            ),
            "",
        )
        because = f": {why}" if why else ""
        return [f"it was edited in {done.named} and not in {lacking.named}{because}"]
    found = []
    for claim in ("necessity", "sufficiency"):
        effects = _effect(before, claim), _effect(after, claim)
        if (effects[0] is not None and effects[0].shown) != (
            effects[1] is not None and effects[1].shown
        ):
            found.append(
                f"{claim} is {_shown(effects[0])} in {first.named} and {_shown(effects[1])} in "
                f"{second.named}"
            )
    return found


def _effect(done: Intervention, claim: str) -> Effect | None:
    return next((effect for effect in done.effects if effect.claim == claim), None)


def _shown(effect: Effect | None) -> str:
    """Whether an effect is shown, with its size."""
    if effect is None:
        return "not tested"
    p = "" if effect.p_holm is None else f", p {p_value(effect.p_holm)}"
    size = f"{signed(effect.adjusted)} nats {interval(effect.low, effect.high)}{p}"
    return f"{'shown' if effect.shown else 'not shown'} ({size} on {effect.prompts} prompts)"
