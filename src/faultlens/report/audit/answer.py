"""An audit's answer in three sentences: what fails, what causes it, and what may not be claimed."""

from __future__ import annotations

from faultlens.auditing.result import (
    ClassReading,
    Counterfactual,
    Effect,
    Intervention,
    NoDictionaries,
    SelectedLevel,
)
from faultlens.auditing.result.audit import Audit
from faultlens.auditing.result.verdict import CAUSE, PROXY
from faultlens.numbers import (
    auroc,
    clipped,
    counted,
    interval,
    listed,
    p_value,
    share,
    share_interval,
    signed,
)
from faultlens.report.audit import against_base
from faultlens.report.audit.factors import level_name, strongest_level, without_factors
from faultlens.report.audit.feature_tests import no_features
from faultlens.report.audit.layers import passage_words
from faultlens.report.audit.outcomes import prefer_target
from faultlens.report.audit.replication import leading_stability, several
from faultlens.report.audit.trials import Changed, changed
from faultlens.report.audit.verdicts import class_name, fires_on
from faultlens.report.parts import Paragraph

NAME = 40  # characters of a task's or a level's name
RELEASES = 3  # that are named
LEVELS = 2  # that are named of those that forward selection took

DONE = {"necessity": "taking {} away", "sufficiency": "bringing {} in"}
REVERSED = {"necessity": DONE["sufficiency"], "sufficiency": DONE["necessity"]}
TURNS = {"necessity": "failures right", "sufficiency": "successes wrong"}


def answer(audit: Audit) -> tuple[Paragraph, ...]:
    """The three sentences; then what tuning changed, and how to get dictionaries, where asked."""
    said: tuple[Paragraph, ...] = (
        Paragraph(what_fails(audit), "What fails:"),
        Paragraph(what_causes_it(audit), "What causes it:"),
        Paragraph(what_may_not_be_claimed(audit), "What may not be claimed:"),
    )
    if audit.against_base is not None:
        turned = against_base.sentence(audit.against_base, audit.alpha)
        said = (*said, Paragraph(turned, "Against the base:"))
    if audit.no_dictionaries is None:
        return said
    return (*said, Paragraph(how_to_get_dictionaries(audit.no_dictionaries), "To see features:"))


def how_to_get_dictionaries(read: NoDictionaries) -> str:
    """What there is for the model, if anything, and the command that trains some."""
    if not read.releases:
        return (
            "SAELens's registry has no dictionaries under this model's name; train some: "
            f"{read.train}"
        )
    known = [
        f"{release.name} ({counted(release.dictionaries, 'dictionary', 'dictionaries')})"
        for release in read.releases
    ]
    return (
        f"dictionaries of this model are published as {listed(known, RELEASES)}; give one as "
        f"--sae. Or train some: {read.train}"
    )


def what_fails(audit: Audit) -> str:
    """How many prompts fail, and at which levels of the prompts' factors."""
    task = clipped(audit.task, NAME)
    if not audit.failures:
        return f"none of {counted(audit.n, 'prompt')} of {task} fails {by_rule(audit.rule)}."
    of_all = "; ".join(filter(None, [share(audit.failures / audit.n), prefer_target(audit)]))
    text = (
        f"{audit.failures:,} of {counted(audit.n, 'prompt')} of {task} fail "
        f"{by_rule(audit.rule)} ({of_all})"
    )
    taken = audit.selection.selected if audit.selection is not None else []
    if taken:
        return f"{text}: {_levels(audit, taken[:LEVELS])}."
    if not audit.factors:
        return f"{text}; {without_factors(audit)}."
    strongest = strongest_level(audit)
    if audit.selection is not None or strongest is None:
        return f"{text}; no level of a factor fails more or less often than the rest beyond chance."
    factor, level, found = strongest
    return (
        f"{text}; most surely with {level_name(factor, level, NAME)}: {found.failures:,} of "
        f"{found.n:,} (95% interval {share_interval(found.low, found.high)})."
    )


def by_rule(rule: str) -> str:
    """By what the outcomes were decided."""
    return "as given" if rule == "given" else f"by {rule}"


