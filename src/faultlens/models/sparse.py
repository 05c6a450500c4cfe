"""A product with few nonzero entries on its left: what decoding sparse activations comes to."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

DENSE = 1 / 32
"""Share of nonzero entries from which the dense product is as fast."""
SAMPLED = 16  # tokens from which that share is told


def product(left: Tensor, right: Tensor) -> Tensor:
    """`left @ right`, adding up only the rows of `right` that count.

    Args:
        left: `[tokens, features]`, mostly zeros; others, and where a gradient is wanted, take the
            dense product.
        right: `[features, d]`.
    """
    if left.ndim != 2 or not len(left) or _tracked(left, right) or left.dtype != right.dtype:
        return left @ right
    some = left[:: max(1, len(left) // SAMPLED)]  # counting all takes longer than it saves
    if int(torch.count_nonzero(some)) > DENSE * some.numel():
        return left @ right
    rows, columns = left.nonzero(as_tuple=True)
    counts = torch.bincount(rows, minlength=len(left))
    return embedding_bag(
        columns,
        right,
        offsets=counts.cumsum(0) - counts,
        mode="sum",
        per_sample_weights=left[rows, columns],
    )


def _tracked(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
