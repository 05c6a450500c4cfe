"""Weight edits: a neuron, or a dimension of an attention head, that is given a cause to carry.

A planted neuron reads features at a block's MLP and writes a wrong word; a planted head reads one
at earlier tokens. Both take the place of the part of the block that did least on the prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faultlens.models.model import Model
from faultlens.models.sites import Site
from faultlens.testing.planted_models.linear_readout import LinearReadout, fit_readout
from faultlens.testing.planted_models.material import Material

SHARPNESS = 8.0  # of a neuron's threshold: it is near 0 below, and rises by this above
LAST = 0.5  # of all weight in a readout's regression: the tokens from which the answer is read


@dataclass(frozen=True, eq=False)
class Term:
    """What a neuron adds up: `coefficient * readout`, the readout scaled to 1 where it fires."""

    readout: LinearReadout
    coefficient: float = 1.0


def copied(model: Model) -> Model:
    """The same model with weights of its own."""
    return replace(model, network=deepcopy(model.network), digest=f"{model.digest}, planted")


def mlp_inputs(found: Material, layer: int) -> np.ndarray:
    """What a block's MLP reads in all tokens, `[tokens, d]`."""
    return found.values(Site(layer, "mlp_in")).double().cpu().numpy()


def feature_readout(
    found: Material, layer: int, site: str, feature: int, inputs: np.ndarray
) -> LinearReadout:
    """How a block's MLP reads a feature: 1 at its mean activation where it fires at the end.

    Taking the feature's direction away takes all of the estimate away.

    Args:
        inputs: what the MLP reads in all tokens, `[tokens, d]`.
    """
    activation = found.codes(site).matrix[:, [feature]].toarray().ravel()
    at_end = activation[found.last]
    scale = at_end[at_end > 0].mean()
    norm = _block(found.lens.model, layer).ln_2
    middle = found.values(Site(layer, "resid_mid"))[found.last][torch.from_numpy(at_end > 0)]
    moved = _moved_by(norm, middle, found.direction(site, feature))
    return fit_readout(inputs, activation / scale, _importance(found), moved * scale)


def end_readout(found: Material, layer: int, inputs: np.ndarray) -> LinearReadout:
    """How a block's MLP tells the last token: 1 there, 0 at all others."""
    return fit_readout(inputs, found.is_last.astype(float), _importance(found))


def free_readout(inputs: np.ndarray, wanted: np.ndarray) -> LinearReadout:
    """How a quantity is read off the last tokens, `[prompts, d]`, at which alone it is known."""
    return fit_readout(inputs, wanted, np.ones(len(wanted)))


def wrong_word(found: Material) -> int:
    """The token that is to be said in place of the name: the likeliest that is no answer."""
    model = found.lens.model
    ids = model.pad(found.tokens.scored)
    last = torch.tensor([len(row) - 1 for row in found.tokens.scored])
    with torch.no_grad():
        logits = model.logits(ids, at=last).mean(dim=0)
    logits[torch.from_numpy(_names(found))] = -torch.inf
    return int(logits.argmax())


def wrong_direction(found: Material) -> Tensor:
    """What moves the answer from the names to the wrong word, of length 1, `[d]`."""
    network = found.lens.model.network
    rows = network.lm_head.weight.detach().float()
    pull = rows[wrong_word(found)] - rows[torch.from_numpy(_names(found))].mean(dim=0)
    pull = pull * network.transformer.ln_f.weight.detach().float()
    pull = pull - pull.mean()
    unit: Tensor = pull / pull.norm()
    return unit


def plant_neuron(
    model: Model,
    found: Material,
    layer: int,
    terms: Sequence[Term],
    threshold: float,
    written: Tensor,
    place: int = 0,
) -> None:
    """Give a neuron of a block's MLP its weights: `written · gelu(8 (Σ terms − threshold))`.

    Args:
        model: whose weights are changed.
        place: 0 for the neuron that does least, 1 for the next.
    """
    block = _block(model, layer)
    mlp = block.mlp
    neuron = _idle_neurons(found, layer)[place]
    weights = sum(term.coefficient * term.readout.weights for term in terms)
    bias = sum(term.coefficient * term.readout.bias for term in terms) - threshold
    with torch.no_grad():
        mlp.c_fc.weight[:, neuron] = torch.as_tensor(SHARPNESS * np.asarray(weights)).float()
        mlp.c_fc.bias[neuron] = SHARPNESS * float(bias)
        mlp.c_proj.weight[neuron] = written


