"""The claims ledger: each claim with the controls it passed, failed or could not be given, and why.

The order is that of the argument; the claims are those about the leading class, the features
that the user asked to test, and the ladder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from faultlens.auditing.feature_tests.confounds import PROXY_JACCARD, lost_in_finest
from faultlens.auditing.held_out.ladder import LadderFindings
from faultlens.auditing.interventions.causal_findings import CausalFindings
from faultlens.auditing.replication.claims import replication_claims
from faultlens.auditing.result import (
    Claim,
    ClassReading,
    Confounds,
    Effect,
    FinestStrata,
    Intervention,
    Null,
    RequestedTest,
    Robustness,
    Strata,
)
from faultlens.auditing.result.verdict import ARTEFACT, OF_SCORING
from faultlens.auditing.verdicts.rules import by, either_way
from faultlens.numbers import interval, number, p_value, share, signed

NOT_DONE = "not done"
WITHIN = "(strength or firing within strata, doubled)"


def ledger(
    leading: ClassReading | None,
    *,
    tested: int,
    alpha: float,
    strata: Strata | None,
    causes: CausalFindings,
    robustness: Robustness | None,
    ladder: LadderFindings | None,
) -> list[Claim]:
    """All claims of an audit.

    Args:
        leading: the class to look at first; None where no feature was tested.
        tested: features in the family.
        alpha: the level.
        strata: within which the outcomes were permuted.
        causes: what the user asked to test, and why a class was not tested by intervening.
        robustness: what other prompts say; None: nothing was asked of them.
        ladder: the ladder; None: it was not climbed.
    """
    claims = []
    if leading is not None:
        claims = _of_leading(leading, tested, alpha, strata, causes.not_tested, robustness)
    for trial in causes.requested:
        if leading is None or set(trial.features) != set(leading.features):
            claims += _of_named(trial)
    return claims + _of_ladder(ladder)


def _of_named(trial: RequestedTest) -> list[Claim]:
    """Whether what the user asked to test matters; the leading class is not listed twice."""
    name = "+".join(trial.features)
    matters = f"{name} matters for failure"
    if trial.intervention is None:
        return [Claim(matters, "intervention", NOT_DONE, trial.reason or "no reason recorded")]
    return _interventions(matters, name, trial.intervention)


def _of_leading(
    reading: ClassReading,
    tested: int,
    alpha: float,
    strata: Strata | None,
    not_tested: Mapping[str, str],
    robustness: Robustness | None,
) -> list[Claim]:
    name = reading.features[0]
    goes, matters = f"{name} goes with {reading.goes_with}", f"{name} matters for failure"
    family = Claim(
        goes,
        f"family-wise error over all {tested} features (min-P or max-T, doubled)",
        "passed" if reading.p_deciding <= alpha else "failed",
        f"adjusted p = {p_value(reading.p_deciding)}",
    )
    if reading.p_deciding > alpha and reading.p_suppressed is None and reading.beyond is None:
        why = f"it does not go with {reading.goes_with} beyond chance"
        return [family, Claim(matters, "intervention", NOT_DONE, why)]
    return [
        family,
        _scoring(goes, reading),
        *replication_claims(goes, reading, robustness),
        *_beyond_the_prompt(f"{name} says more than the prompt's factors", reading, alpha, strata),
        *_collider(matters, reading, strata),
        *_tried(matters, reading, not_tested),
    ]


def _collider(claim: str, reading: ClassReading, strata: Strata | None) -> list[Claim]:
    """What goes with the outcome within strata only may be no cause: a factor may be a collider."""
    if reading.p_suppressed is None or strata is None:
        return []
    control, done = "told from what a collider makes", reading.intervention
    if done is not None and done.shown:
        return [Claim(claim, control, "passed", "its effect is shown by intervening")]
    why = f"it goes with {reading.goes_with} only among prompts alike in {by(strata.factors)}"
    return [Claim(claim, control, NOT_DONE, f"{why}: {either_way(strata.factors)}")]


def _scoring(claim: str, reading: ClassReading) -> Claim:
    control = "other rules of scoring"
    tested = [(o.p_deciding, o) for o in reading.other_scoring or () if o.p_deciding is not None]
    if not tested:
        why = "no other rule can be applied, none differs, or too few prompts fail under it"
        return Claim(claim, control, NOT_DONE, why)
    if (reading.verdict.kind, reading.verdict.level) == (ARTEFACT, OF_SCORING):
        return Claim(claim, control, "failed", reading.verdict.sentence)
    largest, worst = max(tested, key=lambda pair: pair[0])
    return Claim(
        claim,
        control,
        "passed",
        f"largest adjusted p = {p_value(largest)}, under {worst.rule} ({worst.failures} failures)",
    )


def _beyond_the_prompt(
    claim: str, reading: ClassReading, alpha: float, strata: Strata | None
) -> list[Claim]:
    copy = reading.proxy
    control = f"no copy of a level (Jaccard below {PROXY_JACCARD})"
    copies = copy is not None and copy.jaccard >= PROXY_JACCARD
    detail = (
        "no factor" if copy is None else f"{copy.factor} = {copy.level}, {number(copy.jaccard)}"
    )
    claims = []
    if strata is not None and strata.others:
        nearest = detail if copy is not None else f"no level reaches {PROXY_JACCARD}"
        claims.append(Claim(claim, control, "failed" if copies else "passed", nearest))
    within = reading.confounds
    if strata is None or within is None or reading.p_conditional is None or not strata.factors:
        why = "no factor was shown to go with failure" if strata is not None else "no factors"
        claims.append(Claim(claim, "conditional on the prompt's factors", NOT_DONE, why))
        return claims + _in_finest(claim, within, alpha, strata)
    held = f"conditional on {by(strata.factors)} {WITHIN}"
    if not within.informative:
        return [*claims, Claim(claim, held, NOT_DONE, "no stratum is informative")]
    passed = "passed" if reading.p_conditional <= alpha else "failed"
    claims.append(Claim(claim, held, passed, _in_strata(within, reading.p_conditional)))
    return claims + _in_finest(claim, within, alpha, strata)


def _in_finest(
    claim: str, within: Confounds | None, alpha: float, strata: Strata | None
) -> list[Claim]:
    """The claim with all factors held that can be, where these are more than go with failure."""
    lost = None if within is None else within.lost_with
    if lost is not None and strata is not None:
        control = f"conditional on {by([*strata.factors, lost.factor])}"
        detail = (
            f"its effect falls to half or less, and may be none; {lost.failures_in_them} failures "
            f"in {lost.informative} informative strata"
        )
        return [Claim(claim, control, "failed", detail)]
    finest = None if within is None else within.finest
    if within is None or finest is None or strata is None or strata.finest is None:
        return []
    control = f"conditional on {by(strata.finest.factors)} {WITHIN}"
    detail = _in_strata(finest, finest.p_value)
    if finest.p_value <= alpha:
        return [Claim(claim, control, "passed", detail)]
    if lost_in_finest(within, alpha):
        return [Claim(claim, control, "failed", f"{detail}; its effect falls to half or less")]
    why = f"too little is left to tell: {detail}; more than half of its effect is left"
    return [Claim(claim, control, NOT_DONE, why)]


def _in_strata(within: Confounds | FinestStrata, p: float) -> str:
    return (
        f"adjusted p = {p_value(p)}; {within.failures_in_them} failures in {within.informative} "
        "informative strata"
    )


def _tried(claim: str, reading: ClassReading, not_tested: Mapping[str, str]) -> list[Claim]:
    if reading.intervention is None:
        why = not_tested.get(reading.features[0], "no model was run")
        return [Claim(claim, "intervention", NOT_DONE, why)]
    return _interventions(claim, reading.features[0], reading.intervention)


def _interventions(claim: str, name: str, done: Intervention) -> list[Claim]:
    """What an intervention says of the claim that something matters."""
    claims = [_effect(claim, done.necessity)]
    if done.sufficiency is None:
        claims.append(
            Claim(claim, "sufficiency", NOT_DONE, done.sufficiency_missing or "", alone=True)
        )
    else:
        claims.append(_effect(claim, done.sufficiency))
    return [*claims, *_reworded(claim, done), *_null(name, done.null)]


def _reworded(claim: str, done: Intervention) -> list[Claim]:
    """The claim on the prompts in the user's other words, where an effect is shown."""
    again = None if done.after is None else done.after.under_rewordings
    if again is None:
        return []
    control = "the same edit where the user asks in other words"
    if again.change is None or again.low is None or again.high is None:
        return [Claim(claim, control, NOT_DONE, again.missing or "")]
    originals = "" if again.on_originals is None else f" ({signed(again.on_originals)} as asked)"
    detail = (
        f"{signed(again.change)} nats {interval(again.low, again.high)}{originals} on "
        f"{again.prompts} rewordings, of which {again.turned} of {again.could_turn} turn right; of "
        f"{again.rewordings} rewordings of its failures {again.failures} fail"
    )
    return [Claim(claim, control, "passed" if again.holds else "failed", detail)]


