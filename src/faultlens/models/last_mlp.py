"""The last MLP, computed only where the answer is read.

Nothing behind the last attention mixes positions, so of the last MLP's values only those count at
the positions whose logits are wanted. In a pass of a few blocks that is a good part of the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def narrowed(mlp: nn.Module, at: Tensor) -> Iterator[None]:
    """Within this context `mlp` computes position `at` of each row, and gives 0 at the others.

    Args:
        mlp: reads and writes `[batch, positions, d]`, each position by itself.
        at: one position a row, `[batch]`.
    """
    rows = torch.arange(len(at), device=at.device)
    shape: list[int] = []

    def narrow(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        shape[:] = args[0].shape
        return (args[0][rows, at][:, None], *args[1:])

    def widen(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        whole = output.new_zeros(shape[0], shape[1], output.shape[-1])
        whole[rows, at] = output[:, 0]
        return whole

    handles = mlp.register_forward_pre_hook(narrow), mlp.register_forward_hook(widen)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
