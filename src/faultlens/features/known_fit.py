"""Known fits: those of the bundled pair, which need not be checked again while it is as it was."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass

import torch
from torch import Tensor

from faultlens.mini import FITS
from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model

Fit = tuple[float, float]
"""FVU and L0."""


@dataclass(frozen=True, eq=False)
class KnownFits:
    """What the fit check has found before of these very objects, with the contents they had then.

    A tensor can be written to, a block of the network replaced, a hook put on it: then nothing is
    known of the pair any more.

    Attributes:
        fits: by model and dictionary.
        contents: checksum of each.
    """

    fits: Mapping[tuple[Model, Dictionary], Fit] = field(default_factory=dict)
    contents: Mapping[Model | Dictionary, int] = field(default_factory=dict)

    @classmethod
    def bundled(cls, model: Model, dictionaries: Sequence[Dictionary]) -> KnownFits:
        """Of the bundled model and dictionaries, just loaded as they are."""
        found = json.loads(FITS.read_text(encoding="utf-8"))
        return cls(
            {(model, d): (found[d.name]["fvu"], found[d.name]["l0"]) for d in dictionaries},
            {model: _of_model(model), **{d: _of_dictionary(d) for d in dictionaries}},
        )

    def of(self, model: Model, dictionaries: Sequence[Dictionary]) -> list[Fit] | None:
        """The fit of each dictionary on the model; None where that of any is not known."""
        if not all((model, dictionary) in self.fits for dictionary in dictionaries):
            return None
        if self.contents[model] != _of_model(model):
            return None
        if any(self.contents[d] != _of_dictionary(d) for d in dictionaries):
            return None
        return [self.fits[model, dictionary] for dictionary in dictionaries]


def _of_model(model: Model) -> int:
    """Checksum of what a network computes with: its modules, their hooks and their tensors."""
    found = 0
    for name, module in model.network.named_modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks)
        found = _text(f"{name} {type(module)} {module.training} {hooks}", found)
        tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for own, tensor in tensors:
            found = _tensor(own, tensor, found)
    return found


def _of_dictionary(dictionary: Dictionary) -> int:
    """Checksum of a dictionary's tensors; its other fields cannot be written to."""
    found = 0
    for name, tensor in _tensors("", dictionary):
        found = _tensor(name, tensor, found)
    return found


def _tensors(name: str, value: object) -> Iterator[tuple[str, Tensor]]:
    """The tensors that a dataclass holds, those of the dataclasses in it too, with their names."""
    if isinstance(value, Tensor):
        yield name, value
    elif is_dataclass(value):
        for one in fields(value):
            yield from _tensors(f"{name}.{one.name}", getattr(value, one.name))


def _tensor(name: str, tensor: Tensor, before: int) -> int:
    described = _text(f"{name} {tensor.dtype} {tuple(tensor.shape)}", before)
    # Transposed, a dictionary's encoder is stored as it is read: no copy is made of it.
    rows = tensor.T if tensor.ndim == 2 and tensor.T.is_contiguous() else tensor
    values = rows.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return zlib.crc32(values.numpy().data, described)


def _text(text: str, before: int) -> int:
    return zlib.crc32(text.encode(), before)
