"""Step 8: the same prompts with one level of a factor swapped for another."""

from __future__ import annotations

from faultlens.auditing.result import Counterfactual, Counterfactuals
from faultlens.auditing.result.audit import Audit
from faultlens.numbers import (
    NOT_DONE,
    counted,
    number,
    p_value,
    share,
)
from faultlens.report.audit.estimates import estimate
from faultlens.report.audit.layers import passage_words
from faultlens.report.audit.patches import patch_parts, swap_name, through_name
from faultlens.report.parts import Cell, Column, Paragraph, Part, Table, table

TITLE = "Counterfactual pairs"
NO_SWAPS = "no prompt was run with one level of a factor swapped"


def parts(audit: Audit) -> list[Part]:
    """What each swap did, and what part of it passes through whole values and named features.

    What passes through a class stands with the class.
    """
    found = audit.counterfactuals
    if found is None:
        return []
    if not found.swaps:
        return _not_swapped(found)
    told: list[Part] = [_swaps(found.swaps, audit.alpha)]
    if found.reason is not None:
        told.append(Paragraph(f"{found.reason.rstrip('.')}.", "Left out:"))
    told += _not_swapped(found)
    return told + patch_parts(found.swaps, [reading for _, reading in audit.classes])


def _why_none(audit: Audit) -> str:
    found = audit.counterfactuals
    return NO_SWAPS if found is None or found.reason is None else found.reason


def _not_swapped(found: Counterfactuals) -> list[Part]:
    """The levels that were to be swapped and could not be."""
    if not found.not_swapped:
        return []
    caption = "Levels that were to be swapped and could not be."
    rows = [[level, reason] for level, reason in found.not_swapped.items()]
    return [table(caption, [Column("Level"), Column("Why not")], rows)]


def _swaps(swaps: list[Counterfactual], alpha: float) -> Table:
    caption = (
        "Each prompt that has the level, and the same prompt with another in its place. ✓ marks a "
        f"swap that changes the outcomes (p ≤ {number(alpha)})."
    )
    columns = [
        Column("Swap"),
        Column("Pairs", "right", "Left out: the swap could not be made, or not aligned."),
        Column("Failures", "right", "With the original level → with the other."),
        Column("Stay failures", "right"),
        Column("Turn right", "right", "Failures that are successes after the swap."),
        Column("Turn wrong", "right", "Successes that are failures after the swap."),
        Column("Stay right", "right"),
        Column("p", "right", "McNemar's exact test, two-sided."),
        Column("Margin", "right", "Swapped − original, nats; 95%, bootstrap over pairs."),
    ]
    return table(caption, columns, [_swap_row(swap, alpha) for swap in swaps])


def _swap_row(swap: Counterfactual, alpha: float) -> list[Cell | str]:
    stay_failures = swap.failures_original - swap.failure_to_success
    stay_right = swap.pairs - swap.failures_original - swap.success_to_failure
    return [
        Cell(swap_name(swap), marked=swap.p_mcnemar <= alpha),
        Cell(f"{swap.pairs:,}", f"{swap.unaligned:,} left out"),
        f"{swap.failures_original:,} → {swap.failures_swapped:,}",
        f"{stay_failures:,}",
        f"{swap.failure_to_success:,}",
        f"{swap.success_to_failure:,}",
        f"{stay_right:,}",
        p_value(swap.p_mcnemar),
        estimate(swap.margin_change),
    ]


def sentence(audit: Audit) -> str:
    """How many swaps change the outcomes, and how much of them passes through what was patched."""
    found = audit.counterfactuals
    swaps = found.swaps if found is not None else []
    if not swaps:
        return f"{NOT_DONE.capitalize()}: {_why_none(audit)}."
    clear = sum(swap.p_mcnemar <= audit.alpha for swap in swaps)
    verb = "changes" if clear == 1 else "change"
    text = f"{clear} of {counted(len(swaps), 'swap')} {verb} the outcomes"
    patches = [patch for swap in swaps for patch in swap.patches if patch.denoise is not None]
    wholes = [
        p.denoise.value
        for p in patches
        if not p.features and p.denoise is not None and p.positions == "aligned"
    ]
    of_features = [p for p in patches if p.features]
    if wholes:
        text += f"; the whole value at a site carries at least {share(min(wholes))} of that"
    if of_features:
        most = max(of_features, key=lambda p: p.denoise.value if p.denoise is not None else 0.0)
        assert most.denoise is not None
        said = f"at most {share(most.denoise.value)} ({through_name(most)})"
        text += f", features {said}" if wholes else f"; features carry {said} of that"
    passage = passage_words(min(swaps, key=lambda swap: swap.p_mcnemar))
    return f"{text}; {passage}." if passage else f"{text}."
