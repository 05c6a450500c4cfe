"""Step 10: what may be said of a class, given the tests that ran; the first rule that holds wins.

A rule decides only if its tests ran. What was not tested is said to be not tested: it never counts
for or against.
"""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.feature_tests.confounds import (
    NO_EFFECT,
    PROXY_JACCARD,
    adds_nothing,
    lost_in_finest,
)
from faultlens.auditing.feature_tests.correlates import LEAST_OUTCOMES
from faultlens.auditing.result import (
    Confounds,
    Effect,
    FinestStrata,
    Intervention,
    Proxy,
)
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
from faultlens.auditing.verdicts.evidence import Evidence
from faultlens.auditing.verdicts.scoring_artefact import scoring_artefact
from faultlens.numbers import interval, number, p_value, share, signed

DISTURBS = 2.0  # times the controls' mean divergence on other text
LEAST_DISTURBED = 0.01  # nats a token, below which a divergence does not matter


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
    if found.p_deciding > found.alpha and (only := _only_within(found)):
        return _found_within(found, fires, only), None
    if found.p_deciding > found.alpha:
        return _not_significant(found, fires, able), None
    fires += f" (adjusted p = {p_value(found.p_deciding)})"
    if not found.with_failure:
        fires += ": it goes with success"
    artefact = scoring_artefact(found)
    proxy, why = proxy_of(found)
    done = found.intervention
    if done is not None and (shown := _shown(done)):
        kind: VerdictKind = CAUSE if done.is_cause else CONTRIBUTES
        said = [fires, shown, why, artefact and f"yet {artefact}"]
        return Verdict(kind, None, "; ".join(part for part in said if part)), proxy
    if artefact:
        return Verdict(ARTEFACT, OF_SCORING, f"{fires}; {artefact}"), None
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


def _found_within(found: Evidence, fires: str, only: str) -> Verdict:
    """The verdict on a class that is found within strata only."""
    done = found.intervention
    if done is not None and (shown := _shown(done)):
        kind: VerdictKind = CAUSE if done.is_cause else CONTRIBUTES
        return Verdict(kind, None, f"{fires}; {shown}; {only}")
    if found.p_suppressed is not None:
        only += f": {either_way(found.held)}"
    return Verdict(CORRELATE, None, f"{fires}; {only}; {_effect(done)}")


def _only_within(found: Evidence) -> str:
    """Within what a class goes with the outcome, that does not over all prompts; else empty."""
    if found.p_suppressed is not None:
        return _suppressed(found)
    if found.beyond is None:
        return ""
    others = " and ".join(found.beyond.classes)
    return (
        f"over all prompts it does not go with the outcome (adjusted p = "
        f"{p_value(found.p_deciding)}), but beyond {others} it goes with "
        f"{'failure' if found.with_failure else 'success'} (adjusted p = "
        f"{p_value(found.beyond.p_value)}; {found.beyond.failures_in_them} failures)"
    )


def _not_significant(found: Evidence, fires: str, able: bool) -> Verdict:
    smaller = found.p_deciding / 2 if found.p_smaller is None else found.p_smaller
    if found.flagged_by and able and smaller > found.alpha:
        return Verdict(
            ARTEFACT,
            OF_A_TEST,
            f"{fires}; flagged by {' and '.join(found.flagged_by)}, but by neither deciding test "
            f"(adjusted p = {p_value(found.p_deciding)}), which could have found it (least "
            f"attainable p = {p_value(found.least_p)})",
        )
    if not able:
        return Verdict(
            UNDERPOWERED,
            None,
            f"{fires}; the least p its support admits is {p_value(found.least_p)}, above "
            f"{found.alpha} / {found.tested}",
        )
    return Verdict(NOT_SIGNIFICANT, None, f"{fires}; adjusted p = {p_value(found.p_deciding)}")


def proxy_of(found: Evidence) -> tuple[Proxy | None, str]:
    """The level that a class stands for, and how that is known; (None, "") if it is no proxy."""
    nearest = found.nearest
    if nearest is not None and nearest.jaccard >= PROXY_JACCARD:
        return nearest, (
            f"it fires with {nearest.factor} = {nearest.level} (Jaccard {number(nearest.jaccard)})"
        )
    within, followed = found.confounds, found.followed
    if followed is None or within is None or not adds_nothing(within):
        return None, ""
    effect = within.effect
    assert effect is not None
    return followed, (
        f"within {by(found.held)} less than {NO_EFFECT} SD is left of it: "
        f"{signed(effect.value)} SD {interval(effect.low, effect.high)}{_odds(within)} over "
        f"{within.failures_in_them} failures; it is strongest with {followed.factor} = "
        f"{followed.level} (Jaccard {number(followed.jaccard)})"
    )


def _odds(within: Confounds) -> str:
    odds = within.mantel_haenszel
    if odds is None or odds.odds_ratio is None or odds.low is None or odds.high is None:
        return ""
    return f", odds ratio {number(odds.odds_ratio)} {interval(odds.low, odds.high)},"


