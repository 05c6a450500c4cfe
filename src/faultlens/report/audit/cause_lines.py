"""Steps 7 to 9 of an audit in the terminal: a line for each thing that was tried."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.result import ClassReading, Effect, Null
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.attribution import first_attributed, towards_failure, tried_briefly
from faultlens.report.audit.counterfactuals import clearest_swap, deciding_patch
from faultlens.report.audit.interventions import TURNED
from faultlens.report.audit.named import named_name
from faultlens.report.audit.robustness import several, suspects_stability
from faultlens.report.numbers import (
    NOT_DONE,
    clipped,
    clipped_feature,
    counted,
    interval,
    number,
    p_value,
    share,
    signed,
)

WIDTH = 100  # characters of a line
MOST_NAMED = 2  # of what the user named, that have a line


def trial_lines(audit: Audit, reading: ClassReading) -> list[str]:
    """The suspect's trials: what taking it away and bringing it in did, and if nothing, how surely.

    A line that says why, where it was not tried.
    """
    done = reading.intervention
    if done is None:
        reason = audit.untried.get(reading.features[0], "")
        return [f"    interventions: {clipped(NOT_DONE + (reason and f': {reason}'), 76)}"]
    lines = _folded("    ", [_effect(effect) for effect in done.effects])
    if done.sufficiency is None:
        reason = done.sufficiency_missing or "no reason recorded"
        lines.append(f"    sufficiency: {NOT_DONE}: {clipped(reason, 70)}")
    flips, of_controls = done.flips, _controls(done.effects)
    if done.null is not None:
        return [*lines, *_null(done.null, done.necessity, of_controls)]
    answers = (
        f"{flips.failure_to_success:,} turn right and {flips.success_to_failure:,} wrong, of "
        f"{flips.prompts:,}; p {p_value(flips.p_mcnemar)}"
    )
    return [*lines, *_folded("    answers without it: ", [answers, of_controls])]


def _null(null: Null, need: Effect, of_controls: str) -> list[str]:
    """What proves the null; if it is not proven, each condition that fails; then the controls."""
    moved = f"90% {interval(need.low_90, need.high_90)} nats"
    assay = "no prompt could be swapped to check the assay by"
    if null.assay_restored is not None:
        assay = f"the assay restores {share(null.assay_restored)} of {null.assay_prompts:,}"
    if null.proven:
        most = f"at most {share(null.restoration_high)} restored"
        within = f"{moved} within ±{number(null.bound)}"
        return _folded("    null proven: ", [within, most, assay, of_controls])
    fails = []
    if not null.within:
        fails.append(f"{moved} reach beyond ±{number(null.bound)}")
    if not null.few_restored:
        fails.append(
            f"up to {share(null.restoration_high)} restored, above {share(null.restoration_bound)}"
        )
    if null.assay_sees is None:
        fails.append(assay)
    elif not null.assay_sees:
        fails.append(f"{assay}, below {share(null.assay_bound)}")
    return _folded("    null not proven: ", [*fails, of_controls])


def _folded(head: str, entries: list[str]) -> list[str]:
    """Entries after a head, on as few lines as hold them."""
    lines = [head + entries[0]]
    for entry in entries[1:]:
        longer = f"{lines[-1]}; {entry}"
        if len(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(f"      {entry}")
    return lines


def _effect(effect: Effect) -> str:
    p = effect.p_value if effect.p_holm is None else effect.p_holm
    unit = " nats" if effect.claim == "necessity" else ""  # said once a line
    return (
        f"{effect.claim} {signed(effect.adjusted)}{unit}, p {p_value(p)}, "
        f"{effect.turned} of {effect.able:,} {TURNED[effect.claim]}"
    )


def _controls(effects: Sequence[Effect]) -> str:
    """How many of the controls are features, by effect; the rest are random directions."""
    features = " and ".join(f"{effect.control_features:,}" for effect in effects)
    verb = "is a feature" if features == "1" else "are features"
    return f"of {effects[0].controls:,} controls {features} {verb}"


def further_lines(audit: Audit) -> list[str]:
    """A line each for swaps, the search and other prompts, where they were done."""
    return _named(audit) + _swap(audit) + _search(audit) + _robustness(audit)


def _named(audit: Audit) -> list[str]:
    """A line each for what the user named, two at most."""
    lines = []
    for trial in audit.named[:MOST_NAMED]:
        done = trial.intervention
        head = f"  Named {clipped(named_name(trial), 30)}"
        if done is None or trial.reason is not None:
            lines.append(f"{head}: {clipped(trial.reason or NOT_DONE, 60)}")
            continue
        said = [f"{effect.claim} {signed(effect.adjusted)} nats" for effect in done.effects]
        shown = done.shown
        proven = done.null is not None and done.null.proven
        result = "shown" if shown else "null proven" if proven else "inconclusive"
        lines.append(f"{head}: {', '.join(said)}: {result}")
    more = len(audit.named) - MOST_NAMED
    return [*lines, f"  Named: {more} more in the report"] if more > 0 else lines


def _swap(audit: Audit) -> list[str]:
    """The clearest swap, and what of it passes through the suspect, if any was made."""
    swap = clearest_swap(audit)
    if swap is None:
        return []
    line = (
        f"  Swap {clipped(swap.level, 11)} → {clipped(swap.swapped_for, 11)}: "
        f"{swap.failure_to_success:,} of {counted(swap.failures_original, 'failure')} right, "
        f"p {p_value(swap.p_mcnemar)}"
    )
    suspect = audit.suspect
    patch = deciding_patch(swap, None if suspect is None else suspect.features[0])
    if patch is None or patch.denoise is None:
        return [line]
    return [f"{line}; {share(patch.denoise.value)} through {clipped_feature(patch.features[0])}"]


def _search(audit: Audit) -> list[str]:
    """The feature that attribution puts first, if the answers were attributed."""
    named = first_attributed(audit)
    if named is None:
        return []
    site, first = named
    head = (
        f"  Attribution's first: {clipped_feature(first.feature)} {signed(towards_failure(first))} "
        f"nats (error {signed(site.error_gradient)})"
    )
    told, tried = site.ranking_agreement, tried_briefly(audit, first)
    entries = [] if told is None else [f"agreement {signed(round(told, 3))}"]
    return _folded("", [head, *entries, *([clipped(tried, WIDTH - 6)] if tried else [])])


def _robustness(audit: Audit) -> list[str]:
    """The suspect under other seeds, and how far effects shrink, as far as that was done."""
    found, mine = audit.robustness, suspects_stability(audit)
    if found is None:
        return []
    said = []
    if several(found) and mine is not None:
        said.append(
            f"suspect {clipped(mine.verdict, 26)} under {mine.same} of "
            f"{counted(len(mine.verdicts), 'seed')}"
        )
    elif several(found):
        stable = sum(c.stable for c in found.classes)
        said.append(f"{stable} of {counted(len(found.classes), 'class', 'classes')} stable")
    if found.shrinkage is not None:
        said.append(f"d replicates × {number(found.shrinkage)}")
    return [f"  Other prompts: {'; '.join(said)}"] if said else []
