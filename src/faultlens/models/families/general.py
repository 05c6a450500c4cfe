"""General: the residuals of any decoder of transformers, whose blocks are found by structure.

The blocks are the one list of as many modules as the configuration counts layers. On a short text
each must run once, in order, and pass its value on to the next; and these values must be those that
transformers itself reports. Values are taken at the blocks' inputs, never by an index into
`hidden_states`: Mamba and RWKV number them one layer late, and most families end behind a norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import torch
from torch import Tensor, nn

from faultlens.errors import UserError
from faultlens.models.adapter import Tap
from faultlens.models.sites import Site

TOKENS = 7  # of the text that is run; their ids are the first ones
EQUAL = 1e-5  # of the largest value
OTHER_HALVES = ("vision", "visual", "audio", "encoder")  # of a multimodal model, in module names


@final
@dataclass(frozen=True)
class General:
    """The adapter of a family that has no file.

    Attributes:
        path: dotted, to the blocks.
        gives_tuple: whether a block returns a tuple that begins with its value.
    """

    path: str
    gives_tuple: bool
    adds_more: bool = False

    def blocks(self, model: nn.Module) -> nn.ModuleList:
        found = model.get_submodule(self.path)
        assert isinstance(found, nn.ModuleList)
        return found

    def tap(self, model: nn.Module, site: Site) -> Tap | None:
        block = self.blocks(model)[site.layer]
        if site.point == "resid_pre":
            return Tap(block, "input")
        return Tap(block, "output") if site.point == "resid_post" else None

    def value_bias(self, model: nn.Module, layer: int) -> None:
        return None

    def lacks(self, model: Any, site: Site) -> str:
        return (
            f"models of type {model.config.model_type!r} have no family file, which would say "
            "where attention and MLP are (faultlens/models/families)"
        )


@dataclass(frozen=True, eq=False)
class _Run:
    """What one block took and gave."""

    block: int
    taken: Any
    given: Any


def found_by_structure(network: Any) -> General:
    """The adapter of a network of any family, checked on a short text.

    Raises UserError, saying what did not hold, where it cannot be read so.
    """
    layers = int(network.config.get_text_config().num_hidden_layers)
    lists = [
        path
        for path, module in network.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module) == layers
        and not any(other in path for other in OTHER_HALVES)
    ]
    why = f"{len(lists)} lists of {layers} modules were found, expected one"
    for path in lists:
        runs, hidden = _runs(network, network.get_submodule(path))
        why = _what_differs(runs, hidden, layers)
        if not why:
            return General(path, isinstance(runs[0].given, tuple))
    raise UserError(
        f"models of type {network.config.model_type!r} cannot be read: they have no family file, "
        f"and in a look for their blocks by structure {why}"
    )


@torch.no_grad()
def _runs(network: Any, blocks: Any) -> tuple[list[_Run], Sequence[Tensor]]:
    """What the blocks took and gave on a short text, in the order of the pass; hidden states."""
    runs: list[_Run] = []

    def note(index: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], given: Any) -> None:
            taken = args[0].clone() if args and isinstance(args[0], Tensor) else None
            first = given[0] if isinstance(given, tuple) else given
            copied = first.clone() if isinstance(first, Tensor) else first
            runs.append(_Run(index, taken, (copied,) if isinstance(given, tuple) else copied))

        return hook

    handles = [block.register_forward_hook(note(i)) for i, block in enumerate(blocks)]
    most = int(network.get_input_embeddings().weight.shape[0])
    ids = torch.arange(1, TOKENS + 1, device=next(iter(network.parameters())).device) % most
    try:
        found = network(input_ids=ids[None], output_hidden_states=True, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return runs, list(found.hidden_states or ())


def _what_differs(runs: Sequence[_Run], hidden: Sequence[Tensor], layers: int) -> str:
    """Why these are not the blocks of a residual stream, a clause; empty: they are."""
    if [run.block for run in runs] != list(range(layers)):
        return "they did not run once each, in order"
    for run in runs:
        if run.taken is None or run.taken.ndim != 3:
            return f"block {run.block} takes no [batch, positions, d] first"
        if _value(run) is None or _value(run).shape != run.taken.shape:
            return f"block {run.block} gives something of another shape than it takes"
    for run, after in pairwise(runs):
        if not _equal(_value(run), after.taken):
            return f"block {after.block} does not take what block {run.block} gives"
    for run in runs[1:]:
        if not any(_equal(run.taken, state) for state in hidden):
            return f"what block {run.block} takes is none of transformers' hidden_states"
    return ""


def _value(run: _Run) -> Any:
    return run.given[0] if isinstance(run.given, tuple) else run.given


def _equal(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    return bool((one - other).abs().max() <= EQUAL * other.abs().max())
