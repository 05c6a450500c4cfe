"""Direction: a plain direction at a site, as a dictionary of one feature that always fires.

The feature's activation is the coordinate `x · u`, u the direction at length 1, and its own
direction is u. So what can be done to a feature can be done to a direction: `zero` projects it out,
`add` adds so much of it, `clamp` and `mean` set the coordinate.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import Convention, Dictionary, Relu
from faultlens.models.model import Model
from faultlens.models.sites import Site


def dictionary_along(model: Model, site: Site, direction: np.ndarray | Tensor) -> Dictionary:
    """The dictionary of one feature, the coordinate along `direction [d]` in the site's units.

    Raises UserError for a site that the model does not have, or a direction that is not of its
    width, not finite, or zero.
    """
    model.check(site)
    along = torch.as_tensor(np.asarray(direction, dtype=np.float32)).to(model.device)
    width = model.width(site)
    if along.shape != (width,):
        raise UserError(
            f"direction of shape {tuple(along.shape)}: expected ({width},), the width of "
            f"{site.name}"
        )
    norm = along.norm()
    if not torch.isfinite(norm) or norm == 0:
        raise UserError("the direction is zero or not finite: expected a vector of some length")
    unit = along / norm

    def coordinate(prepared: Tensor) -> Tensor:
        found: Tensor = prepared @ unit[:, None]
        return found

    zero = torch.zeros(1, device=model.device)
    return Dictionary(
        f"a direction at {site.name}", site, Relu(), unit[:, None], zero, unit[None],
        torch.zeros(width, device=model.device), Convention(prepend_bos=True, centred=False),
        "given", "", encoder=coordinate,
    )  # fmt: skip
