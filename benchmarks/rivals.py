"""The same reading as its users write it on TransformerLens and SAELens: two ways, for comparison.

Both mean-pool the activations of the real tokens of each text, BOS left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

BUCKET = 16  # texts of like length that go through together, in the careful way


def load(release: str, layers: Sequence[int]) -> tuple[Any, dict[str, Any]]:
    """The model on processed weights, and the SAEs by hook name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sae_lens import SAE
        from transformer_lens import HookedTransformer

        model = HookedTransformer.from_pretrained(
            "gpt2", center_writing_weights=True, device="cpu", local_files_only=True
        )
        names = [f"blocks.{layer}.hook_resid_pre" for layer in layers]
        return model, {name: SAE.from_pretrained(release, name, device="cpu") for name in names}


Reading = Callable[[Any, dict[str, Any], Sequence[str]], dict[str, np.ndarray]]


@torch.no_grad()
def notebook(model: Any, saes: dict[str, Any], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """The published notebook's procedure: for each SAE a full pass over all texts padded together.

    Every position is encoded, padding included, into `[texts, positions, d_sae]`.
    """
    tokens = model.to_tokens(list(texts))
    lengths = torch.tensor([model.to_tokens(text).shape[1] for text in texts])
    real = (torch.arange(tokens.shape[1]) < lengths[:, None]) & (torch.arange(tokens.shape[1]) > 0)
    pooled = {}
    for name, sae in saes.items():
        _, cache = model.run_with_cache(tokens, names_filter=name)
        activations = sae.encode(cache[name])
        kept = activations * real[..., None]
        pooled[name] = (kept.sum(1) / real.sum(1, keepdim=True)).numpy()
    return pooled


@torch.no_grad()
def careful(model: Any, saes: dict[str, Any], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """One pass for all SAEs, buckets of texts of like length, only real tokens encoded."""
    rows = [model.to_tokens(text)[0] for text in texts]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    stop = 1 + max(int(name.split(".")[1]) for name in saes)
    pooled = {name: np.zeros((len(rows), sae.cfg.d_sae), np.float32) for name, sae in saes.items()}
    for start in range(0, len(order), BUCKET):
        bucket = order[start : start + BUCKET]
        longest = max(len(rows[i]) for i in bucket)
        tokens = torch.full((len(bucket), longest), model.tokenizer.eos_token_id)
        for row, i in enumerate(bucket):
            tokens[row, : len(rows[i])] = rows[i]
        lengths = torch.tensor([len(rows[i]) for i in bucket])
        place = torch.arange(longest)
        real = (place < lengths[:, None]) & (place > 0)
        _, cache = model.run_with_cache(
            tokens, names_filter=lambda name: name in saes, stop_at_layer=stop
        )
        for name, sae in saes.items():
            activations = sae.encode(cache[name][real])
            means = torch.stack(
                [part.mean(0) for part in activations.split((lengths - 1).tolist())]
            )
            pooled[name][bucket] = means.numpy()
    return pooled
