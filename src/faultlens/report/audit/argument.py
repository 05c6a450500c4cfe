"""The argument of an audit, one sentence a step, in the order in which it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from faultlens.auditing.result import SCORED_WRONG, Selection
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.classes import class_name, tally
from faultlens.report.audit.confounds import confounds_sentence
from faultlens.report.audit.correlates import no_features
from faultlens.report.audit.counterfactuals import counterfactual_sentence
from faultlens.report.audit.factors import strongest_level, without_factors
from faultlens.report.audit.interventions import intervention_sentence
from faultlens.report.audit.ladder import ladder_sentence
from faultlens.report.audit.outcomes import NOT_RECORDED, by_rule
from faultlens.report.audit.robustness import robustness_sentence
from faultlens.report.numbers import NOT_DONE, counted, listed, p_value, share
from faultlens.report.parts import Paragraph, Part

TARGET_OVER_FOIL = "target-over-foil"  # by this rule no failure ranks the target above the foil

STEPS = {
    "Outcomes": 1,
    "Factors": 2,
    "Correlates": 3,
    "Classes": 4,
    "Confounds": 5,
    "Baseline ladder": 6,
    "Interventions": 7,
    "Counterfactual pairs": 8,
    "Robustness": 9,
    "Claims ledger": 10,
}
"""The steps of an audit by their numbers."""


def steps(audit: Audit) -> list[Part]:
    """The argument, a sentence a step."""
    sentences: dict[str, Callable[[Audit], str]] = {
        "Outcomes": outcomes_sentence,
        "Factors": factors_sentence,
        "Correlates": correlates_sentence,
        "Classes": classes_sentence,
        "Confounds": confounds_sentence,
        "Baseline ladder": ladder_sentence,
        "Interventions": intervention_sentence,
        "Counterfactual pairs": counterfactual_sentence,
        "Robustness": robustness_sentence,
        "Claims ledger": claims_sentence,
    }
    return [Paragraph(say(audit), f"{STEPS[name]} {name}.") for name, say in sentences.items()]


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def outcomes_sentence(audit: Audit) -> str:
    right = audit.n - audit.failures
    text = (
        f"{right:,} of {counted(audit.n, 'prompt')} of {audit.task} are right "
        f"({share(right / audit.n)}) {by_rule(audit.rule)}"
    )
    doubtful = audit.outcome_kinds.get(SCORED_WRONG, 0)
    if doubtful:
        text += f"; {counted(doubtful, 'failure begins', 'failures begin')} with the right token"
    if audit.failures_over_foil is not None and audit.rule != TARGET_OVER_FOIL:
        text += (
            f"; {audit.failures_over_foil:,} of {counted(audit.failures, 'failure')} still rank "
            "the target above the foil"
        )
    failed = {kind: count for kind, count in audit.outcome_kinds.items() if kind != "success"}
    if list(failed) == [NOT_RECORDED]:
        text += "; what was generated is not recorded"
    elif failed:
        kind, count = max(failed.items(), key=lambda pair: pair[1])
        text += f"; the commonest of {counted(audit.failures, 'failure')} is “{kind}” ({count:,})"
    rates = audit.scoring_sensitivity.values()
    if rates and min(rates) != max(rates):
        span = f"{share(min(rates))} to {share(max(rates))}"
        text += f"; accuracy is {span}, depending on the rule of scoring"
    return text + "."


def factors_sentence(audit: Audit) -> str:
    strongest = strongest_level(audit)
    if strongest is None:
        return f"{NOT_DONE.capitalize()}: {without_factors(audit)}."
    factor, level, reading = strongest
    differ = sum(
        r.p_holm <= audit.alpha for levels in audit.factors.values() for r in levels.values()
    )
    levels = sum(len(levels) for levels in audit.factors.values())
    derived = " of factors read off the prompts" if audit.factors_derived else ""
    return (
        f"{differ} of {counted(levels, 'level')}{derived} fail more or less often than the rest "
        f"after Holm; the strongest is {factor} = {level}, which fails on {reading.failures} of "
        f"{reading.n} ({share(reading.rate)}, p after Holm {p_value(reading.p_holm)}); "
        f"{selection_words(audit.selection)}."
    )


def selection_words(selection: Selection | None) -> str:
    """What forward selection took and dropped, with the counts."""
    if selection is None:
        return f"forward selection: {NOT_DONE}"
    if not selection.selected:
        return "forward selection takes none"
    taken = [
        f"{level.factor} = {level.level} ({level.failures:,} of {level.n:,} against "
        f"{level.rest_failures:,} of {level.rest_n:,})"
        for level in selection.selected
    ]
    text = f"forward selection takes {listed(taken[:3])}"
    text += f" and {len(taken) - 3} more" if len(taken) > 3 else ""
    dropped = [f"{level.factor} = {level.level}" for level in selection.dropped]
    return f"{text}, and drops {listed(dropped, 3)}" if dropped else text


def correlates_sentence(audit: Audit) -> str:
    if not audit.sites:
        return f"{NOT_DONE.capitalize()}: {no_features(audit)}."
    tested = sum(site.tested for site in audit.sites.values())
    classes = audit.significant
    features = sum(reading.size for _, reading in classes)
    return (
        f"Of {counted(tested, 'feature')} that fire on at least "
        f"{counted(audit.min_support, 'prompt')}, {features:,} go with failure or success beyond "
        f"chance, in {counted(len(classes), 'class', 'classes')} of features that fire alike."
    )


def classes_sentence(audit: Audit) -> str:
    top = audit.suspect
    if top is None:
        return f"{NOT_DONE.capitalize()}: {no_features(audit)}."
    return (
        f"{tally(audit)}; the suspect, {class_name(top)}, fires on "
        f"{counted(top.fail_active, 'failure')} and "
        f"{counted(top.success_active, 'success', 'successes')} (adjusted p "
        f"{p_value(top.p_deciding)})."
    )


def claims_sentence(audit: Audit) -> str:
    if not audit.claims:
        return "None was made."
    counts = Counter(claim.outcome for claim in audit.claims)
    return (
        f"Of {counted(len(audit.claims), 'control')} "
        f"{listed([f'{counts[o]} {o}' for o in ('passed', 'failed', NOT_DONE) if counts[o]])}."
    )
