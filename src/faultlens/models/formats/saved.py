"""Saved dictionary: one that another library wrote, found in its files and not yet read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faultlens.errors import UserError
from faultlens.models.dictionary import (
    Activation,
    ByDecoderNorm,
    Dictionary,
    JumpRelu,
    inverse,
)
from faultlens.models.folding import Origin, fold
from faultlens.models.sae_config import SaeConfig
from faultlens.models.sites import Site

LAYER = re.compile(r"(?:^|[._/-])(?:layers?|h|blocks)[._]?(\d+)(?=$|[._/-])")
"""A layer's number in the names of modules, hooks and folders."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A dictionary's tensors in one form, whoever wrote them.

    Attributes:
        config: what the file and its publisher's conventions say.
        tensors: by SAELens's names and shapes, float32.
        factor: one factor for the input of every token; None: none.
        norm: the decoder's, where it decides what fires without being part of what comes out,
            `[d_sae]`; None: it does not.
    """

    config: SaeConfig
    tensors: dict[str, Tensor]
    factor: float | None = None
    norm: Tensor | None = None


@dataclass(frozen=True, eq=False)
class SavedDictionary:
    """A dictionary that lies in another library's files.

    Attributes:
        publisher: whose format it is, as a sentence names it.
        files: those that hold it, the weights first.
        site: what it reads.
        pickled: whether its weights can run code as they load.
        read: reads them onto a device.
    """

    publisher: str
    files: tuple[Path, ...]
    site: Site
    pickled: bool
    read: Callable[[torch.device], Weights]

    def load(self, set_name: str, device: torch.device) -> Dictionary:
        """The dictionary, `{site.short}-{set_name}`, in float32 on `device`.

        Raises UserError for a file that cannot be read, or tensors that do not fit its format.
        """
        weights = self.read(device)
        digest = hashlib.sha256()
        for file in sorted(self.files):
            digest.update(file.read_bytes())
        origin = Origin(str(self.files[0]), digest.hexdigest(), set_name, factor=weights.factor)
        found = fold(weights.config, weights.tensors, origin)
        if weights.norm is None:
            return found
        norm, activation = weights.norm, found.activation
        if isinstance(activation, JumpRelu):  # norm · pre > threshold: the same, and plain
            gated: Activation = JumpRelu(activation.threshold * inverse(norm))
        else:
            gated = ByDecoderNorm(activation, norm)
        return replace(found, activation=gated, decoder_norm=None)


def config_of(where: Path, architecture: str, site: Site, **more: Any) -> SaeConfig:
    """A configuration where the file says nothing else: nothing taken off, nothing scaled, BOS.

    Dictionaries are taken to be trained with BOS where their files do not say, as in SAELens's
    registry; the fit check compares.
    """
    plain = SaeConfig(
        where=str(where), architecture=architecture, activation=None, site=site, site_out=None,
        d_in=None, d_sae=None, k=None, b_dec_taken_off=False, normalisation="none",
        decoder_norm_in_activations=False, prepend_bos=True, centred=False,
        value_bias_folded=False,
    )  # fmt: skip
    return replace(plain, **more)


def read_pickle(path: Path, device: torch.device) -> dict[str, Tensor]:
    """The tensors of a file that torch saved, float32, without running what it holds.

    Raises UserError for a file that is cut off, or holds more than tensors.
    """
    try:
        raw = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch's readers raise whatever lies below them
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be read as tensors that torch saved: {reason}") from error
    if not isinstance(raw, Mapping) or not all(isinstance(v, Tensor) for v in raw.values()):
        raise UserError(f"{path} holds {type(raw).__name__}: expected tensors by name")
    return {str(name): value.float() for name, value in raw.items()}


def renamed(
    where: Path, tensors: Mapping[str, Tensor], names: Mapping[str, str]
) -> dict[str, Tensor]:
    """Tensors by SAELens's names; a name with `.T` behind it is transposed.

    Args:
        names: SAELens's name of each tensor of the file, e.g. `{"encoder.weight": "W_enc.T"}`.

    Raises:
        UserError: a tensor is missing.
    """
    found = {}
    for theirs, ours in names.items():
        if theirs not in tensors:
            raise UserError(
                f"{where} has no tensor {theirs!r}: it has {', '.join(sorted(tensors))}"
            )
        value = tensors[theirs]
        found[ours.removesuffix(".T")] = value.T.contiguous() if ours.endswith(".T") else value
    return found


def layer_in(where: Path, name: str) -> int:
    """The layer that the name of a module or folder tells. Raises UserError where it tells none."""
    match = LAYER.search(name)
    if match is None:
        raise UserError(f"{where}: {name!r} names no layer, such as layers.5 or layer_5")
    return int(match[1])


def whole(where: Path, fields: Mapping[str, Any], name: str) -> int:
    """A field that is a whole number above 0. Raises UserError for anything else."""
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{where}: {name} = {value!r}, expected a whole number above 0")
    return value
