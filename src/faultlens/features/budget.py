"""Budget: how many token positions a forward pass may hold, found from the memory that is free.

It is found once, before anything is read, and then kept: how many texts go through a pass together
decides the last bits of every number, so that a reading that is taken up again needs the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from faultlens.models.device_memory import free_on as free_on
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
    free = free_on(model.device)
    if free is None:
        return most
    config: Any = model.network.config.get_text_config()
    hidden = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
    width = 16 * model.d_model + 3 * (hidden or 4 * model.d_model)
    kept = sum(d.d_in for d in dictionaries)
    return max(1, min(most, int(SHARE * free / (4 * (width + kept)))))
