"""Step 10: what may be said of a class, given the tests that ran; the first rule that holds wins.

A rule decides only if its tests ran. What was not tested is said to be not tested: it never counts
for or against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faultlens.auditing.feature_tests.confounds import NO_EFFECT, PROXY_JACCARD, adds_nothing
from faultlens.auditing.result import Confounds, Effect, Intervention, OtherScoring, Proxy
from faultlens.auditing.result.verdict import (
    ARTEFACT,
    CAUSE,
    CONTRIBUTES,
    CORRELATE,
    NOT_SIGNIFICANT,
    OF_A_TEST,
    OF_SCORING,
    PROXY,
    UNDERPOWERED,
    UNTESTABLE,
    Verdict,
    VerdictKind,
)

LEAST_OUTCOMES = 5  # failures, and successes, below which nothing can be said
HALVED = 0.5  # of an effect, under another rule of scoring
RESTORES = 0.5  # share of failures beyond the controls that a cause restores
RESTORES_LOW = 0.25  # lower bound of its 95 % interval


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
        p_conditional: max-T within strata, adjusted; None: not done.
        held: the factors that make the strata.
        intervention: what changing it did; None: not tested.
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
    held: Sequence[str] = ()
    intervention: Intervention | None = None


def of_audit(n: int, failures: int) -> Verdict | None:
    """The verdict on an audit that cannot be carried out; None if it can."""
    successes = n - failures
    if failures >= LEAST_OUTCOMES and successes >= LEAST_OUTCOMES:
        return None
    return Verdict(
        UNDERPOWERED,
        None,
        f"{failures} failures and {successes} successes, and at least {LEAST_OUTCOMES} of each are "
        "needed",
    )


def of_class(found: Evidence) -> tuple[Verdict, Proxy | None]:
    """The verdict on a class, by the table of verdicts, and the level it stands for, if any."""
    fires = f"fires on {found.active[0]} failures and {found.active[1]} successes"
    able = found.least_p <= found.alpha / max(found.tested, 1)
    if found.p_deciding > found.alpha:
        return _not_significant(found, fires, able), None
    fires += f" (adjusted p = {found.p_deciding:.2g})"
    artefact = scoring_artefact(found)
    if artefact:
        return Verdict(ARTEFACT, OF_SCORING, f"{fires}; {artefact}"), None
    proxy, why = proxy_of(found)
    done = found.intervention
    if done is not None and (shown := _shown(done)):
        kind: VerdictKind = CAUSE if is_cause(done) else CONTRIBUTES
        return Verdict(kind, None, f"{fires}; {shown}" + (f"; {why}" if why else "")), proxy
    effect = _effect(done)
    if proxy is not None:
        level = f"{proxy.factor} = {proxy.level}"
        return Verdict(PROXY, level, f"{fires}; {why}; {effect}"), proxy
    if found.confounds is not None and not found.confounds.informative:
        untestable = (
            f"constant, or with one outcome only, within every stratum of {by(found.held)}: "
            "whether it says more than they do cannot be known here"
        )
        return Verdict(UNTESTABLE, None, f"{fires}; {untestable}; {effect}"), None
    return Verdict(CORRELATE, None, f"{fires}; {beyond(found)}; {effect}"), None


def _not_significant(found: Evidence, fires: str, able: bool) -> Verdict:
    smaller = found.p_deciding / 2 if found.p_smaller is None else found.p_smaller
    if found.flagged_by and able and smaller > found.alpha:
        return Verdict(
            ARTEFACT,
            OF_A_TEST,
            f"{fires}; flagged by {' and '.join(found.flagged_by)}, but by neither deciding test "
            f"(adjusted p = {found.p_deciding:.2g}), which could have found it (least attainable "
            f"p = {found.least_p:.2g})",
        )
    if not able:
        return Verdict(
            UNDERPOWERED,
            None,
            f"{fires}; the least p its support admits is {found.least_p:.2g}, above {found.alpha} "
            f"/ {found.tested}",
        )
    return Verdict(NOT_SIGNIFICANT, None, f"{fires}; adjusted p = {found.p_deciding:.2g}")


def scoring_artefact(found: Evidence) -> str:
    """Why a significant class is an artefact of the scoring rule; empty if it is none.

    Under another pre-listed rule it is not significant, or its effect halves: the rate difference
    where firing decides, Cohen's d where only strength does.
    """
    for other in found.other_scoring or ():
        if other.p_deciding is None or other.rate_difference is None:
            continue  # too few failures or successes under that rule: it cannot decide
        if other.p_deciding > found.alpha:
            return (
                f"under the rule {other.rule} ({other.failures} failures) it is not significant "
                f"(adjusted p = {other.p_deciding:.2g})"
            )
        before, after, name = found.rate_difference, other.rate_difference, "rate difference"
        if not found.by_firing:
            if found.cohens_d is None or other.cohens_d is None:
                continue
            before, after, name = found.cohens_d, other.cohens_d, "d"
        if after * (1 if before >= 0 else -1) <= HALVED * abs(before):
            return (
                f"under the rule {other.rule} ({other.failures} failures) its {name} falls from "
                f"{before:+.2f} to {after:+.2f}"
            )
    return ""


def proxy_of(found: Evidence) -> tuple[Proxy | None, str]:
    """The level that a class stands for, and how that is known; (None, "") if it is no proxy."""
    nearest = found.nearest
    if nearest is not None and nearest.jaccard >= PROXY_JACCARD:
        return nearest, (
            f"it fires with {nearest.factor} = {nearest.level} (Jaccard {nearest.jaccard:.2f})"
        )
    within, followed = found.confounds, found.followed
    if followed is None or within is None or not adds_nothing(within):
        return None, ""
    effect = within.effect
    assert effect is not None
    return followed, (
        f"within {by(found.held)} less than {NO_EFFECT} SD is left of it: {effect.value:+.2f} SD "
        f"[{effect.low:+.2f}, {effect.high:+.2f}] over {within.failures_in_them} failures; it "
        f"is strongest with {followed.factor} = {followed.level} (Jaccard {followed.jaccard:.2f})"
    )


def beyond(found: Evidence) -> str:
    """Whether a correlate adds beyond the factors, in words."""
    if found.confounds is None or found.p_conditional is None:
        return "whether it adds beyond the factors is not tested"
    if not found.held:
        return "no factor goes with failure, so there is none that it could stand for"
    within, effect = found.confounds, found.confounds.effect
    size = (
        ""
        if effect is None
        else f", {effect.value:+.2f} SD [{effect.low:+.2f}, {effect.high:+.2f}]"
    )
    where = f"{within.failures_in_them} failures in {within.informative} informative strata"
    verb = "adds" if found.p_conditional <= found.alpha else "is not shown to add"
    return f"{verb} beyond {by(found.held)} (adjusted p = {found.p_conditional:.2g}{size}; {where})"


def by(factors: Sequence[str]) -> str:
    """Factors whose strata are meant: "object × template"."""
    return " × ".join(factors) or "all prompts"


def is_cause(done: Intervention) -> bool:
    """Both effects shown, and half of the failures restored beyond the controls."""
    need, enough = done.necessity, done.sufficiency
    return (
        need.shown
        and enough is not None
        and enough.shown
        and need.turned_share - need.control_turned_share >= RESTORES
        and need.turned_low >= RESTORES_LOW
    )


def _shown(done: Intervention) -> str:
    """What the effects that are shown do, in words; empty if none is."""
    words = []
    if done.necessity.shown:
        words.append(
            f"taking it away moves the answer by {_size(done.necessity)} and restores "
            f"{done.necessity.turned_share:.0%} of {done.necessity.able} failures (controls "
            f"{done.necessity.control_turned_share:.0%})"
        )
    enough = done.sufficiency
    if enough is not None and enough.shown:
        words.append(
            f"bringing it in moves the answer by {_size(enough)} and breaks "
            f"{enough.turned_share:.0%} of {enough.able} successes (controls "
            f"{enough.control_turned_share:.0%})"
        )
    return "; ".join(words)


def _size(effect: Effect) -> str:
    return (
        f"{effect.adjusted:+.2f} nats beyond its controls [{effect.low:.2f}, {effect.high:.2f}], "
        f"p = {_p(effect):.2g},"
    )


def _p(effect: Effect) -> float:
    return effect.p_value if effect.p_holm is None else effect.p_holm


def _effect(done: Intervention | None) -> str:
    if done is None:
        return "effect not tested"
    need, null = done.necessity, done.null
    size = f"{need.adjusted:+.2f} nats beyond its controls, p = {_p(need):.2g}"
    if null is None or not null.proven:
        return f"effect inconclusive ({size})"
    return (
        f"null proven ({need.adjusted:+.2f} nats [{need.low_90:+.2f}, {need.high_90:+.2f}] within "
        f"±{null.bound:.2f}; at most {null.restoration_high:.0%} restored, where patching the "
        f"whole value restores {null.assay_restored:.0%})"
    )
