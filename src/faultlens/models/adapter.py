"""Adapters: where a family of Hugging Face models keeps the quantities that sites name.

An adapter is a small final class that maps a `Site` to a `Tap`: a module and a side of it. Families
register under Hugging Face's `model_type`; a new family is one class with this protocol and one
`@register("its_model_type")`, in a module that `adapter_for` imports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from faultlens.errors import UserError
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
    """

    module: nn.Module
    side: Literal["input", "output", "before_gain"]
    shared: bool = False
    gain: Gain | None = None


class Adapter(Protocol):
    """What the rest of the package asks of a model family."""

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        """The transformer blocks, in order; the same object that the forward pass walks over."""
        ...

    def put_blocks(self, model: nn.Module, blocks: nn.ModuleList) -> None:
        """Put `blocks` where `blocks(model)` was found."""
        ...

    def tap(self, model: nn.Module, site: Site) -> Tap | None:
        """Where the quantity named by `site` passes; None if the architecture has none."""
        ...

    def value_bias(self, model: nn.Module, layer: int) -> Tensor | None:
        """What a bias adds to `hook_z` whatever the attention, `[heads · d_head]`; None if nothing.

        TransformerLens folds it into the output projection (`fold_value_biases`), so that its
        processed weights give `z` without it.
        """
        ...


_ADAPTERS: dict[str, Adapter] = {}


def register(*model_types: str) -> Callable[[type], type]:
    """Class decorator: use an instance of this adapter for these Hugging Face `model_type`s."""

    def add(adapter: type) -> type:
        for model_type in model_types:
            _ADAPTERS[model_type] = adapter()
        return adapter

    return add


def adapter_for(model_type: str) -> Adapter:
    """The adapter of a family. Raises UserError, naming the known families, for an unknown one."""
    from faultlens.models import gemma, gpt2, llama, neox  # noqa: F401  (importing registers them)

    if model_type not in _ADAPTERS:
        raise UserError(
            f"models of type {model_type!r} are not supported: expected one of "
            f"{', '.join(sorted(_ADAPTERS))}; a new family is one adapter class, see "
            "faultlens/models/adapter.py"
        )
    return _ADAPTERS[model_type]
