"""Whether a class goes with failure, or only with the rule that scores it."""

from __future__ import annotations

from faultlens.auditing.result import OtherScoring
from faultlens.auditing.verdicts.evidence import Evidence
from faultlens.numbers import interval, p_value, signed

DISPUTED = 0.2  # of alpha: up to five rules share it
HALVED = 0.5  # of an effect, under another rule of scoring


def scoring_artefact(found: Evidence) -> str:
    """Why a significant class is an artefact of the scoring rule; empty if it is none.

    Under another pre-listed rule its effect is at most half as large, and the interval of it there
    excludes the size that it would have if the rules disagreed at random; or the failures on which
    the rules disagree carry it: it goes with them beyond those on which they agree, and with these
    half as much at most. The effect is the rate difference where firing decides, Cohen's d where
    only strength does. That it is not significant under a rule by which few prompts fail says
    nothing: 26 to 55 % of the causes planted in 150 and 300 prompts were called artefacts by it.
    """
    for other in found.other_scoring or ():
        why = _collapses(found, other) or _disputed(found, other)
        if why:
            return f"under the rule {other.rule} ({other.failures} failures) {why}"
    return ""


def _collapses(found: Evidence, other: OtherScoring) -> str:
    if other.p_deciding is None or other.overlap is None:
        return ""  # too few failures or successes under that rule: it cannot decide
    before, after, name = found.rate_difference, other.rate_interval, "rate difference"
    if not found.by_firing:
        if found.cohens_d is None:
            return ""
        before, after, name = found.cohens_d, other.d_interval, "d"
    if after is None or not _halved(before, after.value):
        return ""
    if after.low <= other.overlap * before <= after.high:
        return ""
    return (
        f"its {name} falls from {signed(before)} to {signed(after.value)} "
        f"{interval(after.low, after.high)}"
    )


def _disputed(found: Evidence, other: OtherScoring) -> str:
    disputed = other.disputed
    if disputed is None:
        return ""
    before, left, p = found.rate_difference, disputed.agreed_rate_difference, disputed.p_firing
    name = "rate difference"
    if not found.by_firing:
        if found.cohens_d is None:
            return ""
        before, left, p = found.cohens_d, disputed.agreed_cohens_d, disputed.p_strength
        name = "d"
    if left is None or p > DISPUTED * found.alpha or not _halved(before, left):
        return ""
    return (
        f"it goes with the {disputed.failures} failures that are none, of which it fires on "
        f"{disputed.active}, and not with the {disputed.agreed} that are, of which it fires on "
        f"{disputed.agreed_active} (p = {p_value(p)}); with these alone its {name} falls from "
        f"{signed(before)} to {signed(left)}"
    )


def _halved(before: float, after: float) -> bool:
    """Whether at most half of an effect is left, in its own direction."""
    return after * (1 if before >= 0 else -1) <= HALVED * abs(before)
