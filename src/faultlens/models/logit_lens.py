"""Logit lens: the tokens whose logits a direction of the residual stream raises or lowers.

An approximation (nostalgebraist 2020): the layers between are passed over, and the final norm is
taken of the direction alone, while in a pass it divides by all that stands in the residual stream.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from faultlens.models.dictionary import Dictionary
from faultlens.models.model import Model
from faultlens.models.sites import RESIDUAL, Site

ADDED = RESIDUAL | {"attn_out", "mlp_out"}
"""The points whose value is the residual stream, or is added to it as it is."""


@torch.no_grad()
def residual_directions(
    model: Model, dictionary: Dictionary, features: Sequence[int]
) -> Tensor | None:
    """What each feature adds to the residual stream, `[features, d_model]`, up to its scale.

    At `z` it goes through the output projection, and through the norm behind attention where the
    family has one. None for a dictionary whose features add to no residual: of an MLP's input.
    """
    site = dictionary.target
    directions = dictionary.W_dec[list(features)]
    if site.point in ADDED:
        return directions
    projection = model.adapter.tap(model.network, site) if site.point == "z" else None
    if projection is None:
        return None
    written = _moved(projection.module, directions.to(model.device, model.dtype))
    added = model.adapter.tap(model.network, Site(site.layer, "attn_out"))
    if added is not None and projection.module not in set(added.module.modules()):
        written = _moved(added.module, written)
    return written.float()


@torch.no_grad()
def direct_logits(model: Model, directions: Tensor) -> Tensor:
    """The logits of each direction alone, float32 `[directions, vocabulary]`.

    `W_U · (norm(direction) − norm(0))` with the model's own final norm and unembedding: so the
    biases of both drop out, which all directions would share. Without what a model does to its
    logits afterwards (a scale, a cap), which leaves their order as it is.

    Args:
        directions: in the residual stream, `[directions, d_model]`.

    >>> import faultlens as fl, torch
    >>> model = fl.load("mini", layers=[3]).model
    >>> directions = torch.stack([torch.zeros(192), torch.arange(192.0)])
    >>> direct_logits(model, directions).abs().amax(dim=1) > 0
    tensor([False,  True])
    """
    rows = torch.cat([directions, torch.zeros_like(directions[:1])]).float().to(model.device)
    end = Site(model.n_layers - 1, "resid_post")
    one_token = torch.zeros(len(rows), 1, dtype=torch.long, device=model.device)
    hidden = model.hidden(one_token, edits={end: lambda value: rows[:, None].to(value)})[:, 0]
    head = model.network.get_output_embeddings()
    return nn.functional.linear(hidden[:-1] - hidden[-1:], head.weight).float()


def _moved(module: nn.Module, directions: Tensor) -> Tensor:
    """What a module makes of directions, without what it makes of nothing."""
    moved: Tensor = module(directions) - module(torch.zeros_like(directions))
    return moved