def _levels(audit: Audit, taken: list[SelectedLevel]) -> str:
    """The counts at each level that forward selection took, outside those before it, and left."""
    said = []
    for place, level in enumerate(taken):
        among = " of the others" if place else ""
        text = f"{level.failures:,} of {level.n:,}{among} with "
        text += level_name(level.factor, level.level, NAME)
        reading = audit.factors.get(level.factor, {}).get(level.level)
        if reading is not None and (reading.n, reading.failures) == (level.n, level.failures):
            text += f" (95% interval {share_interval(reading.low, reading.high)})"
        said.append(text)
    rest = taken[-1]
    return f"{', '.join(said)}, and {rest.rest_failures:,} of {rest.rest_n:,} of the rest"


def what_causes_it(audit: Audit) -> str:
    """What is shown to change the outcomes: levels that were swapped, and what was changed."""
    swaps = audit.counterfactuals.swaps if audit.counterfactuals is not None else []
    tried = changed(audit)
    if not swaps and not tried:
        return "not tested: no level was swapped and no feature was changed."
    said = [_swaps(swaps, audit.alpha)] if swaps else ["no level was swapped in the prompts"]
    passage = passage_words(_clearest(swaps)[0]) if swaps else ""
    if passage:
        said.append(passage)
    if tried or audit.no_dictionaries is None:
        said.append(_changes(tried) if tried else "no feature was changed to see what happens")
    caused = any(reading.verdict.kind == CAUSE for _, reading in audit.classes)
    said += [] if caused else [one.sentence for one in audit.outside[:1]]
    return f"{'; '.join(said)}."


def _swaps(swaps: list[Counterfactual], alpha: float) -> str:
    """What the clearest swaps did to the outcomes."""
    ordered = _clearest(swaps)
    clear = [swap for swap in ordered if swap.p_mcnemar <= alpha][:LEVELS]
    if not clear:
        return (
            f"swapping {_levels_swapped(ordered[0])} in the prompts changes no more outcomes than "
            f"chance does (p {p_value(ordered[0].p_mcnemar)})"
        )
    said = [f"{_levels_swapped(s)} turns {_turned(s)} (p {p_value(s.p_mcnemar)})" for s in clear]
    return f"swapping {', and '.join(said)}"


def _clearest(swaps: list[Counterfactual]) -> list[Counterfactual]:
    """The swaps, the one that most surely changes the outcomes first."""
    return sorted(swaps, key=lambda swap: (swap.p_mcnemar, -abs(swap.margin_change.value)))


def _levels_swapped(swap: Counterfactual) -> str:
    return f"{clipped(swap.level, NAME)} for {clipped(swap.swapped_for, NAME)}"


def _turned(swap: Counterfactual) -> str:
    right = f"{swap.failure_to_success:,} of {counted(swap.failures_original, 'failure')} right"
    successes = swap.pairs - swap.failures_original
    wrong = f"{swap.success_to_failure:,} of {counted(successes, 'success', 'successes')} wrong"
    if not swap.success_to_failure:
        return right
    return wrong if not swap.failure_to_success else f"{right} and {wrong}"


def _changes(tried: list[Changed]) -> str:
    """How many changes are shown to move the answer, and the one that moves it most."""
    shown = [(one, effect) for one in tried for effect in one.done.effects if effect.shown]
    of = counted(len(tried), "class of features", "classes of features")
    if not shown:
        return f"none of {of} that were changed is shown to move the answer"
    movers = sum(one.done.shown for one in tried)
    most, effect = max(shown, key=lambda pair: abs(pair[1].adjusted))
    return (
        f"of {of} that were changed {movers} {'is' if movers == 1 else 'are'} shown to move the "
        f"answer: {moves(most.name, effect, most.done.reversed)} and turns {effect.turned:,} of "
        f"{effect.able:,} "
        f"{TURNS[effect.claim]} (controls {share(effect.control_turned_share)})"
    )


def moves(name: str, effect: Effect, reverse: bool = False) -> str:
    """By how much changing something moves the margin, beyond what its controls do."""
    size = f"{signed(effect.adjusted)} nats {interval(effect.low, effect.high)}"
    verb = (REVERSED if reverse else DONE)[effect.claim].format(name)
    return f"{verb} moves the margin by {size} beyond its controls"


def what_may_not_be_claimed(audit: Audit) -> str:
    """The claim that lies nearest and is not supported, and the nearest one that is refuted."""
    if audit.verdict is not None:
        return f"anything of causes or features: {audit.verdict.sentence}."
    leading = audit.leading
    if leading is None:
        text = f"anything of features: {no_features(audit)}"
        return f"{text}{_no_better(audit)}."
    claim, reason = _unsupported(audit, leading)
    return f"that {claim}: {reason}{_ruled_out(audit, leading)}."


