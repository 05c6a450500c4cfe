"""What part of a swap passes through a class of features, or through all that a site holds."""

from __future__ import annotations

from collections.abc import Sequence

from faultlens.auditing.result import ClassReading, Counterfactual, Interval, Patch
from faultlens.numbers import NOT_DONE, number, share, share_interval, signed
from faultlens.report.audit.layers import AT, layer_figures
from faultlens.report.audit.verdicts import members_name
from faultlens.report.figures.audit import patch_shares
from faultlens.report.parts import Cell, Column, Figure, Paragraph, Part, Table, table

FIRST = 12  # rows of a table of what passes, before a reader asks for all
UNDEFINED = "the swap itself changes nothing beyond chance"


def patch_parts(swaps: Sequence[Counterfactual], classes: Sequence[ClassReading]) -> list[Part]:
    """What passes through everything but a class: whole values, named features, finds."""
    found: list[Part] = []
    for swap in swaps:
        rest = [p for p in swap.patches if not any(goes_through(p, c) for c in classes)]
        if rest:
            caption = f"{swap_name(swap)}: what part of the margin's change passes through what."
            rows = [[_through(patch), *_patch_cells(patch)] for patch in rest]
            found.append(_table(caption, Column("Through"), rest, rows, FIRST))
        if not swap.patches:
            found.append(Paragraph(f"{NOT_DONE}: nothing was patched.", f"{swap_name(swap)}:"))
    return [*found, *_figure(swaps), *layer_figures(swaps)]


def class_patches(swaps: Sequence[Counterfactual], reading: ClassReading) -> list[Part]:
    """What part of each swap passes through one class; nothing where it was not patched."""
    mine = [(swap, p) for swap in swaps for p in swap.patches if goes_through(p, reading)]
    if not mine:
        return []
    rows = [[Cell(swap_name(swap)), *_patch_cells(patch)] for swap, patch in mine]
    caption = (
        f"{members_name(reading.features[0], reading.size)}: what part of each swap passes through "
        "it."
    )
    return [_table(caption, Column("Swap"), [patch for _, patch in mine], rows)]


def goes_through(patch: Patch, reading: ClassReading) -> bool:
    """Whether a patch goes through this very class, and not through what a user named."""
    return patch.features == reading.features and not patch.requested


def swap_name(swap: Counterfactual) -> str:
    """A swap in words: "object: the keys → a book"."""
    return f"{swap.factor}: {swap.level} → {swap.swapped_for}"


def through_name(patch: Patch) -> str:
    """What a patch goes through: a class, or the whole value at a site."""
    if not patch.features:
        return f"the whole value at {patch.site}{_where(patch)}"
    if patch.requested:
        return " + ".join(patch.features)
    return members_name(patch.features[0], len(patch.features))


def _where(patch: Patch) -> str:
    """At which tokens it was moved, unless at all that pair up."""
    return "" if patch.positions == "aligned" else f", at {AT[patch.positions]}"


def _table(
    caption: str,
    head: Column,
    patches: Sequence[Patch],
    rows: Sequence[Sequence[Cell | str]],
    first: int = 0,
) -> Table:
    if any(patch.denoise is None or patch.noise is None for patch in patches):
        caption += f" Where a share is not defined, {UNDEFINED}."
    columns = [
        head,
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
    return table(caption, columns, rows, first)


def _through(patch: Patch) -> Cell:
    return Cell(through_name(patch), f"at {patch.site}" if patch.features else "")


def _patch_cells(patch: Patch) -> list[Cell | str]:
    active, before, after = "no one feature's", patch.activation_original, patch.activation_swapped
    if before is not None and after is not None:
        active = f"{number(before)} → {number(after)}"
    restored = "none to restore"
    if patch.restorable:
        restored = f"{patch.restored:,} of {patch.restorable:,}"
    return [
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


def _figure(swaps: Sequence[Counterfactual]) -> list[Part]:
    rows = [
        (swap.level, through_name(patch), patch.denoise, patch.noise)
        for swap in swaps
        for patch in swap.patches
        if patch.positions == "aligned" and (patch.denoise is not None or patch.noise is not None)
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
            "patches",
            patch_shares(named),
            "Share of a swap's effect that passes through what is patched, with its 95% interval; "
            "the dotted line is the whole of it.",
            "Two dots with intervals for each; the tables of what passes hold the numbers.",
        )
    ]
