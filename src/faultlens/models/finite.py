"""Nothing that is NaN or infinite passes a reading: it is refused, in a sentence that says where.

An infinite value would count as a feature that does not fire, and NaN would spread into every
number behind it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from faultlens.errors import UserError


def check_finite(values: Tensor, model: str, where: str, dtype: torch.dtype, edited: bool) -> None:
    """Raises UserError unless all values are finite.

    Args:
        values: what was read.
        model: the model's name.
        where: the site, or what else was read.
        dtype: what the model runs in.
        edited: whether values were changed during the pass.
    """
    if torch.isfinite(values).all():
        return
    precision = str(dtype).removeprefix("torch.")
    raise UserError(
        f"model {model} in {precision} gives values that are infinite or NaN at {where}: "
        f"{_advice(dtype, edited)}"
    )


def _advice(dtype: torch.dtype, edited: bool) -> str:
    if dtype == torch.float16:
        most = torch.finfo(dtype).max
        return f"they pass {most:.0f}, float16's largest number; give --dtype bfloat16 or float32"
    if edited:
        return "the change made during the pass is too large; make a smaller one"
    return "its weights are damaged or do not belong to its config.json; fetch the model again"