def _effect(claim: str, effect: Effect) -> Claim:
    p = effect.p_value if effect.p_holm is None else effect.p_holm
    ended = f", stopped early of {effect.controls_planned}" if effect.stopped_early else ""
    ended = f", {effect.controls_planned} planned" if effect.went_on else ended
    least = "" if effect.least is None else f", of {number(effect.least)} that it takes"
    rest = "directions from the values' covariance" if effect.families else "random directions"
    return Claim(
        claim,
        f"{effect.claim} against {effect.controls} matched controls ({effect.control_features} "
        f"other features, the rest {rest}{ended})",
        "passed" if effect.shown else "failed",
        f"{signed(effect.adjusted)} nats {interval(effect.low, effect.high)}{least}, p after Holm "
        f"{p_value(p)}",
        alone=True,
    )


def _null(name: str, null: Null | None) -> list[Claim]:
    """The claim that it does nothing, where no effect is shown."""
    if null is None:
        return []
    claim = f"{name} does nothing for failure"
    control = (
        f"equivalence, restoration at most {share(null.restoration_bound)}, and a positive "
        "control that shows an effect"
    )
    if null.positive_control_restored is None:
        why = "no prompt could be swapped, so nothing shows that an effect could have been seen"
        return [Claim(claim, control, NOT_DONE, why)]
    detail = (
        f"90% interval {'within' if null.within else 'not within'} ±{number(null.bound)} nats; "
        f"restoration at most {share(null.restoration_high)}; patching the whole value restores "
        f"{share(null.positive_control_restored)} of {null.positive_control_prompts}"
    )
    return [Claim(claim, control, "passed" if null.proven else "failed", detail)]


def _of_ladder(found: LadderFindings | None) -> list[Claim]:
    claim = "features predict failure better than the prompt's description"
    if found is None:
        return [Claim(claim, "baseline ladder", NOT_DONE, "it was switched off")]
    rivals = ("factors", "bag_of_tokens", "residual", "random_dictionary")
    return [_against(claim, rival, found) for rival in rivals]


def _against(claim: str, rival: str, found: LadderFindings) -> Claim:
    control = f"all features against {rival.replace('_', ' ')}, on the same held-out folds"
    baselines = found.baselines
    pairs = [d for d in found.ladder.differences if (d.first, d.second) == ("sae_all", rival)]
    if not pairs:
        missing: Sequence[str] = [n for n in ("sae_all", rival) if baselines[n].auroc is None]
        why = next((baselines[n].reason or "" for n in missing), "not compared")
        return Claim(claim, control, NOT_DONE, why)
    pair = pairs[0]
    difference = signed(round(pair.difference, 3))
    if pair.low is None or pair.high is None:
        return Claim(claim, control, NOT_DONE, f"{difference}, one split: no interval")
    return Claim(
        claim,
        control,
        "passed" if pair.low > 0 else "failed",
        f"{difference} AUROC {interval(pair.low, pair.high)}",
    )
