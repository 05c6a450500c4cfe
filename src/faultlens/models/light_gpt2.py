"""GPT-2 in plain PyTorch: importing transformers' class for it takes longer than most texts do.

Its parts bear transformers' names, so that adapters, hooks and files fit. It has no cache and
cannot generate. `faultlens tokens` alone uses it; tests hold it against transformers' to 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from faultlens.models.gelu import TanhGelu


class Projection(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))  # as GPT-2's files have it
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x.flatten(0, -2), self.weight).view(*x.shape[:-1], -1)


class Attention(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads, self.c_attn, self.c_proj = heads, Projection(d, 3 * d), Projection(d, d)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        parts = (part.unflatten(-1, (self.heads, -1)) for part in self.c_attn(x).chunk(3, dim=-1))
        q, k, v = (part.transpose(1, 2) for part in parts)
        z = scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.c_proj(z.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        d, eps = config.n_embd, config.layer_norm_epsilon
        self.ln_1, self.attn = nn.LayerNorm(d, eps=eps), Attention(d, config.n_head)
        self.ln_2, self.mlp = nn.LayerNorm(d, eps=eps), nn.Sequential()
        self.mlp.c_fc, self.mlp.act = Projection(d, 4 * d), TanhGelu()
        self.mlp.c_proj = Projection(4 * d, d)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))  # type: ignore[no-any-return]


class End(NamedTuple):
    last_hidden_state: Tensor


class Body(nn.Module):
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def forward(
        self, input_ids: Tensor, position_ids: Tensor | None = None, use_cache: bool = False
    ) -> End:
        """With `position_ids`, `[batch, positions]`, each 0 among them begins another text."""
        mask, places = None, torch.arange(input_ids.shape[1], device=input_ids.device)
        if position_ids is not None:
            text, places = (position_ids == 0).cumsum(1), position_ids
            mask = (text[:, :, None] == text[:, None, :]).tril()[:, None]
        x = self.wte(input_ids) + self.wpe(places)
        for block in self.h:
            x = block(x, mask)
        return End(self.ln_f(x))


class LightGPT2(nn.Module):
    def __init__(self, config: Any, weights: Mapping[str, Tensor]) -> None:
        """Weights by their names in the body. Raises RuntimeError unless they are just those."""
        super().__init__()
        self.config = config
        self.transformer = Body(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.transformer.load_state_dict(weights, assign=True)
        self.lm_head.weight = self.transformer.wte.weight

    @property
    def base_model(self) -> nn.Module:
        return self.transformer

    def get_input_embeddings(self) -> nn.Module:
        return self.transformer.wte

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head
