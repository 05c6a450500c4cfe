"""Restart: the forward pass taken up at a block, from the residual that enters it.

What lies before the block is not computed again, which makes many interventions at one layer cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from faultlens.models.adapter import Adapter
from faultlens.models.hooks import place
from faultlens.models.sites import Site


@dataclass(frozen=True)
class Restart:
    """Take the forward pass up at block `layer` from the cached `residual` that enters it.

    The residual is `blocks.{layer}.hook_resid_pre`, `[batch, positions, d_model]`, read from the
    same token ids; it is converted to the model's precision.
    """

    layer: int
    residual: Tensor


@contextmanager
def restarted(
    adapter: Adapter, network: Any, restart: Restart | None, skip: bool
) -> Iterator[None]:
    """Within this context the network's forward pass takes up the restart's residual.

    Args:
        adapter: of the network.
        network: transformers' model.
        restart: None: nothing is changed.
        skip: leave out the blocks before; else they run, and what enters the restart's block is
            replaced: for a family whose later blocks need more of the earlier ones than that.
    """
    if restart is None or restart.layer == 0:
        yield
        return
    like = next(iter(network.parameters()))  # what is read is float32, whatever the model is
    residual = restart.residual.to(like.device, like.dtype)
    if not skip:
        tap = adapter.tap(network, Site(restart.layer, "resid_pre"))
        assert tap is not None, "every family has it"
        handle = place(tap, lambda x: residual.float())
        try:
            yield
        finally:
            handle.remove()
        return
    skipped: list[Any] = list(adapter.blocks(network)[: restart.layer])
    try:
        for index, block in enumerate(skipped):
            block.forward = _passing_on(None if index else residual, adapter.gives_tuple)
        yield
    finally:
        for block in skipped:
            del block.forward


def _passing_on(residual: Tensor | None, gives_tuple: bool) -> Callable[..., Any]:
    """A block's forward pass that passes its input on, or puts a residual in its place."""

    def forward(hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
        value = hidden if residual is None else residual
        return (value, None) if gives_tuple else value

    return forward
