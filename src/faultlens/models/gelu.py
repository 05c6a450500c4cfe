"""The tanh GELU in one kernel: transformers computes it in eight, each a walk through memory.

`0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³)))` (Hendrycks and Gimpel 2016) is what GPT-2 and its like
use. PyTorch has the same function fused; the two differ by rounding, less than 1e-6 of the logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

IN_PIECES = frozenset({"NewGELUActivation", "FastGELUActivation"})  # transformers' names


@contextmanager
def fused_gelu(blocks: nn.ModuleList) -> Iterator[None]:
    """Within this context the blocks' tanh GELUs are PyTorch's fused one; put back on leaving."""
    fused = nn.GELU(approximate="tanh")
    taken: list[tuple[Any, str, nn.Module]] = [
        (module, name, child)
        for module in blocks.modules()
        for name, child in module.named_children()
        if type(child).__name__ in IN_PIECES
    ]
    try:
        for module, name, _ in taken:
            setattr(module, name, fused)
        yield
    finally:
        for module, name, child in taken:
            setattr(module, name, child)
