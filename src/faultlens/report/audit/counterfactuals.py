"""Step 8 of an audit: the same prompts with one level of a factor swapped for another."""

from __future__ import annotations

from faultlens.auditing.result import Counterfactual, Counterfactuals, Interval, Patch
from faultlens.auditing.result.audit import Audit
from faultlens.report.audit.classes import estimate, members_name
from faultlens.report.figures.audit import patch_shares
from faultlens.report.numbers import (
    NOT_DONE,
    counted,
    interval,
    number,
    p_value,
    share,
    share_interval,
    signed,
)
from faultlens.report.parts import Cell, Column, Figure, Paragraph, Part, Table, table

NO_SWAPS = "no prompt was run with one level of a factor swapped"
UNDEFINED = "the swap itself changes nothing beyond chance"


def counterfactual_parts(audit: Audit) -> list[Part]:
    """What each swap did, and what part of it passes through the classes and the whole value."""
    found = audit.counterfactuals
    if found is None or not found.swaps:
        none = Paragraph(f"{NOT_DONE.capitalize()}: {_why_none(audit)}.")
        return [none, *([] if found is None else _not_swapped(found))]
    parts: list[Part] = [_swaps(found.swaps, audit.alpha)]
    if found.reason is not None:
        parts.append(Paragraph(f"{found.reason.rstrip('.')}.", "Left out:"))
    parts += _not_swapped(found)
    parts += [_patches(swap) for swap in found.swaps if swap.patches]
    parts += [
        Paragraph(f"{NOT_DONE}: nothing was patched.", f"{swap_name(swap)}:")
        for swap in found.swaps
        if not swap.patches
    ]
    return [*parts, *_figure(found.swaps)]


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


def swap_name(swap: Counterfactual) -> str:
    """A swap in words: "object: the keys → a book"."""
    return f"{swap.factor}: {swap.level} → {swap.swapped_for}"


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


def through_name(patch: Patch) -> str:
    """What a patch goes through: a class, or the whole value at a site."""
    if not patch.features:
        return f"the whole value at {patch.site}"
    if patch.named:
        return " + ".join(patch.features)
    return members_name(patch.features[0], len(patch.features))


def _patches(swap: Counterfactual) -> Table:
    caption = (
        f"{swap_name(swap)}: what part of the margin's change passes through a class, and through "
        "all that its site holds."
    )
    if any(patch.denoise is None or patch.noise is None for patch in swap.patches):
        caption += f" Where a share is not defined, {UNDEFINED}."
    columns = [
        Column("Through"),
        Column("Pairs", "right"),
        Column("Activation", "right", "Strongest member's largest, mean: original → swapped."),
        Column(
            "Denoised", "right",
            "Original prompts with the swapped ones' values: share of the swap's change; below, "
            "nats.",
        ),
        Column(
            "Noised", "right",
            "Swapped prompts with the original ones' values: share of the change undone; below, "
            "nats.",
        ),
        Column(
            "Restored", "right",
            "Of the failures that the swap turns right, those whose first token the patch does.",
        ),
    ]  # fmt: skip
    return table(caption, columns, [_patch_row(patch) for patch in swap.patches])


def _patch_row(patch: Patch) -> list[Cell | str]:
    active, before, after = "no one feature's", patch.activation_original, patch.activation_swapped
    if before is not None and after is not None:
        active = f"{number(before)} → {number(after)}"
    restored = "none to restore"
    if patch.restorable:
        restored = f"{patch.restored:,} of {patch.restorable:,}"
    return [
        Cell(through_name(patch), f"at {patch.site}" if patch.features else ""),
        f"{patch.pairs:,}",
        active,
        _share(patch.denoise, patch.denoise_change),
        _share(patch.noise, patch.noise_change),
        restored,
    ]


def _share(found: Interval | None, change: float) -> Cell:
    nats = f"{signed(change)} nats"
    if found is None:
        return Cell("not defined", nats)
    return Cell(share(found.value), f"{share_interval(found.low, found.high)}; {nats}")


def _figure(swaps: list[Counterfactual]) -> list[Part]:
    rows = [
        (swap.level, through_name(patch), patch.denoise, patch.noise)
        for swap in swaps
        for patch in swap.patches
        if patch.denoise is not None or patch.noise is not None
    ]
    if not rows:
        return []
    many = len({level for level, *_ in rows}) > 1
    named = [
        (f"{level}: {name}" if many else name, denoise, noise)
        for level, name, denoise, noise in rows
    ]
    return [
        Figure(
            patch_shares(named),
            "Share of a swap's effect that passes through what is patched, with its 95% interval; "
            "the dotted line is the whole of it.",
            "Two dots with intervals for each patch; the tables above hold the numbers.",
        )
    ]


def clearest_swap(audit: Audit) -> Counterfactual | None:
    """The swap that changes the outcomes most surely; None without swaps."""
    swaps = audit.counterfactuals.swaps if audit.counterfactuals is not None else []
    return min(
        swaps, key=lambda swap: (swap.p_mcnemar, -abs(swap.margin_change.value)), default=None
    )


def deciding_patch(swap: Counterfactual, suspect: str | None) -> Patch | None:
    """The suspect's patch; else the class's through which most passes; None without a class's."""
    classes = [patch for patch in swap.patches if patch.features and not patch.named]
    mine = [patch for patch in classes if suspect in patch.features]
    return next(
        iter(mine), max(classes, key=lambda p: p.denoise.value if p.denoise else 0.0, default=None)
    )


def counterfactual_sentence(audit: Audit) -> str:
    """What the clearest swap did, and how much of it passes through the class and its site."""
    swap = clearest_swap(audit)
    if swap is None:
        return f"{NOT_DONE.capitalize()}: {_why_none(audit)}."
    change = swap.margin_change
    text = (
        f"{swap.factor} = {swap.level} swapped for {swap.swapped_for} in "
        f"{counted(swap.pairs, 'pair')}: {swap.failure_to_success:,} of "
        f"{counted(swap.failures_original, 'failure')} turn right and "
        f"{counted(swap.success_to_failure, 'success', 'successes')} wrong (p "
        f"{p_value(swap.p_mcnemar)}), the margin moves by {signed(change.value)} nats "
        f"{interval(change.low, change.high)}"
    )
    suspect = audit.suspect
    patch = deciding_patch(swap, None if suspect is None else suspect.features[0])
    if patch is None:
        return f"{text}; nothing was patched."
    if patch.denoise is None:
        return f"{text}; what passes through {through_name(patch)} is not defined: {UNDEFINED}."
    low, high = patch.denoise.low, patch.denoise.high
    text += (
        f"; {share(patch.denoise.value)} {share_interval(low, high)} of that passes through "
        f"{through_name(patch)}"
    )
    wholes = [
        whole
        for whole in swap.patches
        if not whole.features and whole.site == patch.site and whole.denoise is not None
    ]
    for whole in wholes[:1]:
        assert whole.denoise is not None
        text += f", {share(whole.denoise.value)} through {through_name(whole)}"
    return f"{text}."
