"""Where a swap passes, layer by layer: through the exchanged words, or through the last token."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from faultlens.auditing.result import Counterfactual, Interval, Patch, Positions
from faultlens.report.figures.audit import layer_shares
from faultlens.report.parts import Figure

AT: dict[Positions, str] = {
    "aligned": "every token that pairs up",
    "swapped": "the exchanged words",
    "last": "the last token",
}
MOST = 0.5  # of a swap's effect: what passes at least this passes mostly
RESIDUAL = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
_SITE = re.compile(r"blocks\.(\d+)\.(.+)")


@dataclass(frozen=True)
class LayerShare:
    """What part of a swap passes through one site's whole value.

    Attributes:
        layer: counted from 0.
        hook: the point's name within its block.
        patch: what moving it did.
    """

    layer: int
    hook: str
    patch: Patch


def layer_patches(swap: Counterfactual) -> list[LayerShare]:
    """The patches of whole values at sites without a dictionary, in the order of the pass."""
    found = []
    for patch in swap.patches:
        site = _SITE.fullmatch(patch.site)
        if site is not None and not patch.features:
            found.append(LayerShare(int(site[1]), site[2], patch))
    return found


def passage_words(swap: Counterfactual) -> str:
    """Up to where most of a swap's effect passes through the exchanged words, and from where on
    through the last token; empty where neither is known of the residual stream."""
    shares = [share for share in layer_patches(swap) if share.hook in RESIDUAL]
    words = _shares(shares, "swapped")
    last = _shares(shares, "last")
    early = 0
    while early < len(words) and words[early][1] >= MOST:
        early += 1
    late = len(last)
    while late and last[late - 1][1] >= MOST:
        late -= 1
    said = []
    if early:
        said.append(f"the exchanged words up to layer {words[early - 1][0]}")
    if late < len(last):
        said.append(f"the last token from layer {last[late][0]} on")
    return f"most of the change passes through {' and '.join(said)}" if said else ""


def _shares(shares: Sequence[LayerShare], positions: Positions) -> list[tuple[int, float]]:
    """Layer and share of the denoised patches at some tokens, where it is defined."""
    return [
        (share.layer, share.patch.denoise.value)
        for share in shares
        if share.patch.positions == positions and share.patch.denoise is not None
    ]


def layer_figures(swaps: Sequence[Counterfactual]) -> list[Figure]:
    """A chart for each point: the shares of every swap over the layers."""
    hooks = dict.fromkeys(share.hook for swap in swaps for share in layer_patches(swap))
    figures = []
    for hook in hooks:
        lines: dict[tuple[str, str], list[tuple[int, Interval]]] = {}
        for swap in swaps:
            for share in layer_patches(swap):
                if share.hook == hook and share.patch.denoise is not None:
                    name = f"{swap.level} → {swap.swapped_for}", AT[share.patch.positions]
                    lines.setdefault(name, []).append((share.layer, share.patch.denoise))
        drawn = layer_shares(lines)
        if drawn is None:
            continue
        figures.append(
            Figure(
                f"layers of {hook}",
                drawn,
                f"Share of a swap's effect that comes with the values of {hook} at some tokens, "
                "layer by layer: the swapped prompts' values in the original ones.",
                "A line over the layers for each swap and place; the table of what passes holds "
                "the numbers.",
            )
        )
    return figures
