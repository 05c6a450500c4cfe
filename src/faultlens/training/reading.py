"""Readings of a training: what one step saw, and a point of the curve over many."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class StepReading:
    """One batch.

    Attributes:
        loss: all of it, auxiliary losses included, mean over tokens, in scaled units.
        squared_error: `Σ‖y − ŷ‖²` over the batch, in scaled units.
        firings: pairs of a token and a feature that fires on it.
        fired: which features fired, boolean `[d_sae]`.
    """

    loss: float
    squared_error: float
    firings: int
    fired: Tensor


@dataclass(frozen=True)
class CurvePoint:
    """The mean over the batches since the last point. A card's curve is made of these."""

    tokens: int  # learnt from so far
    loss: float  # in scaled units
    fvu: float  # of the batches as they were seen, before each was learnt from
    l0: float
    dead_share: float
