"""Offloading: a model that does not fit the device it runs on.

What every pass needs all the time (embeddings, norms, the unembedding) lies on the device, and so
do the matrices of as many blocks as fit. Those of the others stay in the processor's memory, and
accelerate brings each over for the moment in which it is multiplied by. The modules are the same
ones, so that hooks, edits and restarts work as ever, and the numbers are those of the whole model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from faultlens.errors import UserError
from faultlens.models.device_memory import in_words

SHARE = 0.7  # of the device's free memory that weights may take; the rest is for what passes hold
MISSING = "--device-map auto needs the library accelerate: pip install 'faultlens[offload]'"


def place(
    name: str, network: nn.Module, blocks: Sequence[nn.Module], device: torch.device, free: int
) -> int:
    """Move a network to a device, as much of it as fits; the rest is brought over when it is used.

    Args:
        name: of the model, as a sentence names it.
        network: in the processor's memory.
        blocks: its layers; those at the end are the first that stay behind.
        device: where it runs.
        free: bytes there.

    Returns:
        Bytes of the weights that stay in the processor's memory.

    Raises:
        UserError: accelerate is not installed, or not even one block at a time fits.
    """
    try:
        from accelerate.hooks import AlignDevicesHook, add_hook_to_module
    except ImportError as error:
        raise UserError(MISSING) from error
    matrices = [_matrices(block) for block in blocks]
    sizes = [sum(_bytes(module) for module in of_block) for of_block in matrices]
    held = _bytes(network, recurse=True) - sum(sizes)
    room = int(SHARE * free) - held - max(sizes, default=0)
    if room < 0:
        raise UserError(
            f"model {name} needs {in_words(held + max(sizes, default=0))} on {device} for what is "
            f"not in its blocks and one block, and {in_words(int(SHARE * free))} can be taken: "
            "choose a smaller model, or a device with more memory"
        )
    behind, kept = 0, 0
    away: list[nn.Module] = []
    for of_block, size in zip(matrices, sizes, strict=True):
        if not behind and kept + size <= room:
            kept += size
        else:
            behind += size
            away += of_block
    for module in network.modules():
        if module not in away:
            _move(module, device)
    for module in away:
        add_hook_to_module(module, AlignDevicesHook(device, offload=True))
    return behind


@contextmanager
def at_hand(module: nn.Module) -> Iterator[None]:
    """Within this context the weights of a module can be read, wherever they lie."""
    if not any(parameter.is_meta for parameter in module.parameters()):
        yield
        return
    from accelerate.utils import align_module_device

    with ExitStack() as opened:
        for part in _matrices(module):
            opened.enter_context(align_module_device(part))
        yield


def _matrices(block: nn.Module) -> list[nn.Module]:
    """The modules of a block that hold matrices themselves."""
    return [
        module
        for module in block.modules()
        if any(p.ndim > 1 for p in module.parameters(recurse=False))
    ]


def _bytes(module: nn.Module, recurse: bool = False) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters(recurse=recurse))


def _move(module: nn.Module, device: torch.device) -> None:
    """What a module holds itself, to the device."""
    for parameter in module.parameters(recurse=False):
        parameter.data = parameter.data.to(device)
    for name, buffer in module.named_buffers(recurse=False):
        setattr(module, name, buffer.to(device))
