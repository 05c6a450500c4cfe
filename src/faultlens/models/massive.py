"""Massive activations: tokens whose value at a site is many times larger than a token's usually is.

Many models put an enormous value on one token, most often the first, and use it as an attention
sink (Sun et al. 2024). In a sum of squares one of them outweighs all others. Only a ratio tells
them: a residual grows a hundredfold over the layers of some models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from faultlens.models.sites import MASSIVE as MASSIVE
from faultlens.models.sites import Site


@dataclass(frozen=True)
class MassiveLimits:
    """The norm at each site beyond which a token's value is massive; infinite where none can be."""

    of_site: Mapping[Site, float]

    @classmethod
    def of(cls, values: Mapping[Site, Tensor]) -> MassiveLimits:
        """`MASSIVE` times the median norm of the values at each site, `[tokens, d]` each."""
        limits = {}
        for site, value in values.items():
            median = float(value.float().norm(dim=-1).median()) if len(value) else 0.0
            limits[site] = MASSIVE * median if median > 0 else torch.inf
        return cls(limits)

    def typical(self, values: Mapping[Site, Tensor]) -> Tensor:
        """Which tokens are massive at none of the sites of `values`, boolean `[tokens]`."""
        found = [x.float().norm(dim=-1) <= self.of_site[site] for site, x in values.items()]
        return torch.stack(found).all(dim=0)
