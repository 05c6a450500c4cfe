"""Adapter: what the rest of the package asks of a family of Hugging Face models.

An adapter maps a `Site` to a `Tap`: a module, and the side of it at which the quantity passes. The
families are in `faultlens.models.families`, one small file each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from faultlens.models.sites import Site


class Gain(Protocol):
    """How a family's norm splits into the normalised value and the gain put on it."""

    def normalize(self, norm: nn.Module, x: Tensor) -> Tensor:
        """The norm's value before its gain, of its input `x [..., d]`."""
        ...

    def scale(self, norm: nn.Module, normalized: Tensor) -> Tensor:
        """The norm's output, of its value before the gain."""
        ...


@dataclass(frozen=True)
class Tap:
    """Where a quantity passes: a side of a module.

    Attributes:
        module: the module.
        side: its first positional `input`; its `output` (the first, of several); or, of a norm,
            what it makes of its input `before_gain`.
        shared: the input is also carried on past the module by a skip connection, so that an edit
            must reach both.
        gain: of the norm, for `before_gain`.
        scale: what the output is multiplied by before it is added to the residual.
    """

    module: nn.Module
    side: Literal["input", "output", "before_gain"]
    shared: bool = False
    gain: Gain | None = None
    scale: float = 1.0


class Adapter(Protocol):
    """What the rest of the package asks of a model family."""

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        """The transformer blocks, in order; the same object that the forward pass walks over."""
        ...

    @property
    def gives_tuple(self) -> bool:
        """Whether a block returns a tuple that begins with its value."""
        ...

    def tap(self, model: nn.Module, site: Site) -> Tap | None:
        """Where the quantity named by `site` passes; None if the architecture has none."""
        ...

    @property
    def adds_more(self) -> bool:
        """Whether a block adds more to the residual than attention and MLP, or scales it."""
        ...

    def lacks(self, model: nn.Module, site: Site) -> str:
        """Why there is no tap for `site`, a clause."""
        ...

    def value_bias(self, model: nn.Module, layer: int) -> Tensor | None:
        """What a bias adds to `hook_z` whatever the attention, `[heads · d_head]`; None if nothing.

        TransformerLens folds it into the output projection (`fold_value_biases`), so that its
        processed weights give `z` without it.
        """
        ...
