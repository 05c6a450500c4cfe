"""Device memory: what is free where a model is to run, and whether its weights fit."""

from __future__ import annotations

import torch

from faultlens.errors import UserError
from faultlens.runs.memory import free_memory


def free_on(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where nothing says so."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return free_memory() if device.type == "cpu" else None


def check_fits(name: str, dtype: str, needed: int, device: str, free: int | None) -> None:
    """Raises UserError where a model's weights alone take more than is free.

    Args:
        name: the model's.
        dtype: what it is to run in.
        needed: bytes of its weights in that.
        device: where, as a sentence names it.
        free: bytes there; None: not known, and nothing is refused.
    """
    if free is not None and needed > free:
        smaller = " or --dtype bfloat16" if dtype == "float32" else ""
        raise UserError(
            f"model {name} takes {in_words(needed)} for its weights in {dtype}, and {device} has "
            f"{in_words(free)} free: expected room for all of them; choose a smaller model"
            f"{smaller}, or a device with more memory"
        )


def in_words(size: int) -> str:
    """A size in decimal units.

    >>> in_words(538_060_032), in_words(14_500_000_000)
    ('538 MB', '14.5 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