def beyond(found: Evidence) -> str:
    """Whether a correlate adds beyond the factors, in words."""
    if found.confounds is None or found.p_conditional is None:
        return "whether it adds beyond the factors is not tested"
    within = _within(found.confounds, found.p_conditional)
    if not found.held:
        return f"no factor was shown to go with failure{_lost(found)}"
    if found.p_conditional > found.alpha:
        return f"is not shown to add beyond {by(found.held)} {within}"
    return f"adds beyond {by(found.held)} {within}{_lost(found) or _thin(found)}"


def either_way(held: Sequence[str]) -> str:
    """What goes with the outcome within strata only may be, in words.

    A cause that avoids the prompts at which a factor fails goes with failure within its levels and
    not over all prompts; so does a feature that does nothing, where the factor is a consequence of
    it and of failure (a collider). The counts are the same, and so is every test of them.
    """
    return (
        f"a cause that {by(held)} hides, or no cause, {by(held)} being a consequence of it and of "
        "failure (a collider); only an intervention tells"
    )


def _suppressed(found: Evidence) -> str:
    """What is said of a class that is found within strata only."""
    assert found.p_suppressed is not None
    assert found.confounds is not None
    return (
        f"over all prompts it does not go with the outcome (adjusted p = "
        f"{p_value(found.p_deciding)}), but among prompts alike in {by(found.held)} it does "
        f"{_within(found.confounds, found.p_suppressed)}{_lost(found)}"
    )


def _lost(found: Evidence) -> str:
    """What becomes of a class where all factors are held, if it is lost there; else empty."""
    within = found.confounds
    if within is not None and within.lost_with is not None:
        lost = within.lost_with
        effect = lost.effect
        size = (
            "nothing to compare"
            if effect is None
            else f"{signed(effect.value)} SD {interval(effect.low, effect.high)}"
        )
        held = by([*found.held, lost.factor])
        where = f"{lost.failures_in_them} failures in {lost.informative} informative strata"
        return f", but it is not shown to add beyond {held} ({size}; {where})"
    if within is None or within.finest is None or not lost_in_finest(within, found.alpha):
        return ""
    finest = within.finest
    return (
        f", but it is not shown to add beyond {by(found.finest)} {_within(finest, finest.p_value)}"
    )


def _thin(found: Evidence) -> str:
    """Which factors that go with failure as well could not be held, if there are any."""
    if not found.unheld:
        return ""
    return (
        f", but it is not shown to add beyond {by([*found.held, *found.unheld])}: "
        f"{' and '.join(found.unheld)} {'goes' if len(found.unheld) == 1 else 'go'} with failure "
        "within these strata too, and too few failures are left to tell once that is held as well"
    )


def _within(within: Confounds | FinestStrata, p: float) -> str:
    effect = within.effect
    size = (
        "" if effect is None else f", {signed(effect.value)} SD {interval(effect.low, effect.high)}"
    )
    where = f"{within.failures_in_them} failures in {within.informative} informative strata"
    return f"(adjusted p = {p_value(p)}{size}; {where})"


def by(factors: Sequence[str]) -> str:
    """Factors whose strata are meant: "object × template"."""
    return " × ".join(factors) or "all prompts"


def _shown(done: Intervention) -> str:
    """What the effects that are shown do, in words; empty if none is."""
    words = []
    away, brought = "taking it away", "bringing it in"
    if done.reversed:
        away, brought = brought, away
    if done.necessity.shown:
        words.append(
            f"{away} moves the answer by {_size(done.necessity)} and restores "
            f"{share(done.necessity.turned_share)} of {done.necessity.able} failures (controls "
            f"{share(done.necessity.control_turned_share)})"
        )
    enough = done.sufficiency
    if enough is not None and enough.shown:
        words.append(
            f"{brought} moves the answer by {_size(enough)} and breaks "
            f"{share(enough.turned_share)} of {enough.able} successes (controls "
            f"{share(enough.control_turned_share)})"
        )
    return "; ".join([*words, *_disturbs(done)])


def _disturbs(done: Intervention) -> list[str]:
    """That a change costs more elsewhere than its controls do, if it does."""
    costs = [] if done.after is None else done.after.off_task
    return [
        f"yet on {cost.text} it changes predictions more than its controls do "
        f"({number(cost.kl)} nats a token, controls {number(cost.control_kl)})"
        for cost in costs
        if cost.controls
        and not cost.as_large
        and cost.kl >= max(LEAST_DISTURBED, DISTURBS * cost.control_kl)
    ]


def _size(effect: Effect) -> str:
    return (
        f"{signed(effect.adjusted)} nats beyond its controls {interval(effect.low, effect.high)}, "
        f"p = {p_value(_p(effect))},"
    )


def _p(effect: Effect) -> float:
    return effect.p_value if effect.p_holm is None else effect.p_holm


def _effect(done: Intervention | None) -> str:
    if done is None:
        return "effect not tested"
    need, null = done.necessity, done.null
    size = f"{signed(need.adjusted)} nats beyond its controls, p = {p_value(_p(need))}"
    if null is None or not null.proven:
        return f"effect inconclusive ({size})"
    assert (
        null.positive_control_restored is not None
    )  # a null without a positive control is not proven
    return (
        f"null proven ({signed(need.adjusted)} nats {interval(need.low_90, need.high_90)} within "
        f"±{number(null.bound)}; at most {share(null.restoration_high)} restored, where patching "
        f"the whole value restores {share(null.positive_control_restored)})"
    )
