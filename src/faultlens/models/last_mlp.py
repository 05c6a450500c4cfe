"""The last MLP, computed only where the answer is read.

No attention follows it, so of its values only those count at the positions whose logits are wanted.
In a pass of a few blocks that is a good part of the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def last_mlp_at(mlp: nn.Module, at: Tensor) -> Iterator[None]:
    """Within this context `mlp` computes position `at` of each row, and gives 0 at the others.

    Args:
        mlp: reads and writes `[batch, positions, d]`, each position by itself.
        at: one position a row, `[batch]`.
    """
    rows = torch.arange(len(at), device=at.device)
    shape: list[int] = []

    def only_those(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        shape[:] = args[0].shape
        return (args[0][rows, at][:, None], *args[1:])

    def all_positions(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        added = output[0] if isinstance(output, tuple) else output  # with a router's scores, say
        whole = added.new_zeros(shape[0], shape[1], added.shape[-1])
        whole[rows, at] = added[:, 0]
        return (whole, *output[1:]) if isinstance(output, tuple) else whole

    handles = mlp.register_forward_pre_hook(only_those), mlp.register_forward_hook(all_positions)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
