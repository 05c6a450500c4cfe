"""Adapters: where a family of Hugging Face models keeps the quantities that sites name.

An adapter is a small final class that maps a `Site` to a module and a side of it. Families register
under Hugging Face's `model_type`; a new family is one class with this protocol and one
`@register("its_model_type")`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import nn

from faultlens.errors import UserError
from faultlens.models.sites import Site


@dataclass(frozen=True)
class Tap:
    """A side of a module: its first positional input, or its output (the first, of several)."""

    module: nn.Module
    side: Literal["input", "output"]


class Adapter(Protocol):
    """What the rest of the package asks of a model family."""

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        """The transformer blocks, in order; the same object that the forward pass walks over."""
        ...

    def put_blocks(self, model: nn.Module, blocks: nn.ModuleList) -> None:
        """Put `blocks` where `blocks(model)` was found."""
        ...

    def tap(self, model: nn.Module, site: Site) -> Tap:
        """The module and side at which the quantity named by `site` passes."""
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
    from faultlens.models import gpt2  # noqa: F401  (importing a family registers it)

    if model_type not in _ADAPTERS:
        raise UserError(
            f"models of type {model_type!r} are not supported: expected one of "
            f"{', '.join(sorted(_ADAPTERS))}; a new family is one adapter class, see "
            "faultlens/models/adapter.py"
        )
    return _ADAPTERS[model_type]