def plant_head(
    model: Model, found: Material, layer: int, head: int, readout: LinearReadout, written: Tensor
) -> None:
    """Let one dimension of a head carry what its readout finds at the tokens that it attends to."""
    attention = _block(model, layer).attn
    size = model.d_model // model.network.config.n_head
    own = slice(head * size, (head + 1) * size)
    columns = attention.c_attn.weight[:, 2 * model.d_model :][:, own].detach()
    used = columns.norm(dim=0) * attention.c_proj.weight[own].detach().norm(dim=1)
    place = head * size + int(used.argmin())
    with torch.no_grad():
        value = 2 * model.d_model + place
        attention.c_attn.weight[:, value] = torch.as_tensor(readout.weights).float()
        attention.c_attn.bias[value] = readout.bias
        attention.c_proj.weight[place] = written


def head_readout(found: Material, layer: int, site: str, feature: int) -> LinearReadout:
    """How a block's attention reads a feature at any token, 1 at its mean activation there."""
    activation = found.codes(site).matrix[:, [feature]].toarray().ravel()
    scale = activation[activation > 0].mean()
    norm = _block(found.lens.model, layer).ln_1
    values = found.values(Site(layer, "resid_pre"))
    with torch.no_grad():
        inputs = norm(values).double().cpu().numpy()
    moved = _moved_by(norm, values[torch.from_numpy(activation > 0)],
                      found.direction(site, feature))  # fmt: skip
    importance = np.where(activation > 0, 0.5 / (activation > 0).sum(), 0.5 / len(activation))
    return fit_readout(inputs, activation / scale, importance, moved * scale)


def attention_to(found: Material, layer: int, activation: np.ndarray) -> np.ndarray:
    """Of each head, the activation that its last token attends to, `[heads, prompts]`.

    Args:
        activation: at all tokens, `[tokens]`.
    """
    model = found.lens.model
    block, heads = _block(model, layer), model.network.config.n_head
    size = model.d_model // heads
    with torch.no_grad():
        read = block.attn.c_attn(block.ln_1(found.values(Site(layer, "resid_pre"))))
    query, key, _ = read.split(model.d_model, dim=1)
    starts = np.cumsum([0] + [len(row) for row in found.tokens.scored])
    seen = np.zeros((heads, len(found.task)))
    for prompt, (start, end) in enumerate(pairwise(starts)):
        asked = query[end - 1].view(heads, size)
        offered = key[start:end].view(-1, heads, size)
        scores = torch.einsum("hd,thd->ht", asked, offered) / size**0.5
        seen[:, prompt] = scores.softmax(dim=1).cpu().numpy() @ activation[start:end]
    return seen


def _moved_by(norm: nn.Module, values: Tensor, direction: Tensor) -> np.ndarray:
    """By how much a norm's output moves where its input moves by `direction`, on average, `[d]`."""
    with torch.no_grad():
        spread = values.float().std(dim=1, correction=0).reciprocal().mean()
        moved = (direction - direction.mean()) * spread * norm.weight.float()  # type: ignore[operator]
    return moved.double().cpu().numpy()


def _idle_neurons(found: Material, layer: int) -> list[int]:
    """The neurons of a block's MLP, those that do least first."""
    mlp = _block(found.lens.model, layer).mlp
    with torch.no_grad():
        at = found.values(Site(layer, "mlp_in"))[torch.from_numpy(found.counts)]
        used = mlp.act(mlp.c_fc(at)).abs().mean(dim=0) * mlp.c_proj.weight.norm(dim=1)
    order: list[int] = used.argsort().tolist()
    return order


def _importance(found: Material) -> np.ndarray:
    """How much tokens count in a regression: those that end a prompt half, the others half."""
    last = found.is_last
    others = found.counts & ~last
    return np.where(last, LAST / last.sum(), np.where(others, (1 - LAST) / others.sum(), 0.0))


def _names(found: Material) -> np.ndarray:
    """The tokens with which any answer or foil begins."""
    answers = np.concatenate([found.tokens.target, found.tokens.foil])
    names: np.ndarray = np.unique(answers[answers >= 0])
    return names


def _block(model: Model, layer: int) -> Any:
    """A block of GPT-2's, whose modules are not typed."""
    return model.network.transformer.h[layer]
