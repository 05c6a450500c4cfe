"""Verdicts: what may be said of a class, given the tests that ran; the first match wins.

A rule decides only if its tests ran. What was not tested is said to be not tested: it never counts
for or against.
"""

from __future__ import annotations

from faultlens.audit.result import Claim, ClassReading, Intervention, Proxy

LEAST_OUTCOMES = 5  # failures, and successes, below which nothing can be said

UNDERPOWERED = "UNDERPOWERED"
NOT_SIGNIFICANT = "NOT SIGNIFICANT"
CONTRIBUTES = "CONTRIBUTES"
PROXY = "PROXY"
CORRELATE = "CORRELATE"

NOT_DONE, NOT_YET = "not done", "not part of this version"


def of_audit(n: int, failures: int) -> str | None:
    """The verdict on an audit that cannot be carried out, with its reason; None if it can."""
    successes = n - failures
    if failures >= LEAST_OUTCOMES and successes >= LEAST_OUTCOMES:
        return None
    return (
        f"{UNDERPOWERED}: {failures} failures and {successes} successes, and at least "
        f"{LEAST_OUTCOMES} of each are needed"
    )


def of_class(
    *,
    p_deciding: float,
    least_p: float,
    tested: int,
    alpha: float,
    active: tuple[int, int],
    proxy: Proxy | None,
    intervention: Intervention | None,
) -> tuple[str, str]:
    """The verdict on a class and the sentence that carries the deciding numbers.

    Args:
        p_deciding: twice the smaller adjusted p of min-P and max-T.
        least_p: the least unadjusted p that the class's support admits.
        tested: features in the family.
        alpha: the level.
        active: failures, and successes, on which the class's strongest member fires.
        proxy: the level it fires with, if any.
        intervention: what changing it did, if that was tested.
    """
    fires = f"fires on {active[0]} failures and {active[1]} successes"
    if p_deciding > alpha:
        if least_p > alpha / tested:
            return UNDERPOWERED, (
                f"{fires}; the least p its support admits is {least_p:.2g}, above "
                f"{alpha} / {tested}"
            )
        return NOT_SIGNIFICANT, f"{fires}; adjusted p = {p_deciding:.2g}"
    fires += f" (adjusted p = {p_deciding:.2g})"
    copies = ""
    if proxy is not None:
        copies = f"it fires with {proxy.factor} = {proxy.level} (Jaccard {proxy.jaccard:.2f})"
    if intervention is not None and intervention.shown:
        return CONTRIBUTES, (
            f"{fires}; taking it away moves the answer by {intervention.adjusted:+.2f} nats beyond "
            f"its controls [{intervention.low:.2f}, {intervention.high:.2f}], p = "
            f"{intervention.p_value:.2g}, and restores {intervention.restored:.0%} of "
            f"{intervention.failures} failures (controls {intervention.control_restored:.0%})"
            + (f"; {copies}" if copies else "")
        )
    effect = (
        "effect not tested"
        if intervention is None
        else f"effect inconclusive ({intervention.adjusted:+.2f} nats beyond its controls, p = "
        f"{intervention.p_value:.2g})"
    )
    if proxy is not None:
        verdict = f"{PROXY} of {proxy.factor} = {proxy.level}"
        return verdict, f"{fires}; {copies}; {effect}"
    return CORRELATE, f"{fires}; {effect}; whether it adds beyond the factors is not tested"


def ledger(reading: ClassReading, tested: int, alpha: float) -> list[Claim]:
    """The claims about the suspect, each with the control it passed, failed or was not given."""
    name, done = reading.features[0], reading.intervention
    goes, matters = f"{name} goes with failure", f"{name} matters for failure"
    claims = [
        Claim(
            goes,
            f"family-wise error over all {tested} features (min-P or max-T, doubled)",
            "passed" if reading.p_deciding <= alpha else "failed",
            f"adjusted p = {reading.p_deciding:.2g}",
        ),
        Claim(goes, "conditional on the prompt's factors", NOT_DONE, NOT_YET),
        Claim(goes, "replication on prompts from other seeds", NOT_DONE, NOT_YET),
    ]
    if done is None:
        why = "nothing was run, the class is not significant, or it fires on under five failures"
        return [*claims, Claim(matters, "intervention", NOT_DONE, why)]
    return [
        *claims,
        Claim(
            matters,
            f"necessity against {done.controls} matched controls ({done.control_features} other "
            "features, the rest random directions)",
            "passed" if done.shown else "failed",
            f"{done.adjusted:+.2f} nats [{done.low:.2f}, {done.high:.2f}], p = {done.p_value:.2g}",
        ),
        Claim(matters, "sufficiency", NOT_DONE, NOT_YET),
    ]
