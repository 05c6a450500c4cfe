"""Steps 7 to 9 of an audit in the terminal: a line for each thing that was tried."""

from __future__ import annotations

from faultlens.audit.result import Audit
from faultlens.audit.steps import ClassReading, Effect
from faultlens.report.attribution_parts import first_attributed, towards_failure
from faultlens.report.counterfactual_parts import clearest_swap, deciding_patch
from faultlens.report.intervention_parts import TURNED
from faultlens.report.named_parts import named_name
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
from faultlens.report.robustness_parts import several, suspects_stability

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
    effects = [_effect(effect) for effect in done.effects]
    line = "    " + "; ".join(effects)
    lines = [line] if len(line) <= WIDTH else [f"    {effect}" for effect in effects]
    if done.sufficiency is None:
        reason = done.sufficiency_missing or "no reason recorded"
        lines.append(f"    sufficiency: {NOT_DONE}: {clipped(reason, 70)}")
    if done.null is None:
        flips = done.flips
        lines.append(
            f"    answers without it: {flips.failure_to_success:,} turn right and "
            f"{flips.success_to_failure:,} wrong, of {flips.prompts:,}; p "
            f"{p_value(flips.p_mcnemar)}"
        )
    else:
        need = done.necessity
        lines.append(
            f"    null {'proven' if done.null.proven else 'not proven'}: 90% "
            f"{interval(need.low_90, need.high_90)} nats against ±{number(done.null.bound)}; at "
            f"most {share(done.null.restoration_high)} restored"
        )
    return lines


def _effect(effect: Effect) -> str:
    p = effect.p_value if effect.p_holm is None else effect.p_holm
    return (
        f"{effect.claim} {signed(effect.adjusted)} nats, p {p_value(p)}, "
        f"{effect.turned} of {effect.able:,} {TURNED[effect.claim]}"
    )


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
    told = site.ranking_agreement
    agreement = "" if told is None else f"; rank agreement {signed(round(told, 3))}"
    size, error = signed(towards_failure(first)), signed(site.error_gradient)
    return [
        f"  Attribution's first: {clipped_feature(first.feature)} {size} nats (error term "
        f"{error}){agreement}"
    ]


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
