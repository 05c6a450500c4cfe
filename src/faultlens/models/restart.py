"""Restart: the forward pass taken up at a block, from the residual that enters it.

What lies before the block is not computed again, which makes many interventions at one layer cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from faultlens.models.adapter import Adapter


@dataclass(frozen=True)
class Restart:
    """Take the forward pass up at block `layer` from the cached `residual` that enters it.

    The residual is `blocks.{layer}.hook_resid_pre`, `[batch, positions, d_model]`, read from the
    same token ids; it is converted to the model's precision.
    """

    layer: int
    residual: Tensor


class _StandIn(nn.Module):
    """Takes a block's place: passes its input on, or puts a cached residual in its place."""

    def __init__(self, residual: Tensor | None = None) -> None:
        super().__init__()
        self.residual = residual

    def forward(self, hidden: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden if self.residual is None else self.residual


@contextmanager
def restarted(adapter: Adapter, network: Any, restart: Restart | None) -> Iterator[None]:
    """Within this context the network's forward pass begins at the restart's layer.

    Every block keeps its own index: some families look up the kind of a layer by its position.
    """
    if restart is None or restart.layer == 0:
        yield
        return
    blocks = adapter.blocks(network)
    like = next(iter(network.parameters()))  # what is read is float32, whatever the model is
    residual = restart.residual.to(like.device, like.dtype)
    before = [_StandIn(residual), *(_StandIn() for _ in range(restart.layer - 1))]
    try:
        adapter.put_blocks(network, nn.ModuleList([*before, *blocks[restart.layer :]]))
        yield
    finally:
        adapter.put_blocks(network, blocks)
