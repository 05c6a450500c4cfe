"""What FaultLens reads of a real model, against transformers' own modules and SAELens's encode.

The reference takes its values by plain hooks on the modules of the model, without FaultLens, of the
ids that transformers' own tokenizer gives: a start token that one of them leaves out shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from real_smoke import TEXT
from torch import Tensor

POINTS = ("resid_pre", "attn_out", "mlp_out")
# By model type, the modules of a block whose outputs are what attention and MLP add.
MODULES = {
    "llama": ("self_attn", "mlp"),
    "gemma3_text": ("post_attention_layernorm", "post_feedforward_layernorm"),
}


def plain_ids(folder: Path) -> list[int]:
    """The text's ids, with the start token if transformers puts one in front."""
    from transformers import AutoTokenizer

    ids: list[int] = AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"]
    return ids


@torch.no_grad()
def reference(folder: Path, ids: list[int]) -> dict[str, Tensor]:
    """By site, the values that transformers computes, `[tokens, d_model]`."""
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    values: dict[str, Tensor] = {}

    def keeper(site: str) -> Callable[[Any, Any, Any], None]:
        def keep(module: Any, inputs: Any, output: Any) -> None:
            values[site] = (output[0] if isinstance(output, tuple) else output).reshape(
                len(ids), -1
            )

        return keep

    attention, mlp = MODULES[plain.config.model_type]
    for layer, block in enumerate(plain.model.layers):
        getattr(block, attention).register_forward_hook(keeper(f"blocks.{layer}.hook_attn_out"))
        getattr(block, mlp).register_forward_hook(keeper(f"blocks.{layer}.hook_mlp_out"))
    whole = plain(torch.tensor([ids]), output_hidden_states=True, use_cache=False)
    for layer in range(len(plain.model.layers)):
        values[f"blocks.{layer}.hook_resid_pre"] = whole.hidden_states[layer][0]
    values["logits"] = whole.logits[0]
    return values


@torch.no_grad()
def site_errors(folder: Path) -> dict[str, Any]:
    """By point and layer, the largest relative error of a token's value."""
    from faultlens.models.load import load_model
    from faultlens.models.sites import Site

    model = load_model(str(folder))
    ids = plain_ids(folder)
    expected = reference(folder, ids)
    sites = [Site(layer, point) for point in POINTS for layer in range(model.n_layers)]
    read = model.read(torch.tensor([ids]), sites)
    errors: dict[str, list[float]] = {point: [] for point in POINTS}
    for site in sites:
        difference = (read[site][0] - expected[site.name]).norm(dim=-1)
        norms = expected[site.name].norm(dim=-1).clamp(min=1e-30)
        errors[site.point].append(float((difference / norms).max()))
    logits = model.logits(torch.tensor([ids]))[0] - expected["logits"]
    return {
        "tokens": len(ids),
        "largest_by_layer": errors,
        "largest_logit_error": float(logits.abs().max()),
    }


@torch.no_grad()
def activation_errors(folder: Path, trained: Path) -> dict[str, Any]:
    """By site, activations as `lens.tokens` gives them against SAELens's encode of the same values.

    SAELens is given transformers' values. Errors are relative to the token's largest activation;
    tokens that do not count (massive ones) are left out of both.
    """
    from sae_lens import SAE

    import faultlens as fl

    lens = fl.load(str(folder), sae=str(trained), sites=["all"])
    view = lens.tokens(TEXT)
    ids = plain_ids(folder)
    start = len(ids) - len(view.tokens)  # tokens in front, which no reading counts
    expected = {site: values[start:] for site, values in reference(folder, ids).items()}
    found = {}
    for dictionary in lens.dictionaries:
        sae = SAE.load_from_disk(str(trained / dictionary.site.name), device="cpu")
        other = sae.encode(expected[dictionary.site.name].float())
        mine = torch.from_numpy(view.activations[dictionary.name].toarray())
        left_out = view.left_out[dictionary.name]
        counted = [at for at in range(len(view.tokens)) if at not in left_out]
        mine, other = mine[counted], other[counted]
        scale = other.amax(dim=1, keepdim=True)
        found[dictionary.site.name] = {
            "tokens": len(counted),
            "left_out": len(left_out),
            "firings": int((other > 0).sum()),
            "other_features": int(((mine > 0) != (other > 0)).sum()),
            "largest_relative_error": float(((mine - other).abs() / scale).max()),
        }
    return found
