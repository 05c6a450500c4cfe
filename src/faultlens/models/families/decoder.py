"""Decoder: a family's adapter, made of the paths of its modules and of what each block's taps are.

Two shapes cover most families: attention and MLP in turn, each added to the residual by itself, or
both side by side on the block's input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from torch import Tensor, nn

from faultlens.models.adapter import Gain, Tap
from faultlens.models.offloading import at_hand
from faultlens.models.sites import Site

Taps = Mapping[str, Tap]
"""By point, where the quantity passes in one block."""
TEXT_LAYERS = ("model.layers", "model.language_model.layers")
"""Where most families keep their blocks; the second within a multimodal model."""


def no_value_bias(block: Any) -> Tensor | None:
    """Of a family whose values have no bias."""
    return None


@final
@dataclass(frozen=True)
class Decoder:
    """A family of decoders.

    Attributes:
        taps: of a block.
        layers: dotted paths to the blocks, of which the first that is there counts.
        bias: of a block, what `value_bias` says.
        gives_tuple: whether a block returns a tuple that begins with its value.
        adds_more: whether a block adds more than attention and MLP, or scales the residual.
    """

    taps: Callable[[Any], Taps]
    layers: Sequence[str] = TEXT_LAYERS
    bias: Callable[[Any], Tensor | None] = no_value_bias
    gives_tuple: bool = False
    adds_more: bool = False

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        for path in self.layers:
            try:
                found = model.get_submodule(path)
            except AttributeError:
                continue
            assert isinstance(found, nn.ModuleList)
            return found
        raise AttributeError(f"no blocks at {' or '.join(self.layers)}")

    def tap(self, model: nn.Module, site: Site) -> Tap | None:
        return self.taps(self.blocks(model)[site.layer]).get(site.point)

    def value_bias(self, model: nn.Module, layer: int) -> Tensor | None:
        block = self.blocks(model)[layer]
        with at_hand(block):
            return self.bias(block)

    def lacks(self, model: nn.Module, site: Site) -> str:
        if site.point == "resid_mid":
            return "its attention and MLP run side by side, so no residual lies between them"
        return "this block has no such part"


def in_turn(
    block: Any,
    *,
    z: Any,
    attention: Any,
    mlp: Any,
    norm: Any = None,
    gain: Gain | None = None,
    mlp_added: Any = None,
    scale: float = 1.0,
) -> Taps:
    """The taps of a block that adds attention, then the MLP, to the residual.

    Args:
        z: the output projection of attention; None: this block has none.
        attention: the module whose output is added: attention itself, or the norm after it.
        mlp: the MLP.
        norm: before the MLP, which the skip connection passes by; None: the MLP reads the residual.
        gain: of that norm.
        mlp_added: the module whose output is added in the MLP's place: the norm after it.
        scale: what both are multiplied by before they are added.
    """
    taps = {
        "resid_pre": Tap(block, "input"),
        "attn_out": Tap(attention, "output", scale=scale),
        "resid_mid": Tap(mlp if norm is None else norm, "input", shared=True),
        "mlp_in": Tap(mlp, "input"),
        "mlp_out": Tap(mlp if mlp_added is None else mlp_added, "output", scale=scale),
        "resid_post": Tap(block, "output"),
    }
    return taps | _optional(z, norm, gain)


def side_by_side(
    block: Any, *, z: Any, attention: Any, mlp: Any, norm: Any = None, gain: Gain | None = None
) -> Taps:
    """The taps of a block whose attention and MLP both read its input.

    Args:
        norm: before the MLP alone; None: attention shares it.
    """
    taps = {
        "resid_pre": Tap(block, "input"),
        "attn_out": Tap(attention, "output"),
        "mlp_in": Tap(mlp, "input"),
        "mlp_out": Tap(mlp, "output"),
        "resid_post": Tap(block, "output"),
    }
    return taps | _optional(z, norm, gain)


def _optional(z: Any, norm: Any, gain: Gain | None) -> dict[str, Tap]:
    taps = {} if z is None else {"z": Tap(z, "input")}
    if norm is not None and gain is not None:
        taps["mlp_normalized"] = Tap(norm, "before_gain", gain=gain)
    return taps


def grouped_value_bias(block: Any) -> Tensor | None:
    """Of separate projections: with fewer value heads than query heads, each serves several."""
    attention: Any = getattr(block, "self_attn", None)
    bias = getattr(getattr(attention, "v_proj", None), "bias", None)
    if bias is None:
        return None
    groups = attention.num_key_value_groups
    folded: Tensor = bias.view(-1, attention.head_dim).repeat_interleave(groups, dim=0)
    return folded.reshape(-1)