def _unsupported(audit: Audit, leading: ClassReading) -> tuple[str, str]:
    """What may not be claimed of the class that goes with the outcome most surely, and why."""
    name, done = class_name(leading), leading.intervention
    if leading.verdict.kind == CAUSE:
        return _elsewhere(audit)
    fires = fires_on(leading.fail_active, leading.success_active)
    if leading.p_deciding > audit.alpha:
        return (
            "any feature goes with failure",
            f"{name}, which comes nearest, fires on {fires} (adjusted p "
            f"{p_value(leading.p_deciding)})",
        )
    what = "causes it" if leading.goes_with == "failure" else "prevents it"
    claim = f"{name}, which goes with {leading.goes_with} most surely (it fires on {fires}), {what}"
    if done is None:
        why = audit.not_tested.get(leading.features[0])
        return claim, f"its effect was not tested{f', for {why}' if why else ''}"
    need, verb = done.necessity, _verb(done)
    if done.null is not None and done.null.proven:
        return claim, (
            f"it is shown to do nothing ({verb} moves the margin by "
            f"{signed(need.adjusted)} nats beyond its controls, 90% interval "
            f"{interval(need.low_90, need.high_90)})"
        )
    if done.shown:
        return claim, _short_of_cause(leading)
    p = need.p_value if need.p_holm is None else need.p_holm
    return claim, (
        f"{verb} moves the margin by no more than its controls do "
        f"({signed(need.adjusted)} nats, p {p_value(p)}), though that it does nothing is not shown "
        "either"
    )


def _verb(done: Intervention, claim: str = "necessity") -> str:
    return (REVERSED if done.reversed else DONE)[claim].format("it")


def _short_of_cause(leading: ClassReading) -> str:
    """What a class that moves the answer lacks to be a cause."""
    done = leading.intervention
    assert done is not None
    need, enough = done.necessity, done.sufficiency
    text = (
        f"{_verb(done)} turns {need.turned:,} of {counted(need.able, 'failure')} right (controls "
        f"{share(need.control_turned_share)})"
    )
    other = _verb(done, "sufficiency")
    if not need.shown:
        return f"{text}, which is not shown to be its doing"
    if enough is None:
        return f"{text}, and {other} was not tested"
    return text if enough.shown else f"{text}, and {other} is not shown to lower the margin"


def _elsewhere(audit: Audit) -> tuple[str, str]:
    """How far a cause is shown beyond the prompts on which it was found."""
    claim, mine = "the same holds on other prompts", leading_stability(audit)
    if audit.robustness is None or not several(audit.robustness):
        return claim, "no prompts from other seeds were run"
    if mine is None:
        return claim, "its class was not followed over the seeds"
    if mine.stable:
        return "the same holds for other tasks or models", "only this task and this model were run"
    return claim, f"the verdict is the same under {mine.same} of {len(mine.verdicts)} seeds"


def _ruled_out(audit: Audit, leading: ClassReading) -> str:
    """The nearest thing that was ruled out, apart from what was just said."""
    for one in changed(audit):
        null = one.done.null
        if one.name != class_name(leading) and null is not None and null.proven:
            return f"; the nearest cause ruled out is {one.name}, which is shown to do nothing"
    for _, reading in audit.classes:
        proxy = reading.proxy
        if reading.verdict.kind == PROXY and proxy is not None and reading.auroc > 0.5:
            stands = level_name(proxy.factor, proxy.level, NAME)
            if reading is leading:
                return f", and it stands for {stands}"
            return f"; the nearest ruled out is {class_name(reading)}, which stands for {stands}"
    return _no_better(audit)


def _no_better(audit: Audit) -> str:
    """That activations predict failure no better than the prompts' factors, if that was tested."""
    rungs, ladder = audit.baselines or {}, audit.ladder
    for name, words in (("sae_all", "all features"), ("residual", "the activations")):
        mine, factors = rungs.get(name), rungs.get("factors")
        pairs = ladder.differences if ladder is not None else []
        pair = next((d for d in pairs if (d.first, d.second) == (name, "factors")), None)
        if pair is None or mine is None or factors is None:
            continue
        if mine.auroc is None or factors.auroc is None or (pair.low is not None and pair.low > 0):
            continue
        return (
            f"; {words} predict failure no better than the prompts' factors do (AUROC "
            f"{auroc(mine.auroc)} against {auroc(factors.auroc)})"
        )
    return ""
