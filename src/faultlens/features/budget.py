"""Budget: how many token positions a forward pass may hold, found from the memory that is free.

It is found once, before anything is read, and then kept: how many texts go through a pass together
decides the last bits of every number, so that a reading that is taken up again needs the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

TOKEN_BUDGET = 1152  # the most positions of a pass on a processor, where more are no quicker
MOST_ELSEWHERE = 16_384
SHARE = 0.25  # of the free memory that a pass may take; the estimate below is rough


def token_budget(model: Model, dictionaries: Sequence[Dictionary]) -> int:
    """Positions of a pass, padding included: what fits into a quarter of the free memory.

    A position holds about 16 vectors of the model's width in a block (attention and residuals),
    three of its MLP's width, and the value of each site in float32.
    """
    most = TOKEN_BUDGET if model.device.type == "cpu" else MOST_ELSEWHERE
    free = free_memory(model.device)
    if free is None:
        return most
    config: Any = model.network.config.get_text_config()
    hidden = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
    width = 16 * model.d_model + 3 * (hidden or 4 * model.d_model)
    kept = sum(d.d_in for d in dictionaries)
    return max(1, min(most, int(SHARE * free / (4 * (width + kept)))))


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where nothing says so."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    found = [bytes_ for bytes_ in (_of_machine(), _of_group()) if bytes_ is not None]
    return min(found, default=None)


def _of_machine(where: Path = Path("/proc/meminfo")) -> int | None:
    """What Linux says is available; None on other systems."""
    try:
        lines = where.read_text().splitlines()
    except OSError:
        return None
    said = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(said[0][1]) * 1024 if said else None


def _of_group(where: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container may still take; None where it has no limit."""
    try:
        limit = (where / "memory.max").read_text().strip()
        used = int((where / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return max(0, int(limit) - used) if limit.isdigit() else None
